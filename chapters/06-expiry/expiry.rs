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
const PAGE_DATE: StaticFormatDescription = format_description!(
    "[day padding:none] [month repr:long] [year], [hour]:[minute]:[second] UTC"
);

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
    let seconds = form.seconds.trim().parse().ok();
    let seconds = seconds.filter(|seconds| (1..=LONGEST.whole_seconds()).contains(seconds));
    let Some(seconds) = seconds else {
        let problem = Problem::NotSeconds(form.seconds.clone());
        let typed = Typed { seconds: form.seconds, problem: Some(problem), ..Typed::default() };
        return state.refuse(&session, typed).await;
    };
    session.set_expiry(Some(Expiry::OnInactivity(Duration::seconds(seconds))));
    Ok(Redirect::to("/").into_response())
}

async fn end_at_date(
    session: Session,
    State(state): State<AppState>,
    Form(form): Form<Until>,
) -> Result<Response, Error> {
    match future(&form.date) {
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

/// The moment that a visitor typed, if a session can end then.
fn future(typed: &str) -> Result<OffsetDateTime, Problem> {
    let date = PrimitiveDateTime::parse(typed.trim(), FORM_DATE)
        .map_err(|_| Problem::NotADate(typed.to_owned()))?;
    // A form knows no time zone, so the page says that this one is in UTC.
    let date = date.assume_utc();
    let now = OffsetDateTime::now_utc();
    match date > now && date <= now + LONGEST {
        true => Ok(date),
        false => Err(Problem::OutOfReach(in_words(date))),
    }
}

async fn end_by_default(session: Session) -> Redirect {
    session.set_expiry(None);
    Redirect::to("/")
}

/// To the second above, as the store keeps it.
fn in_words(date: OffsetDateTime) -> String {
    let date = date.saturating_add(Duration::nanoseconds(999_999_999)).truncate_to_second();
    date.format(PAGE_DATE).expect("a date has all of these parts")
}

/// A length of time in its largest whole unit: `14 days`, `30 minutes`, `90 seconds`.
fn length(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let whole = units.iter().find(|(unit, _)| seconds.is_multiple_of(*unit) && seconds > 0);
    let (unit, name) = whole.unwrap_or(&units[3]);
    let count = seconds / unit;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
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
    /// How long a change would let the session last.
    length: String,
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
