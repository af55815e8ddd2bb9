//! What a visitor does not read of a mistake is in the log.

use std::{
    io::{self, Write},
    sync::{Mutex, Once},
};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    middleware,
    routing::{get, post},
};
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
        .route("/broken/{id}", get(async |Path((id, _)): Path<(u32, u32)>| id.to_string()))
        .route("/reset/{token}", post(async || "Set"))
        .layer(middleware::from_fn(site::refuse_cross_origin));
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

#[tokio::test]
async fn a_refused_form_is_a_line_without_secrets() {
    let mut visitor = open();
    let request = Request::post("/reset/secret-token?secret=query")
        .header("sec-fetch-site", "cross-site")
        .header("origin", "http://evil.example")
        .header("cookie", "sessionid=secret")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("password=secret"))
        .expect("a valid request");
    assert_eq!(visitor.send(request).await.status(), StatusCode::FORBIDDEN);

    let line = line("refused a request from another origin");
    assert!(line.starts_with("WARN"), "{line}");
    for told in ["POST", "/reset/{token}", "cross-site", "http://evil.example"] {
        assert!(line.contains(told), "{told}: {line}");
    }
    let (_, after_the_name_of_its_module) = line.split_once("site::origin").expect("its module");
    assert!(!after_the_name_of_its_module.contains("secret"), "{line}");
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
