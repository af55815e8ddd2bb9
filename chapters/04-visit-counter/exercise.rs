//! Exercise 4: what is new since you were here?
//!
//! The page compares the number of books with the number at the visitor's last visit. It always
//! says that nothing is new, even after books came in.
//!
//! Run: `just exercise 4`

use axum::{Router, extract::State, http::StatusCode, response::Result, routing::get};
use catalog::Catalog;
use sessions::{MemoryStore, Session, SessionLayer};

const NUM_BOOKS: &str = "num_books";

/// What the check visits.
pub fn app(library: Catalog) -> Router {
    Router::new()
        .route("/", get(show_news))
        .with_state(library)
        .layer(SessionLayer::new(MemoryStore::default()))
}

async fn show_news(session: Session, State(library): State<Catalog>) -> Result<String> {
    let counts = library.counts().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;

    // TODO: compare with the last visit, not with this one. A newcomer has no last visit, so
    // nothing is new to them.
    // Hint: chapter 4 counts before it shows. What has to come first here?
    session.insert(NUM_BOOKS, counts.books)?;
    let last_time = session.get(NUM_BOOKS)?.unwrap_or(counts.books);

    Ok(format!("New books since your last visit: {}", counts.books - last_time))
}
