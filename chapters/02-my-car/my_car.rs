//! The server remembers your car; the browser remembers only a number.
//!
//! Run: `just run chapter-2`
//! Try: set a car, then open a private window.

use std::collections::BTreeMap;

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
use site::{Form, Query};
use tower_sessions::{
    Session, SessionManagerLayer, SessionStore, cookie::SameSite, session, session_store,
};

const MY_CAR: &str = "my_car";

/// Characters.
const LONGEST_NAME: usize = 40;

/// The whole chapter. `store` keeps the sessions: the program has one in memory, which goes when
/// the program ends.
pub fn app<S: SessionStore + Clone>(store: S) -> Router {
    let sessions = SessionManagerLayer::new(store.clone())
        // A browser sends a host's cookies to each of its ports. Under one name, two of these
        // programs would take each other's session away.
        .with_name("chapter2")
        // The default, Secure, means "over https only". This server speaks plain http, and a
        // browser that makes no exception for localhost would drop the cookie: every car would
        // be the first one of a new session.
        .with_secure(false)
        // The default, Strict, withholds the cookie when a visitor follows a link from another
        // site to here: their session would seem to be gone.
        .with_same_site(SameSite::Lax);

    let routes = Router::new()
        .route("/", get(show_home))
        .route("/car", get(require_car).post(set_car))
        .route("/car/or-mini", get(car_or_mini))
        .route("/car/known", get(is_car_known))
        .route("/car/delete", post(delete_car))
        .route("/everything", get(list_everything::<S>))
        .route("/everything/clear", post(clear_everything))
        .with_state(store)
        .layer(sessions);
    site::with_look(routes)
}

async fn show_home(session: Session, Query(after): Query<After>) -> Result<Home, Problem> {
    let my_car = session.get(MY_CAR).await?;
    // A car was set a moment ago, and this request brings no id: the browser keeps no cookies.
    let is_cookie_missing = after.set.is_some() && session.id().is_none();
    Ok(Home { my_car, typed: "mini".to_owned(), problem: None, is_cookie_missing })
}

async fn set_car(session: Session, Form(form): Form<CarForm>) -> Result<Response, Problem> {
    let name = form.my_car.trim();
    // What a visitor sends is kept in this server's memory, so it has a limit.
    let problem = match name.chars().count() {
        0 => Some("A car needs a name."),
        1..=LONGEST_NAME => None,
        _ => Some("That name is too long: a car has 40 characters at most."),
    };
    if problem.is_some() {
        // The page again, with what was typed: no visitor likes to type it twice.
        let my_car = session.get(MY_CAR).await?;
        let page = Home { my_car, typed: form.my_car, problem, is_cookie_missing: false };
        return Ok((StatusCode::BAD_REQUEST, page).into_response());
    }
    session.insert(MY_CAR, name).await?;
    // 303: the browser fetches the page again, so reloading it does not post the form again.
    Ok(Redirect::to("/?set").into_response())
}

async fn require_car(session: Session) -> Result<Answer, Problem> {
    let my_car: String = session.get(MY_CAR).await?.ok_or(Problem::NotInSession(MY_CAR))?;
    Ok(Answer { question: "Get my_car", answer: my_car })
}

async fn car_or_mini(session: Session) -> Result<Answer, Problem> {
    // The default is used, not stored: the next page still finds no car.
    let my_car = session.get(MY_CAR).await?.unwrap_or("mini".to_owned());
    Ok(Answer { question: "Get my_car, or else mini", answer: my_car })
}

async fn is_car_known(session: Session) -> Result<Answer, Problem> {
    // Any value will do, so this asks for the raw JSON rather than for a String.
    let known = session.get_value(MY_CAR).await?.is_some();
    let answer = if known { "yes" } else { "no" };
    Ok(Answer { question: "Is there a my_car?", answer: answer.to_owned() })
}

async fn delete_car(session: Session) -> Result<Redirect, Problem> {
    session.remove_value(MY_CAR).await?.ok_or(Problem::NotInSession(MY_CAR))?;
    Ok(Redirect::to("/"))
}

async fn list_everything<S: SessionStore>(
    session: Session,
    State(store): State<S>,
) -> Result<Everything, Problem> {
    // tower-sessions looks values up by key only. To see them all, read what the store holds.
    let record = match session.id() {
        Some(id) => store.load(&id).await?,
        None => None,
    };
    let data = record.map(|record| record.data).unwrap_or_default();
    let items = data.into_iter().map(|(key, value)| (key, value.to_string())).collect();
    Ok(Everything { items })
}

async fn clear_everything(session: Session) -> Result<Redirect, Problem> {
    // Look first: only an id that the store knows is to be kept.
    session.get_value(MY_CAR).await?;
    // Empties the session. Its id and its cookie stay; `flush` would end those as well.
    session.clear().await;
    Ok(Redirect::to("/"))
}

#[derive(Deserialize)]
struct CarForm {
    my_car: String,
}

/// What the address of the home page says.
#[derive(Deserialize)]
struct After {
    /// There after a car was set.
    set: Option<String>,
}

#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
struct Home {
    my_car: Option<String>,
    /// What the field holds.
    typed: String,
    /// Why the form was refused.
    problem: Option<&'static str>,
    is_cookie_missing: bool,
}

#[derive(Template, WebTemplate)]
#[template(path = "answer.html")]
struct Answer {
    question: &'static str,
    answer: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "everything.html")]
struct Everything {
    /// Keys and their JSON, in the order of the keys.
    items: BTreeMap<String, String>,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("Your session has no {0}. Set one on the home page first.")]
    NotInSession(&'static str),
    #[error(transparent)]
    Session(#[from] session::Error),
    #[error(transparent)]
    Store(#[from] session_store::Error),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Problem::NotInSession(_) => (StatusCode::NOT_FOUND, self.to_string()).into_response(),
            Problem::Session(_) | Problem::Store(_) => site::server_error(self),
        }
    }
}
