//! A change inside a value is lost, unless the handler says that the session was modified.
//!
//! Run: `just run chapter-3`
//! Try: press three buttons, then `just run chapter-3 --save-every-request` for the fourth.

use std::{fmt, sync::Arc};

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Extension, Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use site::Query;
use tokio::sync::Mutex;
use tower_sessions::{Session, SessionManagerLayer, SessionStore, cookie::SameSite, session};

const MY_CAR: &str = "my_car";

/// The whole chapter. With `save_every_request`, the flag no longer matters.
pub fn app(store: impl SessionStore + Clone, save_every_request: bool) -> Router {
    let sessions = SessionManagerLayer::new(store)
        .with_name("chapter3")
        .with_secure(false)
        .with_same_site(SameSite::Lax)
        // Without this, tower-sessions would not store a session that looks unchanged to it.
        .with_always_save(save_every_request);

    let routes = Router::new()
        .route("/", get(show_car))
        .route("/inside", post(change_inside))
        .route("/flagged", post(change_inside_and_flag))
        .route("/put-back", post(put_back))
        .with_state(save_every_request)
        .layer(middleware::from_fn_with_state(save_every_request, load_and_save))
        .layer(sessions);
    site::with_look(routes)
}

async fn show_car(
    Extension(garage): Extension<SharedGarage>,
    State(save_every_request): State<bool>,
    Query(before): Query<Before>,
) -> Home {
    let my_car = garage.lock().await.my_car.clone();
    // The car was saved, and no session came back with this request.
    let is_cookie_missing = before.saved.is_some() && my_car.is_none();
    let my_car = my_car.unwrap_or_default();
    Home { my_car, saw: before.saw, is_cookie_missing, save_every_request }
}

async fn change_inside(
    Extension(garage): Extension<SharedGarage>,
    State(save_every_request): State<bool>,
) -> Redirect {
    let mut garage = garage.lock().await;
    let my_car = garage.lend_car();
    my_car.wheels = my_car.wheels.other();
    // The car in memory has new wheels. The flag is not set, so the car is not saved.
    home_after(my_car, save_every_request)
}

async fn change_inside_and_flag(Extension(garage): Extension<SharedGarage>) -> Redirect {
    let mut garage = garage.lock().await;
    let my_car = garage.lend_car();
    my_car.wheels = my_car.wheels.other();
    let home = home_after(my_car, true);
    garage.modified = true;
    home
}

async fn put_back(Extension(garage): Extension<SharedGarage>) -> Redirect {
    let mut garage = garage.lock().await;
    let mut my_car = garage.my_car.clone().unwrap_or_default();
    my_car.wheels = my_car.wheels.other();
    // Until we put it back, our copy has new wheels and the session still has the old ones.
    let home = home_after(&my_car, true);
    garage.put_car(my_car);
    home
}

/// Sends the visitor home. The address tells the next request which wheels this one saw, and
/// whether they are saved.
fn home_after(my_car: &Car, is_saved: bool) -> Redirect {
    let saved = if is_saved { "&saved" } else { "" };
    Redirect::to(&format!("/?saw={}{saved}", my_car.wheels))
}

/// Loads the car before the handler, and afterwards saves it if the flag says so.
pub async fn load_and_save(
    State(save_every_request): State<bool>,
    session: Session,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let my_car: Option<Car> = session.get(MY_CAR).await?;
    let garage = Garage { my_car: my_car.clone(), modified: false };
    let garage = SharedGarage::new(Mutex::new(garage));
    request.extensions_mut().insert(garage.clone());

    let response = next.run(request).await;

    let garage = garage.lock().await;
    let (changed, modified) = (garage.my_car != my_car, garage.modified);
    tracing::debug!(target: "session_state", changed, modified, "handler done");
    if let Some(my_car) = &garage.my_car
        && (garage.modified || save_every_request)
        && !response.status().is_server_error()
    {
        session.insert(MY_CAR, my_car).await?;
    }
    Ok(response)
}

/// What the handlers of one request see of the session, and Django's flag.
#[derive(Default)]
pub struct Garage {
    /// The stored car; `None` for a visitor who never changed one.
    pub my_car: Option<Car>,
    /// Is the car to be saved after this request? Django: `request.session.modified`.
    pub modified: bool,
}

impl Garage {
    /// Lends the car, or one from the factory, for changes inside it. Does not set the flag:
    /// what becomes of the loan is out of our sight.
    pub fn lend_car(&mut self) -> &mut Car {
        self.my_car.get_or_insert_default()
    }

    /// Replaces the whole car. This we see, so it sets the flag.
    pub fn put_car(&mut self, car: Car) {
        self.my_car = Some(car);
        self.modified = true;
    }
}

/// The handler and the middleware around it hold the same garage.
pub type SharedGarage = Arc<Mutex<Garage>>;

/// A value with insides.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
pub struct Car {
    /// What the buttons change.
    pub wheels: Wheels,
    /// What stays as it is; the exercise paints it.
    pub colour: String,
}

impl Default for Car {
    fn default() -> Self {
        Car { wheels: Wheels::Steel, colour: "red".to_owned() }
    }
}

/// What a car stands on.
#[derive(Clone, Copy, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wheels {
    /// As the factory delivers them.
    Steel,
    /// As in the tutorial.
    Alloy,
}

impl Wheels {
    fn other(self) -> Self {
        match self {
            Wheels::Steel => Wheels::Alloy,
            Wheels::Alloy => Wheels::Steel,
        }
    }
}

impl fmt::Display for Wheels {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Wheels::Steel => "steel",
            Wheels::Alloy => "alloy",
        })
    }
}

#[derive(Deserialize)]
struct Before {
    saw: Option<Wheels>,
    saved: Option<String>,
}

#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
struct Home {
    my_car: Car,
    saw: Option<Wheels>,
    is_cookie_missing: bool,
    save_every_request: bool,
}

/// The session could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Problem(#[from] session::Error);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        site::server_error(self)
    }
}
