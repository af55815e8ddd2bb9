//! The settings: what each does, and which are refused.

mod helpers;

use std::time::Duration;

use axum::{
    Form, Router,
    routing::{get, post},
};
use browser::Browser;
use cookie::{Cookie, SameSite};
use helpers::{id_of, load, the_cookie};
use sessions::{Builder, Error, MemoryStore, Secure, Session, SessionLayer, Store};
use time::OffsetDateTime;

fn builder() -> Builder<MemoryStore> {
    SessionLayer::builder(MemoryStore::default())
}

/// `/` shows the session's car, a POST to `/car` sets it, to `/sign-out` ends the session.
fn garage(layer: SessionLayer) -> Browser {
    let app = Router::new()
        .route(
            "/",
            get(async |session: Session| -> Result<String, Error> {
                Ok(session.get("my_car")?.unwrap_or("no car".to_owned()))
            }),
        )
        .route(
            "/car",
            post(async |session: Session, Form(form): Form<Vec<(String, String)>>| {
                session.extend(form)
            }),
        )
        .route("/sign-out", post(async |session: Session| session.flush().await))
        .layer(layer);
    Browser::open(app)
}

fn open<S: Store>(builder: Builder<S>) -> Browser {
    garage(builder.build().expect("good settings"))
}

/// The cookie that a visitor at `origin` gets, and the one that removes it.
async fn kept_and_removed(settings: Builder<MemoryStore>, origin: &str) -> [Cookie<'static>; 2] {
    let mut visitor = open(settings).at(origin);
    let kept = the_cookie(visitor.post("/car", &[("my_car", "mini")]).await);
    assert_eq!(visitor.get("/").await.body(), "mini", "the browser keeps {kept}");
    let removed = the_cookie(visitor.post("/sign-out", &[]).await);
    assert_eq!(visitor.cookie(kept.name()), None, "the browser takes {removed}");
    [kept, removed]
}

#[tokio::test]
async fn the_cookie_and_its_removal_have_what_is_set() {
    let settings = builder()
        .cookie_name("garage")
        .cookie_path("/")
        .cookie_domain("library.example")
        .cookie_http_only(false)
        .cookie_same_site(SameSite::Strict)
        .cookie_age(Duration::from_secs(90));
    let [kept, removed] = kept_and_removed(settings, "https://www.library.example").await;

    assert_eq!(kept.max_age(), Some(time::Duration::seconds(90)));
    assert_eq!(removed.max_age(), Some(time::Duration::ZERO));
    for cookie in [kept, removed] {
        assert_eq!(cookie.name(), "garage");
        assert_eq!(cookie.path(), Some("/"));
        assert_eq!(cookie.domain(), Some("library.example"));
        assert_eq!(cookie.http_only(), None);
        assert_eq!(cookie.same_site(), Some(SameSite::Strict));
        assert_eq!(cookie.secure(), Some(true));
    }
}

#[tokio::test]
async fn a_cookie_with_a_path_stays_on_its_part_of_the_site() {
    let car = Router::new()
        .route("/garage/car", post(async |session: Session| session.insert("my_car", "mini")))
        .route("/garage/empty", post(async |session: Session| session.flush().await))
        .route("/", get(async |session: Session| session.contains_key("my_car").to_string()))
        .route("/garage", get(async |session: Session| session.contains_key("my_car").to_string()))
        .layer(builder().cookie_path("/garage").build().expect("good settings"));
    let mut visitor = Browser::open(car);

    assert_eq!(the_cookie(visitor.post("/garage/car", &[]).await).path(), Some("/garage"));
    assert_eq!(visitor.get("/garage").await.body(), "true");
    assert_eq!(visitor.get("/").await.body(), "false");
    let removed = the_cookie(visitor.post("/garage/empty", &[]).await);
    assert_eq!(removed.path(), Some("/garage"));
    assert_eq!(visitor.get("/garage").await.body(), "false");
}

#[tokio::test]
async fn secure_means_what_it_says() {
    let (here, away) = ("http://127.0.0.1:3000", "https://library.example");
    for (secure, origin, expected) in [
        (Secure::Always, here, true),
        (Secure::Always, away, true),
        (Secure::UnlessLoopback, here, false),
        (Secure::UnlessLoopback, away, true),
        (Secure::Never, here, false),
        (Secure::Never, away, false),
    ] {
        for cookie in kept_and_removed(builder().cookie_secure(secure), origin).await {
            let is_secure = cookie.secure().unwrap_or(false);
            assert_eq!(is_secure, expected, "{secure:?} at {origin}: {cookie}");
        }
    }
}

#[tokio::test]
async fn a_cookie_for_other_sites_is_secure_also_on_this_machine() {
    let settings = builder().cookie_same_site(SameSite::None);
    for cookie in kept_and_removed(settings, "http://127.0.0.1:3000").await {
        assert_eq!(cookie.same_site(), Some(SameSite::None));
        assert_eq!(cookie.secure(), Some(true));
    }
}

#[tokio::test]
async fn a_cookie_that_says_nothing_of_other_sites_has_no_same_site() {
    for cookie in kept_and_removed(builder().cookie_same_site(None), "http://127.0.0.1:3000").await
    {
        assert_eq!(cookie.same_site(), None);
        assert_eq!(cookie.secure(), None);
    }
}

#[tokio::test]
async fn a_cookie_with_a_prefix_is_as_browsers_demand_and_goes_again() {
    for name in ["__Host-sessionid", "__Secure-sessionid", "__host-sessionid"] {
        for origin in ["http://127.0.0.1:3000", "https://library.example"] {
            for cookie in kept_and_removed(builder().cookie_name(name), origin).await {
                assert_eq!(cookie.name(), name);
                assert_eq!(cookie.secure(), Some(true), "{cookie}");
                assert_eq!(cookie.path(), Some("/"), "{cookie}");
                assert_eq!(cookie.domain(), None, "{cookie}");
            }
        }
    }
}

#[test]
fn settings_that_cannot_work_are_refused_in_words() {
    let hour = Duration::from_secs(60 * 60);
    for (settings, words) in [
        (builder().cookie_name(""), "cannot be a cookie's name"),
        (builder().cookie_name("session id"), "cannot be a cookie's name"),
        (builder().cookie_name("session=id"), "cannot be a cookie's name"),
        (builder().cookie_name("session;id"), "cannot be a cookie's name"),
        (builder().cookie_name("größe"), "cannot be a cookie's name"),
        (builder().cookie_age(Duration::ZERO), "use expire_at_browser_close"),
        (builder().cookie_age(Duration::from_millis(999)), "use expire_at_browser_close"),
        (builder().cookie_age(Duration::MAX), "over a hundred years"),
        (builder().cookie_age(hour * 24 * 366 * 101), "over a hundred years"),
        (builder().cookie_name("n".repeat(4075)), "a cookie name of 4075 bytes"),
        (builder().cookie_path(""), "does not begin with a slash"),
        (builder().cookie_path("garage"), "does not begin with a slash"),
        (builder().cookie_path("größe"), "does not begin with a slash"),
        (builder().cookie_path("/garage; Domain=evil.example"), "characters that a cookie cannot"),
        (builder().cookie_path("/größe"), "characters that a cookie cannot hold"),
        (builder().cookie_path("/a\nb"), "characters that a cookie cannot hold"),
        (builder().cookie_path(format!("/{}", "a".repeat(1024))), "a cookie path of 1025 bytes"),
        (builder().cookie_domain(""), "the cookie domain"),
        (builder().cookie_domain("."), "the cookie domain"),
        (builder().cookie_domain("library..example"), "the cookie domain"),
        (builder().cookie_domain("https://library.example"), "without scheme"),
        (builder().cookie_domain("library.example:3000"), "port"),
        (builder().cookie_domain("library.example/garage"), "path"),
        (builder().cookie_domain("library.example; Secure"), "the cookie domain"),
        (builder().cookie_domain("bücherei.example"), "the cookie domain"),
        (
            builder().cookie_name("__Host-sessionid").cookie_domain("library.example"),
            "takes no domain and path /",
        ),
        (builder().cookie_name("__Host-id").cookie_path("/garage"), "takes no domain and path /"),
        (builder().cookie_name("__HOST-id").cookie_path("/garage"), "takes no domain and path /"),
        (builder().cookie_name("__Host-id").cookie_secure(Secure::Never), "because of its prefix"),
        (builder().cookie_name("__Secure-id").cookie_secure(Secure::Never), "its prefix"),
        (
            builder().cookie_same_site(SameSite::None).cookie_secure(Secure::Never),
            "SameSite=None that is not Secure",
        ),
        (builder().size_limit(0), "no room for any session"),
    ] {
        let described = format!("{settings:?}");
        let refused = settings.build().expect_err(&described).to_string();
        assert!(refused.starts_with("the session settings cannot work: "), "{refused}");
        assert!(refused.contains(words), "{refused:?} does not say {words:?}");
        let is_about_the_slash = refused.contains("does not begin with a slash");
        assert_eq!(is_about_the_slash, words.contains("slash"), "{refused}");
    }
}

#[test]
fn settings_that_can_work_are_accepted() {
    for settings in [
        builder(),
        builder().cookie_name("!#$%&'*+-.^_`|~09azAZ"),
        builder().cookie_age(Duration::from_secs(1)),
        builder().cookie_age(Duration::from_secs(100 * 365 * 86_400)),
        builder().cookie_name("n".repeat(4074)),
        builder().cookie_path("/garage, upper floor/"),
        builder().cookie_path(format!("/{}", "a".repeat(1023))),
        builder().cookie_domain("library.example"),
        builder().cookie_domain(".library.example"),
        builder().cookie_domain("xn--bcherei-n2a.example"),
        builder().cookie_domain("localhost"),
        builder().cookie_name("__Host-sessionid"),
        builder().cookie_name("__Secure-id").cookie_domain("library.example").cookie_path("/a"),
        builder().cookie_same_site(SameSite::None).cookie_secure(Secure::Always),
        builder().cookie_same_site(SameSite::Strict).cookie_secure(Secure::Never),
        builder().size_limit(1),
    ] {
        let described = format!("{settings:?}");
        settings.build().expect(&described);
    }
}

#[tokio::test]
async fn the_age_that_is_set_is_the_records_too() {
    let store = MemoryStore::default();
    let age = Duration::from_secs(90);
    let mut visitor = open(SessionLayer::builder(store.clone()).cookie_age(age));
    let before = OffsetDateTime::now_utc();
    visitor.post("/car", &[("my_car", "mini")]).await;
    let after = OffsetDateTime::now_utc();

    let end = load(&store, &id_of(&visitor)).await.expect("a record").expiry_date;
    let second = time::Duration::SECOND;
    assert!(before + age <= end && end <= after + age + second, "rounded up: {end}");
}
