//! One answer to exercise 9: one closure looks at the value and changes it, in one step.

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use sessions::{Error, Session, SessionLayer, Store};

const BOOKS: &str = "books";
const MOST: u32 = 3;

/// What the check visits. In its store two requests meet: both have loaded the session before
/// either goes on.
pub fn app(store: impl Store) -> Router {
    Router::new()
        .route("/", get(count_books))
        .route("/start", post(start))
        .route("/add", post(add_book))
        .layer(SessionLayer::new(store))
}

async fn count_books(session: Session) -> Result<String, Error> {
    Ok(session.get::<u32>(BOOKS)?.unwrap_or(0).to_string())
}

async fn start(session: Session) -> Result<(), Error> {
    session.insert(BOOKS, MOST - 1)
}

async fn add_book(session: Session) -> Result<StatusCode, Error> {
    let mut is_full = false;
    let add = |books: &mut u32| {
        // The closure may run more than once: the last run is the one that counts.
        is_full = *books >= MOST;
        if !is_full {
            *books += 1;
        }
    };
    session.update(BOOKS, add).await?;
    Ok(if is_full { StatusCode::CONFLICT } else { StatusCode::OK })
}
