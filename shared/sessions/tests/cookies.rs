//! The cookie: how it is sent, and how it is found again.

mod helpers;

use browser::Browser;
use cookie::{Expiration, SameSite};
use helpers::{garage, the_cookie, with_a_mini};
use sessions::MemoryStore;
use time::{Duration, OffsetDateTime};

fn open() -> Browser {
    Browser::open(garage(MemoryStore::default()))
}

/// A visitor with a car, and their session's id.
async fn with_a_car() -> (Browser, String) {
    let (visitor, id) = with_a_mini(garage(MemoryStore::default())).await;
    (visitor, id.to_string())
}

#[tokio::test]
async fn the_cookie_holds_a_random_id_and_nothing_else_for_two_weeks() {
    let mut visitor = open();
    let before = OffsetDateTime::now_utc();
    let cookie = the_cookie(visitor.post("/car", &[("my_car", "mini")]).await);
    let after = OffsetDateTime::now_utc();

    assert_eq!(cookie.name(), "sessionid");
    assert_eq!(cookie.value().len(), 22, "128 bits in base64url");
    assert!(cookie.value().bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
    assert_eq!(cookie.http_only(), Some(true));
    assert_eq!(cookie.same_site(), Some(SameSite::Lax));
    assert_eq!(cookie.path(), Some("/"));
    assert_eq!(cookie.domain(), None, "only the host that set it gets it back");
    assert_eq!(cookie.max_age(), Some(Duration::seconds(1_209_600)));
    let Some(Expiration::DateTime(expires)) = cookie.expires() else {
        panic!("no date in {cookie}");
    };
    // An HTTP date has whole seconds. It is rounded up: no cookie ends before its session.
    let two_weeks = Duration::weeks(2);
    assert!(before + two_weeks <= expires, "{expires}");
    assert!(expires <= after + two_weeks + Duration::SECOND, "{expires}");
}

#[tokio::test]
async fn two_visitors_never_get_the_same_id() {
    let (visitor, first) = with_a_car().await;
    let mut stranger = visitor.private_window();
    stranger.post("/car", &[("my_car", "mini")]).await;

    assert_ne!(stranger.cookie("sessionid"), Some(first));
}

#[tokio::test]
async fn a_secure_cookie_comes_back_over_https() {
    let mut visitor = open().at("https://library.example");
    visitor.post("/car", &[("my_car", "mini")]).await;

    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn the_removal_has_the_attributes_of_what_it_removes() {
    for origin in ["http://127.0.0.1:3000", "https://library.example"] {
        let mut visitor = open().at(origin);
        let kept = the_cookie(visitor.post("/car", &[("my_car", "mini")]).await);
        visitor.edit_cookie("sessionid", "AAAAAAAAAAAAAAAAAAAAAA");
        let removed = the_cookie(visitor.get("/").await);

        assert_eq!(removed.name(), kept.name());
        assert_eq!(removed.value(), "");
        assert_eq!(removed.max_age(), Some(Duration::ZERO));
        assert_eq!(removed.expires_datetime(), Some(OffsetDateTime::UNIX_EPOCH));
        assert_eq!(removed.path(), kept.path());
        assert_eq!(removed.domain(), kept.domain());
        assert_eq!(removed.secure(), kept.secure());
        assert_eq!(removed.http_only(), kept.http_only());
        assert_eq!(removed.same_site(), kept.same_site());
        assert_eq!(visitor.cookie("sessionid"), None, "the browser took it");
    }
}

#[tokio::test]
async fn the_id_is_found_among_other_cookies() {
    let (mut visitor, id) = with_a_car().await;
    for line in [
        format!("sessionid={id}"),
        format!("a=1; sessionid={id}; b=2"),
        format!("a=1;sessionid={id};b=2"),
        format!("not a pair; =; ;; sessionid={id}"),
        format!("sessionid2=x; xsessionid=y; SESSIONID=z; sessionid={id}"),
        format!("a=\"sessionid=x\"; sessionid={id}"),
    ] {
        let page = visitor.get_with("/", &[("cookie", line.as_bytes())]).await;
        assert_eq!(page.body(), "mini", "for {line}");
        assert!(page.set_cookies().is_empty(), "for {line}");
    }
}

#[tokio::test]
async fn the_id_is_found_in_any_of_several_cookie_headers() {
    let (mut visitor, id) = with_a_car().await;
    let ours = format!("sessionid={id}");

    // HTTP/2 may send one header for each cookie (RFC 9113 section 8.2.3).
    for lines in [["a=1", &ours, "b=2"], [&ours, "a=1", "b=2"], ["a=1", "b=2", &ours]] {
        let headers = lines.map(|line| ("cookie", line.as_bytes()));
        assert_eq!(visitor.get_with("/", &headers).await.body(), "mini", "for {lines:?}");
    }
}

#[tokio::test]
async fn a_neighbours_cookie_that_is_not_ascii_does_not_hide_the_session() {
    let (mut visitor, id) = with_a_car().await;
    // Another program on localhost shares the cookies of all ports; browsers send any bytes.
    for neighbour in ["name=José".as_bytes(), b"name=Jos\xe9"] {
        let line = [neighbour, b"; sessionid=", id.as_bytes()].concat();
        let page = visitor.get_with("/", &[("cookie", &line)]).await;
        assert_eq!(page.body(), "mini", "next to {neighbour:?}");
    }
}

#[tokio::test]
async fn the_session_outlives_the_browser() {
    let (mut visitor, _) = with_a_car().await;

    visitor.restart();

    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn a_form_on_another_site_does_not_bring_the_session_along() {
    let (mut visitor, _) = with_a_car().await;

    assert_eq!(visitor.post_from_another_site("/forget", &[]).await.body(), "no car");
    assert_eq!(visitor.get_from_another_site("/").await.body(), "mini", "but a link does");
}
