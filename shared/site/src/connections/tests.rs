//! Streams in memory and a clock that only moves when all wait for it: no test here takes time.

use std::{future, io};

use axum::routing::{get, post};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::*;
use crate::{BODY_TIME, Form, with_look};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

struct Server {
    door: mpsc::UnboundedSender<DuplexStream>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

impl Server {
    fn start(app: Router) -> Server {
        let (door, visitors) = mpsc::unbounded_channel();
        let (stop, told_to_stop) = oneshot::channel();
        let ended = tokio::spawn(serve(Door(visitors), app, told_to_stop));
        Server { door, stop, ended }
    }

    fn connect(&self) -> Visitor {
        let (here, there) = duplex(1024);
        self.door.send(there).expect("the server takes connections");
        Visitor(here)
    }

    /// Tells it to stop, and returns how long that took.
    async fn stop(self) -> Duration {
        let told = Instant::now();
        self.stop.send(()).expect("the server runs");
        soon(self.ended).await.expect("the server does not panic");
        told.elapsed()
    }
}

struct Door(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Door {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

struct Visitor(DuplexStream);

impl Visitor {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("the connection is open");
    }

    /// A response whose body is "Welcome".
    async fn response(&mut self) -> String {
        let mut response = String::new();
        while !response.ends_with("Welcome") {
            let byte = soon(self.0.read_u8()).await.expect("a whole response");
            response.push(byte.into());
        }
        response
    }

    async fn get(&mut self) -> String {
        self.send(REQUEST).await;
        self.response().await
    }

    /// Waits until the server closes the connection, and returns what it sent before.
    async fn end(&mut self) -> String {
        let mut rest = String::new();
        soon(self.0.read_to_string(&mut rest)).await.expect("text");
        rest
    }

    async fn is_open(&mut self) -> bool {
        let mut byte = [0];
        let read = time::timeout(Duration::from_millis(1), self.0.read(&mut byte)).await;
        read.is_err()
    }
}

/// What would never happen is a failure, not a test that hangs.
async fn soon<T>(action: impl Future<Output = T>) -> T {
    let day = Duration::from_secs(24 * 3600);
    time::timeout(day, action).await.expect("it happens within a day of this clock")
}

fn welcome() -> Router {
    Router::new().route("/", get(async || "Welcome"))
}

/// Its requests take until the semaphore lets them go.
fn slow() -> (Router, Arc<Semaphore>) {
    let let_go = Arc::new(Semaphore::new(0));
    let waiting = let_go.clone();
    let handler = async move || {
        waiting.acquire().await.expect("it is never closed").forget();
        "Welcome"
    };
    (Router::new().route("/", get(handler)), let_go)
}

/// Lets all tasks run until each of them waits, for something else than time.
async fn settle() {
    time::sleep(Duration::from_nanos(1)).await;
}

#[tokio::test(start_paused = true)]
async fn half_a_request_does_not_stay_open_for_ever() {
    let server = Server::start(welcome());
    for half in ["", "GET", "GET / HTTP/1.1\r\nHost: local"] {
        let start = Instant::now();
        let mut visitor = server.connect();
        visitor.send(half).await;
        assert_eq!(visitor.end().await, "", "{half:?}");
        assert_eq!(start.elapsed().as_secs(), HEAD_TIME.as_secs(), "{half:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn neither_does_one_that_comes_letter_by_letter() {
    let server = Server::start(welcome());
    let start = Instant::now();
    let mut visitor = server.connect();
    visitor.send("GET / HTTP/1.1\r\nX-Slow: ").await;
    soon(async {
        while visitor.0.write_all(b"o").await.is_ok() {
            time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    assert_eq!(start.elapsed().as_secs(), HEAD_TIME.as_secs() + 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_is_told_who_has_connected() {
    let who = async |ConnectInfo(()): ConnectInfo<()>| "Welcome";
    let server = Server::start(Router::new().route("/", get(who)));
    assert!(server.connect().get().await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test(start_paused = true)]
async fn a_connection_serves_again_until_it_idles_too_long() {
    let server = Server::start(welcome());
    let mut visitor = server.connect();
    for _ in 0..3 {
        visitor.get().await;
        time::sleep(HEAD_TIME - Duration::from_secs(1)).await;
    }
    visitor.get().await;

    let start = Instant::now();
    assert_eq!(visitor.end().await, "");
    assert_eq!(start.elapsed().as_secs(), HEAD_TIME.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_may_take_its_time() {
    let (app, let_go) = slow();
    let server = Server::start(app);
    let mut visitor = server.connect();
    visitor.send(REQUEST).await;
    time::sleep(Duration::from_secs(3600)).await;
    let_go.add_permits(1);
    assert!(visitor.response().await.starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test(start_paused = true)]
async fn a_form_that_stalls_is_answered_and_its_connection_closed() {
    let set_car = async |Form(car): Form<Vec<(String, String)>>| car.len().to_string();
    let routes = Router::new().route("/car", post(set_car));
    let server = Server::start(with_look(routes));
    let start = Instant::now();
    let mut visitor = server.connect();
    visitor
        .send(
            "POST /car HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\nmy_car=",
        )
        .await;
    let response = visitor.end().await;
    assert!(response.starts_with("HTTP/1.1 408 Request Timeout"), "{response}");
    assert_eq!(start.elapsed().as_secs(), BODY_TIME.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_full_house_serves_a_newcomer_at_once() {
    let server = Server::start(welcome());
    let mut idle: Vec<Visitor> = (0..MAX_CONNECTIONS).map(|_| server.connect()).collect();
    settle().await;
    // From now on, the second one idles longest.
    idle[0].get().await;

    let start = Instant::now();
    server.connect().get().await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(idle[1].end().await, "");
    for number in [0, 2, MAX_CONNECTIONS - 1] {
        assert!(idle[number].is_open().await, "{number}");
        idle[number].get().await;
    }
}

#[tokio::test(start_paused = true)]
async fn more_newcomers_than_places_are_all_served() {
    let server = Server::start(welcome());
    let start = Instant::now();
    let mut kept = Vec::new();
    for _ in 0..3 * MAX_CONNECTIONS {
        let mut newcomer = server.connect();
        newcomer.get().await;
        kept.push(newcomer);
    }
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_never_reads_the_response_cannot_keep_a_place() {
    let long = Router::new().route("/", get(async || "long ".repeat(1000)));
    let server = Server::start(long);
    let mut stubborn = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut visitor = server.connect();
        visitor.send(REQUEST).await;
        stubborn.push(visitor);
    }
    settle().await;

    let mut newcomer = server.connect();
    newcomer.send(&REQUEST.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await;
    assert!(newcomer.end().await.ends_with("long "));
}

#[tokio::test(start_paused = true)]
async fn a_full_house_cuts_off_no_request_that_is_running() {
    let (app, let_go) = slow();
    let server = Server::start(app);
    let mut busy = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut visitor = server.connect();
        visitor.send(REQUEST).await;
        busy.push(visitor);
    }
    settle().await;
    let mut newcomer = server.connect();
    newcomer.send(REQUEST).await;
    settle().await;

    let_go.add_permits(MAX_CONNECTIONS + 1);
    for visitor in &mut busy {
        visitor.response().await;
    }
    newcomer.response().await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_no_idle_connection() {
    let server = Server::start(welcome());
    let mut kept = server.connect();
    kept.get().await;
    let mut guessed = server.connect();
    settle().await;

    assert_eq!(server.stop().await, Duration::ZERO);
    assert_eq!(kept.end().await, "");
    assert_eq!(guessed.end().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_a_response_arrive() {
    let long = Router::new().route("/", get(async || "long ".repeat(1000)));
    let server = Server::start(long);
    let mut visitor = server.connect();
    visitor.send(REQUEST).await;
    settle().await;

    let (took, response) = tokio::join!(server.stop(), async {
        time::sleep(GRACE / 2).await;
        visitor.end().await
    });
    assert!(took >= GRACE / 2 && took < GRACE, "{took:?}");
    assert!(response.ends_with(&"long ".repeat(1000)));
}

#[tokio::test(start_paused = true)]
async fn a_stop_lets_a_running_request_end() {
    let (app, let_go) = slow();
    let server = Server::start(app);
    let mut visitor = server.connect();
    visitor.send(REQUEST).await;
    settle().await;

    let (took, response) = tokio::join!(server.stop(), async {
        time::sleep(GRACE / 2).await;
        let_go.add_permits(1);
        visitor.response().await
    });
    assert!(took >= GRACE / 2 && took < GRACE, "{took:?}");
    assert!(response.contains("connection: close"), "{response}");
    assert_eq!(visitor.end().await, "");
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_no_longer_than_its_grace() {
    let (app, _) = slow();
    for never_over in [REQUEST, "POST / HTTP/1.1\r\nContent-Le"] {
        let server = Server::start(app.clone());
        let mut visitor = server.connect();
        visitor.send(never_over).await;
        settle().await;
        assert_eq!(server.stop().await.as_millis(), GRACE.as_millis(), "{never_over:?}");
    }
}
