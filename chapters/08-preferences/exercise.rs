//! Exercise 8: yesterday's visitors.
//!
//! On Monday, this program stored a bare number of results per page. On Tuesday it stored a
//! struct with one field, and today with two. A visitor who chose on Monday or Tuesday has to choose
//! again.
//!
//! Run: `just exercise 8`

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
    // TODO: keep what Tuesday's and Monday's visitors chose. Tuesday's value is
    // `{"per_page": 20}`, Monday's is `20`. For a value that cannot be read, the default will do.
    // Hint: serde can fill in what is missing: see `Preferences` in chapter 8. And `get` takes
    // nothing away: what is not of one type may be asked for as another.
    session.get(PREFERENCES).ok().flatten().unwrap_or_default()
}

#[derive(Deserialize, Serialize)]
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
