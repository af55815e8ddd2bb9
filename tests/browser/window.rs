//! What a visitor does in a window, and what they see there.

use std::time::Duration;

use fantoccini::{
    Client, Locator,
    actions::{InputSource, KeyAction, KeyActions},
    cookies::Cookie,
    elements::Element,
    error::CmdError,
};
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::chromium::tell;

/// A page that is not there after this long will not come.
const LONG: Duration = Duration::from_secs(60);

/// How often to look whether it is there.
const OFTEN: Duration = Duration::from_millis(20);

/// A window of a [`Chromium`](crate::chromium::Chromium), at one site.
#[derive(Debug)]
pub struct Window {
    client: Client,
    address: String,
}

impl Window {
    /// The window that the WebDriver session `client` has chosen.
    pub fn new(client: Client, address: &str) -> Window {
        Window { client, address: address.to_owned() }
    }

    /// Types an address, for example `/car`, and waits for its page.
    pub async fn visit(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.address)).await.expect("the page loads");
    }

    /// Types an address of another site, and waits for its page.
    pub async fn visit_elsewhere(&self, address: &str) {
        self.client.goto(address).await.expect("the page loads");
    }

    /// Waits for a page that has such an element.
    pub async fn wait_for(&self, css: &str) {
        let waiting = self.client.wait().at_most(LONG).every(OFTEN);
        waiting.for_element(Locator::Css(css)).await.expect("it comes");
    }

    /// Presses a button and waits for the page that follows.
    pub async fn press(&self, button: &str) {
        self.begin_to_press(button).await.wait().await;
    }

    /// Presses a button whose page takes its time.
    pub async fn begin_to_press(&self, button: &str) -> Pressed {
        self.click(Locator::XPath(&format!("//button[normalize-space()=\"{button}\"]"))).await
    }

    /// Follows a link and waits for its page.
    pub async fn follow(&self, link: &str) {
        self.click(Locator::LinkText(link)).await.wait().await;
    }

    /// Presses the browser's own button "Back" and waits for the page that follows.
    pub async fn go_back(&self) {
        self.mark().await;
        self.client.back().await.expect("there is a page before this one");
        arrive(&self.client).await;
    }

    async fn click(&self, what: Locator<'_>) -> Pressed {
        let element = self.find(what).await;
        self.mark().await;
        // A task of its own, since Chromium says that it has clicked when the next page is there.
        let clicked = tokio::spawn(async move { element.click().await });
        Pressed { clicked, client: self.client.clone() }
    }

    /// Writes into the field of this id, in place of what is there.
    pub async fn fill(&self, id: &str, text: &str) {
        let field = self.find(Locator::Id(id)).await;
        field.clear().await.expect("a field can be emptied");
        field.send_keys(text).await.expect("a field takes text");
    }

    /// Chooses the option of this value in the list of this id.
    pub async fn choose(&self, id: &str, value: &str) {
        let list = self.find(Locator::Id(id)).await;
        list.select_by_value(value).await.expect("the list has the option");
    }

    /// Presses these keys, one after the other, wherever the focus is.
    pub async fn keys(&self, keys: impl IntoIterator<Item = impl Into<char>>) {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in keys.into_iter().map(Into::into) {
            actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
        }
        self.client.perform_actions(actions).await.expect("keys can be pressed");
    }

    /// Presses a key and waits for the page that follows.
    pub async fn key_to_next_page(&self, key: impl Into<char>) {
        self.mark().await;
        self.keys([key]).await;
        arrive(&self.client).await;
    }

    /// The address in the address bar, for example `/car`.
    pub async fn path(&self) -> String {
        self.client.current_url().await.expect("a window has an address").path().to_owned()
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
        self.find(Locator::Css(css)).await.text().await.expect("an element has a text")
    }

    /// The cookie of this name, if the browser would send one with the address it is at.
    pub async fn cookie(&self, name: &str) -> Option<Cookie<'static>> {
        match self.client.get_named_cookie(name).await {
            Ok(cookie) => Some(cookie),
            Err(error) if error.is_no_such_cookie() => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Puts a cookie into the browser, as a visitor may.
    pub async fn set_cookie(&self, cookie: Cookie<'static>) {
        self.client.add_cookie(cookie).await.expect("the browser takes the cookie");
    }

    /// Removes all cookies, as a visitor may.
    pub async fn forget_cookies(&self) {
        self.client.delete_all_cookies().await.expect("the browser removes its cookies");
    }

    /// Removes all cookies of all sites, as a visitor may, on any page.
    pub async fn forget_all_cookies(&self) {
        tell(&self.client, "Network.clearBrowserCookies", json!({})).await;
    }

    /// Runs this script in the pages that come next, before anything of theirs.
    pub async fn run_in_each_page(&self, script: &str) {
        let source = json!({ "source": script });
        tell(&self.client, "Page.addScriptToEvaluateOnNewDocument", source).await;
    }

    /// What a script in the page returns.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.expect("the script runs")
    }

    /// What the promise that a script in the page returns comes to.
    pub async fn run_and_wait(&self, script: &str) -> Value {
        let script = format!("({script}).then(arguments[0], error => arguments[0](String(error)))");
        self.client.execute_async(&script, vec![]).await.expect("the script runs")
    }

    /// Does without what is at addresses like this one, as if the server did not answer.
    pub async fn block(&self, pattern: &str) {
        tell(&self.client, "Network.enable", json!({})).await;
        tell(&self.client, "Network.setBlockedURLs", json!({ "urls": [pattern] })).await;
    }

    /// Prefers dark pages, or light ones.
    pub async fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let media = json!({ "features": features });
        tell(&self.client, "Emulation.setEmulatedMedia", media).await;
    }

    /// Forbids the pages that come next to run scripts of their own.
    pub async fn forbid_scripts(&self) {
        let forbidden = json!({ "value": true });
        tell(&self.client, "Emulation.setScriptExecutionDisabled", forbidden).await;
    }

    /// Gives the page this many CSS pixels, each of them one of the screen's.
    pub async fn resize(&self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        tell(&self.client, "Emulation.setDeviceMetricsOverride", size).await;
    }

    /// A picture of what is seen, as a PNG file.
    pub async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.expect("a window can be photographed")
    }

    async fn find(&self, what: Locator<'_>) -> Element {
        let found = self.client.find(what).await;
        found.unwrap_or_else(|error| panic!("{what:?} on {}: {error}", self.address))
    }

    /// Tells this page from the next one, which may be at the same address and look the same.
    async fn mark(&self) {
        self.run("document.documentElement.dataset.left = ''").await;
    }
}

/// A button pressed, or a link followed.
#[derive(Debug)]
pub struct Pressed {
    clicked: JoinHandle<Result<(), CmdError>>,
    client: Client,
}

impl Pressed {
    /// Waits for the page that follows.
    pub async fn wait(self) {
        self.clicked.await.expect("no panic").expect("it can be clicked");
        arrive(&self.client).await;
    }
}

/// Waits for a page without the mark.
async fn arrive(client: &Client) {
    let next = Locator::Css("html:not([data-left])");
    let arrived = async {
        loop {
            match client.find(next).await {
                Ok(_) => return,
                // Chromedriver says the second of a page that leaves while it looks.
                Err(error) if error.is_no_such_element() => {}
                Err(CmdError::NotW3C(Value::String(said))) if said == "aborted by navigation" => {}
                Err(error) => panic!("no next page: {error}"),
            }
            sleep(OFTEN).await;
        }
    };
    timeout(LONG, arrived).await.expect("the next page comes");
}
