//! The cookie: how it is sent, and how it is found again.

mod garage;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, header::SET_COOKIE},
};
use browser::Browser;
use cookie::{Cookie, Expiration, SameSite};
use garage::garage;
use sessions::MemoryStore;
use time::{Duration, OffsetDateTime};
use tower::ServiceExt;

fn open() -> Browser {
    Browser::open(garage(MemoryStore::default()))
}

/// A visitor with a car, and their session's id.
async fn with_a_car() -> (Browser, String) {
    let mut visitor = open();
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = visitor.cookie("sessionid").expect("a session cookie");
    (visitor, id)
}

/// The one cookie that these headers set.
#[track_caller]
fn the_cookie(headers: &HeaderMap) -> Cookie<'static> {
    let set: Vec<_> = headers.get_all(SET_COOKIE).iter().collect();
    assert_eq!(set.len(), 1, "{set:?}");
    let text = set[0].to_str().expect("ASCII").to_owned();
    Cookie::parse(text).expect("a cookie")
}

#[tokio::test]
async fn the_cookie_holds_a_random_id_and_nothing_else_for_two_weeks() {
    let mut visitor = open();
    let before = OffsetDateTime::now_utc();
    let cookie = the_cookie(visitor.post("/car", &[("my_car", "mini")]).await.headers());
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
    // An HTTP date has whole seconds.
    let two_weeks = Duration::weeks(2);
    assert!(before + two_weeks - Duration::SECOND < expires && expires <= after + two_weeks);
}

#[tokio::test]
async fn two_visitors_never_get_the_same_id() {
    let (visitor, first) = with_a_car().await;
    let mut stranger = visitor.private_window();
    stranger.post("/car", &[("my_car", "mini")]).await;

    assert_ne!(stranger.cookie("sessionid"), Some(first));
}

#[tokio::test]
async fn the_cookie_is_secure_unless_the_server_is_this_machine() {
    for (origin, secure) in [
        ("http://127.0.0.1", false),
        ("http://127.0.0.1:3000", false),
        ("http://127.9.9.9", false),
        ("http://localhost", false),
        ("http://localhost:3000", false),
        ("http://[::1]", false),
        ("http://[::1]:3000", false),
        ("https://library.example", true),
        ("http://library.example:3000", true),
        ("https://127.0.0.1.evil.example", true),
        ("https://localhost.evil.example", true),
        ("https://evil-localhost", true),
        ("https://10.0.0.1", true),
        ("https://128.0.0.1", true),
        ("https://0.0.0.0:3000", true),
        ("https://[::2]:3000", true),
    ] {
        let mut visitor = open().at(origin);
        let kept = the_cookie(visitor.post("/car", &[("my_car", "mini")]).await.headers());
        assert_eq!(kept.secure().unwrap_or(false), secure, "at {origin}");

        let planted: [(&str, &[u8]); 1] = [("cookie", b"sessionid=broken")];
        let removed = the_cookie(visitor.get_with("/", &planted).await.headers());
        assert_eq!(removed.secure(), kept.secure(), "the removal at {origin}");
    }
}

#[tokio::test]
async fn a_host_that_is_missing_or_makes_no_sense_gets_a_secure_cookie() {
    async fn at(host: Option<&[u8]>) -> Cookie<'static> {
        let app: Router = garage(MemoryStore::default());
        let mut request = Request::post("/car")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from("my_car=mini"))
            .expect("a valid request");
        if let Some(host) = host {
            request.headers_mut().insert("host", host.try_into().expect("a header's value"));
        }
        let Ok(response) = app.oneshot(request).await;
        the_cookie(response.headers())
    }

    assert_eq!(at(None).await.secure(), Some(true));
    for host in
        ["", " ", "localhost localhost", "127.0.0.1/", "[::1", "127.0.0.1:3000, evil.example"]
    {
        assert_eq!(at(Some(host.as_bytes())).await.secure(), Some(true), "for {host:?}");
    }
    assert_eq!(at(Some(b"\xff")).await.secure(), Some(true));
    assert_eq!(at(Some(b"localhost")).await.secure(), None, "so the test can tell");
}

#[tokio::test]
async fn a_secure_cookie_comes_back_over_https() {
    let mut visitor = open().at("https://library.example");
    visitor.post("/car", &[("my_car", "mini")]).await;

    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn the_removal_bears_the_attributes_of_what_it_removes() {
    for origin in ["http://127.0.0.1:3000", "https://library.example"] {
        let mut visitor = open().at(origin);
        let kept = the_cookie(visitor.post("/car", &[("my_car", "mini")]).await.headers());
        visitor.edit_cookie("sessionid", "AAAAAAAAAAAAAAAAAAAAAA");
        let removed = the_cookie(visitor.get("/").await.headers());

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
        assert_eq!(page.body(), "mini", "beside {neighbour:?}");
    }
}

#[tokio::test]
async fn of_two_ids_the_first_counts() {
    // RFC 6265 section 5.4: the browser sends the one with the longer path first.
    let (mut visitor, id) = with_a_car().await;
    let other = "AAAAAAAAAAAAAAAAAAAAAA";

    let line = format!("sessionid={id}; sessionid={other}");
    assert_eq!(visitor.get_with("/", &[("cookie", line.as_bytes())]).await.body(), "mini");

    let line = format!("sessionid={other}; sessionid={id}");
    assert_eq!(visitor.get_with("/", &[("cookie", line.as_bytes())]).await.body(), "no car");
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
