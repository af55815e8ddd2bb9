//! Counts each visitor's visits.
//!
//! Run: `cargo run -p sessions-by-example --example count`, then open <http://127.0.0.1:3000>

use axum::{Router, routing::get};
use sessions::{Error, MemoryStore, Session, SessionLayer};
use tokio::net::TcpListener;

fn app() -> Router {
    // In memory: the counts go when the program ends.
    let sessions = SessionLayer::new(MemoryStore::default());
    Router::new().route("/", get(count)).layer(sessions)
}

async fn count(session: Session) -> Result<String, Error> {
    let num_visits = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
    Ok(format!("You have visited this page {num_visits} times."))
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use browser::Browser;

    #[tokio::test]
    async fn visits_are_counted_for_each_visitor() {
        let mut visitor = Browser::open(app());
        visitor.get("/").await;
        visitor.get("/").await;
        assert_eq!(visitor.page().body(), "You have visited this page 2 times.");

        let mut stranger = visitor.private_window();
        stranger.get("/").await;
        assert_eq!(stranger.page().body(), "You have visited this page 1 times.");
    }
}
