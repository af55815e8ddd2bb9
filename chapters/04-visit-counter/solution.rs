//! One answer to exercise 4: read what was stored before it is overwritten.

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

    let last_time = session.get(NUM_BOOKS)?.unwrap_or(counts.books);
    session.insert(NUM_BOOKS, counts.books)?;

    Ok(format!("New books since your last visit: {}", counts.books - last_time))
}
