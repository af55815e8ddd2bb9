//! One answer to exercise 2: the old car moves over before the new one comes in.

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use site::Form;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer, session};

const MY_CAR: &str = "my_car";
const PREVIOUS_CAR: &str = "previous_car";

/// What the check visits.
pub fn app() -> Router {
    let sessions = SessionManagerLayer::new(MemoryStore::default()).with_secure(false);
    Router::new()
        .route("/car", get(show_car).post(set_car))
        .route("/undo", post(undo))
        .layer(sessions)
}

async fn show_car(session: Session) -> Result<String, Problem> {
    session.get(MY_CAR).await?.ok_or(Problem::NotInSession(MY_CAR))
}

async fn set_car(session: Session, Form(form): Form<CarForm>) -> Result<(), Problem> {
    if let Some(old_car) = session.get::<String>(MY_CAR).await? {
        session.insert(PREVIOUS_CAR, old_car).await?;
    }
    session.insert(MY_CAR, form.my_car).await?;
    Ok(())
}

async fn undo(session: Session) -> Result<(), Problem> {
    let previous: Option<String> = session.remove(PREVIOUS_CAR).await?;
    session.insert(MY_CAR, previous.ok_or(Problem::NotInSession(PREVIOUS_CAR))?).await?;
    Ok(())
}

#[derive(Deserialize)]
struct CarForm {
    my_car: String,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("Your session has no {0}.")]
    NotInSession(&'static str),
    #[error(transparent)]
    Session(#[from] session::Error),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Problem::NotInSession(_) => (StatusCode::NOT_FOUND, self.to_string()).into_response(),
            Problem::Session(error) => site::server_error(error),
        }
    }
}
