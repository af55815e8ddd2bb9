//! What a page of another origin sends, and which cookies go with it. tests/browser/attacks.rs
//! asks Chromium the same.

mod mirror;

use axum::{Router, http::HeaderMap, routing::any};
use browser::Browser;
use mirror::mirror;

const SET: [&str; 4] = [
    "strict=1; Path=/; SameSite=Strict",
    "lax=2; Path=/; SameSite=Lax",
    "unsaid=3; Path=/",
    "none=4; Path=/; SameSite=None; Secure",
];

const ALL: &str = "strict=1; lax=2; unsaid=3; none=4";

/// What the browser says of a form that a page there sends here.
async fn said(here: &str, there: &str) -> [String; 2] {
    let app = Router::new().fallback(any(async |headers: HeaderMap| {
        ["sec-fetch-site", "origin"]
            .map(|name| headers[name].to_str().unwrap().to_owned())
            .join(" ")
    }));
    let mut visitor = Browser::open(app).at(here);
    let said = visitor.page_at(there).submit("/", &[]).await.text();
    let (site, origin) = said.split_once(' ').expect("two words");
    [site.to_owned(), origin.to_owned()]
}

#[tokio::test]
async fn one_origin_has_one_scheme_host_and_port_and_one_site_one_scheme_and_domain() {
    for (here, there, expected) in [
        ("http://library.example", "http://library.example", "same-origin"),
        ("http://library.example", "http://library.example:8000", "same-site"),
        ("http://library.example", "http://evil.library.example", "same-site"),
        ("http://www.library.example", "http://evil.library.example", "same-site"),
        ("http://library.example", "https://library.example", "cross-site"),
        ("http://library.example", "http://evil.example", "cross-site"),
        ("http://library.example", "http://evil-library.example", "cross-site"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3001", "same-site"),
        ("http://127.0.0.1:3000", "http://localhost:3001", "cross-site"),
        ("http://127.0.0.1:3000", "http://9.0.0.1:3001", "cross-site"),
        ("http://library.localhost:3000", "http://evil.library.localhost:3001", "same-site"),
        ("http://localhost:3000", "http://evil.localhost:3001", "cross-site"),
    ] {
        assert_eq!(said(here, there).await, [expected, there], "from {there} to {here}");
    }
}

#[tokio::test]
async fn another_site_brings_what_same_site_allows() {
    let mut visitor = Browser::open(mirror(SET));
    visitor.get("/set").await;
    let mut page = visitor.page_at("http://localhost:3001");

    assert_eq!(page.follow_link("/").await.text(), "lax=2; unsaid=3; none=4");
    assert_eq!(page.submit("/", &[]).await.text(), "none=4");
    assert_eq!(page.load_image("/").await.text(), "none=4");
    assert_eq!(page.fetch("/", &[]).await.text(), "none=4");
}

#[tokio::test]
async fn another_origin_of_the_same_site_brings_every_cookie() {
    let mut visitor = Browser::open(mirror(SET));
    visitor.get("/set").await;
    let mut page = visitor.page_at("http://127.0.0.1:3001");

    assert_eq!(page.follow_link("/").await.text(), ALL);
    assert_eq!(page.submit("/", &[]).await.text(), ALL);
    assert_eq!(page.load_image("/").await.text(), ALL);
    assert_eq!(page.fetch("/", &[]).await.text(), ALL);
}

#[tokio::test]
async fn the_transcript_shows_where_a_form_came_from() {
    let mut visitor = Browser::open(mirror([]));
    visitor.page_at("http://evil.example").submit("/", &[("my_car", "mini")]).await;

    let transcript = visitor.transcript();
    let sent = "POST / HTTP/1.1\nSec-Fetch-Site: cross-site\nOrigin: http://evil.example\n\n\
                my_car=mini\n\n";
    assert!(transcript.starts_with(sent), "{transcript}");
}

#[tokio::test]
async fn a_link_says_no_origin_and_a_redirect_goes_on_as_it_began() {
    use axum::{response::Redirect, routing::get};
    let app = Router::new()
        .route("/", get(async |headers: HeaderMap| format!("{:?}", headers.get("sec-fetch-site"))))
        .route("/old", any(async || Redirect::to("/")));
    let mut visitor = Browser::open(app);

    visitor.page_at("http://127.0.0.1:3001").follow_link("/old").await;
    assert!(!visitor.transcript().contains("Origin"), "{}", visitor.transcript());
    assert_eq!(visitor.follow().await.text(), "Some(\"same-site\")");
    visitor.page_at("http://localhost:3001").submit("/old", &[]).await;
    assert_eq!(visitor.follow().await.text(), "Some(\"cross-site\")");
}
