//! One answer to exercise 8: defaults for what is missing, and a second question.

use axum::{
    Router,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sessions::{Error, MemoryStore, Session, SessionLayer};
use site::Form;

const PREFERENCES: &str = "preferences";

/// What the check visits: the page, and a door by which an older program's value comes in.
pub fn app() -> Router {
    Router::new()
        .route("/", get(show_preferences))
        .route("/older-program", post(store_as_it_did))
        .layer(SessionLayer::new(MemoryStore::default()))
}

async fn show_preferences(session: Session) -> String {
    let Preferences { per_page, order } = preferences(&session);
    format!("{per_page} results per page, by {order}")
}

fn preferences(session: &Session) -> Preferences {
    if let Ok(Some(preferences)) = session.get(PREFERENCES) {
        return preferences;
    }
    // Not today's type, and not Tuesday's: Monday's, perhaps.
    match session.get(PREFERENCES) {
        Ok(Some(per_page)) => Preferences { per_page, ..Preferences::default() },
        _ => Preferences::default(),
    }
}

#[derive(Deserialize, Serialize)]
#[serde(default)]
struct Preferences {
    per_page: u32,
    order: String,
}

impl Default for Preferences {
    fn default() -> Preferences {
        Preferences { per_page: 10, order: "title".to_owned() }
    }
}

async fn store_as_it_did(session: Session, Form(older): Form<Older>) -> Result<(), Error> {
    let value: Option<Value> = serde_json::from_str(&older.json).ok();
    session.insert(PREFERENCES, value)
}

#[derive(Deserialize)]
struct Older {
    json: String,
}
