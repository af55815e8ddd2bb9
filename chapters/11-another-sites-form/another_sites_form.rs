//! A page of another site changes where your reminders go, with your own cookie.
//!
//! Run: `just run chapter-11 --same-site none`
//! Try: sign in as Ada, then open the other site, whose address the program prints as well.

pub mod attacker;
mod token;

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    middleware,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sessions::{SameSite, Session, SessionLayer, Store};
use site::Form;

const READER: &str = "reader";
const ADDRESS: &str = "address";
/// What changed last, and who changed it.
const NEWS: &str = "news";

/// What protects the forms, apart from the cookie's `SameSite`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Defence {
    /// Nothing
    None,
    /// The origin check: does a page of this site send the request?
    Origin,
    /// The token: does the form hold the secret that the session holds?
    Token,
}

/// The victim: LocalLibrary, which reminds its readers of books that are due.
pub fn app(store: impl Store, same_site: Option<SameSite>, defence: Defence) -> Router {
    let sessions = SessionLayer::builder(store)
        .cookie_name("chapter11")
        .cookie_same_site(same_site)
        .build()
        .expect("a cookie may have this name");

    let mut routes = Router::new()
        .route("/", get(show_home))
        .route("/sign-in", post(sign_in))
        .route("/reminders", post(change_address))
        .route("/reminders/stop", get(stop_reminders))
        .route("/sign-out", post(sign_out))
        .with_state(defence);
    // A layer wraps what was added before it. The check of the token needs the session, so it is
    // inside of the sessions' layer. The origin check needs no session, and comes before it.
    if defence == Defence::Token {
        routes = routes.layer(middleware::from_fn(token::demand));
    }
    routes = routes.layer(sessions);
    if defence == Defence::Origin {
        routes = routes.layer(middleware::from_fn(site::refuse_cross_origin));
    }
    site::with_look(routes)
}

async fn show_home(session: Session, State(defence): State<Defence>) -> Result<Home, Problem> {
    let token = match defence {
        Defence::Token => Some(token::for_form(&session)?),
        Defence::None | Defence::Origin => None,
    };
    Ok(Home {
        reader: session.get(READER)?,
        address: session.get(ADDRESS)?,
        news: session.get(NEWS)?,
        token,
    })
}

async fn sign_in(
    session: Session,
    headers: HeaderMap,
    Form(SignIn { reader }): Form<SignIn>,
) -> Result<Redirect, Problem> {
    // What another reader has left in this browser is not for this one.
    session.flush().await?;
    session.insert(READER, reader)?;
    session.insert(ADDRESS, reader.address())?;
    session.insert(NEWS, format!("{} signed this browser in as {reader:?}.", sender(&headers)))?;
    Ok(Redirect::to("/"))
}

async fn change_address(
    session: Session,
    headers: HeaderMap,
    Form(Reminders { address }): Form<Reminders>,
) -> Result<Redirect, Problem> {
    require_reader(&session)?;
    let news = format!("{} changed your reminder address to {address}.", sender(&headers));
    session.extend([(ADDRESS, address), (NEWS, news)])?;
    Ok(Redirect::to("/"))
}

/// Wrong on purpose: a GET that changes something. A link is enough for it, and so is an image.
async fn stop_reminders(session: Session, headers: HeaderMap) -> Result<Redirect, Problem> {
    require_reader(&session)?;
    session.remove(ADDRESS);
    session.insert(NEWS, format!("{} stopped your reminders.", sender(&headers)))?;
    Ok(Redirect::to("/"))
}

async fn sign_out(session: Session) -> Result<Redirect, Problem> {
    session.flush().await?;
    Ok(Redirect::to("/"))
}

fn require_reader(session: &Session) -> Result<(), Problem> {
    if session.contains_key(READER) { Ok(()) } else { Err(Problem::NotSignedIn) }
}

/// Whose page has sent this request, as the browser says.
fn sender(headers: &HeaderMap) -> &'static str {
    match headers.get("sec-fetch-site").and_then(|site| site.to_str().ok()) {
        Some("cross-site") => "Another site",
        Some("same-site") => "Another origin of this site",
        _ => "You",
    }
}

#[derive(Deserialize)]
struct SignIn {
    reader: Reader,
}

#[derive(Deserialize)]
struct Reminders {
    address: String,
}

/// Who can sign in. They need no password here: that is chapter 10.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Reader {
    Ada,
    Mallory,
}

impl Reader {
    fn address(self) -> &'static str {
        match self {
            Reader::Ada => "ada@library.example",
            Reader::Mallory => "mallory@evil.example",
        }
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
struct Home {
    reader: Option<String>,
    address: Option<String>,
    news: Option<String>,
    token: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("the request brought no session of a reader")]
    NotSignedIn,
    #[error(transparent)]
    Session(#[from] sessions::Error),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Problem::NotSignedIn => {
                let words = "Your browser sent no cookie of a reader with this request, so \
                             nothing was changed.";
                (StatusCode::FORBIDDEN, words).into_response()
            }
            Problem::Session(error) => error.into_response(),
        }
    }
}
