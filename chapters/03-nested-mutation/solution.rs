//! One answer to exercise 3: the function that lends the car sets the flag.

use axum::{
    Extension, Router, middleware,
    routing::{get, post},
};
use chapter_3::{Car, Garage, SharedGarage, load_and_save};
use tower_sessions::{MemoryStore, SessionManagerLayer};

/// What the check visits.
pub fn app() -> Router {
    Router::new()
        .route("/", get(show_colour))
        .route("/paint", post(paint_green))
        .layer(middleware::from_fn_with_state(false, load_and_save))
        .layer(SessionManagerLayer::new(MemoryStore::default()).with_secure(false))
}

async fn show_colour(Extension(garage): Extension<SharedGarage>) -> String {
    garage.lock().await.my_car.clone().unwrap_or_default().colour
}

async fn paint_green(Extension(garage): Extension<SharedGarage>) {
    let mut garage = garage.lock().await;
    update(&mut garage, |car| car.colour = "green".to_owned());
}

/// Changes the car inside, and sees to it that the change is saved.
fn update(garage: &mut Garage, change: impl FnOnce(&mut Car)) {
    change(garage.lend_car());
    // The loan is over once the closure returns: here we know, and only here.
    garage.modified = true;
}
