//! Which requests the origin check lets pass: the cases of Go's `CrossOriginProtection`, and some
//! that only an attacker would think of.

use axum::{
    Router,
    body::Body,
    http::{Method, Request, StatusCode},
    middleware,
    routing::any,
};
use browser::{Browser, Page};

/// The host that is asked for in every case.
const HOST: &str = "library.example";

/// What the site answers to a request with these headers.
async fn answer(method: Method, address: &str, headers: &[(&str, &str)]) -> Page {
    let routes = Router::new()
        .route("/car", any(async || "Set"))
        .layer(middleware::from_fn(site::refuse_cross_origin));
    let mut request = Request::builder().method(method).uri(address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a valid request");
    let mut visitor = Browser::open(site::with_look(routes)).at(&format!("https://{HOST}"));
    visitor.send(request).await.clone()
}

/// Does a request with this method, `Sec-Fetch-Site` and `Origin` pass?
async fn passes(method: Method, site: Option<&str>, origin: Option<&str>) -> bool {
    let site = site.map(|site| ("sec-fetch-site", site));
    let headers: Vec<_> = site.into_iter().chain(origin.map(|it| ("origin", it))).collect();
    let page = answer(method, "/car", &headers).await;
    assert!([StatusCode::OK, StatusCode::FORBIDDEN].contains(&page.status()), "{}", page.status());
    page.status() == StatusCode::OK
}

#[tokio::test]
async fn sec_fetch_site_decides_and_then_the_origin() {
    const HERE: &str = "https://library.example";
    const ELSEWHERE: &str = "https://evil.example";
    for (site, origin, expected) in [
        (Some("same-origin"), None, true),
        (Some("none"), None, true),
        (Some("cross-site"), None, false),
        (Some("same-site"), None, false),
        (None, None, true),
        (None, Some(HERE), true),
        (None, Some(ELSEWHERE), false),
        (None, Some("null"), false),
        // Sec-Fetch-Site counts before Origin.
        (Some("same-origin"), Some("null"), true),
        (Some("cross-site"), Some(HERE), false),
        (Some("same-site"), Some(HERE), false),
        // No browser sends these.
        (Some(""), Some(HERE), false),
        (Some("Same-Origin"), None, false),
        (Some("same-origin, cross-site"), None, false),
        (None, Some(""), false),
        (None, Some(HOST), false),
    ] {
        let passed = passes(Method::POST, site, origin).await;
        assert_eq!(passed, expected, "Sec-Fetch-Site {site:?}, Origin {origin:?}");
    }
}

#[tokio::test]
async fn a_method_that_asks_for_no_change_passes_from_everywhere() {
    for (method, expected) in [
        (Method::GET, true),
        (Method::HEAD, true),
        (Method::OPTIONS, true),
        (Method::POST, false),
        (Method::PUT, false),
        (Method::PATCH, false),
        (Method::DELETE, false),
        (Method::TRACE, false),
    ] {
        for (site, origin) in
            [(Some("cross-site"), None), (None, Some("https://evil.example")), (None, Some("null"))]
        {
            let passed = passes(method.clone(), site, origin).await;
            assert_eq!(passed, expected, "{method}, {site:?}, {origin:?}");
        }
    }
}

#[tokio::test]
async fn an_origin_is_compared_whole_with_its_port() {
    for (origin, expected) in [
        ("https://LIBRARY.example", true),
        // On one host, http and https cannot be told apart: Host has no scheme.
        ("http://library.example", true),
        ("https://library.example:8443", false),
        ("https://library.example.evil.example", false),
        ("https://evil.example/library.example", false),
        ("https://evil-library.example", false),
        ("https://evil.library.example", false),
        ("https://library.example@evil.example", false),
        ("https://example", false),
        ("https://", false),
    ] {
        assert_eq!(passes(Method::POST, None, Some(origin)).await, expected, "{origin}");
    }
}

#[tokio::test]
async fn the_authority_of_the_request_counts_before_its_host_header() {
    for (host, expected) in [("library.example", true), ("evil.example", false)] {
        let routes = Router::new()
            .route("/car", any(async || "Set"))
            .layer(middleware::from_fn(site::refuse_cross_origin));
        let request = Request::post(format!("https://{host}/car"))
            .header("host", "library.example")
            .header("origin", "https://library.example")
            .body(Body::empty())
            .expect("a valid request");
        let response = tower::ServiceExt::oneshot(routes, request).await.expect("it answers");
        assert_eq!(response.status() == StatusCode::OK, expected, "{host}");
    }
}

#[tokio::test]
async fn a_request_without_a_host_is_from_no_origin_that_we_know() {
    let routes = Router::new()
        .route("/car", any(async || "Set"))
        .layer(middleware::from_fn(site::refuse_cross_origin));
    for origin in ["null", "https://library.example", "https://"] {
        let request = Request::post("/car").header("origin", origin).body(Body::empty());
        let request = request.expect("a valid request");
        let response = tower::ServiceExt::oneshot(routes.clone(), request).await;
        assert_eq!(response.expect("it answers").status(), StatusCode::FORBIDDEN, "{origin}");
    }
}

#[tokio::test]
async fn a_refused_request_gets_a_calm_page_and_reaches_no_handler() {
    let page = answer(Method::POST, "/car", &[("sec-fetch-site", "cross-site")]).await;

    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    assert_eq!(page.texts("main h1"), ["Forbidden"]);
    assert!(page.has("link[rel=stylesheet][href='/static/style.css']"));
    assert!(page.has("main a[href='/']"), "there is a way back");
    let words = page.texts("h1 + p").concat();
    assert!(words.starts_with("A page of another site sent this form, so nothing"), "{words}");
    assert!(!page.body().contains("Set"), "{}", page.body());
}
