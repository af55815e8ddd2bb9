//! What a visitor does not read of a mistake is in the log.

use std::{
    io::{self, Write},
    sync::{Mutex, Once},
};

use axum::{Router, http::StatusCode, routing::get};
use browser::Browser;
use serde::Deserialize;
use site::{Form, Path};
use tracing::Level;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Car {
    my_car: String,
}

/// A site whose log goes to [`LOG`].
fn open() -> Browser {
    static LOGGING: Once = Once::new();
    LOGGING.call_once(|| {
        let log = tracing_subscriber::fmt().with_max_level(Level::DEBUG).without_time();
        log.with_ansi(false).with_writer(|| Log).init();
    });
    let routes = Router::new()
        .route("/car", get(async |Form(car): Form<Car>| car.my_car))
        .route("/broken/{id}", get(async |Path((id, _)): Path<(u32, u32)>| id.to_string()));
    Browser::open(site::with_look(routes))
}

/// The line of the log that has this text.
fn line(text: &str) -> String {
    let log = String::from_utf8_lossy(&LOG.lock().expect("no panic")).into_owned();
    let line = log.lines().find(|line| line.contains(text));
    line.unwrap_or_else(|| panic!("no {text:?} in {log}")).trim_start().to_owned()
}

#[tokio::test]
async fn a_form_that_does_not_fit_is_no_error_of_the_servers() {
    let mut visitor = open();
    let page = visitor.get("/car?bicycle=red").await;

    assert_eq!(page.status(), StatusCode::BAD_REQUEST);
    assert!(!page.body().contains("bicycle"), "{}", page.body());
    assert!(line("unknown field `bicycle`").starts_with("DEBUG"));
}

#[tokio::test]
async fn no_visitor_writes_a_line_of_the_log() {
    let mut visitor = open();
    visitor.get("/car?tricycle%0AERROR+forged=red").await;

    assert!(line("unknown field `tricycle").contains("forged`"));
}

#[tokio::test]
async fn a_path_that_no_address_fits_is_an_error_of_the_servers() {
    let mut visitor = open();
    let page = visitor.get("/broken/12").await;

    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let words = "That is our fault, not yours. The cause is in the server's log.";
    assert_eq!(page.texts("h1 + p"), [words]);
    assert!(line("Expected 2 but got 1").starts_with("ERROR"));
}

struct Log;

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        LOG.lock().expect("no panic").write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
