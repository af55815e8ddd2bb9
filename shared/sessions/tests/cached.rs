//! A cache in front of a store: on one server nothing old is seen, on several writes stay exact.

mod garage;
mod two_servers;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{Router, http::StatusCode, routing::post};
use browser::Browser;
use garage::garage;
use sessions::{
    Cached, Id, MemoryStore, Replaced, Session, SessionLayer, SessionStore, SqliteStore, Store,
    Version,
    contract::{Expired, check},
};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::{sync::Notify, task::yield_now};
use tower_sessions::{
    session::Record,
    session_store::{Error, Result},
};
use two_servers::{TwoServers, keep_their_promises};

/// So long that no test comes to its end.
const LONG: Duration = Duration::from_secs(60 * 60);

/// Where a call waits, once it is shut, until it is let through.
#[derive(Clone, Debug, Default)]
struct Gate {
    shut: Arc<AtomicBool>,
    reached: Arc<Notify>,
    opened: Arc<Notify>,
}

impl Gate {
    /// For the next call; those after it pass.
    fn shut(&self) {
        self.shut.store(true, Relaxed);
    }

    async fn pass(&self) {
        if self.shut.swap(false, Relaxed) {
            self.reached.notify_one();
            self.opened.notified().await;
        }
    }
}

/// What goes wrong with a write.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// It fails, and nothing is stored.
    Refused,
    /// It is stored, and the answer is lost.
    Unanswered,
    Panic,
}

/// A store in memory. As an SQLite store does, it goes on with a write that was given up.
#[derive(Clone, Debug)]
struct Slow {
    store: MemoryStore,
    loads: Arc<AtomicUsize>,
    /// A load waits here with what it has found.
    found: Gate,
    /// A write waits here before it is done.
    asked: Gate,
    /// And here, after it.
    written: Gate,
    fault: Arc<parking_lot::Mutex<Fault>>,
}

impl Slow {
    fn new() -> Self {
        Slow {
            store: MemoryStore::default(),
            loads: Arc::default(),
            found: Gate::default(),
            asked: Gate::default(),
            written: Gate::default(),
            fault: Arc::new(parking_lot::Mutex::new(Fault::None)),
        }
    }

    /// From the next write on.
    fn goes_wrong(&self, fault: Fault) {
        *self.fault.lock() = fault;
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (asked, written, fault) =
            (self.asked.clone(), self.written.clone(), *self.fault.lock());
        let written = tokio::spawn(async move {
            asked.pass().await;
            if fault == Fault::Refused {
                return Err(Error::Backend("the disk is full".to_owned()));
            }
            let answer = write.await;
            written.pass().await;
            match fault {
                Fault::Unanswered => Err(Error::Backend("the cable is out".to_owned())),
                _ => answer,
            }
        });
        let answer = written.await.expect("no panic");
        assert_ne!(fault, Fault::Panic, "the store has a bug");
        answer
    }
}

#[async_trait]
impl SessionStore for Slow {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.store.create(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (store, record) = (self.store.clone(), record.clone());
        self.write(async move { store.save(&record).await }).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.load_versioned(id).await?.map(|(record, _)| record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let (store, id) = (self.store.clone(), *id);
        self.write(async move { store.delete(&id).await }).await
    }
}

#[async_trait]
impl Store for Slow {
    async fn load_versioned(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        self.loads.fetch_add(1, Relaxed);
        let found = self.store.load_versioned(id).await;
        self.found.pass().await;
        found
    }

    async fn replace(&self, old: &Id, seen: Version, new: &mut Record) -> Result<Replaced> {
        let (store, old, mut record) = (self.store.clone(), *old, new.clone());
        self.write(async move { store.replace(&old, seen, &mut record).await }).await
    }
}

fn record(car: &str) -> Record {
    Record {
        id: Id::default(),
        data: [("my_car".to_owned(), car.into())].into(),
        expiry_date: OffsetDateTime::now_utc() + time::Duration::hours(1),
    }
}

/// A stored mini, which nobody has loaded yet.
async fn with_a_mini() -> (Slow, Cached, Record, Version) {
    let store = Slow::new();
    let mut record = record("mini");
    store.create(&mut record).await.expect("it is stored");
    let found = store.store.load_versioned(&record.id).await.expect("memory does not fail");
    let (_, seen) = found.expect("a record");
    let cached = Cached::new(store.clone(), LONG);
    (store, cached, record, seen)
}

/// The car that a request is shown.
async fn car(store: &impl Store, id: &Id) -> Option<String> {
    let found = store.load_versioned(id).await.expect("the store answers");
    found.map(|(record, _)| record.data["my_car"].as_str().expect("a text").to_owned())
}

/// Lets all others go on until they can go no further: here nobody waits for anything outside.
async fn settle() {
    for _ in 0..1000 {
        yield_now().await;
    }
}

/// What can be done to a session, in a task of its own.
fn start(write: Write, store: &Cached, old: &Record, seen: Version) -> Task<Result<()>> {
    let (store, id) = (store.clone(), old.id);
    let mut new = Record { id, ..record("beetle") };
    tokio::spawn(async move {
        match write {
            Write::Replace => store.replace(&id, seen, &mut new).await.map(drop),
            Write::Move => {
                new.id = Id::default();
                store.replace(&id, seen, &mut new).await.map(drop)
            }
            Write::Save => store.save(&new).await,
            Write::Delete => store.delete(&id).await,
        }
    })
}

type Task<T> = tokio::task::JoinHandle<T>;

#[derive(Clone, Copy, Debug)]
enum Write {
    Replace,
    Move,
    Save,
    Delete,
}

impl Write {
    const ALL: [Write; 4] = [Write::Replace, Write::Move, Write::Save, Write::Delete];

    /// The car that is stored under the old id afterwards.
    fn leaves(self) -> Option<String> {
        match self {
            Write::Replace | Write::Save => Some("beetle".to_owned()),
            Write::Move | Write::Delete => None,
        }
    }
}

#[tokio::test]
async fn a_cache_over_a_store_in_memory_meets_every_requirement() {
    check(async || Cached::new(MemoryStore::default(), LONG), Expired::Stay).await;
}

#[tokio::test]
async fn a_cache_over_a_database_meets_every_requirement() {
    let folder = TempDir::new().expect("a folder for the databases");
    let open = async || {
        let file = folder.path().join(format!("{}.sqlite", Id::default()));
        Cached::new(SqliteStore::open(file).await.expect("the store opens"), LONG)
    };
    check(open, Expired::Cleared).await;
}

#[tokio::test]
async fn a_session_that_is_in_memory_is_not_asked_for() {
    let store = Slow::new();
    let mut visitor = Browser::open(garage(Cached::new(store.clone(), LONG)));
    visitor.post("/car", &[("my_car", "mini")]).await;
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(store.loads.load(Relaxed), 1);

    assert_eq!(visitor.get("/").await.body(), "mini");
    visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.get("/").await.body(), "beetle");
    assert_eq!(store.loads.load(Relaxed), 1);
}

#[tokio::test]
async fn of_many_who_ask_for_a_session_at_once_one_loads_it() {
    let (store, cached, record, _) = with_a_mini().await;
    store.found.shut();
    let load = || {
        let (cached, id) = (cached.clone(), record.id);
        tokio::spawn(async move { car(&cached, &id).await })
    };
    let loads: Vec<_> = (0..8).map(|_| load()).collect();
    store.found.reached.notified().await;
    store.found.opened.notify_one();
    for load in loads {
        assert_eq!(load.await.expect("no panic").as_deref(), Some("mini"));
    }
    assert_eq!(store.loads.load(Relaxed), 1);
}

#[tokio::test]
async fn a_change_is_in_the_store_when_it_is_told() {
    for write in Write::ALL {
        let (store, cached, record, seen) = with_a_mini().await;
        start(write, &cached, &record, seen).await.expect("no panic").expect("it is written");
        assert_eq!(car(&store, &record.id).await, write.leaves(), "{write:?}");
        assert_eq!(car(&cached, &record.id).await, write.leaves(), "{write:?}");
    }
}

#[tokio::test]
async fn a_slow_load_from_before_a_write_leaves_nothing_old_in_memory() {
    for write in Write::ALL {
        let (store, cached, record, seen) = with_a_mini().await;
        store.found.shut();
        let loading = tokio::spawn({
            let (cached, id) = (cached.clone(), record.id);
            async move { car(&cached, &id).await }
        });
        // It has the mini in its hands.
        store.found.reached.notified().await;
        let writing = start(write, &cached, &record, seen);
        settle().await;
        store.found.opened.notify_one();

        writing.await.expect("no panic").expect("it is written");
        loading.await.expect("no panic");
        assert_eq!(car(&cached, &record.id).await, write.leaves(), "{write:?}");
    }
}

#[tokio::test]
async fn a_load_during_a_write_leaves_nothing_old_in_memory() {
    for write in Write::ALL {
        let (store, cached, record, seen) = with_a_mini().await;
        store.asked.shut();
        let writing = start(write, &cached, &record, seen);
        store.asked.reached.notified().await;
        store.found.shut();
        let loading = tokio::spawn({
            let (cached, id) = (cached.clone(), record.id);
            async move { car(&cached, &id).await }
        });
        settle().await;
        store.asked.opened.notify_one();
        settle().await;
        store.found.opened.notify_one();

        writing.await.expect("no panic").expect("it is written");
        loading.await.expect("no panic");
        assert_eq!(car(&cached, &record.id).await, write.leaves(), "{write:?}");
    }
}

#[tokio::test]
async fn a_write_whose_request_was_given_up_leaves_nothing_old_in_memory() {
    for write in Write::ALL {
        for was_loaded in [true, false] {
            let (store, cached, record, seen) = with_a_mini().await;
            if was_loaded {
                car(&cached, &record.id).await;
            }
            store.asked.shut();
            let writing = start(write, &cached, &record, seen);
            store.asked.reached.notified().await;
            writing.abort();
            assert!(writing.await.expect_err("given up").is_cancelled());
            let loading = tokio::spawn({
                let (cached, id) = (cached.clone(), record.id);
                async move { car(&cached, &id).await }
            });
            settle().await;
            store.asked.opened.notify_one();
            settle().await;

            loading.await.expect("no panic");
            let shown = car(&cached, &record.id).await;
            assert_eq!(shown, write.leaves(), "{write:?}, loaded before: {was_loaded}");
        }
    }
}

#[tokio::test]
async fn after_a_write_that_failed_the_store_is_asked_what_it_holds() {
    for write in Write::ALL {
        for fault in [Fault::Refused, Fault::Unanswered, Fault::Panic] {
            let (store, cached, record, seen) = with_a_mini().await;
            car(&cached, &record.id).await;
            store.goes_wrong(fault);
            let refused = start(write, &cached, &record, seen).await.expect("no panic");
            assert!(matches!(refused, Err(Error::Backend(_))), "{write:?}, {fault:?}: {refused:?}");

            let stored = match fault {
                Fault::Refused => Some("mini".to_owned()),
                _ => write.leaves(),
            };
            assert_eq!(car(&cached, &record.id).await, stored, "{write:?}, {fault:?}");
            assert_eq!(store.loads.load(Relaxed), 2, "{write:?}, {fault:?}");
        }
    }
}

#[tokio::test]
async fn neither_an_absence_nor_an_error_is_remembered() {
    let (store, _, record, _) = with_a_mini().await;
    let cached = Cached::new(store.clone(), LONG);
    let unknown = Record { id: Id::default(), ..record.clone() };
    assert_eq!(car(&cached, &unknown.id).await, None);
    store.store.save(&unknown).await.expect("another server stores it");
    assert_eq!(car(&cached, &unknown.id).await.as_deref(), Some("mini"));

    let folder = TempDir::new().expect("a folder for the database");
    let file = folder.path().join("garage.sqlite");
    let store = SqliteStore::open(&file).await.expect("the store opens");
    let cached = Cached::new(store.clone(), LONG);
    let mut record = record;
    store.create(&mut record).await.expect("it is stored");
    execute(&file, "ALTER TABLE session RENAME TO gone").await;
    assert!(cached.load_versioned(&record.id).await.is_err());
    execute(&file, "ALTER TABLE gone RENAME TO session").await;
    assert_eq!(car(&cached, &record.id).await.as_deref(), Some("mini"));
}

async fn execute(file: &std::path::Path, sql: &'static str) {
    use sqlx::{Connection, SqliteConnection};
    let address = format!("sqlite://{}", file.display());
    let mut database = SqliteConnection::connect(&address).await.expect("the file opens");
    sqlx::query(sql).execute(&mut database).await.expect("valid SQL");
}

#[tokio::test]
async fn a_session_that_expires_in_memory_is_nobodys() {
    let (_, cached, old, seen) = with_a_mini().await;
    let mut past = Record {
        id: old.id,
        expiry_date: OffsetDateTime::now_utc() - time::Duration::SECOND,
        ..record("beetle")
    };
    let replaced = cached.replace(&old.id, seen, &mut past).await.expect("it is stored");
    assert!(matches!(replaced, Replaced::Done(_)), "{replaced:?}");
    assert_eq!(car(&cached, &old.id).await, None);
}

#[tokio::test]
async fn a_session_that_expired_in_memory_may_have_been_renewed_elsewhere() {
    let (store, cached, old, seen) = with_a_mini().await;
    let mut past = Record { expiry_date: OffsetDateTime::now_utc(), ..old.clone() };
    cached.replace(&old.id, seen, &mut past).await.expect("it is stored");
    let renewed = Record { id: old.id, ..record("beetle") };
    store.store.save(&renewed).await.expect("another server stores it");
    assert_eq!(car(&cached, &old.id).await.as_deref(), Some("beetle"));
}

/// Two servers over one database, each with a cache.
async fn two_caches(age: Duration) -> TwoServers {
    let folder = TempDir::new().expect("a folder for the database");
    let file = folder.path().join("garage.sqlite");
    let open = async || SqliteStore::open(&file).await.expect("the store opens");
    let (here, there) = (Cached::new(open().await, age), Cached::new(open().await, age));
    let store = open().await;
    TwoServers::over(here, there, store, folder).await
}

#[tokio::test]
async fn two_servers_with_a_cache_each_keep_their_promises() {
    keep_their_promises(async || two_caches(LONG).await).await;
}

#[tokio::test]
async fn another_server_shows_a_session_that_was_ended_until_it_tries_to_change_it() {
    let mut site = two_caches(LONG).await;
    let visitor = &mut site.visitor;
    assert_eq!(visitor.get("/there").await.body(), "mini");
    let cookie = format!("sessionid={}", visitor.cookie("sessionid").expect("a session cookie"));
    let with_cookie = [("cookie", cookie.as_bytes())];
    visitor.post("/here/sign-out", &[]).await;
    // Somebody who has copied the cookie, or a tab whose request was on its way.
    let mut late = visitor.private_window();

    assert_eq!(late.get_with("/here", &with_cookie).await.body(), "no car", "gone at once");
    assert_eq!(late.get_with("/there", &with_cookie).await.body(), "mini", "what the docs say");

    let change = axum::http::Request::post("/there/forget")
        .header("cookie", &cookie)
        .body(axum::body::Body::empty())
        .expect("a request");
    let page = late.send(change).await;
    assert_eq!(page.status(), StatusCode::CONFLICT);
    assert!(page.set_cookies().is_empty(), "{:?}", page.set_cookies());
    assert_eq!(late.get_with("/there", &with_cookie).await.body(), "no car", "it is forgotten");
}

#[tokio::test]
async fn another_server_shows_an_older_page_until_it_changes_the_session() {
    let mut site = two_caches(LONG).await;
    let visitor = &mut site.visitor;
    visitor.get("/there").await;
    visitor.post("/here/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.get("/here").await.body(), "beetle");
    assert_eq!(visitor.get("/there").await.body(), "mini", "what the docs say");

    visitor.post("/there/car", &[("colour", "red")]).await;
    assert_eq!(visitor.get("/there").await.body(), "beetle");
}

#[tokio::test]
async fn whoever_asks_for_the_stored_record_itself_gets_it_and_it_is_remembered() {
    let (store, cached, old, _) = with_a_mini().await;
    car(&cached, &old.id).await;
    let theirs = Record { id: old.id, ..record("beetle") };
    store.store.save(&theirs).await.expect("another server stores it");
    assert_eq!(car(&cached, &old.id).await.as_deref(), Some("mini"), "what the docs say");

    assert_eq!(cached.load(&old.id).await.expect("the store answers"), Some(theirs));
    assert_eq!(car(&cached, &old.id).await.as_deref(), Some("beetle"));
}

#[tokio::test]
async fn after_its_age_what_is_in_memory_is_loaded_anew() {
    let mut site = two_caches(Duration::from_nanos(1)).await;
    let visitor = &mut site.visitor;
    visitor.get("/there").await;
    visitor.post("/here/car", &[("my_car", "beetle")]).await;
    // A clock may need a while for a nanosecond.
    while visitor.get("/there").await.body() != "beetle" {}
}

#[tokio::test]
async fn clones_are_one_server() {
    let (_, here, old, seen) = with_a_mini().await;
    let there = here.clone();
    assert_eq!(car(&there, &old.id).await.as_deref(), Some("mini"));
    let mut new = Record { id: old.id, ..record("beetle") };
    here.replace(&old.id, seen, &mut new).await.expect("it is stored");
    assert_eq!(car(&there, &old.id).await.as_deref(), Some("beetle"));
}

#[tokio::test]
async fn an_update_and_its_cookie_need_no_more_than_one_look_into_the_store() {
    let store = Slow::new();
    let cached = Cached::new(store.clone(), LONG);
    let count = post(async |session: Session| -> std::result::Result<String, sessions::Error> {
        Ok(session.update("num_visits", |visits: &mut u64| *visits += 1).await?.to_string())
    });
    let app = Router::new().route("/count", count).layer(SessionLayer::new(cached));
    let mut visitor = Browser::open(app);
    for visits in ["1", "2"] {
        assert_eq!(visitor.post("/count", &[]).await.body(), visits);
    }
    let before = store.loads.load(Relaxed);
    assert_eq!(visitor.post("/count", &[]).await.body(), "3");
    assert_eq!(store.loads.load(Relaxed), before + 1, "to see whether it was ended elsewhere");
}

#[tokio::test]
async fn a_log_of_the_store_shows_no_session() {
    let (_, cached, record, _) = with_a_mini().await;
    car(&cached, &record.id).await;
    assert_eq!(format!("{cached:?}"), "Cached { .. }");
}

#[test]
#[should_panic = "an age of zero would remember nothing"]
fn an_age_of_zero_is_refused() {
    Cached::new(MemoryStore::default(), Duration::ZERO);
}
