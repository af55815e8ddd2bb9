//! Chapter 10's promises: who is signed in, until when, and who ends it.
//!
//! Stories about sessions are played over every store of chapter 7. PostgreSQL and Redis take part
//! if `TEST_POSTGRES_URL` and `TEST_REDIS_URL` say where they run; otherwise a line says that they
//! are skipped. No test waits for time to pass: the times in the index of devices are set back.

use std::{
    env,
    io::{self, Write},
    net::SocketAddr,
    num::NonZeroU32,
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Extension, Router,
    body::Body,
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use browser::{Browser, Page};
use catalog::Catalog;
use chapter_10::{Attempts, COOKIE, Devices};
use insta::assert_snapshot;
use programs::{Server, Signal, chapter, get, post};
use sessions::{
    Cached, EncryptionKeys, FileStore, Id, MemoryStore, Outcome, PostgresStore, Record, RedisStore,
    SessionLayer, SqliteStore, Store, StoreError, Version,
};
use tempfile::TempDir;
use tokio::sync::Notify;

const STORES: [&str; 7] =
    ["memory", "sqlite", "file", "cached+sqlite", "encrypted cookie", "postgres", "redis"];

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                    Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0";

/// The passwords of the sample, hashed with as little work as can be: the stories sign in hundreds
/// of times.
const QUICK_HASHES: &str = "
    UPDATE reader SET password_hash = '$argon2id$v=19$m=8,t=1,p=1$MP1IuAbxb9uIB0qv3/T+SA$K56381kKs3C3LaelXX1HAZeuQ2t0e35rZ+O2BLkdvLc' WHERE name = 'ada';
    UPDATE reader SET password_hash = '$argon2id$v=19$m=8,t=1,p=1$brrIiCM6NVj+lZAO1U76Dg$WM2/Wwv5ILZXEZUpXEogJfWYScB2I6LzuHrmH+IK0Gg' WHERE name = 'ben';
    UPDATE reader SET password_hash = '$argon2id$v=19$m=8,t=1,p=1$mUsv8hyW4TFJrLxwu3qb/g$uqdIjLnHrrQH8066fXNJ+uVRLkhG/UH1ENjgwphw/4E' WHERE name = 'liz';";

/// The chapter, with a library in memory.
struct Site {
    app: Router,
    library: Catalog,
    _folder: TempDir,
}

impl Site {
    async fn open(sessions: SessionLayer) -> Site {
        let library = Catalog::in_memory().await.expect("a library in memory");
        let rehashed = sqlx::raw_sql(QUICK_HASHES).execute(library.pool()).await;
        rehashed.expect("the table of readers is there");
        let devices = Devices::open(&library).await.expect("a new table");
        // Within the time of a test none is added to these.
        let attempts = Attempts::new(NonZeroU32::new(5).expect("not zero"), HOUR);
        let app = chapter_10::app(library.clone(), devices, attempts, sessions);
        Site { app, library, _folder: TempDir::new().expect("an empty folder") }
    }

    async fn over(store: impl Store) -> Site {
        let layer = SessionLayer::builder(store).cookie_name(COOKIE).build();
        Site::open(layer.expect("a cookie may have this name")).await
    }

    async fn in_memory() -> Site {
        Site::over(MemoryStore::default()).await
    }

    /// Over each of [`STORES`] that is there, with its name.
    async fn everywhere() -> Vec<(&'static str, Site)> {
        let mut sites = Vec::new();
        for name in STORES {
            let folder = TempDir::new().expect("an empty folder");
            let path = |file| folder.path().join(file);
            let store: Arc<dyn Store> = match name {
                "memory" => Arc::new(MemoryStore::default()),
                "sqlite" => Arc::new(SqliteStore::open(path("s.sqlite")).await.expect("it opens")),
                "file" => Arc::new(FileStore::open(path("sessions")).await.expect("it opens")),
                "cached+sqlite" => {
                    let store = SqliteStore::open(path("s.sqlite")).await.expect("it opens");
                    Arc::new(Cached::new(store, HOUR))
                }
                "encrypted cookie" => {
                    let layer = SessionLayer::encrypted_cookie_builder(EncryptionKeys::generate());
                    let layer = layer.cookie_name(COOKIE).build().expect("it can work");
                    sites.push((name, Site { _folder: folder, ..Site::open(layer).await }));
                    continue;
                }
                "postgres" => match env::var("TEST_POSTGRES_URL") {
                    Ok(url) => Arc::new(PostgresStore::open(&url).await.expect("it is there")),
                    Err(_) => {
                        static SAID: Once = Once::new();
                        SAID.call_once(|| skipped("TEST_POSTGRES_URL", "PostgreSQL"));
                        continue;
                    }
                },
                _ => match env::var("TEST_REDIS_URL") {
                    Ok(url) => Arc::new(RedisStore::open(&url).await.expect("it is there")),
                    Err(_) => {
                        static SAID: Once = Once::new();
                        SAID.call_once(|| skipped("TEST_REDIS_URL", "Redis"));
                        continue;
                    }
                },
            };
            sites.push((name, Site { _folder: folder, ..Site::over(store).await }));
        }
        sites
    }

    fn browser(&self) -> Browser {
        Browser::open(self.app.clone())
    }

    /// A browser at this address of the internet.
    fn browser_at(&self, address: &str) -> Browser {
        let address: SocketAddr = address.parse().expect("an address with a port");
        Browser::open(self.app.clone().layer(Extension(ConnectInfo(address))))
    }

    /// A browser in which this reader of the sample is signed in.
    async fn signed_in(&self, name: &str) -> Browser {
        let mut visitor = self.browser();
        sign_in(&mut visitor, name).await;
        assert!(is_signed_in(&mut visitor).await, "{name}");
        visitor.take_transcript();
        visitor
    }

    /// Changes the index of devices, as time would.
    async fn change(&self, statement: &'static str) {
        let changed = sqlx::raw_sql(statement).execute(self.library.pool()).await;
        assert_ne!(changed.expect("it fits the tables").rows_affected(), 0, "{statement}");
    }

    async fn number(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.library.pool()).await.expect("a number")
    }
}

/// Not `eprintln!`, which the test runner shows for tests that fail.
fn skipped(variable: &str, store: &str) {
    let line = format!("{variable} is not set: the stories over {store} are skipped");
    writeln!(io::stderr(), "{line}").expect("standard error is open");
}

const HOUR: Duration = Duration::from_secs(60 * 60);

fn password_of(name: &str) -> &'static str {
    match name {
        "ada" => "ada-reads",
        "ben" => "ben-reads",
        _ => "liz-lends",
    }
}

async fn sign_in<'a>(visitor: &'a mut Browser, name: &str) -> &'a Page {
    try_to_sign_in(visitor, name, password_of(name)).await
}

async fn try_to_sign_in<'a>(visitor: &'a mut Browser, name: &str, password: &str) -> &'a Page {
    let form = [("name", name), ("password", password), ("remember", "no"), ("next", "/")];
    visitor.post("/sign-in", &form).await
}

/// The same, from a browser that says who it is.
async fn sign_in_with(visitor: &mut Browser, user_agent: &str, remember: &str) {
    let form = format!("name=ada&password=ada-reads&remember={remember}&next=/");
    let request = Request::post("/sign-in")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::USER_AGENT, user_agent)
        .body(Body::from(form));
    let page = visitor.send(request.expect("a valid request")).await;
    assert_eq!(page.status(), StatusCode::SEE_OTHER, "{}", page.text());
}

/// Whether the page of borrowed books is shown.
async fn is_signed_in(visitor: &mut Browser) -> bool {
    let page = visitor.get("/my-books").await;
    match page.status() {
        StatusCode::OK => true,
        StatusCode::SEE_OTHER => {
            assert_eq!(page.header("location"), Some("/sign-in?next=%2Fmy-books"));
            false
        }
        status => panic!("{status}: {}", page.text()),
    }
}

/// Whether a request with this cookie is signed in, whatever the browser keeps.
async fn opens(visitor: &Browser, cookie: &str) -> bool {
    let cookie = format!("{COOKIE}={cookie}");
    let mut stranger = visitor.private_window();
    let page = stranger.get_with("/my-books", &[("cookie", cookie.as_bytes())]).await;
    page.status() == StatusCode::OK
}

fn cookie(visitor: &Browser) -> String {
    visitor.cookie(COOKIE).expect("a session cookie")
}

fn lead(page: &Page) -> String {
    page.texts(".lead").concat()
}

/// The keys of the devices that can be ended, in the order of the page.
async fn other_devices(visitor: &mut Browser) -> Vec<String> {
    let page = visitor.get("/devices").await;
    assert_eq!(page.status(), StatusCode::OK);
    page.attributes("form[action^='/devices/']", "action")
}

/// With names for what is random, and with a clock that stands still.
fn named(text: &str, ids: &[&str], devices: &[String]) -> String {
    let mut text = text.to_owned();
    for (number, id) in (1..).zip(ids) {
        text = text.replace(&format!("{}…", &id[..4]), &format!("session-{number}…"));
    }
    for (number, device) in (1..).zip(devices) {
        text = text.replace(device, &format!("/devices/device-{number}/end"));
    }
    let parts: Vec<&str> = text.split("ast used ").collect();
    let (first, rest) = parts.split_first().expect("at least one part");
    rest.iter().fold(first.to_string(), |text, part| {
        text + "ast used 2027-01-01 12:00 UTC" + &part["2027-01-01 12:00 UTC".len()..]
    })
}

#[tokio::test]
async fn signing_in_gives_a_new_id_and_keeps_visits_and_theme() {
    let site = Site::in_memory().await;
    let mut visitor = site.browser();
    visitor.get("/").await;
    visitor.post("/theme", &[]).await;
    visitor.get("/").await;
    let before = cookie(&visitor);
    assert_snapshot!("before_signing_in", named(&visitor.page().text(), &[&before], &[]));
    visitor.take_transcript();

    sign_in(&mut visitor, "ada").await;
    visitor.get("/").await;

    let after = cookie(&visitor);
    assert_ne!(before, after);
    assert_eq!(lead(visitor.page()), "You have visited this page 3 times.");
    assert!(visitor.page().has("html[data-theme=dark]"));
    let ids = [before.as_str(), &after];
    assert_snapshot!("the_id_changes", named(&visitor.transcript(), &ids, &[]));
    assert_snapshot!("what_you_see", named(&visitor.page().text(), &ids, &[]));
    assert_snapshot!("the_page", named(&visitor.page().html(), &ids, &[]));
    for id in ids {
        assert!(!visitor.page().body().contains(id), "no page shows a whole id");
    }
}

#[tokio::test]
async fn an_id_that_was_planted_opens_nothing_over_any_store() {
    for (store, site) in Site::everywhere().await {
        let mut attacker = site.browser();
        attacker.get("/").await;
        let planted = cookie(&attacker);
        let mut visitor = attacker.private_window();
        visitor.get("/").await;
        visitor.edit_cookie(COOKIE, &planted);

        sign_in(&mut visitor, "ada").await;

        assert!(is_signed_in(&mut visitor).await, "{store}");
        assert_ne!(cookie(&visitor), planted, "{store}");
        assert!(!is_signed_in(&mut attacker).await, "{store}");
        assert!(!opens(&visitor, &planted).await, "{store}");
    }
}

#[tokio::test]
async fn what_was_planted_in_a_session_does_not_come_along() {
    let store = MemoryStore::default();
    let layer = SessionLayer::builder(store.clone()).cookie_name(COOKIE).build().expect("it works");
    let site = Site::over(store.clone()).await;
    let mut visitor = site.browser();
    visitor.get("/").await;
    let session = layer.session(cookie(&visitor).parse().ok());
    session.load().await.expect("it is there");
    session.insert("is_administrator", true).expect("there is room");
    session.save().await.expect("it is stored");

    sign_in(&mut visitor, "ada").await;

    let (record, _) = load(&store, &visitor).await;
    assert!(!record.data.contains_key("is_administrator"), "{:?}", record.data.keys());
    assert_eq!(record.data["num_visits"], 1);
}

async fn load(store: &MemoryStore, visitor: &Browser) -> (Record, Version) {
    let id: Id = cookie(visitor).parse().expect("an id");
    store.load(&id).await.expect("memory answers").expect("it is stored")
}

#[tokio::test]
async fn the_session_holds_numbers_and_neither_name_nor_password() {
    let store = MemoryStore::default();
    let site = Site::over(store.clone()).await;
    let visitor = site.signed_in("ada").await;

    let (record, _) = load(&store, &visitor).await;

    let reader = record.data["reader"].as_object().expect("an object");
    let mut keys: Vec<_> = reader.keys().collect();
    keys.sort();
    assert_eq!(keys, ["device", "epoch", "id"]);
    assert_eq!((&reader["id"], &reader["epoch"]), (&1.into(), &0.into()));
    let all = serde_json::to_string(&record.data).expect("JSON");
    assert!(!all.contains("ada") && !all.contains("argon2"), "{all}");
    let id = cookie(&visitor);
    assert!(!all.contains(&id), "not even its own id");
}

#[tokio::test]
async fn what_another_reader_left_in_this_browser_does_not_stay() {
    let site = Site::in_memory().await;
    let mut visitor = site.signed_in("ada").await;
    visitor.post("/theme", &[]).await;
    visitor.get("/").await;

    sign_in(&mut visitor, "ada").await;
    let page = visitor.get("/").await;
    assert_eq!(lead(page), "You have visited this page 2 times.");
    assert!(page.has("html[data-theme=dark]"), "it is the same reader");

    sign_in(&mut visitor, "ben").await;
    let page = visitor.get("/").await;
    assert_eq!(lead(page), "You have visited this page 1 time.");
    assert!(!page.has("html[data-theme]"));
    assert!(page.text().contains("You are signed in as ben."), "{}", page.text());
    assert_eq!(site.number("SELECT count(*) FROM device").await, 1, "ada is signed in nowhere");
}

/// A store whose next write waits until it is let go.
#[derive(Clone, Debug, Default)]
struct Gate {
    store: MemoryStore,
    is_closed: Arc<Mutex<bool>>,
    has_come: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Gate {
    fn close(&self) {
        *self.is_closed.lock().expect("no panic") = true;
    }

    async fn pass(&self) {
        let was_closed = std::mem::take(&mut *self.is_closed.lock().expect("no panic"));
        if was_closed {
            self.has_come.notify_one();
            self.go_on.notified().await;
        }
    }
}

#[async_trait]
impl Store for Gate {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>, StoreError> {
        self.store.load(id).await
    }

    async fn create(&self, record: &Record) -> Result<Outcome, StoreError> {
        self.store.create(record).await
    }

    async fn compare_and_swap(&self, seen: Version, new: &Record) -> Result<Outcome, StoreError> {
        self.pass().await;
        self.store.compare_and_swap(seen, new).await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>, StoreError> {
        self.store.delete(id).await
    }
}

/// Begins to change the theme in one browser; while that waits, does something else.
async fn meanwhile(gate: &Gate, slow: &mut Browser, other: impl Future<Output = ()>) {
    gate.close();
    tokio::join!(
        async {
            slow.post("/theme", &[]).await;
        },
        async {
            gate.has_come.notified().await;
            other.await;
            gate.go_on.notify_one();
        }
    );
}

#[tokio::test]
async fn a_request_that_runs_with_the_planted_id_gets_nothing_of_the_sign_in() {
    let gate = Gate::default();
    let site = Site::over(gate.clone()).await;
    let mut attacker = site.browser();
    attacker.get("/").await;
    let mut visitor = attacker.private_window();
    visitor.get("/").await;
    visitor.edit_cookie(COOKIE, &cookie(&attacker));

    meanwhile(&gate, &mut attacker, async {
        sign_in(&mut visitor, "ada").await;
    })
    .await;

    // After `cycle_id` it would follow the session and change it.
    assert_eq!(attacker.page().status(), StatusCode::CONFLICT);
    assert!(attacker.page().set_cookies().is_empty());
    assert!(!visitor.get("/").await.has("html[data-theme]"), "the theme is as it was");
    assert!(is_signed_in(&mut visitor).await);
}

#[tokio::test]
async fn two_clicks_on_sign_in_both_succeed() {
    let site = Site::in_memory().await;
    let mut one = site.browser();
    one.get("/").await;
    let mut other = one.second_tab();

    tokio::join!(sign_in(&mut one, "ada"), sign_in(&mut other, "ada"));

    for tab in [&one, &other] {
        assert_eq!(tab.page().status(), StatusCode::SEE_OTHER);
    }
    assert!(is_signed_in(&mut one).await);
}

#[tokio::test]
async fn signing_out_ends_the_session_also_for_a_copy_of_the_cookie() {
    for (store, site) in Site::everywhere().await {
        let mut visitor = site.signed_in("ada").await;
        let copy = cookie(&visitor);
        assert!(opens(&visitor, &copy).await, "{store}");

        visitor.post("/sign-out", &[]).await;

        assert!(!opens(&visitor, &copy).await, "{store}");
        assert!(!is_signed_in(&mut visitor).await, "{store}");
        if store == "sqlite" {
            assert_snapshot!("sign_out", visitor.transcript());
        }
    }
}

#[tokio::test]
async fn a_late_request_does_not_bring_a_session_back_that_was_signed_out() {
    let gate = Gate::default();
    let site = Site::over(gate.clone()).await;
    let mut visitor = site.signed_in("ada").await;
    let copy = cookie(&visitor);
    let mut late = visitor.second_tab();

    meanwhile(&gate, &mut late, async {
        visitor.post("/sign-out", &[]).await;
    })
    .await;

    assert_eq!(late.page().status(), StatusCode::CONFLICT);
    assert!(late.page().set_cookies().is_empty());
    assert!(!opens(&visitor, &copy).await);
}

#[tokio::test]
async fn signing_out_everywhere_ends_every_session_of_this_reader_and_no_other() {
    for (store, site) in Site::everywhere().await {
        let mut here = site.signed_in("ada").await;
        let mut there = site.signed_in("ada").await;
        let mut ben = site.signed_in("ben").await;
        let copies = [cookie(&here), cookie(&there)];

        here.post("/sign-out-everywhere", &[]).await;

        for copy in copies {
            assert!(!opens(&here, &copy).await, "{store}");
        }
        assert!(!is_signed_in(&mut here).await && !is_signed_in(&mut there).await, "{store}");
        assert!(is_signed_in(&mut ben).await, "{store}");
        let epoch = "SELECT epoch FROM reader WHERE name = 'ada'";
        assert_eq!(site.number(epoch).await, 1, "{store}: the number alone would be enough");
        let devices = "SELECT count(*) FROM device WHERE reader_id = 1";
        assert_eq!(site.number(devices).await, 0, "{store}: and so would the index");
        sign_in(&mut here, "ada").await;
        assert!(is_signed_in(&mut here).await, "{store}: she may come back");
        assert!(!is_signed_in(&mut there).await, "{store}: and is back there only");
    }
}

// Each of the two ways is enough by itself. In the program both are there.
#[tokio::test]
async fn the_number_in_the_readers_row_is_enough_without_the_index() {
    for (store, site) in Site::everywhere().await {
        let visitor = site.signed_in("ada").await;
        let copy = cookie(&visitor);

        site.change("UPDATE reader SET epoch = epoch + 1 WHERE name = 'ada'").await;

        assert!(!opens(&visitor, &copy).await, "{store}");
    }
}

#[tokio::test]
async fn one_device_is_ended_alone() {
    for (store, site) in Site::everywhere().await {
        let (mut here, mut there) = (site.browser(), site.browser());
        sign_in_with(&mut here, FIREFOX, "no").await;
        sign_in_with(&mut there, EDGE, "yes").await;
        let copy = cookie(&there);
        let others = other_devices(&mut here).await;
        assert_eq!(others.len(), 1, "{store}");
        here.take_transcript();
        here.get("/devices").await;
        if store == "sqlite" {
            let page = here.page();
            assert!(page.text().contains("Firefox on Linux, this one."), "{}", page.text());
            assert_snapshot!("your_devices", named(&page.text(), &[], &others));
            assert_snapshot!("your_devices_page", named(&page.html(), &[], &others));
            here.take_transcript();
        }

        here.post(&others[0], &[]).await;

        assert!(!opens(&there, &copy).await, "{store}");
        assert!(!is_signed_in(&mut there).await, "{store}");
        assert!(is_signed_in(&mut here).await, "{store}");
        if store == "sqlite" {
            let exchange = format!("{}\n\n###\n\n{}", here.transcript(), there.transcript());
            let exchange = exchange.split("\n\n###\n\n").collect::<Vec<_>>();
            let ended = [exchange[0], exchange[exchange.len() - 1]].join("\n\n###\n\n");
            assert_snapshot!("one_device_is_ended", named(&ended, &[], &others));
        }
    }
}

#[tokio::test]
async fn no_reader_ends_the_device_of_another() {
    let site = Site::in_memory().await;
    let mut ada = site.signed_in("ada").await;
    let mut ada_elsewhere = site.signed_in("ada").await;
    let device = other_devices(&mut ada).await.remove(0);
    let mut ben = site.signed_in("ben").await;

    ben.post(&device, &[]).await;

    assert!(is_signed_in(&mut ada_elsewhere).await);
}

#[tokio::test]
async fn a_change_of_password_ends_all_other_sessions() {
    for (store, site) in Site::everywhere().await {
        let mut here = site.signed_in("ada").await;
        let there = site.signed_in("ada").await;
        let (before, copy) = (cookie(&here), cookie(&there));
        here.post("/theme", &[]).await;

        let form = [("password", "Casaubon was wrong"), ("again", "Casaubon was wrong")];
        let page = here.post("/password", &form).await;

        assert_eq!(page.header("location"), Some("/devices"), "{store}: {}", page.text());
        assert!(is_signed_in(&mut here).await, "{store}");
        assert!(here.get("/").await.has("html[data-theme=dark]"), "{store}");
        assert_ne!(cookie(&here), before, "{store}");
        for copy in [before, copy] {
            assert!(!opens(&here, &copy).await, "{store}");
        }
        let mut later = site.browser();
        let page = sign_in(&mut later, "ada").await;
        assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY, "{store}: the old password");
        try_to_sign_in(&mut later, "ada", "Casaubon was wrong").await;
        assert!(is_signed_in(&mut later).await, "{store}");
        let sample = Catalog::in_memory().await.expect("a library in memory");
        for (library, name) in [(&site.library, "ada"), (&sample, "ben")] {
            let found = library.credentials(name).await.expect("memory answers");
            let hash = found.expect("a reader of the sample").password_hash;
            // The dummy for unknown readers has these, too: as much work.
            assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        }
    }
}

#[tokio::test]
async fn a_password_that_is_short_or_mistyped_changes_nothing() {
    let site = Site::in_memory().await;
    let mut visitor = site.signed_in("ada").await;
    for (password, again) in [("ÄÖÜäöüß", "ÄÖÜäöüß"), ("Casaubon was wrong", "Casaubon was right")]
    {
        let page = visitor.post("/password", &[("password", password), ("again", again)]).await;
        assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.text().contains("Nothing was changed"), "{}", page.text());
    }
    let mut later = site.browser();
    sign_in(&mut later, "ada").await;
    assert!(is_signed_in(&mut later).await);
}

#[tokio::test]
async fn before_a_change_of_password_the_password_is_asked_for_again() {
    let site = Site::in_memory().await;
    let mut visitor = site.signed_in("ada").await;
    assert_eq!(visitor.get("/password").await.status(), StatusCode::OK, "it was given just now");
    site.change("UPDATE device SET confirmed = confirmed - 301").await;

    let form = [("password", "Casaubon was wrong"), ("again", "Casaubon was wrong")];
    let page = visitor.post("/password", &form).await;
    assert_eq!(page.header("location"), Some("/confirm?next=%2F"));
    visitor.take_transcript();
    visitor.get("/password").await;
    visitor.follow().await;
    let form = [("password", "ben-reads"), ("next", "/password")];
    let page = visitor.post("/confirm", &form).await;
    assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(visitor.get("/password").await.status(), StatusCode::SEE_OTHER);
    visitor.post("/confirm", &[("password", "ada-reads"), ("next", "/password")]).await;
    let page = visitor.follow().await;

    assert_eq!(page.texts("h1"), ["Change password"]);
    assert_snapshot!("asked_again", visitor.transcript());
}

#[tokio::test]
async fn to_confirm_leads_to_no_other_site_and_is_not_tried_for_ever() {
    let site = Site::in_memory().await;
    let mut visitor = site.signed_in("ada").await;
    let form = [("password", "ada-reads"), ("next", "//evil.example/")];
    assert_eq!(visitor.post("/confirm", &form).await.header("location"), Some("/"));

    let mut tries = 0;
    while visitor.post("/confirm", &[("password", "?"), ("next", "/")]).await.status()
        != StatusCode::TOO_MANY_REQUESTS
    {
        tries += 1;
        assert!(tries < 5, "signing in and confirming count together");
    }
}

#[tokio::test]
async fn a_session_ends_after_half_an_hour_without_a_request() {
    for (store, site) in Site::everywhere().await {
        let mut visitor = site.signed_in("ada").await;
        let copy = cookie(&visitor);
        site.change("UPDATE device SET last_used = last_used - 20 * 60").await;
        assert!(is_signed_in(&mut visitor).await, "{store}");
        site.change("UPDATE device SET last_used = last_used - 20 * 60").await;
        assert!(is_signed_in(&mut visitor).await, "{store}: a request is activity");

        site.change("UPDATE device SET last_used = last_used - 30 * 60").await;

        assert!(!opens(&visitor, &copy).await, "{store}");
        assert!(!is_signed_in(&mut visitor).await, "{store}");
    }
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours_however_active_the_reader_is() {
    for (store, site) in Site::everywhere().await {
        let mut visitor = site.signed_in("ada").await;
        site.change("UPDATE device SET signed_in = signed_in - 11 * 60 * 60").await;
        assert!(is_signed_in(&mut visitor).await, "{store}");

        site.change("UPDATE device SET signed_in = signed_in - 60 * 60").await;

        assert!(!is_signed_in(&mut visitor).await, "{store}");
    }
}

#[tokio::test]
async fn who_wants_to_be_remembered_is_and_who_does_not_is_not() {
    for (store, site) in Site::everywhere().await {
        let (mut home, mut cafe) = (site.browser(), site.browser());
        sign_in_with(&mut home, FIREFOX, "yes").await;
        sign_in_with(&mut cafe, FIREFOX, "no").await;

        home.restart();
        cafe.restart();
        assert!(is_signed_in(&mut home).await, "{store}");
        assert!(!is_signed_in(&mut cafe).await, "{store}");

        let days = "UPDATE device SET last_used = last_used - 13 * 86400,
                                      signed_in = signed_in - 13 * 86400";
        site.change(days).await;
        assert!(is_signed_in(&mut home).await, "{store}: two weeks idle, at most");
        site.change("UPDATE device SET last_used = last_used - 14 * 86400").await;
        assert!(!is_signed_in(&mut home).await, "{store}");
    }
}

#[tokio::test]
async fn who_is_remembered_has_a_cookie_for_ninety_days_and_not_longer() {
    let site = Site::in_memory().await;
    let mut visitor = site.browser();
    sign_in_with(&mut visitor, FIREFOX, "yes").await;
    let set = visitor.page().set_cookies().concat();
    assert!(set.contains(&format!("Max-Age={}", 90 * 24 * 60 * 60)), "{set}");

    site.change("UPDATE device SET signed_in = signed_in - 90 * 86400").await;
    assert!(!is_signed_in(&mut visitor).await);
}

#[tokio::test]
async fn last_used_is_noted_to_the_minute_and_not_with_every_request() {
    let site = Site::in_memory().await;
    let mut visitor = site.signed_in("ada").await;
    let writes = "SELECT total_changes()";
    // In the future no minute has passed, however slow this machine is.
    site.change("UPDATE device SET last_used = last_used + 3600").await;
    let before = site.number(writes).await;
    for _ in 0..10 {
        assert!(is_signed_in(&mut visitor).await);
    }
    assert_eq!(site.number(writes).await, before, "reading writes nothing");

    site.change("UPDATE device SET last_used = last_used - 3600 - 60").await;
    let before = site.number(writes).await;
    assert!(is_signed_in(&mut visitor).await);
    assert_eq!(site.number(writes).await, before + 1);
}

#[tokio::test]
async fn an_unknown_reader_and_a_wrong_password_are_answered_in_the_same_words() {
    let site = Site::in_memory().await;
    let (mut known, mut unknown) = (site.browser(), site.browser());

    let known = try_to_sign_in(&mut known, "ada", "wrong").await.clone();
    let unknown = try_to_sign_in(&mut unknown, "eve", "wrong").await.clone();

    assert_eq!(known.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(known.status(), unknown.status());
    // The form holds the name that was typed.
    assert_eq!(known.body(), unknown.body().replace("\"eve\"", "\"ada\""));
    assert!(known.set_cookies().is_empty() && unknown.set_cookies().is_empty());
    assert_snapshot!("refused", known.text());
}

// Not measured, since a busy machine would fail: as many passwords are compared.
#[test]
fn an_unknown_reader_takes_as_long_as_a_wrong_password() {
    let folder = TempDir::new().expect("an empty folder");
    let log = "chapter_10=debug";
    let server = Server::start(chapter(10).current_dir(&folder).env("RUST_LOG", log));
    for name in ["ada", "eve"] {
        let form = [("name", name), ("password", "wrong"), ("remember", "no"), ("next", "/")];
        assert_eq!(post(server.address(), "/sign-in", "", &form).status, 422);
    }
    let (_, log) = server.stop(Signal::TERM);
    assert_eq!(log.matches("a password is compared").count(), 2, "{log}");
}

#[tokio::test]
async fn the_password_of_the_dummy_opens_no_account() {
    let site = Site::in_memory().await;
    let mut visitor = site.browser();
    let page = try_to_sign_in(&mut visitor, "eve", "nobody-has-this-one").await;
    assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_name_may_be_typed_in_capitals_and_with_a_space_after_it() {
    let site = Site::in_memory().await;
    let mut visitor = site.browser();
    try_to_sign_in(&mut visitor, "ADA ", "ada-reads").await;
    assert!(is_signed_in(&mut visitor).await);
}

/// Types wrong passwords until that is slowed down; says how many were compared.
async fn guess(attacker: &mut Browser, name: &str) -> u32 {
    for tries in 0..20 {
        let page = try_to_sign_in(attacker, name, "wrong").await;
        if page.status() == StatusCode::TOO_MANY_REQUESTS {
            return tries;
        }
    }
    panic!("twenty wrong passwords were compared");
}

#[tokio::test]
async fn guessing_is_slowed_down_and_locks_no_reader_out() {
    let site = Site::in_memory().await;
    let mut attacker = site.browser_at("203.0.113.66:1000");
    assert_eq!(guess(&mut attacker, "ada").await, 5);
    let wait = attacker.page().header("retry-after").expect("how long to wait");
    assert!(wait.parse::<u64>().is_ok_and(|seconds| seconds > 0), "{wait}");
    assert_snapshot!("slowed_down", attacker.page().text());

    // Not even with the right password, or it would be worth while to go on guessing.
    let page = try_to_sign_in(&mut attacker, " ADA", "ada-reads").await;
    assert_eq!(page.status(), StatusCode::TOO_MANY_REQUESTS);
    let mut next_port = site.browser_at("203.0.113.66:2000");
    let page = try_to_sign_in(&mut next_port, "ada", "ada-reads").await;
    assert_eq!(page.status(), StatusCode::TOO_MANY_REQUESTS);

    let mut ada = site.browser_at("198.51.100.7:1000");
    sign_in(&mut ada, "ada").await;
    assert!(is_signed_in(&mut ada).await, "she is somewhere else");
    let mut ben = site.browser_at("203.0.113.66:3000");
    sign_in(&mut ben, "ben").await;
    assert!(is_signed_in(&mut ben).await, "he is at the attacker's school");
}

#[tokio::test]
async fn a_name_that_no_reader_has_is_slowed_down_as_well() {
    let site = Site::in_memory().await;
    let mut attacker = site.browser_at("203.0.113.66:1000");
    assert_eq!(guess(&mut attacker, "eve").await, 5);
    assert_eq!(guess(&mut attacker, &"eve".repeat(1000)).await, 5);
}

#[tokio::test]
async fn the_addresses_of_one_ipv6_network_count_as_one() {
    let site = Site::in_memory().await;
    guess(&mut site.browser_at("[2001:db8:1:2:3:4:5:6]:1000"), "ada").await;

    let mut neighbour = site.browser_at("[2001:db8:1:2:ffff::1]:1000");
    let page = sign_in(&mut neighbour, "ada").await;
    assert_eq!(page.status(), StatusCode::TOO_MANY_REQUESTS);
    let mut elsewhere = site.browser_at("[2001:db8:1:3::1]:1000");
    sign_in(&mut elsewhere, "ada").await;
    assert!(is_signed_in(&mut elsewhere).await);

    guess(&mut site.browser_at("203.0.113.66:1000"), "ben").await;
    let mut mapped = site.browser_at("[::ffff:203.0.113.66]:1000");
    let page = sign_in(&mut mapped, "ben").await;
    assert_eq!(page.status(), StatusCode::TOO_MANY_REQUESTS, "the same, as IPv6 writes it");
}

#[tokio::test]
async fn who_is_not_signed_in_is_asked_to_and_then_goes_on() {
    let site = Site::in_memory().await;
    let mut visitor = site.browser();
    visitor.get("/my-books").await;
    let page = visitor.follow().await;
    let next = page.attributes("input[name=next]", "value").concat();
    let form =
        [("name", "ada"), ("password", "ada-reads"), ("remember", "no"), ("next", next.as_str())];
    visitor.post("/sign-in", &form).await;
    let page = visitor.follow().await;

    assert_eq!(page.texts("h1"), ["My borrowed books"]);
    assert_snapshot!("sign_in_first", visitor.transcript());
    assert_snapshot!("the_form_page", site.browser().get("/sign-in").await.html());
}

#[tokio::test]
async fn each_private_page_asks_who_is_not_signed_in() {
    let site = Site::in_memory().await;
    let head = Request::head("/my-books").body(Body::empty()).expect("a valid request");
    let mut visitor = site.browser();
    let page = visitor.send(head).await;
    assert_eq!(page.header("location"), Some("/sign-in?next=%2Fmy-books"));
    for path in ["/my-books?x=1&y=2", "/all-books", "/devices", "/password", "/confirm"] {
        let mut visitor = site.browser();
        let page = visitor.get(path).await;
        assert_eq!(page.status(), StatusCode::SEE_OTHER, "{path}");
        let page = visitor.follow().await;
        assert_eq!(page.attributes("input[name=next]", "value"), [path]);
    }
    let posts =
        ["/devices/x/end", "/sign-out-everywhere", "/copies/x/return", "/password", "/confirm"];
    for path in posts {
        let mut visitor = site.browser();
        let page = visitor.post(path, &[]).await;
        // What a form has sent cannot be sent again.
        assert_eq!(page.header("location"), Some("/sign-in?next=%2F"), "{path}");
    }
}

#[tokio::test]
async fn next_leads_to_no_other_site() {
    let site = Site::in_memory().await;
    for next in [
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\/evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "/\r\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "\u{1}//evil.example",
        "/.//evil.example",
        "/..//evil.example",
        "/x/..//evil.example",
        "/%2e//evil.example",
        "/.\\/evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https://evil.example",
        "https:\\\\evil.example",
        "HTTPS://evil.example",
        "ht\ntps://evil.example",
        "http://evil.example",
        "http:\\\\evil.example",
        "http://this-site.invalid@evil.example",
        "http://this-site.invalid.evil.example",
        "http://this-site.invalid:81",
        "//this-site.invalid@evil.example",
        "ftp://evil.example",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,evil.example",
        "mailto:evil@evil.example",
        "file:///etc/passwd",
        "http://[",
        "//",
        "",
    ] {
        assert_eq!(after_signing_in(&site, next).await, "/", "{next:?}");
    }
}

#[tokio::test]
async fn next_leads_to_any_page_of_this_site() {
    let site = Site::in_memory().await;
    for (next, expected) in [
        ("/", "/"),
        ("/my-books", "/my-books"),
        ("my-books", "/my-books"),
        ("/my-books?x=1&y=//evil.example", "/my-books?x=1&y=//evil.example"),
        ("/a//b", "/a//b"),
        ("/my-books#end", "/my-books"),
        ("/%2F%2Fevil.example", "/%2F%2Fevil.example"),
        ("/\u{e9}", "/%C3%A9"),
        ("/a b", "/a%20b"),
        ("/x\r\nSet-Cookie: a=b", "/xSet-Cookie:%20a=b"),
        // A name without a slash is a page here, and not a host.
        ("evil.example", "/evil.example"),
        ("http:evil.example", "/evil.example"),
    ] {
        assert_eq!(after_signing_in(&site, next).await, expected, "{next:?}");
    }
}

/// Where a reader goes, by the link to the form and by the form itself.
async fn after_signing_in(site: &Site, next: &str) -> String {
    // From another address each time: these are many.
    static COUNT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut visitor = site.browser_at(&format!("10.0.{}.{}:1", count / 256, count % 256));
    let form = [("name", "ada"), ("password", "ada-reads"), ("remember", "no"), ("next", next)];
    let page = visitor.post("/sign-in", &form).await;
    assert_eq!(page.status(), StatusCode::SEE_OTHER, "{next:?}");
    let location = page.header("location").expect("a redirect goes somewhere").to_owned();

    let mut link = url::Url::parse("http://127.0.0.1/sign-in").expect("a URL");
    link.query_pairs_mut().append_pair("next", next);
    let page = visitor.get(&link[url::Position::BeforePath..]).await;
    assert_eq!(page.attributes("input[name=next]", "value"), [location.as_str()], "{next:?}");
    location
}

#[tokio::test]
async fn readers_see_their_own_books_only() {
    let site = Site::in_memory().await;
    let mut ada = site.signed_in("ada").await;
    let books = ada.get("/my-books").await.text();
    assert!(books.contains("Middlemarch") && !books.contains("Dracula"), "{books}");
    let mut ben = site.signed_in("ben").await;
    let books = ben.get("/my-books").await.text();
    assert!(books.contains("Dracula") && !books.contains("Middlemarch"), "{books}");
    let mut liz = site.signed_in("liz").await;
    let books = liz.get("/my-books").await.text();
    assert!(books.contains("You have borrowed no books."), "{books}");
}

#[tokio::test]
async fn who_may_not_reads_a_calm_403() {
    let site = Site::in_memory().await;
    let mut ada = site.signed_in("ada").await;

    let page = ada.get("/all-books").await;

    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    assert!(!page.body().contains("Dracula"));
    assert_snapshot!("librarians_only", ada.transcript());
    let copy = site.library.loans().await.expect("loans").remove(0).copy_id;
    let page = ada.post(&format!("/copies/{copy}/return"), &[]).await;
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    assert_eq!(site.library.loans().await.expect("loans").len(), 4);
}

#[tokio::test]
async fn a_librarian_sees_all_borrowed_books_and_takes_one_back() {
    let site = Site::in_memory().await;
    let mut liz = site.signed_in("liz").await;
    liz.get("/all-books").await;
    assert_snapshot!("all_borrowed_books", liz.page().text());

    let action = liz.page().attributes("main li form", "action").remove(0);
    liz.post(&action, &[]).await;
    let page = liz.follow().await;

    assert!(!page.text().contains("Anna Karenina"), "{}", page.text());
    assert_eq!(page.attributes("main li form", "action").len(), 3);
    assert!(!site.signed_in("ada").await.get("/my-books").await.text().contains("Anna"));
    assert_eq!(liz.post(&action, &[]).await.status(), StatusCode::NOT_FOUND, "a second click");
}

#[tokio::test]
async fn rights_are_looked_up_with_each_request() {
    let site = Site::in_memory().await;
    let mut liz = site.signed_in("liz").await;
    assert_eq!(liz.get("/all-books").await.status(), StatusCode::OK);

    site.change("UPDATE reader SET is_librarian = 0 WHERE name = 'liz'").await;

    assert_eq!(liz.get("/all-books").await.status(), StatusCode::FORBIDDEN);
    site.change("DELETE FROM reader WHERE name = 'liz'").await;
    assert!(!is_signed_in(&mut liz).await);
}

#[tokio::test]
async fn a_session_that_was_ended_from_outside_leaves_nothing_behind() {
    let site = Site::in_memory().await;
    let mut visitor = site.signed_in("ada").await;
    visitor.post("/theme", &[]).await;
    visitor.get("/").await;
    site.change("UPDATE reader SET epoch = epoch + 1 WHERE name = 'ada'").await;

    let page = visitor.get("/").await;

    assert_eq!(lead(page), "You have visited this page 1 time.");
    assert!(!page.has("html[data-theme]"));
}

#[tokio::test]
async fn a_session_of_another_version_of_the_program_asks_to_sign_in_again() {
    let store = MemoryStore::default();
    let layer = SessionLayer::builder(store.clone()).cookie_name(COOKIE).build().expect("it works");
    let site = Site::over(store).await;
    let mut visitor = site.signed_in("ada").await;
    let session = layer.session(cookie(&visitor).parse().ok());
    session.load().await.expect("it is there");
    session.insert("reader", 1).expect("there is room");
    session.save().await.expect("it is stored");

    assert!(!is_signed_in(&mut visitor).await);
    sign_in(&mut visitor, "ada").await;
    assert!(is_signed_in(&mut visitor).await);
}

#[tokio::test]
async fn back_does_not_show_a_private_page_after_signing_out() {
    let site = Site::in_memory().await;
    let mut visitor = site.signed_in("liz").await;
    for path in ["/my-books", "/all-books", "/devices", "/password", "/confirm"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(page.header("vary"), Some("Cookie"), "{path}");
    }
}

#[tokio::test]
async fn to_look_at_the_form_starts_no_session() {
    let site = Site::in_memory().await;
    for path in ["/sign-in", "/my-books"] {
        let mut visitor = site.browser();
        assert!(visitor.get(path).await.set_cookies().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn browsers_are_called_by_their_names() {
    let chrome = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like \
                  Gecko) Chrome/140.0.0.0 Safari/537.36";
    let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 \
                  (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";
    for (user_agent, expected) in [
        (FIREFOX, "Firefox on Linux"),
        (EDGE, "Edge on Windows"),
        (chrome, "Chrome on a Mac"),
        (safari, "Safari on an iPhone"),
        ("Firefox/1", "Firefox"),
        ("curl/8.0 <script>", "Another browser"),
        ("", "Another browser"),
    ] {
        let site = Site::in_memory().await;
        let mut visitor = site.browser();
        sign_in_with(&mut visitor, user_agent, "no").await;
        let page = visitor.get("/devices").await;
        assert_eq!(page.texts("main li strong"), [expected]);
    }
}

/// Signs in and out over http, with what must not be logged; returns the log.
fn log_of_signing_in_and_out(level: &str) -> (String, Vec<String>) {
    let folder = TempDir::new().expect("an empty folder");
    let server = Server::start(chapter(10).current_dir(&folder).env("RUST_LOG", level));
    let at = server.address();
    let sign_in = |name, password| {
        let form = [("name", name), ("password", password), ("remember", "no"), ("next", "/")];
        post(at, "/sign-in", "", &form)
    };
    let typed_by_mistake = "hunter2-in-the-wrong-field";
    assert_eq!(sign_in(typed_by_mistake, "wrong-password").status, 422);
    assert_eq!(sign_in("ada", "wrong-password").status, 422);
    let cookie = sign_in("ada", "ada-reads").cookie.expect("a session cookie");
    assert_eq!(get(at, "/my-books", &cookie).status, 200);
    assert_eq!(post(at, "/sign-out", &cookie, &[]).status, 303);
    let (_, id) = cookie.split_once('=').expect("name=value");
    let secrets = [id, typed_by_mistake, "wrong-password", "ada-reads", "$argon2id$"];
    let secrets = secrets.map(str::to_owned).into();
    (server.stop(Signal::TERM).1, secrets)
}

#[test]
fn sign_ins_failures_and_sign_outs_are_logged() {
    let (log, _) = log_of_signing_in_and_out("info");
    let lines: Vec<_> = log.lines().filter_map(|line| line.split_once("chapter_10: ")).collect();
    let lines: Vec<_> = lines.into_iter().map(|(_, line)| line).collect();
    assert_eq!(
        lines,
        [
            "sign-in failed address=127.0.0.1",
            "sign-in failed reader=1 address=127.0.0.1",
            "signed in reader=1 address=127.0.0.1",
            "signed out reader=1",
        ]
    );
}

#[test]
fn no_log_however_talkative_has_an_id_a_password_or_what_was_typed_as_a_name() {
    // sqlx logs statements and no values; hyper's trace would show the request itself.
    let (log, secrets) = log_of_signing_in_and_out("trace,hyper=info");
    assert!(log.contains("TRACE"), "the log is talkative");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}

#[test]
fn the_program_keeps_sessions_in_a_cookie_if_it_is_told_to() {
    let folder = TempDir::new().expect("an empty folder");
    let server = Server::start(chapter(10).current_dir(&folder).arg("--encrypted-cookie"));
    let at = server.address();
    let form = [("name", "ada"), ("password", "ada-reads"), ("remember", "no"), ("next", "/")];
    let cookie = post(at, "/sign-in", "", &form).cookie.expect("a session cookie");
    assert!(cookie.len() > 150, "it holds the session: {}", cookie.len());
    assert_eq!(get(at, "/my-books", &cookie).status, 200);

    assert_eq!(post(at, "/sign-out", &cookie, &[]).status, 303);
    assert_eq!(get(at, "/my-books", &cookie).status, 303, "a copy of it is good for nothing");
}

#[test]
fn another_programs_table_of_devices_is_one_line_at_the_start() {
    let folder = TempDir::new().expect("an empty folder");
    let library = folder.path().join("library.sqlite");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let library = Catalog::open(&library).await.expect("a new library");
        let table = "CREATE TABLE device (id)";
        sqlx::raw_sql(table).execute(library.pool()).await.expect("a table");
        library.close().await;
    });

    let output = chapter(10).current_dir(&folder).output().expect("it starts");

    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("error: the list of devices cannot be kept: "), "{said}");
    assert!(said.ends_with("Choose another file with --database\n"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}
