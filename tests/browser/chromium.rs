//! Chromium, and what each story has of it.

use std::{
    fs,
    io::{self, BufRead, BufReader, ErrorKind, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use crate::{devtools::DevTools, site::Site, window::Window};

/// What Chromium is called on one system or another.
const PROGRAMS: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/// One visitor's browser, without a cookie, until it is dropped.
///
/// To start Chromium takes longer than most stories do. So stories share one, and each has in it
/// what the DevTools call a context: its windows share their cookies, with each other only.
#[derive(Debug)]
pub struct Chromium {
    process: Arc<Process>,
    /// None means the profile itself, which alone is kept on the disk.
    context: Option<String>,
    is_in_sight: bool,
    /// Its open windows: their targets, in the words of the DevTools.
    targets: Mutex<Vec<String>>,
}

/// Which cookies the settings of a Chromium let it keep and send.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cookies {
    /// All, also with what a page of another site loads ("third-party cookies").
    All,
    /// Those of the site in the address bar.
    FirstParty,
    /// None at all.
    None,
}

/// Those with a profile that a story has left, and no other has taken yet.
static LEFT: Mutex<Vec<Arc<Process>>> = Mutex::new(Vec::new());

/// Those that stories share.
static SHARED: tokio::sync::Mutex<Vec<Arc<Process>>> = tokio::sync::Mutex::const_new(Vec::new());

impl Chromium {
    /// A Chromium that keeps and sends all cookies.
    pub async fn start() -> Chromium {
        Chromium::shared(Cookies::All).await.expect("Chromium starts")
    }

    /// One whose settings forbid every site to keep cookies.
    pub async fn refusing_cookies() -> Chromium {
        Chromium::shared(Cookies::None).await.expect("Chromium starts")
    }

    /// One whose settings block third-party cookies.
    pub async fn blocking_third_party_cookies() -> Chromium {
        Chromium::shared(Cookies::FirstParty).await.expect("Chromium starts")
    }

    /// One that keeps and sends all cookies, and that can be closed and started again.
    pub async fn with_a_profile() -> Chromium {
        let left = LEFT.lock().pop();
        let process = match left {
            Some(process) => process,
            None => Arc::new(Process::start(Cookies::All).await.expect("Chromium starts")),
        };
        Chromium::of(process, None)
    }

    /// Looks whether there is a Chromium that starts.
    ///
    /// # Errors
    ///
    /// What is missing, in one line.
    pub async fn is_there() -> Result<(), String> {
        Chromium::shared(Cookies::All).await.map(drop)
    }

    /// Ends all of them.
    pub async fn end_all() {
        LEFT.lock().clear();
        SHARED.lock().await.clear();
    }

    async fn shared(keeps: Cookies) -> Result<Chromium, String> {
        let mut shared = SHARED.lock().await;
        let process = match shared.iter().find(|process| process.keeps == keeps) {
            Some(process) => process.clone(),
            None => {
                let process = Arc::new(Process::start(keeps).await?);
                shared.push(process.clone());
                process
            }
        };
        let context = process.open_context().await;
        Ok(Chromium::of(process, Some(context)))
    }

    fn of(process: Arc<Process>, context: Option<String>) -> Chromium {
        Chromium { process, context, is_in_sight: false, targets: Mutex::default() }
    }

    /// Closes the browser, all of its windows with it, and starts it again with its profile.
    pub async fn restart(&mut self) {
        self.restart_later(Duration::ZERO).await;
    }

    /// Closes the browser, makes the cookies in its profile so much older, and starts it again.
    pub async fn restart_later(&mut self, time: Duration) {
        assert_eq!(self.context, None, "only what has a profile is kept");
        self.close_windows();
        let process = Arc::get_mut(&mut self.process).expect("no other story has a part in it");
        process.restart(time).await;
    }

    /// Opens its windows where a picture of them can be taken, or out of sight.
    pub fn in_sight(mut self, is_in_sight: bool) -> Chromium {
        self.is_in_sight = is_in_sight;
        self
    }

    /// Opens a window, which shows no page yet.
    pub async fn window(&self, site: &Site) -> Window {
        self.open_window(self.context.as_deref(), site).await
    }

    /// Opens a private window, which shares its cookies with no other.
    pub async fn private_window(&self, site: &Site) -> Window {
        let context = self.process.open_context().await;
        self.open_window(Some(&context), site).await
    }

    async fn open_window(&self, context: Option<&str>, site: &Site) -> Window {
        // To draw what is around a page, such as its tab, takes Chromium as long as the page does.
        // A hidden window has nothing around it; to its page, it is a window like any other.
        let mut blank = json!({ "url": "about:blank", "hidden": !self.is_in_sight });
        if let Some(context) = context {
            blank["browserContextId"] = context.into();
        }
        let devtools = self.process.devtools.clone();
        let target = devtools.tell(None, "Target.createTarget", blank).await;
        let id = target["targetId"].as_str().expect("a target has an id").to_owned();
        self.targets.lock().push(id.clone());
        Window::open(devtools, id, site.address(), self.is_in_sight).await
    }

    fn close_windows(&self) {
        for target in self.targets.lock().drain(..) {
            let target = json!({ "targetId": target });
            // The next command waits for this one. An error means that the browser has ended.
            let _ = self.process.devtools.send(None, "Target.closeTarget", target);
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Its context stays, empty: to end it while a hidden window closes would end Chromium.
        self.close_windows();
        if self.context.is_none() && !thread::panicking() {
            // What a page may store besides cookies is its site's, and each has a port of its own.
            let forgotten = self.process.devtools.send(None, "Storage.clearCookies", json!({}));
            if forgotten.is_ok() {
                LEFT.lock().push(self.process.clone());
            }
        }
    }
}

/// A Chromium that runs, with its profile; it ends when it is dropped.
#[derive(Debug)]
struct Process {
    running: Child,
    devtools: DevTools,
    keeps: Cookies,
    profile: TempDir,
}

impl Process {
    async fn start(keeps: Cookies) -> Result<Process, String> {
        let profile = TempDir::new().expect("a folder for the profile");
        let folder = profile.path().join("Default");
        fs::create_dir(&folder).expect("a folder in it");
        fs::write(folder.join("Preferences"), preferences(keeps).to_string()).expect("a file");
        let (running, devtools) = launch(profile.path()).await?;
        Ok(Process { running, devtools, keeps, profile })
    }

    async fn open_context(&self) -> String {
        let opened = self.devtools.tell(None, "Target.createBrowserContext", json!({})).await;
        opened["browserContextId"].as_str().expect("a context has an id").to_owned()
    }

    /// Ends it, makes the cookies in its profile so much older, and starts it again.
    async fn restart(&mut self, later: Duration) {
        self.devtools.tell(None, "Browser.close", json!({})).await;
        // Its profile is written when it has ended.
        self.running.wait().expect("it ends");
        if !later.is_zero() {
            self.age(later).await;
        }
        let started = launch(self.profile.path()).await;
        (self.running, self.devtools) = started.expect("Chromium starts again");
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
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

/// The settings of a new profile.
fn preferences(keeps: Cookies) -> Value {
    match keeps {
        // 0 allows third-party cookies, 1 blocks them.
        Cookies::All => json!({ "profile": { "cookie_controls_mode": 0 } }),
        Cookies::FirstParty => json!({ "profile": { "cookie_controls_mode": 1 } }),
        // 1 allows, 2 blocks.
        Cookies::None => {
            json!({ "profile": { "default_content_setting_values": { "cookies": 2 } } })
        }
    }
}

/// Starts Chromium with this profile, and connects to it.
async fn launch(profile: &Path) -> Result<(Child, DevTools), String> {
    let mut arguments = vec![
        "--headless",
        "--remote-debugging-port=0",
        // A click counts from the start, also before anything was drawn.
        "--allow-pre-commit-input",
        // What no story needs.
        "--disable-background-networking",
        "--disable-breakpad",
        "--disable-client-side-phishing-detection",
        "--disable-component-extensions-with-background-pages",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-extensions",
        // A process for a page that may come, two for parts of Chromium's own window, and for each
        // page a new frame in its window.
        "--disable-features=SpareRendererForSitePerProcess,WebUIOmniboxPopup,WebUIOmniboxAimPopup,RenderDocument",
        "--disable-gpu",
        "--disable-quic",
        "--disable-sync",
        "--in-process-gpu",
        "--no-default-browser-check",
        "--no-first-run",
        // A process for each site keeps them apart in memory. Which cookies go along is decided
        // elsewhere, in the browser.
        "--disable-site-isolation-trials",
        "--renderer-process-limit=2",
        // It asks the system for no place to keep secrets in.
        "--password-store=basic",
        "--use-mock-keychain",
        // The same letters on every screen.
        "--disable-lcd-text",
        "--font-render-hinting=none",
    ];
    if is_root() {
        // Chromium refuses to start its sandbox as root, whom many containers run tests as.
        arguments.push("--no-sandbox");
    }

    let start = |program: &str| {
        Command::new(program)
            .arg(format!("--user-data-dir={}", profile.display()))
            .args(&arguments)
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
    };
    let mut started = PROGRAMS.iter().map(|program| start(program));
    let is_there = |started: &io::Result<Child>| {
        !started.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    let started = started.find(is_there).ok_or("there is no Chromium on the PATH")?;
    let mut running = started.map_err(|error| format!("Chromium does not start: {error}"))?;

    let mut output = BufReader::new(running.stderr.take().expect("its output"));
    let mut said = String::new();
    let address = output.by_ref().lines().map_while(Result::ok).find_map(|line| {
        let address = line.strip_prefix("DevTools listening on ").map(str::to_owned);
        said = line;
        address
    });
    let Some(address) = address else {
        // It has closed its output, so it is about to end.
        let _ = running.wait();
        return Err(format!("Chromium does not start: {said}"));
    };
    // It goes on to say things, and would wait for a reader.
    thread::spawn(move || io::copy(&mut output, &mut io::sink()));
    Ok((running, DevTools::connect(&address).await?))
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
