//! Who counts as a visitor, and who only asks.

use axum::{
    Router,
    body::Body,
    http::{Method, Request},
    routing::any,
};
use browser::Browser;
use site::IsVisit;

const HOME: &str = "/";

/// Says whether the request is a visit, in a header, since HEAD has no body.
async fn is_visit(method: Method, headers: &[(&str, &str)]) -> bool {
    let handler = any(async |IsVisit(is_visit): IsVisit| [("is-visit", is_visit.to_string())]);
    let mut visitor = Browser::open(Router::new().route(HOME, handler));
    let mut request = Request::builder().method(method).uri(HOME);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).expect("a valid request");
    visitor.send(request).await.header("is-visit") == Some("true")
}

#[tokio::test]
async fn to_get_a_page_is_a_visit() {
    assert!(is_visit(Method::GET, &[]).await);
    let navigation = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    assert!(is_visit(Method::GET, &navigation).await);
}

#[tokio::test]
async fn to_ask_how_a_page_is_or_to_send_a_form_is_none() {
    for method in [Method::HEAD, Method::OPTIONS, Method::POST] {
        assert!(!is_visit(method.clone(), &[]).await, "{method}");
    }
}

#[tokio::test]
async fn a_page_asked_for_ahead_of_a_click_is_none() {
    for ahead in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("sec-purpose", "prefetch; prerender"),
        ("sec-purpose", "prefetch;anonymous-client-ip"),
        ("purpose", "prefetch"),
    ] {
        assert!(!is_visit(Method::GET, &[ahead]).await, "{ahead:?}");
    }
}

#[tokio::test]
async fn another_purpose_is_a_visit() {
    for purpose in ["", "prefetched", "something-else"] {
        assert!(is_visit(Method::GET, &[("sec-purpose", purpose)]).await, "{purpose:?}");
    }
}
