//! Keeps one typed value in the session, and changes one field of it.
//!
//! Run: `cargo run -p sessions-by-example --example preferences`, then
//! `curl -i --request POST http://127.0.0.1:3000/larger`

use axum::{
    Router,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use sessions::{Error, MemoryStore, Session, SessionLayer};
use tokio::net::TcpListener;

const PREFERENCES: &str = "preferences";

/// A field that an older version of the program did not store has its default.
#[derive(Deserialize, Serialize)]
#[serde(default)]
struct Preferences {
    per_page: u32,
    dark: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Preferences { per_page: 10, dark: false }
    }
}

fn app() -> Router {
    Router::new()
        .route("/", get(show))
        .route("/larger", post(show_more))
        .layer(SessionLayer::new(MemoryStore::default()))
}

async fn show(session: Session) -> Result<String, Error> {
    let Preferences { per_page, dark } = session.get(PREFERENCES)?.unwrap_or_default();
    Ok(format!("{per_page} books on a page, dark: {dark}"))
}

/// Two tabs may do this at once: `update` loses neither.
async fn show_more(session: Session) -> Result<String, Error> {
    let changed = session.update(PREFERENCES, |it: &mut Preferences| it.per_page += 10).await?;
    Ok(format!("{} books on a page", changed.per_page))
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
    async fn one_field_is_changed_and_the_other_is_as_it_was() {
        let mut visitor = Browser::open(app());
        visitor.post("/larger", &[]).await;
        visitor.get("/").await;
        assert_eq!(visitor.page().body(), "20 books on a page, dark: false");
    }
}
