//! Chapter 12's promises: whose word counts behind a proxy, what a health check costs, what is
//! counted, and how keys are replaced. The deploy itself is played in `live.rs`.

use std::{net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Extension, Router, extract::ConnectInfo, http::StatusCode};
use browser::Browser;
use catalog::Catalog;
use chapter_10::{Attempts, Devices};
use chapter_12::{COOKIE, COOKIE_BEHIND_PROXY, Metrics, Proxies, Readiness};
use insta::assert_snapshot;
use programs::chapter;
#[cfg(unix)]
use programs::{Server, Signal, get};
use sessions::{Id, MemoryStore, Outcome, Record, Store, StoreError, Version};
use tempfile::TempDir;

const PROXY: [u8; 4] = [10, 0, 0, 1];
const STRANGER: [u8; 4] = [203, 0, 113, 7];
const HERE: &str = "https://library.example";

type Headers<'a> = &'a [(&'a str, &'a [u8])];

/// What the proxy says of a visitor of this address who came by https.
const VISITOR: Headers = &[("x-forwarded-for", b"198.51.100.4"), ("x-forwarded-proto", b"https")];

struct Site {
    app: Router,
    metrics: Metrics,
    readiness: Readiness,
}

impl Site {
    async fn over(store: Option<Arc<dyn Store>>, keys: Option<&str>, proxies: Proxies) -> Site {
        let library = Catalog::in_memory().await.expect("a library in memory");
        let devices = Devices::open(&library).await.expect("a new table");
        let attempts = Attempts::new(NonZeroU32::new(2).expect("not zero"), HOUR);
        let metrics = Metrics::default();
        let readiness = Readiness::of(store.clone());
        let sessions = chapter_12::session_layer(store, keys, &proxies, &metrics);
        let sessions = sessions.expect("these settings go together");
        let app = chapter_12::app(library, devices, attempts, sessions, proxies, readiness.clone());
        Site { app, metrics, readiness }
    }

    async fn behind_a_proxy() -> Site {
        Site::over(Some(Arc::new(MemoryStore::default())), None, behind_proxy()).await
    }

    /// A browser at https://library.example, whose requests the server gets from this address.
    fn asked_by(&self, peer: [u8; 4]) -> Browser {
        let peer = ConnectInfo(SocketAddr::from((peer, 40000)));
        Browser::open(self.app.clone().layer(Extension(peer))).at(HERE)
    }

    async fn metrics(&self) -> String {
        let text = Browser::open(self.metrics.app()).get("/metrics").await.body().to_owned();
        // How long it took is different each time.
        let is_count = |line: &&str| !line.contains("_bucket") && !line.contains("_sum");
        let mut counts: Vec<&str> = text.lines().filter(is_count).collect();
        // The library keeps them in no order.
        counts.sort_by_key(|line| (*line == "# EOF", !line.starts_with('#'), *line));
        counts.join("\n")
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

fn behind_proxy() -> Proxies {
    [PROXY.into()].into_iter().collect()
}

#[tokio::test]
async fn behind_a_proxy_the_cookie_is_for_this_host_and_https_only() {
    let site = Site::behind_a_proxy().await;
    let mut visitor = site.asked_by(PROXY);
    visitor.get_with("/", VISITOR).await;
    visitor.get_with("/", VISITOR).await;
    // The page shows the beginning of the id.
    let id = visitor.cookie(COOKIE_BEHIND_PROXY).expect("a cookie");
    let named = |text: String| text.replace(&format!("{}…", &id[..4]), "session-1…");
    assert_snapshot!("what_the_server_gets", named(visitor.transcript()));
    assert_snapshot!("what_you_see", named(visitor.page().text()));
}

#[tokio::test]
async fn a_visitor_who_comes_past_the_proxy_is_not_believed() {
    let site = Site::behind_a_proxy().await;
    let mut stranger = site.asked_by(STRANGER);
    assert_eq!(stranger.get_with("/", VISITOR).await.status(), StatusCode::FORBIDDEN);
    assert_snapshot!("past_the_proxy", stranger.transcript());
}

#[tokio::test]
async fn a_visitor_who_came_to_the_proxy_by_http_gets_no_cookie() {
    let site = Site::behind_a_proxy().await;
    let mut visitor = site.asked_by(PROXY);
    for headers in [&[("x-forwarded-proto", b"http" as &[u8])] as Headers, &[]] {
        let page = visitor.get_with("/", headers).await;
        assert_eq!(page.status(), StatusCode::FORBIDDEN);
        assert!(page.set_cookies().is_empty());
    }
}

#[tokio::test]
async fn without_a_proxy_no_header_is_believed() {
    let store = Arc::new(MemoryStore::default());
    let site = Site::over(Some(store), None, Proxies::default()).await;
    let mut visitor = site.asked_by([127, 0, 0, 1]).at("http://127.0.0.1:3000");
    visitor.get_with("/", VISITOR).await;
    assert!(visitor.cookie(COOKIE).is_some(), "{}", visitor.transcript());
    assert!(!visitor.page().set_cookies()[0].contains("Secure"));
    // Two attempts, and a third from what would be another address.
    let attempt = async |visitor: &mut Browser, address: &str| sign_in(visitor, address, "").await;
    attempt(&mut visitor, "198.51.100.1").await;
    attempt(&mut visitor, "198.51.100.2").await;
    let status = attempt(&mut visitor, "198.51.100.3").await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn attempts_are_counted_by_the_address_that_the_proxy_saw() {
    let site = Site::behind_a_proxy().await;
    let mut visitor = site.asked_by(PROXY);
    for _ in 0..2 {
        let status = sign_in(&mut visitor, "198.51.100.1", "https").await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    // What stands before the last address was sent by the visitor.
    for made_up in ["198.51.100.1", "6.6.6.6, 198.51.100.1", "6.6.6.6, 198.51.100.1, 10.0.0.1"] {
        let status = sign_in(&mut visitor, made_up, "https").await;
        assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{made_up}");
    }
    let status = sign_in(&mut visitor, "198.51.100.2", "https").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "another visitor does not wait");
}

/// Tries a wrong password.
async fn sign_in(visitor: &mut Browser, forwarded_for: &str, proto: &str) -> StatusCode {
    let form = "name=ada&password=wrong&remember=no&next=%2F";
    let request = axum::http::Request::post("/sign-in")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-forwarded-for", forwarded_for)
        .header("x-forwarded-proto", proto)
        .body(form.into());
    visitor.send(request.expect("a request")).await.status()
}

#[tokio::test]
async fn a_health_check_makes_no_session_and_asks_for_no_https() {
    let site = Site::behind_a_proxy().await;
    let mut checker = site.asked_by(STRANGER);
    for path in ["/healthz", "/readyz"] {
        let page = checker.get(path).await;
        assert_eq!((page.status(), page.set_cookies().len()), (StatusCode::OK, 0));
    }
    site.readiness.leave();
    assert_eq!(checker.get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(checker.get("/readyz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_snapshot!("health_checks", checker.transcript());
    assert!(!site.metrics().await.contains("create"), "no session was made");
}

#[tokio::test]
async fn a_server_whose_store_is_away_lives_and_is_not_ready_and_its_failures_are_counted() {
    let site = Site::over(Some(Arc::new(Away)), None, behind_proxy()).await;
    let mut checker = site.asked_by(PROXY);
    assert_eq!(checker.get_with("/", VISITOR).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    let failures = r#"session_store_seconds_count{call="create",answer="failed"} 1"#;
    assert!(site.metrics().await.contains(failures), "{}", site.metrics().await);
    assert_eq!(checker.get("/healthz").await.status(), StatusCode::OK);
    assert_eq!(checker.get("/readyz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn the_metrics_count_what_the_store_was_asked_and_hold_no_id() {
    let site = Site::behind_a_proxy().await;
    let mut visitor = site.asked_by(PROXY);
    visitor.get_with("/", VISITOR).await;
    visitor.get_with("/", VISITOR).await;
    let mut newcomer = site.asked_by(PROXY);
    newcomer.get_with("/sign-in", VISITOR).await;
    assert_snapshot!("metrics", site.metrics().await);
}

/// What `SESSION_KEYS` holds, on the day of the rotation and after it.
#[tokio::test]
async fn a_new_key_signs_no_visitor_out_and_the_old_one_can_go_later() {
    let (old, new) = ("a".repeat(64), "b".repeat(64));
    let site = async |keys: String| Site::over(None, Some(&keys), behind_proxy()).await;
    let visit = async |keys: String, cookie: Option<&str>| {
        let mut visitor = site(keys).await.asked_by(PROXY);
        if let Some(cookie) = cookie {
            visitor.get_with("/", VISITOR).await;
            visitor.edit_cookie(COOKIE_BEHIND_PROXY, cookie);
        }
        visitor.get_with("/", VISITOR).await;
        let count = visitor.page().texts(".lead").join("");
        (count, visitor.cookie(COOKIE_BEHIND_PROXY).expect("a cookie"))
    };
    let times = |n: &str| format!("You have visited this page {n}.");

    let (count, cookie) = visit(old.clone(), None).await;
    assert_eq!(count, times("1 time"));
    // 1. Every server learns to read the new key, and goes on writing with the old one: a server that
    //    has not been replaced yet can still read what the others write.
    let (count, cookie) = visit(format!("{old},{new}"), Some(&cookie)).await;
    assert_eq!(count, times("2 times"));
    assert_eq!(visit(old.clone(), Some(&cookie)).await.0, times("3 times"));
    // 2. Every server writes with the new one.
    let (count, cookie) = visit(format!("{new},{old}"), Some(&cookie)).await;
    assert_eq!(count, times("3 times"));
    assert_eq!(visit(format!("{old},{new}"), Some(&cookie)).await.0, times("4 times"));
    // 3. When all cookies from before have expired, the old key goes.
    assert_eq!(visit(new, Some(&cookie)).await.0, times("4 times"));
    assert_eq!(visit(old, Some(&cookie)).await.0, times("1 time"), "the old key opens nothing");
}

#[test]
fn without_keys_an_encrypted_cookie_is_refused_at_the_start() {
    let folder = TempDir::new().expect("an empty folder");
    let mut command = chapter(12);
    command.current_dir(&folder).args(["--store", "cookie:"]).env_remove("SESSION_KEYS");
    assert_eq!(
        error_of(&mut command),
        "error: SESSION_KEYS is not set, and the servers need the same key: export \
         SESSION_KEYS=$(openssl rand -hex 32)\n"
    );
}

#[test]
fn behind_a_proxy_the_inspector_is_refused() {
    let folder = TempDir::new().expect("an empty folder");
    let mut command = chapter(12);
    command.current_dir(&folder).args(["--behind-proxy", "127.0.0.1"]);
    assert_eq!(
        error_of(&mut command),
        "error: behind a proxy, all visitors could open /inspector: say --no-inspector\n"
    );
}

#[test]
fn behind_a_proxy_no_visitor_sees_the_lesson() {
    let folder = TempDir::new().expect("an empty folder");
    let mut command = chapter(12);
    command.current_dir(&folder).args(["--behind-proxy", "127.0.0.1", "--no-inspector"]);
    let server = programs::Server::start(&mut command);
    let page = programs::get(server.address(), "/read/docs/12-going-live.md", "");
    // With a lesson, this would be the docs page. So the site answers: not by http.
    assert_eq!(page.status, 403, "{}", page.page);
}

fn error_of(command: &mut std::process::Command) -> String {
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn clearing_is_a_command_of_its_own() {
    let folder = TempDir::new().expect("an empty folder");
    let output =
        chapter(12).current_dir(&folder).arg("--clear-expired").output().expect("it starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0 expired sessions cleared\n");
    assert!(output.status.success());
}

#[cfg(unix)]
#[test]
fn a_server_that_is_told_to_stop_is_not_ready_and_goes_on_serving() {
    let folder = TempDir::new().expect("an empty folder");
    let mut command = chapter(12);
    let server = Server::start(command.current_dir(&folder).args(["--drain", "600"]));
    let address = server.address();
    assert_eq!(get(address, "/readyz", "").status, 200);
    server.send(Signal::TERM);
    // The signal arrives while the server serves; each answer is good, before and after.
    while get(address, "/readyz", "").status == 200 {}
    assert_eq!(get(address, "/", "").status, 200);
}

/// A store that does not answer.
#[derive(Debug)]
struct Away;

#[async_trait]
impl Store for Away {
    async fn load(&self, _: &Id) -> Result<Option<(Record, Version)>, StoreError> {
        Err(StoreError::Backend("gone".to_owned()))
    }
    async fn create(&self, _: &Record) -> Result<Outcome, StoreError> {
        Err(StoreError::Backend("gone".to_owned()))
    }
    async fn compare_and_swap(&self, _: Version, _: &Record) -> Result<Outcome, StoreError> {
        Err(StoreError::Backend("gone".to_owned()))
    }
    async fn delete(&self, _: &Id) -> Result<Option<Record>, StoreError> {
        Err(StoreError::Backend("gone".to_owned()))
    }
}
