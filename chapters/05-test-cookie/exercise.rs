//! Exercise 5: a basket that not every browser can carry.
//!
//! A browser that keeps no cookies would lose its basket at once, so it is to be told instead.
//! But this program believes every browser.
//!
//! Run: `just exercise 5`

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

async fn show_form() -> &'static str {
    "Which book?"
}

async fn put_into_basket(session: Session, Form(form): Form<Choice>) -> Result<String, Error> {
    // TODO: believe a browser that has shown that it keeps cookies, and no other. A visitor whose
    // basket holds a book already has shown it.
    // Hint: when does the mark have to be set, so that the browser had a chance to lose it? The
    // handler above can take the session, too.
    session.set_test_cookie()?;
    if !session.test_cookie_worked() {
        return Ok("Your browser keeps no cookies, so it would lose your basket.".to_owned());
    }
    session.delete_test_cookie()?;

    let mut basket: Vec<String> = session.get(BASKET)?.unwrap_or_default();
    basket.push(form.book);
    session.insert(BASKET, &basket)?;
    Ok(format!("In your basket: {}", basket.join(", ")))
}

#[derive(Deserialize)]
struct Choice {
    book: String,
}
