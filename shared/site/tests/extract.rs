//! What a visitor sent does not fit: they read a sentence for visitors.

use std::time::Duration;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{Request, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use browser::{Browser, Page};
use http_body_util::{BodyExt, channel::Channel};
use site::{Form, Path, Query, Rejection};
use tokio::time;
use tower::ServiceExt;

const FORM: &str = "application/x-www-form-urlencoded";

#[derive(serde::Deserialize)]
struct Car {
    my_car: String,
    wheels: u32,
}

async fn set_car(Form(car): Form<Car>) -> String {
    format!("{} on {} wheels", car.my_car, car.wheels)
}

/// A handler with a page of its own for a form that does not fit.
async fn set_car_or_explain(form: Result<Form<Car>, Rejection>) -> Response {
    match form {
        Ok(_) => "Set".into_response(),
        Err(rejection) => (rejection.status(), "A car has 3 or 4 wheels.").into_response(),
    }
}

fn app() -> Router {
    let routes = Router::new()
        .route("/car", get(set_car).post(set_car))
        .route("/explained", post(set_car_or_explain))
        .route("/books/{id}", get(async |Path(id): Path<u32>| id.to_string()))
        .route(
            "/books",
            get(async |Query(wheels): Query<Vec<(String, u32)>>| format!("{wheels:?}")),
        );
    site::with_look(routes)
}

fn open() -> Browser {
    Browser::open(app())
}

fn car(media_type: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/car").header(CONTENT_TYPE, media_type);
    request.body(body.into()).expect("a valid request")
}

#[track_caller]
fn assert_says(page: &Page, status: StatusCode, words: &str) {
    assert_eq!(page.status(), status);
    assert!(page.has("main a[href='/']"), "it looks like the site");
    assert_eq!(page.texts("h1 + p"), [words]);
}

#[tokio::test]
async fn a_form_that_fits_arrives() {
    let mut visitor = open();
    let page = visitor.post("/car", &[("my_car", "mini & co"), ("wheels", "4")]).await;
    assert_eq!(page.body(), "mini & co on 4 wheels");
    let page = visitor.get("/car?my_car=mini&wheels=3").await;
    assert_eq!(page.body(), "mini on 3 wheels");
}

#[tokio::test]
async fn a_media_type_may_be_in_capitals() {
    let mut visitor = open();
    for media_type in [
        "APPLICATION/X-WWW-FORM-URLENCODED",
        "Application/X-WWW-Form-Urlencoded; Charset=UTF-8",
        "application/x-www-form-urlencoded;charset=utf-8",
    ] {
        let page = visitor.send(car(media_type, "my_car=Mini&wheels=4")).await;
        assert_eq!(page.body(), "Mini on 4 wheels", "{media_type}");
    }
}

#[tokio::test]
async fn a_field_that_is_missing_or_does_not_fit_is_a_422_page() {
    let words = "A field of the form is missing, or what it says does not fit. Go back, reload \
                 the page, and fill it in again.";
    let mut visitor = open();
    for body in ["", "my_car=mini", "my_car=mini&wheels=many", "my_car=a&my_car=b&wheels=4"] {
        let page = visitor.send(car(FORM, body)).await;
        assert_says(page, StatusCode::UNPROCESSABLE_ENTITY, words);
    }
}

#[tokio::test]
async fn a_form_in_another_encoding_is_a_415_page() {
    let words = "This site takes forms as a browser sends them, and this was something else.";
    let mut visitor = open();
    for media_type in
        ["multipart/form-data; boundary=x", "application/json", "text/plain", "\u{fe}"]
    {
        let page = visitor.send(car(media_type, "my_car=mini&wheels=4")).await;
        assert_says(page, StatusCode::UNSUPPORTED_MEDIA_TYPE, words);
    }
    let untyped = Request::post("/car").body(Body::from("my_car=mini")).expect("a valid request");
    assert_says(visitor.send(untyped).await, StatusCode::UNSUPPORTED_MEDIA_TYPE, words);
}

#[tokio::test]
async fn a_form_over_the_limit_is_a_413_page() {
    let mut visitor = open();
    let page = visitor.send(car(FORM, "a".repeat(site::BODY_LIMIT + 1))).await;
    let words = "That is more than this site takes: 64 KB at most.";
    assert_says(page, StatusCode::PAYLOAD_TOO_LARGE, words);
}

#[tokio::test]
async fn an_address_that_does_not_fit_is_a_404_page() {
    let mut visitor = open();
    for address in ["/books/many", "/books/-1", "/books/%FF", "/books/99999999999"] {
        let page = visitor.get(address).await;
        assert_says(page, StatusCode::NOT_FOUND, "There is no page at this address.");
    }
    assert_eq!(visitor.get("/books/12").await.body(), "12");
}

#[tokio::test]
async fn a_query_that_does_not_fit_is_a_400_page() {
    let words = "The server could not make sense of that request.";
    let mut visitor = open();
    for address in ["/books?wheels=many", "/books?wheels=%3Cscript%3E", "/car?my_car=mini"] {
        let page = visitor.get(address).await;
        assert_says(page, StatusCode::BAD_REQUEST, words);
        assert!(!page.has("script"));
    }
    assert_eq!(visitor.get("/books?wheels=4").await.body(), r#"[("wheels", 4)]"#);
}

#[tokio::test]
async fn a_handler_may_explain_a_form_itself() {
    let mut visitor = open();
    let page = visitor.post("/explained", &[("wheels", "17 and a half")]).await;
    assert_says(page, StatusCode::UNPROCESSABLE_ENTITY, "A car has 3 or 4 wheels.");
}

#[tokio::test(start_paused = true)]
async fn a_form_that_stalls_or_trickles_is_a_408_page() {
    for pause in [Duration::from_secs(3600), Duration::from_secs(1)] {
        let (mut sender, body) = Channel::<Bytes>::new(1);
        tokio::spawn(async move {
            while sender.send_data(Bytes::from_static(b"m")).await.is_ok() {
                time::sleep(pause).await;
            }
        });
        let start = time::Instant::now();
        // Not by the browser: it has the whole form before it sends the request.
        let answered =
            time::timeout(2 * site::BODY_TIME, app().oneshot(car(FORM, Body::new(body))));
        let Ok(response) = answered.await.expect("it is answered");

        assert_eq!(start.elapsed().as_secs(), site::BODY_TIME.as_secs());
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
        let page = response.into_body().collect().await.expect("a page").to_bytes();
        let page = String::from_utf8_lossy(&page);
        assert!(page.contains("<p>Your form did not arrive in time. Check"), "{page}");
    }
}
