//! Sites that remember your car: a plain one, and one whose handlers wait at a gate.

use std::sync::Arc;

use axum::{
    Form, Router,
    http::StatusCode,
    routing::{MethodRouter, get, post},
};
use browser::Browser;
use sessions::{Error, Id, MemoryStore, Session, SessionLayer, Store};
use tokio::sync::Barrier;

use super::{Gate, id_of};

/// `/` shows the session's car; a POST to `/car` sets it, to `/forget` removes it, to `/crash`
/// sets it and fails. `/about` does not look at the session.
pub fn garage(store: impl Store) -> Router {
    Router::new()
        .route("/", get(show))
        .route("/car", post(set))
        .route("/forget", post(forget))
        .route("/crash", post(crash))
        .route("/about", get(async || "We keep cars."))
        .layer(SessionLayer::new(store))
}

async fn show(session: Session) -> Result<String, Error> {
    Ok(session.get("my_car")?.unwrap_or("no car".to_owned()))
}

async fn set(session: Session, Form(form): Form<Vec<(String, String)>>) -> Result<(), Error> {
    form.into_iter().try_for_each(|(key, value)| session.insert(&key, value))
}

async fn forget(session: Session) -> String {
    session.remove("my_car").map_or("no car".to_owned(), |car| car.to_string())
}

async fn crash(session: Session) -> Result<StatusCode, Error> {
    session.insert("my_car", "a wreck")?;
    Ok(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A visitor of `app` who has a mini, and their session's id.
pub async fn with_a_mini(app: Router) -> (Browser, Id) {
    let mut visitor = Browser::open(app);
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = id_of(&visitor);
    (visitor, id)
}

/// A visitor of `routes`, whose sessions live in memory.
pub fn open(routes: Router) -> Browser {
    Browser::open(routes.layer(SessionLayer::new(MemoryStore::default())))
}

/// One request of a newcomer, with the assertions in its handler.
pub async fn in_a_newcomers_request(handler: fn(Session) -> Result<(), Error>) {
    let mut newcomer = open(Router::new().route("/", get(async move |session| handler(session))));
    assert_eq!(newcomer.get("/").await.status(), 200);
}

/// How many requests come to `/count/together` before one of them counts.
pub const MANY: usize = 12;

/// The garage, with more routes. The handlers under `/slow` have the session, and wait at the gate
/// before they change it; `/slow/page` counts, and waits before it ends.
pub fn slow_garage(store: impl Store, gate: &Gate, start: &Arc<Barrier>) -> Router {
    let store: Arc<dyn Store> = Arc::new(store);
    let slow = |change: fn(&Session) -> Result<(), Error>| slow(gate, change);
    let (before, after, start) = (gate.clone(), gate.clone(), start.clone());
    let routes = Router::new()
        .route("/slow/look", slow(|session| session.get::<String>("my_car").map(drop)))
        .route("/slow/car", slow(|session| session.insert("my_car", "a late car")))
        .route("/slow/mini", slow(|session| session.insert("my_car", "mini")))
        .route("/slow/colour", slow(|session| session.insert("colour", "red")))
        .route(
            "/slow/forget",
            slow(|session| {
                session.remove("my_car");
                Ok(())
            }),
        )
        .route(
            "/slow/clear",
            slow(|session| {
                session.clear();
                Ok(())
            }),
        )
        .route(
            "/slow/cycle",
            slow(|session| {
                session.cycle_id();
                Ok(())
            }),
        )
        .route(
            "/slow/expiry",
            slow(|session| {
                session.set_expiry(None);
                Ok(())
            }),
        )
        .route(
            "/slow/nested",
            slow(|session| {
                *session.get_mut("my_car").expect("a car") = "a late car".into();
                {
                    session.set_modified(true);
                    Ok(())
                }
            }),
        )
        .route(
            "/slow/sign-in",
            slow(|session| {
                session.cycle_id();
                session.insert("user", "a late toad")
            }),
        )
        .route(
            "/slow/sign-out",
            post({
                let gate = gate.clone();
                async move |session: Session| -> Result<(), Error> {
                    gate.wait().await;
                    session.flush().await
                }
            }),
        )
        .route(
            "/slow/count",
            post(async move |session: Session| -> Result<String, Error> {
                before.wait().await;
                count(&session).await
            }),
        )
        .route(
            "/slow/page",
            post(async move |session: Session| -> Result<String, Error> {
                let num_visits = count(&session).await?;
                after.wait().await;
                Ok(num_visits)
            }),
        )
        .route("/count", post(async |session: Session| count(&session).await))
        .route(
            "/count/together",
            post(async move |session: Session| -> Result<String, Error> {
                // All have loaded the session before one of them counts.
                start.wait().await;
                count(&session).await
            }),
        )
        .route(
            "/visits",
            post(async |session: Session| {
                session.require::<u64>("num_visits").map(|it| it.to_string())
            }),
        )
        .route("/keys", post(async |session: Session| session.keys().join(" ")))
        .route("/cycle", post(async |session: Session| session.cycle_id()))
        .route(
            "/sign-in",
            post(async |session: Session| {
                session.cycle_id();
                session.insert("user", "toad")
            }),
        )
        .route("/sign-out", post(async |session: Session| session.flush().await))
        .layer(SessionLayer::new(store.clone()));
    garage(store).merge(routes)
}

fn slow(gate: &Gate, change: fn(&Session) -> Result<(), Error>) -> MethodRouter {
    let gate = gate.clone();
    post(async move |session: Session| -> Result<(), Error> {
        gate.wait().await;
        change(&session)
    })
}

async fn count(session: &Session) -> Result<String, Error> {
    let num_visits = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
    Ok(num_visits.to_string())
}
