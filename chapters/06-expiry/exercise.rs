//! Exercise 6: remember me.
//!
//! A visitor who ticks the box is to be remembered for the site's two weeks. A visitor who does not
//! tick it may sit at a shared computer: closing the browser is to forget them. This program
//! remembers every visitor.
//!
//! Run: `just exercise 6`

use axum::{
    Router,
    routing::{get, post},
};
use serde::Deserialize;
use sessions::{Error, MemoryStore, Session, SessionLayer};
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

    let _ticked = form.remember.is_some();
    // TODO: choose when this session ends. Think of a visitor who signs in twice, first without
    // the box and then with it: a choice lasts until you change it.
    // Hint: `session.set_expiry(…)` takes an Option. What does chapter 6 put into it?
    session.insert(NAME, form.name)
}

#[derive(Deserialize)]
struct SignIn {
    name: String,
    /// Browsers send a ticked box as `on`, and nothing at all for an empty one.
    remember: Option<String>,
}
