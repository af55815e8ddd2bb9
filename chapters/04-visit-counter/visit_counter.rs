//! LocalLibrary's home page knows how often you came, also after a restart.
//!
//! Run: `just run chapter-4`
//! Try: reload the page, stop the server, start it again, reload.

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use catalog::{Catalog, Counts};
use sessions::{Session, SessionLayer, Store};
use site::IsVisit;

const NUM_VISITS: &str = "num_visits";

/// The whole chapter: the home page, over a library and a place for sessions.
pub fn app(library: Catalog, store: impl Store) -> Router {
    let sessions = SessionLayer::builder(store)
        .cookie_name("chapter4")
        .build()
        .expect("a cookie may have this name");

    let routes = Router::new().route("/", get(show_home)).with_state(library).layer(sessions);
    site::with_look(routes)
}

async fn show_home(
    IsVisit(is_visit): IsVisit,
    session: Session,
    State(library): State<Catalog>,
) -> Result<Home, Problem> {
    let counts = library.counts().await?;

    let mut num_visits = session.get(NUM_VISITS)?.unwrap_or(0);
    // Not every GET is a visit: browsers fetch pages ahead of a click, and HEAD shows no page.
    if is_visit {
        // Count first, so a newcomer reads "1 time", not "0 times".
        num_visits += 1;
        session.insert(NUM_VISITS, num_visits)?;
    }

    Ok(Home { counts, num_visits })
}

#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
struct Home {
    counts: Counts,
    num_visits: u64,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Session(#[from] sessions::Error),
    #[error(transparent)]
    Library(#[from] catalog::Error),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Problem::Session(error) => error.into_response(),
            Problem::Library(error) if error.is_temporary() => site::unavailable(error),
            Problem::Library(error) => site::server_error(error),
        }
    }
}
