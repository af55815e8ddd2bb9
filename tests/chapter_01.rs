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

/// The requests that are no visits: no visitor looks at their page.
fn not_a_visit() -> Vec<axum::http::Request<axum::body::Body>> {
    let request = axum::http::Request::builder().uri("/").header("cookie", "visits=2");
    let head = axum::http::Request::head("/").header("cookie", "visits=2");
    vec![
        request.header("sec-purpose", "prefetch").body(axum::body::Body::empty()).expect("valid"),
        head.body(axum::body::Body::empty()).expect("valid"),
    ]
}

#[tokio::test]
async fn what_no_visitor_looks_at_is_not_counted() {
    for request in not_a_visit() {
        let mut client = open();
        let page = client.send(request).await;
        let cookies = page.set_cookies();
        assert!(cookies.concat().starts_with("visits=2;"), "{cookies:?}");
    }
}

/// The rules of RFC 6265 sections 4.1.1 and 5.4, told as slowly as they can be.
fn strict(header: &str, name: &str) -> Vec<String> {
    let mut values = Vec::new();
    for pair in header.split(';') {
        let Some(equals) = pair.find('=') else { continue };
        let is_space = |c: char| c == ' ' || c == '\t';
        let key: String = pair[..equals].chars().skip_while(|c| is_space(*c)).collect();
        if key.trim_end_matches(is_space) != name {
            continue;
        }
        let value = pair[equals + 1..].trim_start_matches(is_space).trim_end_matches(is_space);
        let is_quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
        values.push(if is_quoted { &value[1..value.len() - 1] } else { value }.to_owned());
    }
    values
}

#[test]
fn any_header_reads_as_the_rfc_says() {
    const PIECES: [&str; 16] = [
        "visits", "visits", "=", "=", ";", ";", " ", "\t", "\"", "7", "a", "\u{2000}", "\u{a0}",
        "\u{3000}", "visits=3", "é",
    ];
    // A fixed sequence that looks random (the constants are Knuth's), so that a failure comes back.
    let mut state: u64 = 1;
    for _ in 0..20_000 {
        let mut header = String::new();
        for _ in 0..state % 12 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            header += PIECES[(state >> 33) as usize % PIECES.len()];
        }
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let value = axum::http::HeaderValue::from_bytes(header.as_bytes()).expect("a header");
        let headers = [(axum::http::header::COOKIE, value)].into_iter().collect();
        let read: Vec<_> = chapter_1::cookies(&headers, "visits").collect();
        assert_eq!(read, strict(&header, "visits"), "{header:?}");
    }
}
