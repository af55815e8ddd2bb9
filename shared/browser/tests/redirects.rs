//! A redirect is followed when asked, once, and keeps what it set on the way.

use axum::{
    Form, Router,
    body::Body,
    http::{
        HeaderMap, Method, Request, StatusCode,
        header::{LOCATION, SET_COOKIE},
    },
    response::Redirect,
    routing::{any, get, post},
};
use browser::Browser;

async fn set_car() -> ([(axum::http::HeaderName, &'static str); 1], Redirect) {
    ([(SET_COOKIE, "my_car=mini; Path=/; SameSite=Strict")], Redirect::to("/car"))
}

async fn car(method: Method, headers: HeaderMap) -> String {
    let cookies = headers.get("cookie").map(|value| value.to_str().unwrap_or_default());
    format!("{method} with {}", cookies.unwrap_or("no cookies"))
}

fn app() -> Router {
    Router::new()
        .route("/set", post(set_car))
        .route("/car", any(car))
        .route("/again", any(async || Redirect::temporary("/car")))
        .route("/moved", get(async || (StatusCode::FOUND, [(LOCATION, "car?old=1#wheels")])))
        .route("/away", get(async || Redirect::to("http://elsewhere.example/")))
        .route("/secure", get(async || Redirect::to("https://library.example/car")))
        .route("/created", post(async || (StatusCode::CREATED, [(LOCATION, "/car")])))
        .route(
            "/form",
            post(async |Form(fields): Form<Vec<(String, String)>>| format!("{fields:?}")),
        )
}

#[tokio::test]
async fn a_redirect_is_followed_only_when_asked_and_its_cookie_is_kept() {
    let mut visitor = Browser::open(app());

    let answer = visitor.post("/set", &[]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.header("Location"), Some("/car"));
    assert_eq!(visitor.cookie("my_car").as_deref(), Some("mini"));

    assert_eq!(visitor.follow().await.text(), "GET with my_car=mini");
}

#[tokio::test]
async fn a_relative_location_starts_from_the_current_page() {
    let mut visitor = Browser::open(app());
    visitor.get("/moved").await;
    visitor.follow().await;

    assert!(visitor.transcript().contains("GET /car?old=1 HTTP/1.1"));
}

#[tokio::test]
async fn a_redirect_begun_at_another_site_stays_cross_site() {
    let mut visitor = Browser::open(app());
    visitor.post_from_another_site("/set", &[]).await;

    assert_eq!(visitor.follow().await.text(), "GET with no cookies");
    assert_eq!(visitor.get("/car").await.text(), "GET with my_car=mini");
}

#[tokio::test]
async fn a_redirect_to_https_of_this_host_is_followed() {
    let mut visitor = Browser::open(app()).at("http://library.example");
    visitor.get("/secure").await;
    assert_eq!(visitor.follow().await.status(), StatusCode::OK);
}

#[tokio::test]
#[should_panic(expected = "there is no redirect to follow: 200 OK")]
async fn an_ordinary_page_cannot_be_followed() {
    let mut visitor = Browser::open(app());
    visitor.get("/car").await;
    visitor.follow().await;
}

#[tokio::test]
#[should_panic(expected = "there is no redirect to follow: 201 Created")]
async fn a_location_that_is_no_redirect_cannot_be_followed() {
    let mut visitor = Browser::open(app());
    visitor.post("/created", &[]).await;
    visitor.follow().await;
}

#[tokio::test]
#[should_panic(expected = "leads to another host")]
async fn a_redirect_to_another_host_is_not_followed() {
    let mut visitor = Browser::open(app());
    visitor.get("/away").await;
    visitor.follow().await;
}

#[tokio::test]
#[should_panic(expected = "asks for the POST to be sent again")]
async fn a_form_is_not_sent_again_in_secret() {
    let mut visitor = Browser::open(app());
    visitor.post("/again", &[]).await;
    visitor.follow().await;
}

#[tokio::test]
async fn a_form_arrives_field_by_field() {
    let mut visitor = Browser::open(app());
    let page = visitor.post("/form", &[("my_car", "mini & co"), ("wheels", "ä")]).await;
    assert_eq!(page.text(), r#"[("my_car", "mini & co"), ("wheels", "ä")]"#);
}

#[tokio::test]
async fn anything_else_can_be_sent_as_it_is() {
    let mut visitor = Browser::open(app());
    visitor.post("/set", &[]).await;
    visitor.take_transcript();

    let request = Request::builder()
        .method(Method::PUT)
        .uri("/car?wheels=4")
        .header("content-type", "application/json")
        .body(Body::from(r#"{"car":"mini"}"#))
        .expect("the request is well formed");
    let page = visitor.send(request).await;

    assert_eq!(page.text(), "PUT with my_car=mini");
    assert_eq!(
        visitor.transcript(),
        r#"PUT /car?wheels=4 HTTP/1.1
Cookie: my_car=mini
Content-Type: application/json

{"car":"mini"}

HTTP/1.1 200 OK

PUT with my_car=mini"#
    );
}
