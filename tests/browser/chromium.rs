//! Chromium, started and ended by chromedriver.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use axum::http::Method;
use fantoccini::{
    Client, ClientBuilder,
    error::NewSessionError,
    wd::{WebDriverCompatibleCommand, WindowHandle},
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use url::{ParseError, Url};

use crate::{site::Site, window::Window};

/// Where the one chromedriver of this run listens.
static ADDRESS: OnceLock<String> = OnceLock::new();

/// Chromedriver, until it is dropped.
#[derive(Debug)]
pub struct Driver {
    process: Child,
    // Closed, it would end chromedriver at its next word.
    _output: BufReader<ChildStdout>,
}

impl Driver {
    /// Starts chromedriver on a free port.
    ///
    /// # Errors
    ///
    /// What is missing, in one line.
    pub fn start() -> Result<Driver, String> {
        let started = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = started.map_err(|error| match error.kind() {
            ErrorKind::NotFound => "there is no chromedriver on the PATH".to_owned(),
            _ => format!("chromedriver does not start: {error}"),
        })?;
        let mut output = BufReader::new(process.stdout.take().expect("its output"));

        let port = output.by_ref().lines().map_while(Result::ok).find_map(|line| {
            let (_, port) = line.split_once("successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        // From here on, an early return ends the process.
        let driver = Driver { process, _output: output };
        let port = port.ok_or("chromedriver ended before it named its port")?;
        ADDRESS.set(format!("http://127.0.0.1:{port}")).expect("one chromedriver a run");
        Ok(driver)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One visitor's browser: a profile of its own, until it is dropped.
#[derive(Debug)]
pub struct Chromium {
    /// The session that started it. Each [`Window`] has one of its own, so that it can wait for
    /// an answer while another goes on.
    client: Client,
    keeps: Cookies,
    profile: TempDir,
}

/// Which cookies the settings of a Chromium let it keep and send.
#[derive(Clone, Copy, Debug)]
enum Cookies {
    /// As it comes.
    Default,
    /// None at all.
    None,
    /// Not with what a page of another site loads ("third-party cookies").
    FirstParty,
    /// All, also with what a page of another site loads.
    ThirdParty,
}

impl Chromium {
    /// Starts Chromium as it comes, with an empty profile.
    pub async fn start() -> Chromium {
        Chromium::launch(Cookies::Default).await.expect("Chromium starts")
    }

    /// Starts one whose settings forbid every site to keep cookies.
    pub async fn refusing_cookies() -> Chromium {
        Chromium::launch(Cookies::None).await.expect("Chromium starts")
    }

    /// Starts one whose settings block third-party cookies.
    pub async fn blocking_third_party_cookies() -> Chromium {
        Chromium::launch(Cookies::FirstParty).await.expect("Chromium starts")
    }

    /// Starts one whose settings allow third-party cookies.
    pub async fn allowing_third_party_cookies() -> Chromium {
        Chromium::launch(Cookies::ThirdParty).await.expect("Chromium starts")
    }

    /// Looks whether chromedriver finds a Chromium that it can start.
    ///
    /// # Errors
    ///
    /// What is missing, in one line.
    pub async fn is_there() -> Result<(), String> {
        Chromium::launch(Cookies::Default).await.map(drop)
    }

    async fn launch(keeps: Cookies) -> Result<Chromium, String> {
        let profile = TempDir::new().expect("a folder for the profile");
        let client = connect(profile.path(), keeps).await?;
        Ok(Chromium { client, keeps, profile })
    }

    /// Closes the browser, all of its windows with it, and starts it again with its profile.
    pub async fn restart(&mut self) {
        self.end();
        self.client =
            connect(self.profile.path(), self.keeps).await.expect("Chromium starts again");
    }

    /// Closes the browser, makes the cookies in its profile so much older, and starts it again.
    pub async fn restart_later(&mut self, time: Duration) {
        self.end();
        // Versions differ in where it is.
        let files = ["Default/Cookies", "Default/Network/Cookies"];
        let file =
            files.map(|file| self.profile.path().join(file)).into_iter().find(|it| it.exists());
        let file = SqliteConnectOptions::new().filename(file.expect("Chromium's cookies"));
        let mut table = SqliteConnection::connect_with(&file).await.expect("Chromium's cookies");
        // In Chromium's table, times are in microseconds.
        let microseconds = i64::try_from(time.as_micros()).expect("not that long");
        let update = sqlx::query("UPDATE cookies SET creation_utc = creation_utc - ?");
        let updated = update.bind(microseconds).execute(&mut table).await.expect("the table");
        assert_ne!(updated.rows_affected(), 0, "there is a cookie");
        table.close().await.expect("it is written");
        self.client =
            connect(self.profile.path(), self.keeps).await.expect("Chromium starts again");
    }

    /// Opens a window, which shows no page yet.
    ///
    /// Chromedriver lets a window wait for the pages of those that were there before it. So of
    /// two windows, open last the one whose page is to take its time.
    pub async fn window(&self, site: &Site) -> Window {
        // Unlike a window that WebDriver opens, this one belongs to the profile.
        let blank = json!({ "url": "about:blank" });
        let target = tell(&self.client, "Target.createTarget", blank).await;
        let id = target["targetId"].as_str().expect("a target has an id").to_owned();
        self.join(id.try_into().expect("the id names a window"), site).await
    }

    /// The browser's private window.
    pub async fn private_window(&self, site: &Site) -> Window {
        self.join(self.client.window().await.expect("the first window is open"), site).await
    }

    async fn join(&self, window: WindowHandle, site: &Site) -> Window {
        let capabilities = self.client.capabilities().expect("a session has capabilities");
        let debugger = capabilities["goog:chromeOptions"]["debuggerAddress"].clone();
        let joined = json!({ "goog:chromeOptions": { "debuggerAddress": debugger } });
        let client = open_session(joined).await.expect("one more session joins the browser");
        client.switch_to_window(window).await.expect("the window is open");
        Window::new(client, site.address())
    }

    /// Waits until Chromium has written its profile and has ended.
    fn end(&self) {
        // Not through `client`: a panic ends a browser, too, and cannot await.
        let id = self.client.session_creation_response().expect("a session was made");
        let address = ADDRESS.get().expect("chromedriver was started");
        let _ = ureq::delete(format!("{address}/session/{}", id.session_id())).call();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sends a command of Chromium's DevTools, for what WebDriver has no word for.
pub async fn tell(client: &Client, method: &'static str, parameters: Value) -> Value {
    let command = DevTools { method, parameters };
    client.issue_cmd(command).await.unwrap_or_else(|error| panic!("{method}: {error}"))
}

#[derive(Debug)]
struct DevTools {
    method: &'static str,
    parameters: Value,
}

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, driver: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        driver.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        let body = json!({ "cmd": self.method, "params": self.parameters });
        (Method::POST, Some(body.to_string()))
    }
}

async fn connect(profile: &Path, keeps: Cookies) -> Result<Client, String> {
    let profile = format!("--user-data-dir={}", profile.display());
    let mut arguments = vec![
        profile.as_str(),
        "--headless",
        // The first window is a private one. DevTools can open the others, but no private one.
        "--incognito",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-gpu",
        "--disable-quic",
        "--disable-sync",
        "--no-first-run",
        // The same letters on every screen.
        "--disable-lcd-text",
        "--font-render-hinting=none",
    ];
    if is_root() {
        // Chromium refuses to start its sandbox as root, whom many containers run tests as.
        arguments.push("--no-sandbox");
    }
    let preferences = match keeps {
        Cookies::Default => json!({}),
        // 1 allows, 2 blocks.
        Cookies::None => json!({ "profile.default_content_setting_values.cookies": 2 }),
        // 0 allows, 1 blocks.
        Cookies::FirstParty => json!({ "profile.cookie_controls_mode": 1 }),
        Cookies::ThirdParty => json!({ "profile.cookie_controls_mode": 0 }),
    };
    let options = json!({ "args": arguments, "prefs": preferences });
    open_session(json!({ "goog:chromeOptions": options })).await
}

async fn open_session(capabilities: Value) -> Result<Client, String> {
    let Value::Object(capabilities) = capabilities else { unreachable!("they are an object") };
    let address = ADDRESS.get().expect("chromedriver was started");
    let mut builder = ClientBuilder::new(HttpConnector::new());
    let opened = builder.capabilities(capabilities).connect(address).await;
    opened.map_err(|error| {
        let words = match &error {
            NewSessionError::SessionNotCreated(said) => said.message.clone().into_owned(),
            other => other.to_string(),
        };
        format!("chromedriver cannot start Chromium: {}", words.lines().next().unwrap_or_default())
    })
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
