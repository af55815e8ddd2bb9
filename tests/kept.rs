//! What is kept of a change, call by call: the tables of docs/what-is-kept.md.
//!
//! Every cell is played. A browser sends the requests, and what it finds on its next visit, its
//! cookie and the record in the store decide which words stand in the cell.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use browser::Browser;
use insta::assert_snapshot;
use serde_json::{Map, Value};
use sessions::{
    Error, Id, MemoryStore, Outcome, Record, Session, SessionLayer, Store, StoreError, Version,
};
use tokio::sync::Barrier;

const COOKIE: &str = "sessionid";
const BOOKS: &str = "books";
const NOTE: &str = "note";

/// What a handler does with a session that has one book in it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Call {
    Get,
    GetFlagged,
    GetMut,
    GetMutFlagged,
    Insert,
    Update,
    Clear,
    Flush,
    CycleId,
}

use Call::{Clear, CycleId, Flush, Get, GetFlagged, GetMut, GetMutFlagged, Insert, Update};

const CALLS: [Call; 9] =
    [Get, GetFlagged, GetMut, GetMutFlagged, Insert, Update, Clear, Flush, CycleId];

impl Call {
    fn name(self) -> &'static str {
        match self {
            Get => "get, and change the copy",
            GetFlagged => "get, set_modified(true)",
            GetMut => "get_mut",
            GetMutFlagged => "get_mut, set_modified(true)",
            Insert => "insert",
            Update => "update",
            Clear => "clear",
            Flush => "flush",
            CycleId => "cycle_id",
        }
    }

    /// Those that change a value add a book.
    async fn make(self, session: &Session) -> Result<(), Error> {
        match self {
            Get | GetFlagged => {
                let mut basket = session.get::<Value>(BOOKS)?.unwrap_or_default();
                add_one(&mut basket);
                if self == GetFlagged {
                    session.set_modified(true);
                }
            }
            GetMut | GetMutFlagged => {
                if let Some(mut basket) = session.get_mut(BOOKS) {
                    add_one(&mut basket);
                }
                if self == GetMutFlagged {
                    session.set_modified(true);
                }
            }
            Insert => {
                let mut basket = session.get::<Value>(BOOKS)?.unwrap_or_default();
                add_one(&mut basket);
                session.insert(BOOKS, basket)?;
            }
            Update => drop(session.update(BOOKS, add_one).await?),
            Clear => session.clear(),
            Flush => session.flush().await?,
            CycleId => session.cycle_id(),
        }
        Ok(())
    }

    /// Does what it did still hold?
    fn holds(self, found: &Found) -> bool {
        // The other tab adds ten books.
        let its_own_books = found.books() % 10;
        match self {
            Get | GetFlagged | GetMut | GetMutFlagged | Insert | Update => its_own_books == 2,
            Clear => its_own_books == 0,
            Flush => found.id == Now::Gone && !found.old_id_opens,
            CycleId => found.id == Now::New && !found.old_id_opens && its_own_books == 1,
        }
    }
}

fn add_one(basket: &mut Value) {
    *basket = (basket.as_u64().unwrap_or(0) + 1).into();
}

/// One visitor's browser, and the store behind the site.
struct Stage {
    tab: Browser,
    store: Watched,
    /// The id and the version of the session, before the call.
    before: Option<(Id, Version)>,
}

/// What the visitor has afterwards.
struct Found {
    id: Now,
    row: &'static str,
    data: Map<String, Value>,
    old_id_opens: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Now {
    Same,
    New,
    Gone,
}

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Now::Same => "the same",
            Now::New => "a new one",
            Now::Gone => "none",
        })
    }
}

impl Found {
    fn books(&self) -> u64 {
        self.data.get(BOOKS).map_or(0, |books| books.as_u64().expect("a number"))
    }
}

impl Stage {
    /// A visitor who has no session yet.
    fn open(call: Call, status: StatusCode, pause: Pause) -> Stage {
        let store = Watched::default();
        let tab = Browser::open(app(store.clone(), Handler { call, status, pause }));
        Stage { tab, store, before: None }
    }

    /// A visitor with one book.
    async fn with_one_book(call: Call, status: StatusCode, pause: Pause) -> Stage {
        let mut stage = Stage::open(call, status, pause);
        stage.tab.post("/first-book", &[]).await;
        let id = stage.id().expect("the visitor has a session");
        let (_, version) = stage.store.find(&id).await.expect("it is in the store");
        stage.before = Some((id, version));
        stage
    }

    fn id(&self) -> Option<Id> {
        self.tab.cookie(COOKIE).map(|value| value.parse().expect("the cookie is an id"))
    }

    async fn found(mut self) -> Found {
        let (old, seen) = self.before.expect("the visitor had a session");
        let id = match self.id() {
            None => Now::Gone,
            Some(id) if id == old => Now::Same,
            Some(_) => Now::New,
        };
        let is_moved = |record: &Record| sessions::moved_to(record).is_some();
        let row = match self.store.find(&old).await {
            None => "deleted",
            Some((record, _)) if is_moved(&record) => "under the new id",
            Some((_, version)) if version == seen => "as it was",
            Some((record, _)) if record.data.is_empty() => "stored, empty",
            Some(_) => "stored",
        };
        let mut stranger = self.tab.private_window();
        let cookie = format!("{COOKIE}={old}");
        let page = stranger.get_with("/", &[("cookie", cookie.as_bytes())]).await;
        let old_id_opens = page.body() != "{}";
        let page = self.tab.get("/").await;
        let data = serde_json::from_str(page.body()).expect("the page is JSON");
        Found { id, row, data, old_id_opens }
    }
}

/// The site: the call that is looked at, what the other tab does meanwhile, and a look.
fn app(store: Watched, handler: Handler) -> Router {
    Router::new()
        .route("/", get(show))
        .route("/first-book", post(async |session: Session| session.insert(BOOKS, 1)))
        .route("/call", post(make_call))
        .route("/ten-books", post(add_ten))
        .route("/note", post(async |session: Session| session.insert(NOTE, "Ask for Emma.")))
        .route("/sign-out", post(async |session: Session| session.flush().await))
        .with_state(handler)
        .layer(SessionLayer::new(store))
}

#[derive(Clone)]
struct Handler {
    call: Call,
    status: StatusCode,
    pause: Pause,
}

/// Requests that have loaded the session wait for each other, so often.
#[derive(Clone)]
struct Pause {
    barrier: Arc<Barrier>,
    times: usize,
}

impl Pause {
    fn none() -> Pause {
        Pause { barrier: Arc::new(Barrier::new(1)), times: 0 }
    }

    async fn wait(&self) {
        for _ in 0..self.times {
            self.barrier.wait().await;
        }
    }
}

async fn make_call(State(handler): State<Handler>, session: Session) -> Result<StatusCode, Error> {
    // The session is loaded by now. What another request stores from here on, this one has not seen.
    handler.pause.wait().await;
    handler.call.make(&session).await?;
    Ok(handler.status)
}

async fn add_ten(session: Session) -> Result<(), Error> {
    session.update(BOOKS, |books: &mut u64| *books += 10).await.map(drop)
}

/// As JSON, the keys in alphabetical order.
async fn show(session: Session) -> String {
    Value::Object(session.iter().collect()).to_string()
}

/// A memory store that remembers which ids it has ever had.
#[derive(Clone, Debug, Default)]
struct Watched {
    store: MemoryStore,
    created: Arc<Mutex<Vec<Id>>>,
}

impl Watched {
    async fn find(&self, id: &Id) -> Option<(Record, Version)> {
        self.store.load(id).await.expect("memory answers")
    }

    fn created(&self) -> usize {
        self.created.lock().expect("no holder has panicked").len()
    }
}

#[async_trait]
impl Store for Watched {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>, StoreError> {
        self.store.load(id).await
    }

    async fn create(&self, record: &Record) -> Result<Outcome, StoreError> {
        self.created.lock().expect("no holder has panicked").push(record.id);
        self.store.create(record).await
    }

    async fn compare_and_swap(&self, seen: Version, new: &Record) -> Result<Outcome, StoreError> {
        self.store.compare_and_swap(seen, new).await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>, StoreError> {
        self.store.delete(id).await
    }
}

/// Rows of cells, the first of which is the head, in columns.
fn table(rows: &[Vec<String>]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let line = |row: &Vec<String>| {
        let cells =
            row.iter().enumerate().map(|(column, cell)| format!("{cell:0$}", width(column)));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|&cell| cell.to_owned()).collect()
}

/// Makes each call in a request of its own that is answered with this status.
async fn answered(status: StatusCode) -> String {
    let mut rows = vec![row(&["", "the change is", "the id", "the cookie", "the record"])];
    for call in CALLS {
        let mut stage = Stage::with_one_book(call, status, Pause::none()).await;
        let page = stage.tab.post("/call", &[]).await;
        assert_eq!(page.status(), status, "{call:?}: {}", page.body());
        let cookie = match page.set_cookies()[..] {
            [] => "not sent",
            [cookie] if cookie.contains("Max-Age=0") => "removed",
            [_] => "sent",
            _ => panic!("{call:?}: more than one cookie"),
        };
        let found = stage.found().await;
        let is_kept = if call.holds(&found) { "kept" } else { "lost" };
        rows.push(row(&[call.name(), is_kept, &found.id.to_string(), cookie, found.row]));
    }
    table(&rows)
}

#[tokio::test]
async fn what_is_kept_after_a_200() {
    assert_snapshot!("answer_200", answered(StatusCode::OK).await);
}

#[tokio::test]
async fn what_is_kept_after_a_500() {
    assert_snapshot!("answer_500", answered(StatusCode::INTERNAL_SERVER_ERROR).await);
}

/// Makes the call in one tab. After that tab has loaded the session, the other does something.
async fn meanwhile(call: Call, other: &str) -> (StatusCode, Found) {
    let pause = Pause { barrier: Arc::new(Barrier::new(2)), times: 2 };
    let barrier = pause.barrier.clone();
    let mut stage = Stage::with_one_book(call, StatusCode::OK, pause).await;
    let mut other_tab = stage.tab.second_tab();
    tokio::join!(stage.tab.post("/call", &[]), async {
        barrier.wait().await;
        let page = other_tab.post(other, &[]).await;
        assert_eq!(page.status(), StatusCode::OK, "{call:?}, {other}");
        barrier.wait().await;
    });
    (stage.tab.page().status(), stage.found().await)
}

#[tokio::test]
async fn what_is_kept_of_two_tabs() {
    let mut rows =
        vec![row(&["", "the other adds books", "the other sets a note", "the other signs out"])];
    for call in CALLS {
        let (_, same) = meanwhile(call, "/ten-books").await;
        let (_, other) = meanwhile(call, "/note").await;
        let (late, ended) = meanwhile(call, "/sign-out").await;
        let of_both = |is_kept: bool, others: bool| match (is_kept, others) {
            (true, true) => "both are kept",
            (true, false) => "this tab's only",
            (false, true) => "the other's only",
            (false, false) => "neither is kept",
        };
        let is_back = ended.id != Now::Gone || ended.old_id_opens || !ended.data.is_empty();
        let end = if is_back { "it is back" } else { "it stays ended" };
        rows.push(row(&[
            call.name(),
            of_both(call.holds(&same), same.books() >= 10),
            of_both(call.holds(&other), other.data.contains_key(NOTE)),
            &format!("{end}; a {}", late.as_u16()),
        ]));
    }
    assert_snapshot!("two_tabs", table(&rows));
}

/// Three requests at once of a browser that has no cookie yet.
async fn three_at_once(call: Call) -> (Stage, usize) {
    let pause = Pause { barrier: Arc::new(Barrier::new(3)), times: 1 };
    let mut stage = Stage::open(call, StatusCode::OK, pause);
    let (mut second, mut third) = (stage.tab.second_tab(), stage.tab.second_tab());
    tokio::join!(stage.tab.post("/call", &[]), second.post("/call", &[]), third.post("/call", &[]));
    let cookies = [&stage.tab, &second, &third].map(|tab| tab.page().set_cookies().len());
    (stage, cookies.iter().sum())
}

#[tokio::test]
async fn what_is_kept_of_a_newcomers_three_requests_at_once() {
    let head = ["", "cookies", "sessions made", "the next one finds", "one alone, after a 500"];
    let mut rows = vec![row(&head)];
    for call in CALLS {
        let (mut stage, cookies) = three_at_once(call).await;
        let made = stage.store.created();
        let found = books_of(&mut stage).await;

        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let mut failing = Stage::open(call, status, Pause::none());
        assert_eq!(failing.tab.post("/call", &[]).await.status(), status, "{call:?}");
        let after_500 = books_of(&mut failing).await;
        let (cookies, made) = (cookies.to_string(), made.to_string());
        rows.push(row(&[call.name(), &cookies, &made, found, after_500]));
    }
    assert_snapshot!("newcomer", table(&rows));
}

async fn books_of(stage: &mut Stage) -> &'static str {
    match stage.tab.get("/").await.body() {
        "{}" => "nothing",
        r#"{"books":1}"# => "1 book",
        r#"{"books":3}"# => "3 books",
        other => panic!("{other}"),
    }
}

/// What no accepted snapshot may change.
#[tokio::test]
async fn of_a_newcomers_three_books_at_once_one_is_kept_and_of_a_visitors_all() {
    for call in [Insert, Update] {
        let (mut stage, _) = three_at_once(call).await;
        assert_eq!(stage.tab.get("/").await.body(), r#"{"books":1}"#, "{call:?}");
    }

    let pause = Pause { barrier: Arc::new(Barrier::new(3)), times: 1 };
    let mut stage = Stage::with_one_book(Update, StatusCode::OK, pause).await;
    let (mut second, mut third) = (stage.tab.second_tab(), stage.tab.second_tab());
    tokio::join!(stage.tab.post("/call", &[]), second.post("/call", &[]), third.post("/call", &[]));
    assert_eq!(stage.tab.get("/").await.body(), r#"{"books":4}"#);
}
