//! One answer to exercise 10: another reader's session ends, and any other gets a new id.
//!
//! The chapter does it in a third way, which leaves nothing to a request of the attacker's that is
//! still running: it flushes in any case, and stores again what is to stay.

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
    let before: Option<String> = session.get(READER)?;
    match before {
        Some(reader) if reader != form.name => session.flush().await?,
        _ => session.cycle_id(),
    }
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
