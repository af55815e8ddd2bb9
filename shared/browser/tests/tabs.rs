//! Tabs share their cookies, private windows do not, and two tabs can send at once.

mod mirror;

use std::sync::Arc;

use axum::{Router, routing::get};
use browser::Browser;
use mirror::mirror;
use tokio::sync::Barrier;

#[tokio::test]
async fn a_second_tab_shares_the_cookies_both_ways() {
    let mut first = Browser::open(mirror(["a=1; Path=/"]));
    let mut second = first.second_tab();

    second.get("/set").await;

    assert_eq!(first.get("/").await.text(), "a=1");
    assert_eq!(second.get("/").await.text(), "a=1");
}

#[tokio::test]
async fn a_second_tab_has_its_own_page_and_transcript() {
    let mut first = Browser::open(mirror([]));
    first.get("/one").await;
    let mut second = first.second_tab();
    second.get("/two").await;

    assert!(first.transcript().starts_with("GET /one HTTP/1.1"));
    assert!(!first.transcript().contains("/two"));
    assert!(second.transcript().starts_with("GET /two HTTP/1.1"));
}

#[tokio::test]
async fn a_private_window_neither_sees_nor_leaves_a_cookie() {
    let mut visitor = Browser::open(mirror(["a=1; Path=/"]));
    visitor.get("/set").await;

    let mut private = visitor.private_window();
    assert_eq!(private.get("/").await.text(), "no cookies");

    private.get("/set").await;
    private.edit_cookie("a", "2");
    assert_eq!(private.second_tab().get("/").await.text(), "a=2");
    assert_eq!(visitor.get("/").await.text(), "a=1");
    assert_eq!(visitor.private_window().get("/").await.text(), "no cookies");
}

#[tokio::test]
async fn a_restart_closes_every_tab() {
    let mut first = Browser::open(mirror(["a=1; Path=/"]));
    first.get("/set").await;
    let mut second = first.second_tab();

    first.restart();

    assert_eq!(second.get("/").await.text(), "no cookies");
}

#[tokio::test]
#[should_panic(expected = "this tab has opened no page yet")]
async fn after_a_restart_there_is_no_page() {
    let mut visitor = Browser::open(mirror([]));
    visitor.get("/").await;
    visitor.restart();
    visitor.page();
}

// Either request waits for the other inside the handler: sent one after the other, they would
// wait for ever.
#[tokio::test]
async fn two_tabs_send_at_once() {
    let both = Arc::new(Barrier::new(2));
    let meet = get(async move || {
        both.wait().await;
        "met"
    });
    let mut first = Browser::open(Router::new().route("/", meet));
    let mut second = first.second_tab();

    tokio::join!(first.get("/"), second.get("/"));

    assert_eq!(first.page().text(), "met");
    assert_eq!(second.page().text(), "met");
}

#[tokio::test]
async fn a_tab_can_move_to_another_task() {
    let mut visitor = Browser::open(mirror([]));
    let task = tokio::spawn(async move { visitor.get("/").await.text() });
    assert_eq!(task.await.expect("the task does not panic"), "no cookies");
}
