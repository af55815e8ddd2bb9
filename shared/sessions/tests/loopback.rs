//! Which names are this machine, where a cookie without `Secure` is safe: loopback names and
//! addresses, and no others.

mod helpers;

use axum::{
    body::Body,
    http::{Request, header::SET_COOKIE},
};
use browser::Browser;
use cookie::Cookie;
use helpers::{MADE_UP, garage, get_with_cookie, the_cookie};
use sessions::MemoryStore;
use tower::ServiceExt;

/// Is the cookie `Secure` that a request to this target with this `Host` gets?
async fn is_secure(target: &str, host: Option<&[u8]>) -> bool {
    let mut request = Request::post(target)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("my_car=mini"))
        .expect("a valid request");
    if let Some(host) = host {
        request.headers_mut().insert("host", host.try_into().expect("a header's value"));
    }
    let Ok(response) = garage(MemoryStore::default()).oneshot(request).await;
    let set = response.headers()[SET_COOKIE].to_str().expect("ASCII").to_owned();
    Cookie::parse(set).expect("a cookie").secure().unwrap_or(false)
}

const LOCAL: [&str; 18] = [
    "localhost",
    "localhost:3000",
    "LOCALHOST",
    "LocalHost:3000",
    "localhost.",
    "localhost.:3000",
    "app.localhost",
    "App.LocalHost.:3000",
    "a.b.localhost",
    "127.0.0.1",
    "127.0.0.1:3000",
    "127.9.9.9",
    "127.255.255.255",
    "[::1]",
    "[::1]:3000",
    "[0:0:0:0:0:0:0:1]",
    "0.0.0.0:3000",
    "[::]:3000",
];

const REMOTE: [&str; 18] = [
    "library.example",
    "library.example:3000",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil-localhost",
    "evillocalhost",
    "localhost..",
    "10.0.0.1",
    "128.0.0.1",
    "126.255.255.255",
    "0.0.0.1",
    "[::2]",
    "[fe80::1]",
    "[::ffff:10.0.0.1]",
    "127.1",
    "x@127.0.0.1",
    "x@localhost",
    "localhost@evil.example",
];

#[tokio::test]
async fn a_loopback_name_gets_a_cookie_that_is_not_secure() {
    for host in LOCAL {
        assert!(!is_secure("/car", Some(host.as_bytes())).await, "as the host: {host}");
        assert!(!is_secure(&format!("http://{host}/car"), None).await, "in the target: {host}");
    }
}

#[tokio::test]
async fn every_other_name_gets_a_secure_cookie() {
    for host in REMOTE {
        assert!(is_secure("/car", Some(host.as_bytes())).await, "as the host: {host}");
        assert!(is_secure(&format!("http://{host}/car"), None).await, "in the target: {host}");
    }
}

#[tokio::test]
async fn the_authority_of_the_request_counts_before_its_host_header() {
    for (target, host, secure) in [
        ("http://localhost/car", "library.example", false),
        ("http://library.example/car", "localhost", true),
        ("http://x@127.0.0.1/car", "localhost", true),
    ] {
        assert_eq!(is_secure(target, Some(host.as_bytes())).await, secure, "{target}, {host}");
    }
}

#[tokio::test]
async fn a_host_that_is_missing_or_makes_no_sense_gets_a_secure_cookie() {
    assert!(is_secure("/car", None).await);
    for host in [
        "",
        " ",
        ".",
        "localhost localhost",
        "127.0.0.1/",
        "[::1",
        "127.0.0.1:3000, evil.example",
        "[]",
        "[127.0.0.1]",
    ] {
        assert!(is_secure("/car", Some(host.as_bytes())).await, "for {host:?}");
    }
    assert!(is_secure("/car", Some(b"\xff")).await);
    assert!(!is_secure("/car", Some(b"localhost")).await, "so the test can tell");
}

#[tokio::test]
async fn the_removal_is_as_secure_as_the_cookie() {
    for origin in ["http://127.0.0.1:3000", "http://app.localhost", "https://library.example"] {
        let mut visitor = Browser::open(garage(MemoryStore::default())).at(origin);
        let kept = the_cookie(visitor.post("/car", &[("my_car", "mini")]).await);
        let made_up = format!("sessionid={MADE_UP}");
        let removed = the_cookie(get_with_cookie(&mut visitor, "/", &made_up).await);
        assert_eq!(removed.secure(), kept.secure(), "at {origin}");
    }
}
