//! A session ends with the browser, after idle seconds, or at a date, as you choose.
//!
//! Run: `just run chapter-6`
//! Try: choose 60 idle seconds, and for a minute do nothing but reload.

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
use serde::Deserialize;
use sessions::{Error, Expiry, Session, SessionLayer, Store};
use site::Form;
use time::{
    Duration, OffsetDateTime, PrimitiveDateTime, format_description::StaticFormatDescription,
    macros::format_description,
};

const BOOKMARK: &str = "bookmark";

/// Whatever a browser is told, it keeps no cookie for longer (RFC 6265bis section 5.5).
const LONGEST: Duration = Duration::days(400);

/// As `<input type="datetime-local">` sends it: without seconds if they are zero.
const FORM_DATE: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute][optional [:[second]]]");
const PAGE_DATE: StaticFormatDescription =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");

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
    // `expiry_date` is what a change would bring. What was stored last, only the store knows.
    let record = match session.id() {
        Some(id) => state.store.load(&id).await?,
        None => None,
    };
    Ok(Home {
        bookmark: session.get(BOOKMARK)?.unwrap_or(1),
        stored_date: record.map(|(record, _version)| in_words(record.expiry_date)),
        ends_with_browser: session.expires_at_browser_close(),
        // The clock goes on while the age is computed: 1799.99 seconds are 1800.
        age: session.expiry_age().as_seconds_f64().round(),
        date: in_words(session.expiry_date()),
        save_every_request: state.save_every_request,
    })
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

async fn end_when_idle(session: Session, Form(form): Form<Idle>) -> Result<Redirect, Problem> {
    let seconds = form.seconds.trim().parse().ok();
    let seconds = seconds.filter(|seconds| (1..=LONGEST.whole_seconds()).contains(seconds));
    let seconds = seconds.ok_or(Problem::NotSeconds(form.seconds))?;
    session.set_expiry(Some(Expiry::OnInactivity(Duration::seconds(seconds))));
    Ok(Redirect::to("/"))
}

async fn end_at_date(session: Session, Form(form): Form<Until>) -> Result<Redirect, Problem> {
    let Ok(date) = PrimitiveDateTime::parse(form.date.trim(), FORM_DATE) else {
        return Err(Problem::NotADate(form.date));
    };
    // A form knows no time zone, so the page says that this one is in UTC.
    let date = date.assume_utc();
    let now = OffsetDateTime::now_utc();
    if date <= now || date > now + LONGEST {
        return Err(Problem::OutOfReach(in_words(date)));
    }
    session.set_expiry(Some(Expiry::AtDateTime(date)));
    Ok(Redirect::to("/"))
}

async fn end_by_default(session: Session) -> Redirect {
    session.set_expiry(None);
    Redirect::to("/")
}

fn in_words(date: OffsetDateTime) -> String {
    date.format(PAGE_DATE).expect("a date has all of these parts")
}

#[derive(Clone)]
struct AppState {
    store: Arc<dyn Store>,
    save_every_request: bool,
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
    /// Seconds.
    age: f64,
    date: String,
    save_every_request: bool,
}

/// What a visitor typed that cannot be the end of a session.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("“{0}” is not a number of seconds from 1 to 34560000, which is 400 days.")]
    NotSeconds(String),
    #[error("“{0}” is not a date of the calendar and a time.")]
    NotADate(String),
    #[error("{0} is not within the next 400 days.")]
    OutOfReach(String),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let words = format!("{self} What you chose before still holds.");
        (StatusCode::BAD_REQUEST, words).into_response()
    }
}
