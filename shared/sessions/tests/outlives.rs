//! A session that outlives its response, in a spawned task or a streaming body: it stores what it
//! says it stores, or returns an error.

mod helpers;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use browser::Browser;
use helpers::{garage, id_of, listen, load, logged, with_a_mini};
use parking_lot::Mutex;
use sessions::{Error, Expiry, MemoryStore, Session, SessionLayer};
use tracing::Level;

/// Where the handlers leave a clone of their session.
type Shelf = Arc<Mutex<Option<Session>>>;

/// The garage. `/keep` reads and leaves the session on the shelf, `/keep/car` changes it first, and
/// `/hold` does not look at it.
fn open() -> (Router, Shelf, MemoryStore) {
    let (store, shelf) = (MemoryStore::default(), Shelf::default());
    let (read, changed, held) = (shelf.clone(), shelf.clone(), shelf.clone());
    let routes = Router::new()
        .route("/keep", get(async move |session: Session| *read.lock() = Some(session)))
        .route(
            "/keep/car",
            post(async move |session: Session| {
                session.insert("my_car", "beetle")?;
                *changed.lock() = Some(session);
                Ok::<_, Error>(())
            }),
        )
        .route("/hold", get(async move |session: Session| *held.lock() = Some(session)))
        .layer(SessionLayer::new(store.clone()));
    (garage(store.clone()).merge(routes), shelf, store)
}

fn take(shelf: &Shelf) -> Session {
    shelf.lock().take().expect("a session on the shelf")
}

async fn count(session: &Session) -> Result<u64, Error> {
    session.update("num_visits", |visits: &mut u64| *visits += 1).await
}

#[tokio::test]
async fn what_a_newcomer_stores_after_the_response_is_an_error() {
    let (app, shelf, store) = open();
    let mut newcomer = Browser::open(app);
    newcomer.get("/keep").await;
    let session = take(&shelf);

    let refused = [
        session.insert("my_car", "mini"),
        session.extend([("my_car", "mini")]),
        session.get_or_insert("my_car", "mini".to_owned()).map(drop),
        session.set_test_cookie(),
        count(&session).await.map(drop),
        session.save().await.map(drop),
    ];
    for (n, refused) in refused.into_iter().enumerate() {
        assert!(matches!(refused, Err(Error::ResponseSent)), "number {n}: {refused:?}");
    }
    assert!(session.keys().is_empty(), "{:?}", session.keys());
    session.flush().await.expect("there is nothing to end");
    // What cannot return an error says it in the log.
    listen();
    session.set_expiry(Some(Expiry::OnSessionEnd));
    let told = logged(Level::ERROR);
    assert!(told.len() == 1 && told[0].contains("after its response"), "{told:?}");
    assert!(matches!(session.save().await, Err(Error::ResponseSent)));
    assert_eq!(newcomer.cookie("sessionid"), None);
    assert_eq!(format!("{:?}", store), "MemoryStore { .. }");
}

#[tokio::test]
async fn an_insert_after_the_response_is_an_error_for_every_session() {
    for path in ["/keep", "/keep/car"] {
        let (app, shelf, store) = open();
        let (mut visitor, id) = with_a_mini(app).await;
        match path {
            "/keep" => visitor.get(path).await,
            _ => visitor.post(path, &[]).await,
        };
        let session = take(&shelf);

        let refused = session.insert("colour", "red");

        assert!(matches!(refused, Err(Error::ResponseSent)), "{refused:?}");
        let data = load(&store, &id).await.expect("the record").data;
        assert!(!data.contains_key("colour"), "{data:?}");
    }
}

#[tokio::test]
async fn update_save_and_flush_still_work_for_a_session_that_is_stored() {
    let (app, shelf, store) = open();
    let (mut visitor, id) = with_a_mini(app).await;
    visitor.get("/keep").await;
    let session = take(&shelf);
    let record = async || load(&store, &id).await;

    assert_eq!(count(&session).await.expect("it is stored"), 1);
    assert_eq!(record().await.expect("the record").data["num_visits"], 1);

    assert!(session.remove("my_car").is_some());
    assert_eq!(session.save().await.expect("it is stored"), id);
    assert!(!record().await.expect("the record").data.contains_key("my_car"));

    session.flush().await.expect("it is ended");
    assert_eq!(record().await, None);
    assert!(matches!(count(&session).await, Err(Error::ResponseSent)), "it has none any more");
    assert_eq!(visitor.get("/").await.body(), "no car");
}

#[tokio::test]
async fn a_newcomers_session_that_the_response_stored_can_be_updated_after_it() {
    let (app, shelf, store) = open();
    let mut newcomer = Browser::open(app);
    newcomer.post("/keep/car", &[]).await;
    let session = take(&shelf);

    assert_eq!(count(&session).await.expect("it is stored"), 1);

    let data = load(&store, &id_of(&newcomer)).await.expect("the record").data;
    assert_eq!(data["num_visits"], 1);
    assert_eq!(data["my_car"], "beetle");
}

#[tokio::test]
async fn what_ended_meanwhile_is_not_written_back_after_the_response() {
    let (app, shelf, store) = open();
    let (mut visitor, id) = with_a_mini(app).await;
    visitor.get("/keep").await;
    let session = take(&shelf);
    SessionLayer::new(store.clone()).session(Some(id)).flush().await.expect("it is ended");

    assert!(matches!(count(&session).await, Err(Error::Interrupted)));
    session.remove("my_car");
    assert!(matches!(session.save().await, Err(Error::Interrupted)));
    assert_eq!(load(&store, &id).await, None);
}

#[tokio::test]
async fn a_page_whose_session_is_still_held_varies_by_cookie() {
    let (app, shelf, _) = open();
    let (mut visitor, _) = with_a_mini(app).await;

    let page = visitor.get("/hold").await;

    assert_eq!(page.header("vary"), Some("Cookie"), "its body may show the session");
    assert_eq!(page.header("cache-control"), Some("private, no-cache"));
    assert_eq!(take(&shelf).get::<String>("my_car").expect("a car").as_deref(), Some("mini"));
}
