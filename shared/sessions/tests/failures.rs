//! What a visitor keeps when a page, the store or a record fails.

mod helpers;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use async_trait::async_trait;
use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use browser::{Browser, Page};
use helpers::{
    MADE_UP, Watched, assert_no_cookie, assert_removed, cookie_of, create, expired, garage,
    get_with_cookie, id_of, listen, logged, minutes_ago, post_with_cookie, with_a_mini,
};
use sessions::{
    Error, ForTowerSessions, Id, MemoryStore, OneServer, Record, Session, SessionLayer,
    SessionStore, StoreError,
};
use tracing::Level;

type Faulty = Watched<MemoryStore>;

fn open() -> (Browser, Faulty) {
    let store = Faulty::default();
    (Browser::open(garage(store.clone())), store)
}

async fn with_a_car() -> (Browser, Faulty) {
    let (mut visitor, store) = open();
    visitor.post("/car", &[("my_car", "mini")]).await;
    (visitor, store)
}

#[track_caller]
fn assert_calm_503(page: &Page) {
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(page.header("retry-after"), Some("10"));
    assert_eq!(page.header("vary"), Some("Cookie"));
    assert!(page.set_cookies().is_empty(), "{:?}", page.set_cookies());
    assert!(page.body().contains("try again"), "{}", page.body());
    assert!(!page.body().contains("cable"), "the cause is for the log");
}

#[tokio::test]
async fn a_page_that_fails_saves_nothing_and_sends_no_cookie() {
    let (mut newcomer, _) = open();
    let page = newcomer.post("/crash", &[]).await;
    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(page.set_cookies().is_empty());
    assert_eq!(page.header("vary"), Some("Cookie"));

    let (mut visitor, _) = with_a_car().await;
    let page = visitor.post("/crash", &[]).await;
    assert!(page.set_cookies().is_empty());
    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn a_page_that_fails_removes_no_cookie_either() {
    let app = Router::new()
        .route("/", get(async |_: Session| StatusCode::BAD_GATEWAY))
        .layer(SessionLayer::new(MemoryStore::default()));
    let mut visitor = Browser::open(app);

    let page = get_with_cookie(&mut visitor, "/", &format!("sessionid={MADE_UP}")).await;

    assert_no_cookie(page, "a page that works will");
}

#[tokio::test]
async fn only_a_fault_of_the_server_keeps_a_change_from_being_saved() {
    for (status, saves) in
        [(303, true), (400, true), (404, true), (499, true), (500, false), (599, false)]
    {
        let status = StatusCode::from_u16(status).expect("a status");
        let store = MemoryStore::default();
        let change = post(async move |session: Session| -> Result<StatusCode, Error> {
            session.insert("my_car", "mini")?;
            Ok(status)
        });
        let change = Router::new().route("/change", change).layer(SessionLayer::new(store.clone()));
        let mut visitor = Browser::open(garage(store).merge(change));

        let page = visitor.post("/change", &[]).await;
        assert_eq!(page.status(), status);
        assert_eq!(page.set_cookies().len(), usize::from(saves), "for {status}");
        let expected = if saves { "mini" } else { "no car" };
        assert_eq!(visitor.get("/").await.body(), expected, "for {status}");
    }
}

#[tokio::test]
async fn a_store_that_fails_to_load_is_a_calm_503_and_the_next_request_works() {
    let (mut visitor, store) = with_a_car().await;
    let id = visitor.cookie("sessionid");
    listen();

    store.fail(&["load"]);
    assert_calm_503(visitor.get("/").await);
    let causes = logged(Level::ERROR);
    assert!(causes.len() == 1 && causes[0].contains("the cable is out"), "{causes:?}");
    assert_calm_503(visitor.post("/car", &[("my_car", "beetle")]).await);
    assert_eq!(visitor.get("/about").await.status(), StatusCode::OK, "no session, no trouble");

    store.fail(&[]);
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(visitor.cookie("sessionid"), id);
}

#[tokio::test]
async fn a_store_that_fails_to_save_is_a_calm_503_and_the_next_request_works() {
    let (mut visitor, store) = with_a_car().await;
    let mut newcomer = visitor.private_window();

    store.fail(&["create", "swap"]);
    assert_calm_503(visitor.post("/car", &[("my_car", "beetle")]).await);
    assert_calm_503(newcomer.post("/car", &[("my_car", "beetle")]).await);
    assert_eq!(visitor.get("/").await.body(), "mini", "reading goes on");

    store.fail(&[]);
    visitor.post("/car", &[("my_car", "beetle")]).await;
    newcomer.post("/car", &[("my_car", "rover")]).await;
    assert_eq!(visitor.get("/").await.body(), "beetle");
    assert_eq!(newcomer.get("/").await.body(), "rover");
}

/// The garage, with a counter and a way out.
async fn with_a_car_and_a_way_out() -> (Browser, Faulty) {
    async fn count(session: Session) -> Result<String, Error> {
        let num_visits = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
        Ok(num_visits.to_string())
    }
    async fn sign_out(session: Session) -> Result<(), Error> {
        let flushed = session.flush().await;
        assert_eq!(session.is_empty(), flushed.is_ok(), "the session is as it was, or gone");
        flushed
    }
    let store = Faulty::default();
    let more = Router::new()
        .route("/count", post(count))
        .route("/sign-out", post(sign_out))
        .layer(SessionLayer::new(store.clone()));
    let mut visitor = Browser::open(garage(store.clone()).merge(more));
    visitor.post("/car", &[("my_car", "mini")]).await;
    (visitor, store)
}

#[tokio::test]
async fn an_update_that_the_store_refuses_is_a_calm_503_and_the_next_one_works() {
    let (mut visitor, store) = with_a_car_and_a_way_out().await;

    store.fail(&["create", "swap"]);
    assert_calm_503(visitor.post("/count", &[]).await);
    assert_eq!(visitor.get("/").await.body(), "mini");

    store.fail(&[]);
    assert_eq!(visitor.post("/count", &[]).await.body(), "1", "the first was not counted");
}

#[tokio::test]
async fn a_flush_that_the_store_refuses_is_a_calm_503_and_leaves_the_session_as_it_was() {
    let (mut visitor, store) = with_a_car_and_a_way_out().await;
    let id = visitor.cookie("sessionid");

    store.fail(&["delete"]);
    assert_calm_503(visitor.post("/sign-out", &[]).await);
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(visitor.cookie("sessionid"), id);

    store.fail(&[]);
    assert_eq!(visitor.post("/sign-out", &[]).await.status(), StatusCode::OK);
    assert_eq!(visitor.cookie("sessionid"), None);
}

/// A store that was written for tower-sessions, and returns what has expired.
#[derive(Clone, Debug)]
struct Late {
    store: ForTowerSessions<MemoryStore>,
    has_expired: Arc<AtomicBool>,
}

#[async_trait]
impl SessionStore for Late {
    async fn create(&self, record: &mut Record) -> Result<(), StoreError> {
        self.store.create(record).await
    }

    async fn save(&self, record: &Record) -> Result<(), StoreError> {
        self.store.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>, StoreError> {
        let found = self.store.load(id).await?;
        Ok(found.map(|record| match self.has_expired.load(Relaxed) {
            true => Record { expiry_date: minutes_ago(1), ..record },
            false => record,
        }))
    }

    async fn delete(&self, id: &Id) -> Result<(), StoreError> {
        self.store.delete(id).await
    }
}

#[tokio::test]
async fn a_session_that_expires_while_its_request_runs_is_not_written_back_by_a_late_store() {
    let has_expired = Arc::new(AtomicBool::new(false));
    let store = ForTowerSessions::new(MemoryStore::default());
    let store = OneServer::new(Late { store, has_expired: has_expired.clone() });
    let clock = has_expired.clone();
    let slow = post(async move |session: Session| {
        // Its time comes now, after it was loaded.
        clock.store(true, Relaxed);
        session.insert("my_car", "beetle")
    });
    let slow = Router::new().route("/slow", slow).layer(SessionLayer::new(store.clone()));
    let (mut visitor, _) = with_a_mini(garage(store).merge(slow)).await;

    let page = visitor.post("/slow", &[]).await;
    assert_eq!(page.status(), StatusCode::CONFLICT);
    assert_no_cookie(page, "nothing was stored");

    has_expired.store(false, Relaxed);
    assert_eq!(visitor.get("/").await.body(), "mini", "nothing was stored");
}

#[tokio::test]
async fn a_handler_that_copes_without_its_session_is_left_alone() {
    let store = Faulty::default();
    let app = Router::new()
        .route(
            "/",
            get(async |session: Result<Session, Error>| match session {
                Err(Error::Store(_)) => "Welcome, stranger",
                other => panic!("{other:?}"),
            }),
        )
        .layer(SessionLayer::new(store.clone()));
    store.fail(&["load"]);
    let mut visitor = Browser::open(app);

    let cookie = format!("sessionid={}", Id::default());
    let page = get_with_cookie(&mut visitor, "/", &cookie).await;

    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.body(), "Welcome, stranger");
    assert!(page.set_cookies().is_empty(), "the cookie may be good");
    assert_eq!(page.header("vary"), Some("Cookie"));
}

#[tokio::test]
async fn what_a_store_cannot_decode_is_an_empty_session_and_a_warning() {
    let (mut visitor, store) = with_a_car().await;
    let id = visitor.cookie("sessionid").expect("a session cookie");
    listen();

    store.cannot_decode(true);
    let page = visitor.get("/").await;

    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.body(), "no car");
    assert_removed(page, "it is no session");
    let warnings = logged(Level::WARN);
    assert!(warnings.len() == 1 && warnings[0].contains("cannot be read"), "{warnings:?}");
    assert!(warnings[0].contains("expected value at line 1"), "{warnings:?}");
    assert!(!warnings[0].contains(&id), "an id has no place in a log");
    assert!(logged(Level::ERROR).is_empty(), "{:?}", logged(Level::ERROR));
}

#[tokio::test]
async fn an_expired_session_is_no_session() {
    let store = MemoryStore::default();
    let record = expired("mini");
    create(&store, &record).await;
    let mut visitor = Browser::open(garage(store));

    let page = get_with_cookie(&mut visitor, "/", &format!("sessionid={}", record.id)).await;

    assert_eq!(page.body(), "no car");
    assert_removed(page, "its time is over");
}

#[tokio::test]
async fn an_expired_session_is_no_session_also_if_the_store_still_has_it() {
    let (mut visitor, store) = with_a_car().await;
    let (id, cookie) = (id_of(&visitor), cookie_of(&visitor));
    let mut second_tab = visitor.second_tab();

    store.returns_expired(true);
    let page = visitor.get("/").await;
    assert_eq!(page.body(), "no car");
    assert_removed(page, "its time is over");

    // What is stored now goes under a new id, and starts from nothing.
    post_with_cookie(&mut second_tab, "/car", &cookie, "colour=red").await;
    assert_ne!(id_of(&second_tab), id);
    store.returns_expired(false);
    assert_eq!(second_tab.get("/").await.body(), "no car");
}
