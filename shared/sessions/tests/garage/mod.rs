//! A site that remembers your car.

use axum::{
    Form, Router,
    http::StatusCode,
    routing::{get, post},
};
use sessions::{Error, Session, SessionLayer, Store};

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
