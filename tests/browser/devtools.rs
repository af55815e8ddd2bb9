//! Chromium's DevTools, through which the stories drive it: commands and events, in JSON, over a
//! WebSocket. Their names and fields: <https://chromedevtools.github.io/devtools-protocol/>

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{SinkExt, StreamExt};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_tungstenite::{connect_async, tungstenite::Message};

/// So many events wait for who is slow to read them.
const EVENTS: usize = 8192;

/// A connection to one Chromium, until it ends.
#[derive(Clone, Debug)]
pub struct DevTools {
    commands: mpsc::UnboundedSender<Message>,
    last: Arc<AtomicU64>,
    waiting: Waiting,
    /// The connection has the strong one: with it, the events end.
    events: broadcast::WeakSender<Event>,
}

/// Who waits for the answer to the command of this number.
type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>;

/// What a command has come to, or why it was refused.
type Answer = Result<Value, String>;

const ENDED: &str = "Chromium has ended";

/// What Chromium says by itself.
#[derive(Clone, Debug)]
pub struct Event {
    /// For example `Page.frameNavigated`.
    pub method: String,
    /// Which page says it; none for what concerns the whole browser.
    pub session: Option<String>,
    pub parameters: Value,
}

impl DevTools {
    /// Connects to the address that Chromium has named.
    ///
    /// # Errors
    ///
    /// Why there is no connection.
    pub async fn connect(address: &str) -> Result<DevTools, String> {
        let (socket, _) = connect_async(address).await.map_err(|error| error.to_string())?;
        let (mut sink, mut stream) = socket.split();
        let (commands, mut queue) = mpsc::unbounded_channel();
        let waiting = Waiting::default();
        let (events, _) = broadcast::channel(EVENTS);
        let weak_events = events.downgrade();

        tokio::spawn({
            let waiting = waiting.clone();
            async move {
                loop {
                    tokio::select! {
                        command = queue.recv() => {
                            let Some(command) = command else { break };
                            if sink.send(command).await.is_err() {
                                break;
                            }
                        }
                        message = stream.next() => {
                            let Some(Ok(message)) = message else { break };
                            if let Ok(said) = serde_json::from_slice(&message.into_data()) {
                                hear(said, &waiting, &events);
                            }
                        }
                    }
                }
                // No answer can come any more: none to who asks from now on, and none to who waits.
                drop(queue);
                waiting.lock().clear();
            }
        });
        Ok(DevTools { commands, last: Arc::default(), waiting, events: weak_events })
    }

    /// Sends a command to the browser, or to the page of this session. Its answer may be waited for.
    ///
    /// # Errors
    ///
    /// That Chromium has ended.
    pub fn send(
        &self,
        session: Option<&str>,
        method: &str,
        parameters: Value,
    ) -> Result<oneshot::Receiver<Answer>, String> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, comes) = oneshot::channel();
        self.waiting.lock().insert(number, answer);
        let mut command = json!({ "id": number, "method": method, "params": parameters });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        self.commands.send(Message::text(command.to_string())).map_err(|_| ENDED)?;
        Ok(comes)
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    ///
    /// Why Chromium refuses it, or that it has ended.
    pub async fn ask(&self, session: Option<&str>, method: &str, parameters: Value) -> Answer {
        let answer = self.send(session, method, parameters)?.await;
        answer.map_err(|_| ENDED)?.map_err(|error| format!("{method}: {error}"))
    }

    /// As [`ask`](DevTools::ask), of what Chromium has no reason to refuse.
    pub async fn tell(&self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        self.ask(session, method, parameters).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// What it says from now on, until it ends.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.upgrade().expect(ENDED).subscribe()
    }
}

/// Hands an answer to who waits for it, and an event to all.
fn hear(mut said: Value, waiting: &Waiting, events: &broadcast::Sender<Event>) {
    if let Some(number) = said["id"].as_u64() {
        let answer = match said.get("error") {
            Some(error) => Err(error["message"].as_str().unwrap_or_default().to_owned()),
            None => Ok(said["result"].take()),
        };
        if let Some(waits) = waiting.lock().remove(&number) {
            // An error means that the one who waited has gone.
            let _ = waits.send(answer);
        }
    } else if let Some(method) = said["method"].as_str() {
        let method = method.to_owned();
        let session = said["sessionId"].as_str().map(str::to_owned);
        // An error means that no window listens.
        let _ = events.send(Event { method, session, parameters: said["params"].take() });
    }
}
