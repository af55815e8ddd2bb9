//! Exercise 10: a planted id.
//!
//! A visitor fills a basket, signs in, and may write a private note. An attacker has planted an id in
//! the visitor's browser, for example from a subdomain, and reads along. And two readers share one
//! browser: the second reads the note of the first.
//!
//! Run: `just exercise 10`

use axum::{
    Router,
    routing::{get, post},
};
use serde::Deserialize;
use sessions::{Error, MemoryStore, Session, SessionLayer};
use site::Form;

const READER: &str = "reader";
const BASKET: &str = "basket";
const NOTE: &str = "note";

/// What the check visits.
pub fn app() -> Router {
    Router::new()
        .route("/", get(show))
        .route("/basket", post(fill_basket))
        .route("/note", post(write_note))
        .route("/sign-in", post(sign_in))
        .layer(SessionLayer::new(MemoryStore::default()))
}

async fn sign_in(session: Session, Form(form): Form<SignIn>) -> Result<(), Error> {
    // TODO: after this, the id from before must open nothing. What a visitor had before signing in
    // stays, but of what another reader has left, nothing does.
    // Hint: first ask who is signed in. The chapter reads what is to stay, flushes in any case, and
    // stores it again, unless another reader was signed in. Django's `login()` passes the check, too:
    // it flushes if another reader is signed in, and otherwise cycles the id.
    session.insert(READER, form.name)
}

async fn show(session: Session) -> Result<String, Error> {
    let reader = session.get(READER)?.unwrap_or("a stranger".to_owned());
    let basket = session.get(BASKET)?.unwrap_or("nothing".to_owned());
    let note = session.get(NOTE)?.unwrap_or("none".to_owned());
    Ok(format!("You are {reader}. Basket: {basket}. Note: {note}."))
}

async fn fill_basket(session: Session, Form(form): Form<Book>) -> Result<(), Error> {
    session.insert(BASKET, form.book)
}

async fn write_note(session: Session, Form(form): Form<Note>) -> Result<(), Error> {
    session.insert(NOTE, form.note)
}

#[derive(Deserialize)]
struct SignIn {
    name: String,
}

#[derive(Deserialize)]
struct Book {
    book: String,
}

#[derive(Deserialize)]
struct Note {
    note: String,
}
