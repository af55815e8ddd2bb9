//! What a visitor keeps when a page, the store or a record fails.

mod garage;
mod logs;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use async_trait::async_trait;
use axum::{
    Router,
    http::{Request, StatusCode},
    routing::{get, post},
};
use browser::{Browser, Page};
use garage::garage;
use logs::{listen, logged};
use sessions::{Error, MemoryStore, OneServer, Session, SessionLayer, SessionStore};
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    session::{Id, Record},
    session_store,
};
use tracing::Level;

/// A store in memory with five switches.
#[derive(Clone, Debug, Default)]
struct Faulty {
    store: MemoryStore,
    loads_fail: Arc<AtomicBool>,
    saves_fail: Arc<AtomicBool>,
    deletes_fail: Arc<AtomicBool>,
    /// Its records are spoilt.
    cannot_decode: Arc<AtomicBool>,
    /// Its records have expired, and it returns them nevertheless.
    is_late: Arc<AtomicBool>,
}

impl Faulty {
    fn check(switch: &AtomicBool) -> session_store::Result<()> {
        match switch.load(Relaxed) {
            true => Err(session_store::Error::Backend("the cable is out".to_owned())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl SessionStore for Faulty {
    async fn create(&self, record: &mut Record) -> session_store::Result<()> {
        Self::check(&self.saves_fail)?;
        self.store.create(record).await
    }

    async fn save(&self, record: &Record) -> session_store::Result<()> {
        Self::check(&self.saves_fail)?;
        self.store.save(record).await
    }

    async fn load(&self, id: &Id) -> session_store::Result<Option<Record>> {
        Self::check(&self.loads_fail)?;
        if self.cannot_decode.load(Relaxed) {
            return Err(session_store::Error::Decode("expected value at line 1".to_owned()));
        }
        let mut record = self.store.load(id).await?;
        if let Some(record) = record.as_mut().filter(|_| self.is_late.load(Relaxed)) {
            record.expiry_date = OffsetDateTime::now_utc() - Duration::SECOND;
        }
        Ok(record)
    }

    async fn delete(&self, id: &Id) -> session_store::Result<()> {
        Self::check(&self.deletes_fail)?;
        self.store.delete(id).await
    }
}

fn open() -> (Browser, Faulty) {
    let store = Faulty::default();
    (Browser::open(garage(OneServer::new(store.clone()))), store)
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

    let page = visitor.get_with("/", &[("cookie", b"sessionid=broken")]).await;

    assert!(page.set_cookies().is_empty());
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

    store.loads_fail.store(true, Relaxed);
    assert_calm_503(visitor.get("/").await);
    let causes = logged(Level::ERROR);
    assert!(causes.len() == 1 && causes[0].contains("the cable is out"), "{causes:?}");
    assert_calm_503(visitor.post("/car", &[("my_car", "beetle")]).await);
    assert_eq!(visitor.get("/about").await.status(), StatusCode::OK, "no session, no trouble");

    store.loads_fail.store(false, Relaxed);
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(visitor.cookie("sessionid"), id);
}

#[tokio::test]
async fn a_store_that_fails_to_save_is_a_calm_503_and_the_next_request_works() {
    let (mut visitor, store) = with_a_car().await;
    let mut newcomer = visitor.private_window();

    store.saves_fail.store(true, Relaxed);
    assert_calm_503(visitor.post("/car", &[("my_car", "beetle")]).await);
    assert_calm_503(newcomer.post("/car", &[("my_car", "beetle")]).await);
    assert_eq!(visitor.get("/").await.body(), "mini", "reading goes on");

    store.saves_fail.store(false, Relaxed);
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
    let exact = OneServer::new(store.clone());
    let more = Router::new()
        .route("/count", post(count))
        .route("/sign-out", post(sign_out))
        .layer(SessionLayer::new(exact.clone()));
    let mut visitor = Browser::open(garage(exact).merge(more));
    visitor.post("/car", &[("my_car", "mini")]).await;
    (visitor, store)
}

#[tokio::test]
async fn an_update_that_the_store_refuses_is_a_calm_503_and_the_next_one_works() {
    let (mut visitor, store) = with_a_car_and_a_way_out().await;

    store.saves_fail.store(true, Relaxed);
    assert_calm_503(visitor.post("/count", &[]).await);
    assert_eq!(visitor.get("/").await.body(), "mini");

    store.saves_fail.store(false, Relaxed);
    assert_eq!(visitor.post("/count", &[]).await.body(), "1", "the first was not counted");
}

#[tokio::test]
async fn a_flush_that_the_store_refuses_is_a_calm_503_and_leaves_the_session_as_it_was() {
    let (mut visitor, store) = with_a_car_and_a_way_out().await;
    let id = visitor.cookie("sessionid");

    store.deletes_fail.store(true, Relaxed);
    assert_calm_503(visitor.post("/sign-out", &[]).await);
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(visitor.cookie("sessionid"), id);

    store.deletes_fail.store(false, Relaxed);
    assert_eq!(visitor.post("/sign-out", &[]).await.status(), StatusCode::OK);
    assert_eq!(visitor.cookie("sessionid"), None);
}

#[tokio::test]
async fn a_session_that_expires_while_its_request_runs_is_not_written_back_by_a_late_store() {
    let store = Faulty::default();
    let (exact, clock) = (OneServer::new(store.clone()), store.is_late.clone());
    let slow = post(async move |session: Session| {
        // Its time comes now, after it was loaded.
        clock.store(true, Relaxed);
        session.insert("my_car", "beetle")
    });
    let slow = Router::new().route("/slow", slow).layer(SessionLayer::new(exact.clone()));
    let mut visitor = Browser::open(garage(exact).merge(slow));
    visitor.post("/car", &[("my_car", "mini")]).await;

    let page = visitor.post("/slow", &[]).await;
    assert_eq!(page.status(), StatusCode::CONFLICT);
    assert!(page.set_cookies().is_empty());

    store.is_late.store(false, Relaxed);
    assert_eq!(visitor.get("/").await.body(), "mini", "nothing was stored");
}

#[tokio::test]
async fn a_handler_that_copes_without_its_session_is_left_alone() {
    let store = Faulty::default();
    let app = Router::new()
        .route(
            "/",
            get(async |session: Result<Session, Error>| match session {
                Err(Error::Store(_)) => "Welcome, whoever you are",
                other => panic!("{other:?}"),
            }),
        )
        .layer(SessionLayer::new(OneServer::new(store.clone())));
    store.loads_fail.store(true, Relaxed);
    let mut visitor = Browser::open(app);

    let cookie = format!("sessionid={}", Id::default());
    let page = visitor.get_with("/", &[("cookie", cookie.as_bytes())]).await;

    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.body(), "Welcome, whoever you are");
    assert!(page.set_cookies().is_empty(), "the cookie may be good");
    assert_eq!(page.header("vary"), Some("Cookie"));
}

#[tokio::test]
async fn a_record_that_cannot_be_decoded_is_an_empty_session_and_a_warning() {
    let (mut visitor, store) = with_a_car().await;
    let id = visitor.cookie("sessionid").expect("a session cookie");
    listen();

    store.cannot_decode.store(true, Relaxed);
    let page = visitor.get("/").await;

    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.body(), "no car");
    assert!(page.set_cookies()[0].starts_with("sessionid=; "), "{:?}", page.set_cookies());
    let warnings = logged(Level::WARN);
    assert!(warnings.len() == 1 && warnings[0].contains("cannot be read"), "{warnings:?}");
    assert!(warnings[0].contains("expected value at line 1"), "{warnings:?}");
    assert!(!warnings[0].contains(&id), "an id has no place in a log");
    assert!(logged(Level::ERROR).is_empty(), "{:?}", logged(Level::ERROR));
}

#[tokio::test]
async fn an_expired_session_is_nobodys() {
    let store = MemoryStore::default();
    let mut record = Record {
        id: Id::default(),
        data: [("my_car".to_owned(), "mini".into())].into(),
        expiry_date: OffsetDateTime::now_utc() - Duration::SECOND,
    };
    store.create(&mut record).await.expect("memory does not fail");
    let mut visitor = Browser::open(garage(store));

    let cookie = format!("sessionid={}", record.id);
    let page = visitor.get_with("/", &[("cookie", cookie.as_bytes())]).await;

    assert_eq!(page.body(), "no car");
    assert!(page.set_cookies()[0].starts_with("sessionid=; "));
}

#[tokio::test]
async fn an_expired_session_is_nobodys_also_when_the_store_still_has_it() {
    let (mut visitor, store) = with_a_car().await;
    let id = visitor.cookie("sessionid").expect("a session cookie");
    let mut second_tab = visitor.second_tab();

    store.is_late.store(true, Relaxed);
    let page = visitor.get("/").await;
    assert_eq!(page.body(), "no car");
    assert!(page.set_cookies()[0].starts_with("sessionid=; "));

    // Whatever is stored now goes under a new id, and starts from nothing.
    let request = Request::post("/car")
        .header("cookie", format!("sessionid={id}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body("colour=red".into())
        .expect("a valid request");
    second_tab.send(request).await;
    assert_ne!(second_tab.cookie("sessionid").expect("a session cookie"), id);
    store.is_late.store(false, Relaxed);
    assert_eq!(second_tab.get("/").await.body(), "no car");
}
