//! What fits into a cookie.

use std::time::Duration;

use axum::{
    Router,
    http::{Request, StatusCode},
    routing::get,
};
use browser::{Browser, Page};
use sessions::{Secure, SessionLayer};
use time::OffsetDateTime;

use crate::{
    helpers::{MADE_UP, the_cookie},
    site::*,
};

/// A car that makes a session of this size: the rest is {"my_car":""}.
fn car_of(size: usize) -> String {
    "m".repeat(size - 13)
}

#[track_caller]
fn assert_too_large(page: &Page) {
    assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body().contains("more than this site can remember"), "{}", page.body());
    assert!(page.set_cookies().is_empty(), "{:?}", page.set_cookies());
}

#[tokio::test]
async fn the_largest_session_fits_and_one_byte_more_is_refused_and_changes_nothing() {
    let mut visitor = garage(SessionLayer::encrypted_cookie(keys("a")));
    let full = car_of(2920);

    let cookie = the_cookie(visitor.post("/car", &[("my_car", &full)]).await);
    assert!(cookie.name().len() + cookie.value().len() <= 4096, "{}", cookie.value().len());
    assert_eq!(visitor.get("/").await.body(), full, "the browser has kept it");

    let kept = value(&visitor);
    assert_too_large(visitor.post("/car", &[("my_car", &car_of(2921))]).await);
    for path in ["/nested", "/update"] {
        let request = Request::post(path).body(car_of(2921).into()).expect("a valid request");
        assert_too_large(visitor.send(request).await);
    }
    assert_eq!(value(&visitor), kept);
    assert_eq!(visitor.get("/").await.body(), full);
    // A chosen expiry does not count, and fits all the same.
    visitor.post("/expiry/hour", &[]).await;
    assert_eq!(visitor.page().status(), StatusCode::OK);
    assert_eq!(visitor.get("/").await.body(), full, "the browser has kept it");
}

#[tokio::test]
async fn a_session_beyond_the_limit_would_make_a_cookie_that_browsers_drop() {
    let end = OffsetDateTime::now_utc() + time::Duration::HOUR;
    // The largest session, and the longest expiry that a handler can choose.
    let largest = 2920 + 80;
    for (size, is_kept) in [(largest, true), (largest + 1, false)] {
        let data = format!("{{\"my_car\":\"{}\"}}", car_of(size));
        assert_eq!(data.len(), size);
        let encrypted = encrypt(&format!("{MADE_UP}{:013}{data}", end.unix_timestamp()));
        let app = Router::new()
            .route("/", get(async move || [("set-cookie", format!("sessionid={encrypted}"))]));
        let mut browser = Browser::open(app);
        browser.get("/").await;
        assert_eq!(browser.cookie("sessionid").is_some(), is_kept, "{size} bytes");
    }
}

#[tokio::test]
async fn a_longer_name_leaves_less_room() {
    for (length, room) in
        [(1, 2926), (8, 2923), (9, 2920), (12, 2920), (13, 2917), (16, 2917), (4020, 0)]
    {
        let named = || builder().cookie_name("n".repeat(length));
        let refused = named().size_limit(room + 1).build().expect_err("too much for a cookie");
        assert!(refused.to_string().contains(&format!("choose {room} or less")), "{refused}");
        if room == 0 {
            named().build().expect_err("no room at all");
            continue;
        }

        named().size_limit(room).build().expect("it fits");
        let mut visitor = garage(named().build().expect("good settings"));
        assert_too_large(visitor.post("/car", &[("my_car", &car_of(room + 1))]).await);
        visitor.post("/car", &[("my_car", &car_of(room))]).await;
        assert_eq!(visitor.get("/").await.body(), car_of(room), "a name of {length}");
    }
}

#[tokio::test]
async fn a_smaller_limit_counts() {
    let mut visitor = garage(builder().size_limit(100).build().expect("good settings"));

    assert_too_large(visitor.post("/car", &[("my_car", &car_of(101))]).await);

    visitor.post("/car", &[("my_car", &car_of(100))]).await;
    assert_eq!(visitor.get("/").await.body(), car_of(100));
}

#[test]
fn settings_that_cannot_work_are_refused_as_with_any_store() {
    for (settings, words) in [
        (builder().size_limit(0), "no room for any session"),
        (
            builder().size_limit(64 * 1024),
            "is more than fits into the cookie sessionid: choose 2920 or less",
        ),
        (builder().cookie_name("session id"), "cannot be a cookie's name"),
        (builder().cookie_age(Duration::ZERO), "use expire_at_browser_close"),
        (builder().cookie_name("__Host-id").cookie_secure(Secure::Never), "because of its prefix"),
    ] {
        let refused = settings.build().expect_err(words).to_string();
        assert!(refused.contains(words), "{refused:?} does not say {words:?}");
    }
}
