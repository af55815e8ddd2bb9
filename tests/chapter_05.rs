//! Chapter 5's promises: a counter that counts where it can, and says so where it cannot.

use axum::http::StatusCode;
use browser::Browser;
use insta::assert_snapshot;
use sessions::{Id, MemoryStore, Store};

fn open() -> Browser {
    Browser::open(chapter_5::app(MemoryStore::default()))
}

/// What the visitor's session holds in the store.
async fn stored_keys(store: &MemoryStore, visitor: &Browser) -> Vec<String> {
    let id: Id = visitor.cookie("chapter5").expect("a session cookie").parse().expect("an id");
    let (record, _) = store.load(&id).await.expect("memory answers").expect("a record");
    record.data.into_keys().collect()
}

fn is_told_about_cookies(visitor: &Browser) -> bool {
    visitor.page().texts("h1") == ["Your visits are not counted"]
}

#[tokio::test]
async fn a_browser_that_keeps_cookies_goes_on_to_the_counter() {
    let mut visitor = open();
    visitor.get("/counter").await;
    visitor.follow().await;
    visitor.follow().await;

    assert_snapshot!("a_browser_that_keeps_cookies", visitor.transcript());
    assert_snapshot!("the_counter", visitor.page().text());
}

#[tokio::test]
async fn later_visits_are_counted_without_a_detour() {
    let mut visitor = open();
    visitor.get("/counter").await;
    visitor.follow().await;
    visitor.follow().await;
    for expected in ["You have visited this page 2 times.", "You have visited this page 3 times."] {
        visitor.get("/counter").await;
        assert_eq!(visitor.page().texts(".lead"), [expected]);
    }
}

#[tokio::test]
async fn a_browser_that_refuses_cookies_is_told_so_after_one_redirect() {
    let mut visitor = open().refusing_cookies();
    visitor.get("/counter").await;
    visitor.follow().await;

    assert_eq!(visitor.page().status(), StatusCode::OK);
    assert_snapshot!("a_browser_that_refuses_cookies", visitor.transcript());
    assert_snapshot!("what_you_see", visitor.page().text());
    assert_snapshot!("the_page", visitor.page().html());
}

#[tokio::test]
async fn a_browser_that_refuses_cookies_is_never_shown_a_count() {
    let mut visitor = open().refusing_cookies();
    for _ in 0..3 {
        visitor.get("/counter").await;
        let page = visitor.follow().await.text();
        assert!(!page.contains(|character: char| character.is_ascii_digit()), "{page}");
        assert!(is_told_about_cookies(&visitor));
    }
}

#[tokio::test]
async fn the_rest_of_the_site_works_without_cookies_and_sets_none() {
    let mut visitor = open().refusing_cookies();
    for path in ["/", "/hours"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        assert!(page.set_cookies().is_empty(), "a cookie from {path}");
        assert_eq!(page.header("vary"), None, "{path} is the same for everybody");
    }
}

#[tokio::test]
async fn the_mark_is_set_by_one_request_and_deleted_by_the_next() {
    let store = MemoryStore::default();
    let mut visitor = Browser::open(chapter_5::app(store.clone()));

    visitor.get("/counter").await;
    assert_eq!(stored_keys(&store, &visitor).await, ["testcookie"]);
    visitor.follow().await;
    assert_eq!(stored_keys(&store, &visitor).await, ["num_visits"]);
}

#[tokio::test]
async fn somebody_who_is_counted_already_is_sent_on_from_the_check() {
    let mut visitor = open();
    visitor.get("/counter").await;
    visitor.follow().await;

    visitor.get("/counter/check").await;
    visitor.follow().await;
    assert_eq!(visitor.page().texts(".lead"), ["You have visited this page 1 time."]);
}

#[tokio::test]
async fn trying_again_with_cookies_allowed_works() {
    let mut visitor = open();
    // The page that a refusing browser was left with, asked for again.
    visitor.get("/counter/check").await;
    assert!(is_told_about_cookies(&visitor));

    let links = visitor.page().attributes("main a", "href");
    assert_eq!(links, ["/hours", "/counter"]);
    visitor.get(&links[1]).await;
    visitor.follow().await;
    visitor.follow().await;
    assert_eq!(visitor.page().texts(".lead"), ["You have visited this page 1 time."]);
}

#[tokio::test]
async fn a_made_up_cookie_is_no_proof() {
    for value in ["AAAAAAAAAAAAAAAAAAAAAA", "worked", "", "testcookie=worked"] {
        let mut visitor = open();
        let cookie = format!("chapter5={value}; testcookie=worked");
        visitor.get_with("/counter/check", &[("cookie", cookie.as_bytes())]).await;
        assert!(is_told_about_cookies(&visitor), "for {value:?}");
    }
}

#[tokio::test]
async fn a_secure_cookie_over_plain_http_looks_like_a_refused_one() {
    let mut visitor = open().at("http://library.example");
    visitor.get("/counter").await;
    assert!(visitor.page().set_cookies().concat().contains("; Secure"));
    visitor.follow().await;
    assert!(is_told_about_cookies(&visitor));

    let mut visitor = open().at("https://library.example");
    visitor.get("/counter").await;
    visitor.follow().await;
    visitor.follow().await;
    assert_eq!(visitor.page().texts(".lead"), ["You have visited this page 1 time."]);
}

#[tokio::test]
async fn what_no_visitor_looks_at_is_not_counted() {
    let mut visitor = Browser::open(chapter_5::app(MemoryStore::default()));
    visitor.get("/counter").await;
    visitor.follow().await;
    visitor.follow().await;
    let shown = visitor.page().text();
    visitor.get_with("/counter", &[("sec-purpose", b"prefetch")]).await;
    assert_eq!(visitor.page().text(), shown, "the same count");
}

#[tokio::test]
async fn a_head_request_leaves_no_mark() {
    let mut newcomer = Browser::open(chapter_5::app(MemoryStore::default()));
    let head = axum::http::Request::head("/counter").body(axum::body::Body::empty());
    let page = newcomer.send(head.expect("valid")).await;
    assert!(page.set_cookies().is_empty(), "{:?}", page.set_cookies());
}
