//! One answer to exercise 5: the form leaves the mark, the basket looks for it.

use axum::{
    Router,
    routing::{get, post},
};
use serde::Deserialize;
use sessions::{Error, MemoryStore, Session, SessionLayer};
use site::Form;

const BASKET: &str = "basket";

/// What the check visits: a form, the basket, and the keys that the session holds.
pub fn app() -> Router {
    Router::new()
        .route("/", get(show_form))
        .route("/basket", post(put_into_basket))
        .route("/keys", get(async |session: Session| session.keys().join(", ")))
        .layer(SessionLayer::new(MemoryStore::default()))
}

async fn show_form(session: Session) -> Result<&'static str, Error> {
    // A basket is proof already, and needs no mark.
    if !session.contains_key(BASKET) {
        session.set_test_cookie()?;
    }
    Ok("Which book?")
}

async fn put_into_basket(session: Session, Form(form): Form<Choice>) -> Result<String, Error> {
    if session.test_cookie_worked() {
        session.delete_test_cookie()?;
    } else if !session.contains_key(BASKET) {
        return Ok("Your browser keeps no cookies, so it would lose your basket.".to_owned());
    }

    let mut basket: Vec<String> = session.get(BASKET)?.unwrap_or_default();
    basket.push(form.book);
    session.insert(BASKET, &basket)?;
    Ok(format!("In your basket: {}", basket.join(", ")))
}

#[derive(Deserialize)]
struct Choice {
    book: String,
}
