//! One answer to exercise 6: an empty box ends with the browser, a ticked one undoes that.

use axum::{
    Router,
    routing::{get, post},
};
use serde::Deserialize;
use sessions::{Error, Expiry, MemoryStore, Session, SessionLayer};
use site::Form;

const NAME: &str = "name";

/// What the check visits.
pub fn app() -> Router {
    Router::new()
        .route("/", get(greet))
        .route("/sign-in", post(sign_in))
        .layer(SessionLayer::new(MemoryStore::default()))
}

async fn greet(session: Session) -> Result<String, Error> {
    let name: Option<String> = session.get(NAME)?;
    Ok(format!("Hello, {}.", name.unwrap_or("stranger".to_owned())))
}

async fn sign_in(session: Session, Form(form): Form<SignIn>) -> Result<(), Error> {
    // An attacker may know the id that the session had before, so it gets a new one.
    session.cycle_id();
    session.set_expiry(match form.remember {
        Some(_) => None,
        None => Some(Expiry::OnSessionEnd),
    });
    session.insert(NAME, form.name)
}

#[derive(Deserialize)]
struct SignIn {
    name: String,
    /// Browsers send a ticked box as `on`, and nothing at all for an empty one.
    remember: Option<String>,
}
