//! Chapter 1's promises: the count is in the cookie, and the cookie is the visitor's.

use axum::http::StatusCode;
use browser::Browser;
use insta::assert_snapshot;

fn open() -> Browser {
    Browser::open(chapter_1::app())
}

/// The count on the page for a request with exactly these `Cookie` headers.
async fn count_for(cookies: &[&[u8]]) -> String {
    let headers: Vec<_> = cookies.iter().map(|&line| ("cookie", line)).collect();
    let mut client = open();
    let page = client.get_with("/", &headers).await;
    assert_eq!(page.status(), StatusCode::OK, "for {:?}", headers);
    page.texts(".lead").concat()
}

#[tokio::test]
async fn each_visit_counts_one_more() {
    let mut visitor = open();
    for _ in 0..3 {
        visitor.get("/").await;
    }
    assert_snapshot!("visits_1_2_and_3", visitor.transcript());
    assert_snapshot!("what_you_see", visitor.page().text());
    assert_snapshot!("the_page", visitor.page().html());
}

#[tokio::test]
async fn a_visitor_who_edits_the_cookie_becomes_visitor_one_million() {
    let mut curl = open();
    curl.get_with("/", &[("cookie", b"visits=999999")]).await;
    assert_eq!(curl.page().texts(".lead"), ["You have visited this page 1000000 times."]);
    assert_snapshot!("visitor_one_million", curl.transcript());
}

#[tokio::test]
async fn forgetting_removes_the_cookie_and_the_count_starts_anew() {
    let mut visitor = open();
    visitor.get("/").await;
    visitor.get("/").await;
    visitor.take_transcript();

    visitor.post("/forget", &[]).await;
    assert_eq!(visitor.cookie("visits"), None);
    visitor.follow().await;

    assert_snapshot!("forget_me", visitor.transcript());
}

#[tokio::test]
async fn a_private_window_counts_apart() {
    let mut visitor = open();
    visitor.get("/").await;
    visitor.get("/").await;

    let mut stranger = visitor.private_window();
    stranger.get("/").await;

    assert_eq!(stranger.page().texts(".lead"), ["You have visited this page 1 time."]);
}

#[tokio::test]
async fn a_browser_that_refuses_cookies_is_always_a_newcomer() {
    let mut visitor = open().refusing_cookies();
    visitor.get("/").await;
    visitor.get("/").await;
    assert_eq!(visitor.page().texts(".lead"), ["You have visited this page 1 time."]);
}

#[tokio::test]
async fn the_count_is_found_among_whatever_else_a_client_sends() {
    let third = "You have visited this page 3 times.";
    for cookies in [
        &[b"visits=2".as_slice()] as &[&[u8]],
        &[b"theme=dark; visits=2; lang=en"],
        &[b"theme=dark;visits=2"],
        &[b"  visits = 2 ;"],
        &[b"visits=\"2\""],
        &[b"visits=002"],
        &[b"theme=dark", b"visits=2"],
        // The first of several: browsers put the most specific one there.
        &[b"visits=2; visits=7"],
        // The first that is a number: another program's cookie may have the same name.
        &[b"visits=; visits=many; visits=2"],
        &[b"visits=many", b"visits=2"],
        &[b"\tvisits\t=\t2\t"],
        &[b"visits; =; ;; visits=2"],
        &[b"myvisits=7; visits=2; visits2=7"],
        &[b"token=a=b==; visits=2"],
        // Another cookie's bytes are not UTF-8, or are not ASCII.
        &[b"name=\xff\xfe; visits=2"],
        &["name=Zoë; visits=2".as_bytes()],
    ] {
        assert_eq!(count_for(cookies).await, third, "for {:?}", cookies);
    }
}

#[tokio::test]
async fn a_cookie_that_is_not_a_count_is_a_first_visit() {
    let first = "You have visited this page 1 time.";
    let long = [b"visits=".as_slice(), &[b'9'; 8 * 1024]].concat();
    let nonsense: Vec<u8> =
        (0..8 * 1024).map(|i| [b';', b'=', b'"', 0xff, b'v'][i * i % 5]).collect();
    for cookies in [
        &[] as &[&[u8]],
        &[b""],
        &[b"visits"],
        &[b"visits="],
        &[b"visits=many"],
        &[b"visits=-1"],
        &[b"visits=1.5"],
        &[b"visits=4294967296"],
        &["visits=２".as_bytes()],
        &[b"visits=\xff"],
        &[b"Visits=2"],
        // Other white space than spaces and tabs belongs to the name (RFC 6265 section 5.4).
        &["\u{2000}visits=2".as_bytes()],
        &["\u{a0}visits=2".as_bytes()],
        &["\u{85}visits=2".as_bytes()],
        &["visits\u{3000}=2".as_bytes()],
        &["\u{2028}visits=2".as_bytes()],
        // One quote is a part of the value.
        &[b"visits=\"2"],
        &[&long],
        &[&nonsense],
    ] {
        assert_eq!(count_for(cookies).await, first, "for {:?}", cookies);
    }
}

#[tokio::test]
async fn a_count_that_is_full_stays_full() {
    let page = count_for(&[b"visits=4294967295"]).await;
    assert_eq!(page, "You have visited this page 4294967295 times.");
}

#[tokio::test]
async fn a_very_long_header_makes_no_long_page() {
    let mut client = open();
    let long = [b"a=".as_slice(), &b"<".repeat(300_000)].concat();
    client.get_with("/", &[("cookie", &long)]).await;
    let page = client.page();
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.body().len() < 20_000, "{} bytes", page.body().len());
    assert!(page.text().contains("<<<"), "its beginning is shown");
}

#[tokio::test]
async fn what_a_browser_sent_is_shown_as_text_and_never_as_markup() {
    let hostile = b"visits=<script>alert(1)</script>; a=\"'><img src=x onerror=alert(2)>";
    let mut attacker = open();
    attacker.get_with("/", &[("cookie", hostile)]).await;

    let page = attacker.page();
    assert!(page.text().contains("<script>alert(1)</script>"), "it is shown:\n{}", page.text());
    assert!(!page.has("script"), "a script in:\n{}", page.body());
    assert!(!page.has("img"), "an image in:\n{}", page.body());
    assert!(page.set_cookies() == ["visits=1; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"]);
}
