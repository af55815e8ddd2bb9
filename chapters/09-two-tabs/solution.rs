//! One answer to exercise 9: the closure that changes the value also looks at it, in one step.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use chapter_9::Pause;
use sessions::{Error, MemoryStore, Session, SessionLayer};

const BOOKS: &str = "books";
const MOST: u32 = 3;

/// What the check visits. `pause` is over when both requests have come as far.
pub fn app(pause: Pause) -> Router {
    Router::new()
        .route("/", get(count_books))
        .route("/start", post(start))
        .route("/add", post(add_book))
        .with_state(pause)
        .layer(SessionLayer::new(MemoryStore::default()))
}

async fn count_books(session: Session) -> Result<String, Error> {
    Ok(session.get::<u32>(BOOKS)?.unwrap_or(0).to_string())
}

async fn start(session: Session) -> Result<(), Error> {
    session.insert(BOOKS, MOST - 1)
}

async fn add_book(session: Session, State(pause): State<Pause>) -> Result<StatusCode, Error> {
    pause().await;
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
