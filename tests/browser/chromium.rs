//! Chromium, started and ended by chromedriver.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
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
        // They would outlive it.
        idle().clear();
        // An error means that it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One visitor's browser, without a cookie, until it is dropped.
///
/// To start a Chromium takes longer than most stories do. So a story that needs one takes one that
/// another story has left, if there is one with the same settings: nothing of the other is in it.
#[derive(Debug)]
pub struct Chromium {
    /// Until it is dropped.
    process: Option<Process>,
    /// Has what no cleaning undoes been done with it?
    is_spent: AtomicBool,
    is_in_sight: bool,
    joined: Mutex<Vec<Joined>>,
}

/// A Chromium that runs, with its profile; it ends when it is dropped.
#[derive(Debug)]
struct Process {
    /// The session that started it. Each [`Window`] has one of its own, so that it can wait for
    /// an answer while another goes on.
    client: Client,
    keeps: Cookies,
    profile: TempDir,
}

/// What there is of a window.
#[derive(Debug)]
struct Joined {
    /// Its session. With the last clone of its client it would end before its time.
    client: Client,
    target: String,
}

/// Each has been left by a story, and cleaned.
static IDLE: Mutex<Vec<Process>> = Mutex::new(Vec::new());

/// Which cookies the settings of a Chromium let it keep and send.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// A Chromium as it comes.
    pub async fn start() -> Chromium {
        Chromium::launch(Cookies::Default).await.expect("Chromium starts")
    }

    /// One whose settings forbid every site to keep cookies.
    pub async fn refusing_cookies() -> Chromium {
        Chromium::launch(Cookies::None).await.expect("Chromium starts")
    }

    /// One whose settings block third-party cookies.
    pub async fn blocking_third_party_cookies() -> Chromium {
        Chromium::launch(Cookies::FirstParty).await.expect("Chromium starts")
    }

    /// One whose settings allow third-party cookies.
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
        let process = match Process::idle(keeps) {
            Some(process) => process,
            None => Process::launch(keeps).await?,
        };
        Ok(Chromium {
            process: Some(process),
            is_spent: AtomicBool::default(),
            is_in_sight: false,
            joined: Mutex::default(),
        })
    }

    /// Closes the browser, all of its windows with it, and starts it again with its profile.
    pub async fn restart(&mut self) {
        self.forget_windows();
        self.process.as_mut().expect("it is not dropped").restart(Duration::ZERO).await;
    }

    /// Closes the browser, makes the cookies in its profile so much older, and starts it again.
    pub async fn restart_later(&mut self, time: Duration) {
        self.forget_windows();
        self.process.as_mut().expect("it is not dropped").restart(time).await;
    }

    /// Opens its windows where a picture of them can be taken.
    pub fn in_sight(mut self) -> Chromium {
        self.is_in_sight = true;
        self
    }

    /// Opens a window, which shows no page yet.
    ///
    /// Chromedriver lets a window wait for the pages of those that were there before it. So of
    /// two windows, open last the one whose page is to take its time.
    pub async fn window(&self, site: &Site) -> Window {
        // To draw what is around a page, such as its tab, takes Chromium as long as the page does.
        // A hidden window has nothing around it; to its page, it is a window like any other.
        let blank = json!({ "url": "about:blank", "hidden": !self.is_in_sight });
        // Unlike a window that WebDriver opens, this one belongs to the profile.
        let target = tell(self.client(), "Target.createTarget", blank).await;
        let id = target["targetId"].as_str().expect("a target has an id").to_owned();
        let window = self.join(id.try_into().expect("the id names a window"), site).await;
        window.resize(1280, 900).await;
        window
    }

    /// The browser's private window.
    pub async fn private_window(&self, site: &Site) -> Window {
        // There is one, and it cannot be opened again.
        self.is_spent.store(true, Ordering::Relaxed);
        let window = self.client().window().await.expect("the first window is open");
        self.join(window, site).await
    }

    async fn join(&self, window: WindowHandle, site: &Site) -> Window {
        let capabilities = self.client().capabilities().expect("a session has capabilities");
        let debugger = capabilities["goog:chromeOptions"]["debuggerAddress"].clone();
        let joined = json!({ "goog:chromeOptions": { "debuggerAddress": debugger } });
        let client = open_session(joined).await.expect("one more session joins the browser");
        client.switch_to_window(window.clone()).await.expect("the window is open");
        self.joined().push(Joined { client: client.clone(), target: window.into() });
        Window::new(client, site.address())
    }

    fn client(&self) -> &Client {
        &self.process.as_ref().expect("it is not dropped").client
    }

    fn joined(&self) -> MutexGuard<'_, Vec<Joined>> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget_windows(&self) {
        for Joined { client, .. } in self.joined().drain(..) {
            // An error means that it has ended already.
            let _ = ureq::delete(path_of(&client)).call();
        }
    }

    /// Removes what the story has left. What a page may store besides cookies is no other site's,
    /// and each site has a port of its own.
    fn clean(&self) -> Result<(), ureq::Error> {
        let first = path_of(self.client());
        for (at, Joined { client, target }) in self.joined().drain(..).enumerate() {
            let session = path_of(&client);
            if at == 0 {
                tell_at_once(&session, "Network.clearBrowserCookies", json!({}))?;
                tell_at_once(&session, "Network.clearBrowserCache", json!({}))?;
            }
            ureq::delete(session).call()?;
            tell_at_once(&first, "Target.closeTarget", json!({ "targetId": target }))?;
        }
        Ok(())
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let is_spent = *self.is_spent.get_mut() || thread::panicking();
        if !is_spent && self.clean().is_ok() {
            idle().extend(self.process.take());
        }
        self.forget_windows();
    }
}

fn idle() -> MutexGuard<'static, Vec<Process>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process {
    async fn launch(keeps: Cookies) -> Result<Process, String> {
        let profile = TempDir::new().expect("a folder for the profile");
        let client = connect(profile.path(), keeps).await?;
        Ok(Process { client, keeps, profile })
    }

    /// Takes one that is idle.
    fn idle(keeps: Cookies) -> Option<Process> {
        let mut idle = idle();
        let at = idle.iter().rposition(|it| it.keeps == keeps)?;
        Some(idle.remove(at))
    }

    /// Ends it, makes the cookies in its profile so much older, and starts it again.
    async fn restart(&mut self, later: Duration) {
        self.end();
        if !later.is_zero() {
            self.age(later).await;
        }
        let started = connect(self.profile.path(), self.keeps).await;
        self.client = started.expect("Chromium starts again");
    }

    async fn age(&self, time: Duration) {
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
    }

    /// Waits until Chromium has written its profile and has ended.
    fn end(&self) {
        // An error means that it has ended already.
        let _ = ureq::delete(path_of(&self.client)).call();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The address of a session at chromedriver: for a `drop`, which cannot await.
fn path_of(client: &Client) -> String {
    let session = client.session_creation_response().expect("a session was made").session_id();
    format!("{}/session/{session}", ADDRESS.get().expect("chromedriver was started"))
}

/// As [`tell`], without an answer, in a `drop`.
fn tell_at_once(session: &str, method: &str, parameters: Value) -> Result<(), ureq::Error> {
    let body = json!({ "cmd": method, "params": parameters }).to_string();
    ureq::post(format!("{session}/goog/cdp/execute")).send(body).map(drop)
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
        // What no story needs.
        "--disable-background-networking",
        "--disable-breakpad",
        "--disable-client-side-phishing-detection",
        "--disable-component-extensions-with-background-pages",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-extensions",
        // Each of these is a page that Chromium renders for its own window.
        "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",
        "--disable-gpu",
        "--disable-quic",
        "--disable-sync",
        "--in-process-gpu",
        "--no-default-browser-check",
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
