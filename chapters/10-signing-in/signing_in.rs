//! Readers sign in, and librarians may do more. It takes a session, and nothing else.
//!
//! Run: `just run chapter-10`
//! Try: look at your session's id, sign in as ada, and look again.

mod account;
mod books;
mod devices;
mod next;
mod passwords;
mod visitor;

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CACHE_CONTROL},
    middleware::{from_fn, map_response},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use catalog::{Catalog, Reader};
use serde::{Deserialize, Serialize};
use sessions::{Expiry, Session, SessionLayer};
use site::{Form, IsVisit, Query};
use time::OffsetDateTime;

use devices::ABSOLUTE_IF_REMEMBERED;
pub use devices::{Devices, Unusable};
use next::{Next, redirect, within_this_site};
pub use passwords::Attempts;
use visitor::{Client, Visitor};

/// What the session's cookie is to be called.
pub const COOKIE: &str = "chapter10";

const NUM_VISITS: &str = "num_visits";
const IS_DARK: &str = "is_dark";
/// Who is signed in.
const READER: &str = "reader";
/// The beginning of the id that the session had before.
const ID_BEFORE: &str = "id_before";

/// What stays when a visitor signs in. All else in the session may have been planted.
const KEPT: [&str; 2] = [NUM_VISITS, IS_DARK];

/// The whole chapter, over any place for sessions: the home page and the form here, books to give
/// back in books.rs, devices and passwords in account.rs. Who asks is found out in visitor.rs.
pub fn app(
    library: Catalog,
    devices: Devices,
    attempts: Attempts,
    sessions: SessionLayer,
) -> Router {
    let private = Router::new()
        .route("/my-books", get(books::list_mine))
        .route("/all-books", get(books::list_all))
        .route("/copies/{id}/return", post(books::mark_as_returned))
        .route("/devices", get(account::list_devices))
        .route("/devices/{id}/end", post(account::end_device))
        .route("/sign-out-everywhere", post(account::sign_out_everywhere))
        .route("/confirm", get(account::ask_password).post(account::confirm))
        .route("/password", get(account::show_password_form).post(account::change_password))
        // After signing out, Back must not show them.
        .layer(map_response(async |page: Response| ([(CACHE_CONTROL, "no-store")], page)));
    let routes = Router::new()
        .route("/", get(show_home))
        .route("/theme", post(change_theme))
        .route("/sign-in", get(show_form).post(sign_in))
        .route("/sign-out", post(sign_out))
        .merge(private)
        .with_state(App { library, devices, attempts })
        .layer(sessions)
        // A form of another site must not act with a reader's session: chapter 11 shows how.
        .layer(from_fn(site::refuse_cross_origin));
    site::with_look(routes)
}

async fn show_home(IsVisit(is_visit): IsVisit, visitor: Visitor) -> Result<Home, Problem> {
    let session = &visitor.session;
    let num_visits = match is_visit {
        true => session.update(NUM_VISITS, |visits: &mut u64| *visits += 1).await?,
        false => session.get(NUM_VISITS)?.unwrap_or(0),
    };
    let (id, id_before) = (beginning_of_id(session), session.get(ID_BEFORE)?);
    Ok(Home { visitor, num_visits, id, id_before })
}

async fn change_theme(visitor: Visitor) -> Result<Redirect, Problem> {
    visitor.session.update(IS_DARK, |is_dark: &mut bool| *is_dark = !*is_dark).await?;
    Ok(Redirect::to("/"))
}

async fn show_form(visitor: Visitor, Query(Next { next }): Query<Next>) -> SignInForm {
    let (name, is_remembered) = (String::new(), false);
    SignInForm { visitor, next: within_this_site(&next), name, is_remembered, problem: None }
}

async fn sign_in(
    State(app): State<App>,
    visitor: Visitor,
    client: Client,
    Form(form): Form<SignIn>,
) -> Result<Response, Problem> {
    let next = within_this_site(&form.next);
    let is_remembered = form.remember == Remember::Yes;
    // The form comes back as it was filled in, but for the password.
    let again = |visitor, next, problem| {
        let (name, problem) = (form.name.clone(), Some(problem));
        SignInForm { visitor, next, name, is_remembered, problem }
    };
    if let Err(wait) = app.attempts.count(&form.name, client.address) {
        tracing::info!(address = %client.address, "sign-in slowed down");
        return Ok(account::slowed_down(wait, again(visitor, next, SLOWED_DOWN)));
    }
    // An unknown name takes as long as a wrong password, and is answered in the same words.
    // Otherwise the form would tell who is a reader of this library.
    let found = app.library.credentials(form.name.trim()).await?;
    let known = found.as_ref().map(|found| found.reader.id);
    let hash = found.as_ref().map(|found| found.password_hash.clone());
    let is_right = passwords::is_right(form.password, hash).await;
    let Some(found) = found.filter(|_| is_right) else {
        // Without the name that was typed: now and then it is a password.
        tracing::info!(reader = known, address = %client.address, "sign-in failed");
        let page = again(visitor, next, REFUSED);
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    begin(&app, &visitor.session, &found.reader, &client, is_remembered).await?;
    tracing::info!(reader = found.reader.id, address = %client.address, "signed in");
    Ok(Redirect::to(&next).into_response())
}

const REFUSED: &str = "There is no reader with this name and this password.";
const SLOWED_DOWN: &str = "These were many attempts in a short time. Please wait a minute.";

/// Makes the session this reader's. Django: `login()`.
async fn begin(
    app: &App,
    session: &Session,
    reader: &Reader,
    client: &Client,
    is_remembered: bool,
) -> Result<(), Problem> {
    // 1. What stays: visits and theme, unless they are another reader's.
    let before: Option<SignedInAs> = session.get(READER)?;
    let is_anothers = before.as_ref().is_some_and(|before| before.id != reader.id);
    let is_kept = |key: &str| KEPT.contains(&key) && !is_anothers;
    let kept: Vec<_> = session.iter().filter(|(key, _)| is_kept(key)).collect();
    let id_before = beginning_of_id(session);

    // 2. The index of this reader's sessions, first: if it fails, nothing has happened.
    let device = app.devices.add(reader.id, &client.browser, is_remembered).await?;
    if let Some(before) = before {
        app.devices.end(before.id, &before.device).await?;
    }

    // 3. A new session under a new id. An attacker may know the old id: they may have planted it.
    //    Not `cycle_id`: a request of theirs that is still running would go on with the session
    //    under its new id. After a flush, it has nothing to go on with.
    session.flush().await?;
    session.extend(kept)?;
    session.insert(ID_BEFORE, id_before)?;

    // 4. Who it is: a number, and what is needed to end this session from outside.
    session.insert(READER, SignedInAs { id: reader.id, epoch: reader.epoch, device })?;
    session.set_expiry(Some(match is_remembered {
        true => Expiry::AtDateTime(OffsetDateTime::now_utc() + ABSOLUTE_IF_REMEMBERED),
        false => Expiry::OnSessionEnd,
    }));
    Ok(())
}

/// Django: `logout()`.
async fn sign_out(State(app): State<App>, visitor: Visitor) -> Result<Redirect, Problem> {
    if let Some((reader, device)) = &visitor.signed_in {
        app.devices.end(reader.id, &device.id).await?;
        tracing::info!(reader = reader.id, "signed out");
    }
    visitor.session.flush().await?;
    Ok(Redirect::to("/"))
}

/// All that the session holds of a reader: no password, no name, no rights. Name and rights are
/// looked up with each request, so what is taken from a reader is gone at once.
#[derive(Deserialize, Serialize)]
struct SignedInAs {
    id: i64,
    /// The reader's, at the time of signing in.
    epoch: i64,
    /// The session in the index.
    device: String,
}

/// Enough to tell two ids apart, and too little to guess the rest. No page shows a whole id.
fn beginning_of_id(session: &Session) -> Option<String> {
    session.id().map(|id| id.to_string()[..4].to_owned())
}

#[derive(Clone)]
struct App {
    library: Catalog,
    devices: Devices,
    attempts: Attempts,
}

#[derive(Deserialize)]
struct SignIn {
    name: String,
    password: String,
    remember: Remember,
    next: String,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Remember {
    No,
    Yes,
}

#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
struct Home {
    visitor: Visitor,
    num_visits: u64,
    id: Option<String>,
    id_before: Option<String>,
}

#[derive(Template, WebTemplate)]
#[template(path = "sign_in.html")]
struct SignInForm {
    visitor: Visitor,
    next: String,
    name: String,
    is_remembered: bool,
    problem: Option<&'static str>,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Session(#[from] sessions::Error),
    #[error(transparent)]
    Library(#[from] catalog::Error),
    #[error("not signed in")]
    SignInFirst(String),
    #[error("the password has to be given again")]
    ConfirmFirst(String),
    #[error("not a librarian")]
    LibrariansOnly,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Problem::Session(error) => error.into_response(),
            Problem::Library(error) if error.is_temporary() => site::unavailable(error),
            Problem::Library(error) => site::server_error(error),
            Problem::SignInFirst(next) => redirect("/sign-in", &next),
            Problem::ConfirmFirst(next) => redirect("/confirm", &next),
            Problem::LibrariansOnly => {
                let words = "This page is for librarians. You are signed in as a reader.";
                (StatusCode::FORBIDDEN, words).into_response()
            }
        }
    }
}
