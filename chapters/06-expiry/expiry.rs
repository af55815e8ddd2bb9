//! A session ends with the browser, after idle seconds, or at a date, as you choose.
//!
//! Run: `just run chapter-6`
//! Try: choose 60 idle seconds, and for a minute do nothing but reload.

mod dates;

use std::sync::Arc;

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use dates::{Problem, in_words, length};
use serde::Deserialize;
use sessions::{Error, Expiry, Session, SessionLayer, Store};
use site::Form;

const BOOKMARK: &str = "bookmark";

/// The whole chapter. With `save_every_request`, reading counts as activity.
pub fn app(store: impl Store + Clone, save_every_request: bool) -> Router {
    let sessions = SessionLayer::builder(store.clone())
        .cookie_name("chapter6")
        .save_every_request(save_every_request)
        .build()
        .expect("these settings go together");

    let routes = Router::new()
        .route("/", get(show_expiry))
        .route("/bookmark", post(move_bookmark))
        .route("/expiry/browser", post(end_with_browser))
        .route("/expiry/idle", post(end_when_idle))
        .route("/expiry/date", post(end_at_date))
        .route("/expiry/default", post(end_by_default))
        .with_state(AppState { store: Arc::new(store), save_every_request })
        .layer(sessions);
    site::with_look(routes)
}

async fn show_expiry(session: Session, State(state): State<AppState>) -> Result<Home, Error> {
    state.home(&session, Typed::default()).await
}

async fn move_bookmark(session: Session) -> Result<Redirect, Error> {
    let bookmark: u64 = session.get(BOOKMARK)?.unwrap_or(1);
    session.insert(BOOKMARK, bookmark + 1)?;
    Ok(Redirect::to("/"))
}

async fn end_with_browser(session: Session) -> Redirect {
    session.set_expiry(Some(Expiry::OnSessionEnd));
    Redirect::to("/")
}

async fn end_when_idle(
    session: Session,
    State(state): State<AppState>,
    Form(form): Form<Idle>,
) -> Result<Response, Error> {
    match dates::idle_time(&form.seconds) {
        Ok(idle_time) => {
            session.set_expiry(Some(Expiry::OnInactivity(idle_time)));
            Ok(Redirect::to("/").into_response())
        }
        Err(problem) => {
            let typed = Typed { seconds: form.seconds, problem: Some(problem), ..Typed::default() };
            state.refuse(&session, typed).await
        }
    }
}

async fn end_at_date(
    session: Session,
    State(state): State<AppState>,
    Form(form): Form<Until>,
) -> Result<Response, Error> {
    match dates::future(&form.date) {
        Ok(date) => {
            session.set_expiry(Some(Expiry::AtDateTime(date)));
            Ok(Redirect::to("/").into_response())
        }
        Err(problem) => {
            let typed = Typed { date: form.date, problem: Some(problem), ..Typed::default() };
            state.refuse(&session, typed).await
        }
    }
}

async fn end_by_default(session: Session) -> Redirect {
    session.set_expiry(None);
    Redirect::to("/")
}

#[derive(Clone)]
struct AppState {
    store: Arc<dyn Store>,
    save_every_request: bool,
}

impl AppState {
    async fn home(&self, session: &Session, typed: Typed) -> Result<Home, Error> {
        // `expiry_date` is what a change would bring. What was stored last, only the store knows.
        let record = match session.id() {
            Some(id) => self.store.load(&id).await?,
            None => None,
        };
        let stored_date = record.map(|(record, _version)| record.expiry_date);
        // The clock goes on while the age is computed: 1799.99 seconds are 1800.
        let age = session.expiry_age().as_seconds_f64().round() as u64;
        Ok(Home {
            bookmark: session.get(BOOKMARK)?.unwrap_or(1),
            stored_date: stored_date.map(in_words),
            ends_with_browser: session.expires_at_browser_close(),
            length: length(age),
            date: in_words(session.expiry_date()),
            typed,
            save_every_request: self.save_every_request,
        })
    }

    /// The page again, with what was typed and what is wrong with it.
    async fn refuse(&self, session: &Session, typed: Typed) -> Result<Response, Error> {
        let page = self.home(session, typed).await?;
        Ok((StatusCode::BAD_REQUEST, page).into_response())
    }
}

#[derive(Deserialize)]
struct Idle {
    seconds: String,
}

#[derive(Deserialize)]
struct Until {
    date: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
struct Home {
    bookmark: u64,
    /// When the stored record ends; `None` for a visitor who has none.
    stored_date: Option<String>,
    ends_with_browser: bool,
    /// How long a change would let the session last, if that is a round number.
    length: Option<String>,
    /// When that would be.
    date: String,
    typed: Typed,
    save_every_request: bool,
}

/// What the fields hold, and why they were refused.
struct Typed {
    seconds: String,
    date: String,
    problem: Option<Problem>,
}

impl Default for Typed {
    fn default() -> Self {
        Typed { seconds: "60".to_owned(), date: String::new(), problem: None }
    }
}
