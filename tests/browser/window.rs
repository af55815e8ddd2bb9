//! What a visitor does in a window, and what they see there.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    sync::broadcast,
    time::{sleep, timeout},
};

use crate::devtools::{DevTools, Event};

/// A page that is not there after this long will not come.
const LONG: Duration = Duration::from_secs(60);

/// How often to look whether a page has changed.
const OFTEN: Duration = Duration::from_millis(10);

/// A window of a [`Chromium`](crate::chromium::Chromium), at one site.
#[derive(Clone, Debug)]
pub struct Window {
    devtools: DevTools,
    /// Its session, in the words of the DevTools: the connection's name for it.
    session: String,
    /// The page itself, and none of the frames in it.
    frame: String,
    address: String,
    is_in_sight: bool,
}

/// A cookie, as a browser keeps it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cookie {
    pub value: String,
    pub path: String,
    pub secure: bool,
    pub http_only: bool,
    /// None, if it was not set.
    pub same_site: Option<String>,
    /// When the browser drops it, in seconds since 1970; -1 if that is when it closes.
    pub expires: f64,
}

/// A key of the keyboard.
#[derive(Clone, Copy, Debug)]
pub enum Key {
    Tab,
    Enter,
    Letter(char),
}

impl Window {
    /// The window of this target, which shows no page yet.
    pub async fn open(
        devtools: DevTools,
        target: String,
        address: &str,
        is_in_sight: bool,
    ) -> Window {
        let attach = json!({ "targetId": target, "flatten": true });
        let attached = devtools.tell(None, "Target.attachToTarget", attach).await;
        let session = attached["sessionId"].as_str().expect("a session has an id").to_owned();
        let address = address.to_owned();
        // The frame that is the page itself has the name of its target.
        let window = Window { devtools, session, frame: target, address, is_in_sight };
        window.tell("Page.enable", json!({})).await;
        window.tell("Page.setLifecycleEventsEnabled", json!({ "enabled": true })).await;
        // More than one window of a desktop cannot have the focus.
        window.tell("Emulation.setFocusEmulationEnabled", json!({ "enabled": true })).await;
        window.resize(1280, 900).await;
        window
    }

    /// Types an address, for example `/car`, and waits for its page.
    pub async fn visit(&self, path: &str) {
        self.visit_elsewhere(&format!("{}{path}", self.address)).await;
    }

    /// Types an address of another site, and waits for its page.
    pub async fn visit_elsewhere(&self, address: &str) {
        let next = self.next_page();
        let answer = self.tell("Page.navigate", json!({ "url": address })).await;
        assert_eq!(answer["errorText"], Value::Null, "the page of {address}");
        let document = answer["loaderId"].as_str().expect("a page, not a place on it");
        next.arrives(Some(document)).await;
    }

    /// Waits for a page that has such an element.
    pub async fn wait_for(&self, css: &str) {
        let script = format!("return document.querySelector({}) !== null", quoted(css));
        let comes = async {
            // While one page follows another, there may be none to look at.
            while self.try_to_run(&script).await != Ok(Value::Bool(true)) {
                sleep(OFTEN).await;
            }
        };
        timeout(LONG, comes).await.unwrap_or_else(|_| panic!("{css} does not come"));
    }

    /// Presses a button and waits for the page that follows.
    pub async fn press(&self, button: &str) {
        self.begin_to_press(button).await.wait().await;
    }

    /// Presses a button whose page takes its time.
    pub async fn begin_to_press(&self, button: &str) -> Pressed {
        self.click("button", button).await
    }

    /// Follows a link and waits for its page.
    pub async fn follow(&self, link: &str) {
        self.click("a[href]", link).await.wait().await;
    }

    /// Presses the browser's own button "Back" and waits for the page that follows.
    pub async fn go_back(&self) {
        let history = self.tell("Page.getNavigationHistory", json!({})).await;
        let now = history["currentIndex"].as_u64().expect("a place in it");
        let before = usize::try_from(now).ok().and_then(|now| now.checked_sub(1));
        let before = &history["entries"][before.expect("there is a page before this one")]["id"];
        let next = self.next_page();
        self.tell("Page.navigateToHistoryEntry", json!({ "entryId": before })).await;
        next.arrives(None).await;
    }

    /// Clicks into the middle of the element of this kind that reads so.
    async fn click(&self, kind: &str, text: &str) -> Pressed {
        let script = PLACE.replace("KIND", &quoted(kind)).replace("TEXT", &quoted(text));
        let place: Option<Place> = serde_json::from_value(self.run(&script).await).expect("one");
        let place = place.unwrap_or_else(|| panic!("no “{text}” on {}", self.address));
        assert_eq!(place.above, None, "it is above “{text}” on {}", self.address);

        let next = self.next_page();
        for kind in ["mousePressed", "mouseReleased"] {
            let (x, y) = (place.x, place.y);
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.tell("Input.dispatchMouseEvent", event).await;
        }
        Pressed { next }
    }

    /// Writes into the field of this id, in place of what is there.
    pub async fn fill(&self, id: &str, text: &str) {
        let select = format!("const it = {}; it.focus(); it.select();", by_id(id));
        self.run(&select).await;
        match text {
            "" => self.run(&format!("{}.value = ''", by_id(id))).await,
            _ => self.tell("Input.insertText", json!({ "text": text })).await,
        };
    }

    /// Chooses the option of this value in the list of this id.
    pub async fn choose(&self, id: &str, value: &str) {
        let script = CHOOSE.replace("LIST", &by_id(id)).replace("VALUE", &quoted(value));
        assert_eq!(self.run(&script).await, value, "the list has the option");
    }

    /// Presses these keys, one after the other, wherever the focus is.
    pub async fn keys(&self, keys: impl IntoIterator<Item = Key>) {
        for key in keys {
            let (name, text, code) = match key {
                Key::Tab => ("Tab".to_owned(), None, 9),
                Key::Enter => ("Enter".to_owned(), Some("\r".to_owned()), 13),
                Key::Letter(letter) => (letter.to_string(), Some(letter.to_string()), 0),
            };
            let mut event =
                json!({ "type": "keyDown", "key": name, "windowsVirtualKeyCode": code });
            if let Some(text) = text {
                event["text"] = text.into();
            }
            self.tell("Input.dispatchKeyEvent", event.clone()).await;
            event["type"] = "keyUp".into();
            self.tell("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Presses a key and waits for the page that follows.
    pub async fn key_to_next_page(&self, key: Key) {
        let next = self.next_page();
        self.keys([key]).await;
        next.arrives(None).await;
    }

    /// The address in the address bar, for example `/car`.
    pub async fn path(&self) -> String {
        self.read("location.pathname").await
    }

    /// The heading of the page.
    pub async fn heading(&self) -> String {
        self.text("h1").await
    }

    /// The sentence that is the point of the page.
    pub async fn lead(&self) -> String {
        self.text(".lead").await
    }

    /// The text of the first such element, as it is seen.
    pub async fn text(&self, css: &str) -> String {
        let script = format!("return document.querySelector({})?.innerText", quoted(css));
        let text = self.run(&script).await;
        let text = text.as_str().unwrap_or_else(|| panic!("no {css} on {}", self.address));
        text.trim().to_owned()
    }

    /// The cookie of this name, if the browser would send one with the address it is at.
    pub async fn cookie(&self, name: &str) -> Option<Cookie> {
        let kept = self.kept_cookie(name).await?;
        Some(serde_json::from_value(kept).expect("a cookie has these fields"))
    }

    async fn kept_cookie(&self, name: &str) -> Option<Value> {
        let here = json!({ "urls": [self.read("location.href").await] });
        let kept = self.tell("Network.getCookies", here).await["cookies"].take();
        kept.as_array()?.iter().find(|cookie| cookie["name"] == name).cloned()
    }

    /// Gives a cookie that the browser keeps another value, as a visitor may.
    pub async fn edit_cookie(&self, name: &str, value: &str) {
        let mut kept = self.kept_cookie(name).await.expect("it is kept");
        kept["value"] = value.into();
        self.tell("Network.setCookie", kept).await;
    }

    /// Removes all cookies of all sites, as a visitor may.
    pub async fn forget_cookies(&self) {
        self.tell("Network.clearBrowserCookies", json!({})).await;
    }

    /// Runs this script in the pages that come next, before anything of theirs.
    pub async fn run_in_each_page(&self, script: &str) {
        let source = json!({ "source": script });
        self.tell("Page.addScriptToEvaluateOnNewDocument", source).await;
    }

    /// What a script in the page returns.
    pub async fn run(&self, script: &str) -> Value {
        self.try_to_run(script).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// As [`run`](Window::run). A promise is waited for.
    async fn try_to_run(&self, script: &str) -> Result<Value, String> {
        let script = json!({
            "expression": format!("(() => {{ {script} }})()"),
            "awaitPromise": true,
            "returnByValue": true,
        });
        let mut answer = self.devtools.ask(Some(&self.session), "Runtime.evaluate", script).await?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(details["exception"]["description"].to_string()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    async fn read(&self, expression: &str) -> String {
        let text = self.run(&format!("return {expression}")).await;
        text.as_str().expect("it is a text").to_owned()
    }

    /// Does without what is at addresses like this one, as if the server did not answer.
    pub async fn block(&self, pattern: &str) {
        self.tell("Network.enable", json!({})).await;
        self.tell("Network.setBlockedURLs", json!({ "urls": [pattern] })).await;
    }

    /// Prefers dark pages, or light ones.
    pub async fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.tell("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Forbids the pages that come next to run scripts of their own.
    pub async fn forbid_scripts(&self) {
        self.tell("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    }

    /// Gives the page this many CSS pixels, each of them one of the screen's.
    pub async fn resize(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.tell("Emulation.setDeviceMetricsOverride", size).await;
    }

    /// A picture of what is seen, as a PNG file, if the window is in sight.
    pub async fn picture(&self) -> Option<Vec<u8>> {
        if !self.is_in_sight {
            return None;
        }
        let taken = self.tell("Page.captureScreenshot", json!({ "format": "png" })).await;
        let taken = taken["data"].as_str().expect("a picture");
        Some(BASE64_STANDARD.decode(taken).expect("Base64"))
    }

    async fn tell(&self, method: &str, parameters: Value) -> Value {
        self.devtools.tell(Some(&self.session), method, parameters).await
    }

    fn next_page(&self) -> NextPage {
        let (session, frame) = (self.session.clone(), self.frame.clone());
        NextPage { events: self.devtools.events(), session, frame }
    }
}

/// The middle of what can be clicked, in CSS pixels.
#[derive(Deserialize)]
struct Place {
    x: f64,
    y: f64,
    /// The HTML of what lies above it and would be clicked in its place.
    above: Option<String>,
}

const PLACE: &str = "
    const found = [...document.querySelectorAll(KIND)].find(it => it.innerText.trim() === TEXT);
    if (!found) return null;
    found.scrollIntoView({ block: 'center', behavior: 'instant' });
    const box = found.getClientRects()[0];
    const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
    const hit = document.elementFromPoint(x, y);
    return { x, y, above: found.contains(hit) ? null : String(hit?.outerHTML) };
";

const CHOOSE: &str = "
    const list = LIST;
    list.value = VALUE;
    for (const said of ['input', 'change']) {
        list.dispatchEvent(new Event(said, { bubbles: true }));
    }
    return list.value;
";

/// The text as a script writes it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn by_id(id: &str) -> String {
    format!("document.getElementById({})", quoted(id))
}

/// A button pressed, or a link followed.
#[derive(Debug)]
pub struct Pressed {
    next: NextPage,
}

impl Pressed {
    /// Waits for the page that follows.
    pub async fn wait(self) {
        self.next.arrives(None).await;
    }
}

/// What a window says of its pages, from before the next one was asked for.
#[derive(Debug)]
struct NextPage {
    events: broadcast::Receiver<Event>,
    session: String,
    frame: String,
}

impl NextPage {
    /// Waits until a page has come, this document if it is named, and has loaded.
    async fn arrives(mut self, document: Option<&str>) {
        timeout(LONG, self.loads(document)).await.expect("the next page comes");
    }

    async fn loads(&mut self, document: Option<&str>) {
        let mut shown = None;
        loop {
            let Event { method, session, parameters } =
                self.events.recv().await.expect("Chromium runs, and not all events wait");
            if session.as_deref() != Some(&self.session) {
                continue;
            }
            match method.as_str() {
                "Page.frameNavigated" if parameters["frame"]["id"] == self.frame.as_str() => {
                    let loader = parameters["frame"]["loaderId"].as_str().map(str::to_owned);
                    if document.is_none() || shown.is_some() || document == loader.as_deref() {
                        shown = loader;
                    }
                    // It was kept as it was left, so it has loaded before.
                    if parameters["type"] == "BackForwardCacheRestore" {
                        return;
                    }
                }
                "Page.lifecycleEvent" if parameters["name"] == "load" => {
                    let is_shown = parameters["loaderId"].as_str() == shown.as_deref();
                    if is_shown && shown.is_some() && parameters["frameId"] == self.frame.as_str() {
                        return;
                    }
                }
                _ => {}
            }
        }
    }
}
