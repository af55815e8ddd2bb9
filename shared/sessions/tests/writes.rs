//! When the store is asked, when a cookie is sent and whose id it bears, and when a cache has to
//! know.

mod garage;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use axum::{
    Router,
    http::{Request, StatusCode, header::VARY},
    response::AppendHeaders,
    routing::{get, post},
};
use browser::{Browser, Page};
use garage::garage;
use sessions::{Error, MemoryStore, Replaced, Session, SessionLayer, SessionStore, Store, Version};
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    session::{Id, Record},
    session_store,
};

const MADE_UP: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// A store in memory that writes down what it is asked to do.
#[derive(Clone, Debug, Default)]
struct Watched {
    store: MemoryStore,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl Watched {
    fn note(&self, call: &'static str) {
        self.calls.lock().expect("no test panics here").push(call);
    }

    /// The calls since this was last asked.
    fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut *self.calls.lock().expect("no test panics here"))
    }
}

#[async_trait]
impl SessionStore for Watched {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        self.note("create");
        self.store.create(record).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        self.note("save");
        self.store.save(record).await
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        self.note("load");
        self.store.load(id).await
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        self.note("delete");
        self.store.delete(id).await
    }
}

#[async_trait]
impl Store for Watched {
    async fn load_versioned(&self, id: &Id) -> session_store::Result<Option<(Record, Version)>> {
        self.note("load");
        self.store.load_versioned(id).await
    }

    async fn replace(
        &self,
        old: &Id,
        seen: Version,
        new: &mut Record,
    ) -> session_store::Result<Replaced> {
        self.note("replace");
        self.store.replace(old, seen, new).await
    }
}

fn open() -> (Browser, Watched) {
    let store = Watched::default();
    (Browser::open(garage(store.clone())), store)
}

/// A visitor with a car, and a store whose calls so far are forgotten.
async fn with_a_car() -> (Browser, Watched) {
    let (mut visitor, store) = open();
    visitor.post("/car", &[("my_car", "mini")]).await;
    assert_eq!(store.take_calls(), ["create"]);
    (visitor, store)
}

fn vary(page: &Page) -> Vec<&str> {
    page.headers().get_all(VARY).iter().map(|value| value.to_str().expect("ASCII")).collect()
}

#[tokio::test]
async fn who_never_touches_the_session_costs_nothing() {
    let (mut newcomer, store) = open();
    let page = newcomer.get("/about").await;
    assert!(page.set_cookies().is_empty());
    assert!(vary(page).is_empty(), "one copy in a cache serves everybody");
    assert!(store.take_calls().is_empty());

    let (mut visitor, store) = with_a_car().await;
    let page = visitor.get("/about").await;
    assert!(page.set_cookies().is_empty());
    assert!(vary(page).is_empty());
    assert!(store.take_calls().is_empty());

    let id = format!("sessionid={MADE_UP}");
    let page = visitor.get_with("/about", &[("cookie", id.as_bytes())]).await;
    assert!(page.set_cookies().is_empty());
    assert!(vary(page).is_empty());
    assert!(store.take_calls().is_empty());
}

#[tokio::test]
async fn an_unknown_address_does_not_touch_the_session() {
    let (mut visitor, store) = with_a_car().await;

    let page = visitor.get("/no/such/page").await;

    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert!(page.set_cookies().is_empty());
    assert!(vary(page).is_empty());
    assert!(store.take_calls().is_empty());
}

#[tokio::test]
async fn a_newcomer_who_reads_gets_no_cookie_and_no_row() {
    let (mut newcomer, store) = open();

    let page = newcomer.get("/").await;

    assert!(page.set_cookies().is_empty());
    assert_eq!(vary(page), ["Cookie"]);
    assert!(store.take_calls().is_empty());
}

#[tokio::test]
async fn reading_writes_nothing() {
    let (mut visitor, store) = with_a_car().await;

    let page = visitor.get("/").await;

    assert_eq!(page.body(), "mini");
    assert!(page.set_cookies().is_empty());
    assert_eq!(vary(page), ["Cookie"]);
    assert_eq!(store.take_calls(), ["load"]);
}

#[tokio::test]
async fn a_change_is_one_load_and_one_write() {
    let (mut visitor, store) = with_a_car().await;

    let page = visitor.post("/car", &[("my_car", "beetle"), ("colour", "red")]).await;

    assert_eq!(page.set_cookies().len(), 1);
    assert_eq!(vary(page), ["Cookie"]);
    assert_eq!(store.take_calls(), ["load", "replace"]);
}

#[tokio::test]
async fn each_change_starts_the_two_weeks_again() {
    let store = MemoryStore::default();
    let mut record = Record {
        id: Id::default(),
        data: [("my_car".to_owned(), "mini".into())].into(),
        expiry_date: OffsetDateTime::now_utc() + Duration::hours(1),
    };
    store.create(&mut record).await.expect("memory does not fail");
    let expiry = async || {
        let found = store.load(&record.id).await.expect("memory does not fail");
        found.expect("the record").expiry_date
    };
    let mut visitor = Browser::open(garage(store.clone()));
    let cookie = format!("sessionid={}", record.id);

    visitor.get_with("/", &[("cookie", cookie.as_bytes())]).await;
    assert_eq!(expiry().await, record.expiry_date, "reading is no change");

    let request = Request::post("/forget")
        .header("cookie", &cookie)
        .body("".into())
        .expect("a valid request");
    let before = OffsetDateTime::now_utc();
    visitor.send(request).await;
    assert!(expiry().await >= before + Duration::weeks(2));
}

#[tokio::test]
async fn to_remove_what_is_not_there_writes_nothing() {
    let (mut visitor, store) = with_a_car().await;
    visitor.post("/forget", &[]).await;
    assert_eq!(store.take_calls(), ["load", "replace"], "the row of an emptied session stays");

    visitor.post("/forget", &[]).await;
    assert_eq!(store.take_calls(), ["load"]);
}

#[tokio::test]
async fn two_that_ask_in_one_request_load_once() {
    let store = Watched::default();
    let handler = get(async |first: Session, second: Session| -> Result<(), Error> {
        first.get::<String>("my_car")?;
        second.get::<String>("my_car")?;
        Ok(())
    });
    let twice = Router::new().route("/twice", handler).layer(SessionLayer::new(store.clone()));
    let mut visitor = Browser::open(garage(store.clone()).merge(twice));
    visitor.post("/car", &[("my_car", "mini")]).await;
    store.take_calls();

    visitor.get("/twice").await;

    assert_eq!(store.take_calls(), ["load"]);
}

#[tokio::test]
async fn any_look_at_the_session_varies_the_page_and_only_holding_it_does_not() {
    async fn varied(look: fn(Session)) -> bool {
        let app = Router::new()
            .route("/", get(async move |session: Session| look(session)))
            .layer(SessionLayer::new(MemoryStore::default()));
        !vary(Browser::open(app).get("/").await).is_empty()
    }

    assert!(!varied(|_| ()).await);
    assert!(
        varied(|session| {
            session.contains_key("my_car");
        })
        .await
    );
    assert!(
        varied(|session| {
            session.is_empty();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.keys();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.id();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.get_mut("my_car");
        })
        .await
    );
    assert!(
        varied(|session| {
            session.expiry_date();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.expires_at_browser_close();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.test_cookie_worked();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.remove("my_car");
        })
        .await
    );
    assert!(varied(|session| session.clear()).await);
}

#[tokio::test]
async fn what_a_page_varied_by_already_is_kept_and_nothing_is_said_twice() {
    async fn said<const N: usize>(by_handler: [&'static str; N]) -> Vec<String> {
        let headers = AppendHeaders(by_handler.map(|value| (VARY, value)));
        let app = Router::new()
            .route(
                "/",
                get(async move |session: Session| {
                    session.is_empty();
                    headers
                }),
            )
            .layer(SessionLayer::new(MemoryStore::default()));
        let mut visitor = Browser::open(app);
        vary(visitor.get("/").await).into_iter().map(str::to_owned).collect()
    }

    assert_eq!(said([]).await, ["Cookie"]);
    assert_eq!(said(["Accept-Language"]).await, ["Accept-Language", "Cookie"]);
    assert_eq!(said(["Accept", "Origin"]).await, ["Accept", "Origin", "Cookie"]);
    // A longer word is another header.
    assert_eq!(said(["X-Cookie, Cookie2"]).await, ["X-Cookie, Cookie2", "Cookie"]);

    assert_eq!(said(["Cookie"]).await, ["Cookie"]);
    assert_eq!(said(["cookie"]).await, ["cookie"]);
    assert_eq!(
        said(["Accept-Language,COOKIE , Origin"]).await,
        ["Accept-Language,COOKIE , Origin"]
    );
    assert_eq!(said(["Accept", "Cookie"]).await, ["Accept", "Cookie"]);
    assert_eq!(said(["*"]).await, ["*"]);
}

#[tokio::test]
async fn a_handlers_own_cookies_are_sent_beside_the_sessions() {
    let app = Router::new()
        .route(
            "/",
            post(async |session: Session| -> Result<_, Error> {
                session.insert("my_car", "mini")?;
                Ok([("set-cookie", "theme=dark; Path=/")])
            }),
        )
        .layer(SessionLayer::new(MemoryStore::default()));
    let mut visitor = Browser::open(app);

    visitor.post("/", &[]).await;

    assert_eq!(visitor.cookie("theme").as_deref(), Some("dark"));
    assert!(visitor.cookie("sessionid").is_some());
}

#[tokio::test]
async fn a_made_up_id_that_only_reads_is_removed_and_not_adopted() {
    for made_up in [MADE_UP, "", "x", "\"\"", "AAAAAAAAAAAAAAAAAAAAAAA", "<script>"] {
        let (mut visitor, store) = open();
        let cookie = format!("sessionid={made_up}");
        let page = visitor.get_with("/", &[("cookie", cookie.as_bytes())]).await;

        assert_eq!(page.status(), StatusCode::OK, "for {made_up:?}");
        assert_eq!(page.body(), "no car");
        assert_eq!(page.set_cookies().len(), 1, "for {made_up:?}");
        assert!(page.set_cookies()[0].starts_with("sessionid=; "), "{:?}", page.set_cookies());
        assert_eq!(vary(page), ["Cookie"]);
        let writes: Vec<_> = store.take_calls().into_iter().filter(|it| *it != "load").collect();
        assert!(writes.is_empty(), "{writes:?} for {made_up:?}");
    }
}

#[tokio::test]
async fn a_made_up_id_that_stores_something_gets_an_id_of_the_servers_choice() {
    for made_up in [MADE_UP, "", "x", "<script>"] {
        let (mut visitor, store) = open();
        let cookie = format!("sessionid={made_up}");
        let headers: [(&str, &[u8]); 1] = [("cookie", cookie.as_bytes())];
        // The victim's browser sends the id that somebody planted.
        let request = Request::post("/car")
            .header("cookie", &cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body("my_car=mini".into())
            .expect("a valid request");
        visitor.send(request).await;
        assert_eq!(visitor.page().set_cookies().len(), 1);
        let id = visitor.cookie("sessionid").expect("a session cookie");
        assert_ne!(id, made_up);
        assert!(!store.take_calls().contains(&"save"), "save would adopt the id");

        // Whoever planted it sees nothing; the visitor sees their car.
        let mut planter = visitor.private_window();
        assert_eq!(planter.get_with("/", &headers).await.body(), "no car");
        assert_eq!(visitor.get("/").await.body(), "mini");
    }
}

#[tokio::test]
async fn a_made_up_id_that_removes_something_is_not_adopted() {
    let (mut visitor, store) = open();
    let request = Request::post("/forget")
        .header("cookie", format!("sessionid={MADE_UP}"))
        .body("".into())
        .expect("a valid request");

    let page = visitor.send(request).await;

    assert!(page.set_cookies()[0].starts_with("sessionid=; "));
    assert_eq!(store.take_calls(), ["load"]);
}
