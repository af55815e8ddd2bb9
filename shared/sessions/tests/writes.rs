//! When the store is asked, when a cookie is sent and whose id it holds, and when a cache has to
//! know.

mod helpers;

use axum::{
    Router,
    http::{StatusCode, header::VARY},
    response::AppendHeaders,
    routing::{get, post},
};
use browser::{Browser, Page};
use helpers::{
    MADE_UP, Watched, assert_no_cookie, assert_removed, create, garage, get_with_cookie, load,
    post_with_cookie, record,
};
use sessions::{Error, MemoryStore, Session, SessionLayer};
use time::{Duration, OffsetDateTime};

fn open() -> (Browser, Watched) {
    let store = Watched::<MemoryStore>::default();
    (Browser::open(garage(store.clone())), store)
}

/// A visitor with a car, and a store whose calls so far are forgotten.
async fn with_a_car() -> (Browser, Watched) {
    let (mut visitor, store) = open();
    visitor.post("/car", &[("my_car", "mini")]).await;
    assert_eq!(store.take_calls(), ["create"]);
    (visitor, store)
}

fn vary(page: &Page) -> Vec<&str> {
    page.headers().get_all(VARY).iter().map(|value| value.to_str().expect("ASCII")).collect()
}

#[tokio::test]
async fn who_never_touches_the_session_costs_nothing() {
    let (mut newcomer, store) = open();
    let page = newcomer.get("/about").await;
    assert!(page.set_cookies().is_empty());
    assert!(vary(page).is_empty(), "one copy in a cache serves all visitors");
    assert!(store.take_calls().is_empty());

    let (mut visitor, store) = with_a_car().await;
    let page = visitor.get("/about").await;
    assert!(page.set_cookies().is_empty());
    assert!(vary(page).is_empty());
    assert!(store.take_calls().is_empty());

    let id = format!("sessionid={MADE_UP}");
    let page = visitor.get_with("/about", &[("cookie", id.as_bytes())]).await;
    assert!(page.set_cookies().is_empty());
    assert!(vary(page).is_empty());
    assert!(store.take_calls().is_empty());
}

#[tokio::test]
async fn an_unknown_address_does_not_touch_the_session() {
    let (mut visitor, store) = with_a_car().await;

    let page = visitor.get("/no/such/page").await;

    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert!(page.set_cookies().is_empty());
    assert!(vary(page).is_empty());
    assert!(store.take_calls().is_empty());
}

#[tokio::test]
async fn a_newcomer_who_reads_gets_no_cookie_and_no_row() {
    let (mut newcomer, store) = open();

    let page = newcomer.get("/").await;

    assert!(page.set_cookies().is_empty());
    assert_eq!(vary(page), ["Cookie"]);
    assert!(store.take_calls().is_empty());
}

#[tokio::test]
async fn reading_writes_nothing() {
    let (mut visitor, store) = with_a_car().await;

    let page = visitor.get("/").await;

    assert_eq!(page.body(), "mini");
    assert!(page.set_cookies().is_empty());
    assert_eq!(vary(page), ["Cookie"]);
    assert_eq!(store.take_calls(), ["load"]);
}

#[tokio::test]
async fn a_change_is_one_load_and_one_write() {
    let (mut visitor, store) = with_a_car().await;

    let page = visitor.post("/car", &[("my_car", "beetle"), ("colour", "red")]).await;

    assert_eq!(page.set_cookies().len(), 1);
    assert_eq!(vary(page), ["Cookie"]);
    assert_eq!(store.take_calls(), ["load", "swap"]);
}

#[tokio::test]
async fn each_change_starts_the_two_weeks_again() {
    let store = MemoryStore::default();
    let record = record("mini");
    create(&store, &record).await;
    let expiry = async || load(&store, &record.id).await.expect("the record").expiry_date;
    let mut visitor = Browser::open(garage(store.clone()));
    let cookie = format!("sessionid={}", record.id);

    visitor.get_with("/", &[("cookie", cookie.as_bytes())]).await;
    assert_eq!(expiry().await, record.expiry_date, "reading is no change");

    let before = OffsetDateTime::now_utc();
    post_with_cookie(&mut visitor, "/forget", &cookie, "").await;
    assert!(expiry().await >= before + Duration::weeks(2));
}

#[tokio::test]
async fn to_remove_what_is_not_there_writes_nothing() {
    let (mut visitor, store) = with_a_car().await;
    visitor.post("/forget", &[]).await;
    assert_eq!(store.take_calls(), ["load", "swap"], "the row of an emptied session stays");

    visitor.post("/forget", &[]).await;
    assert_eq!(store.take_calls(), ["load"]);
}

#[tokio::test]
async fn two_that_ask_in_one_request_load_once() {
    let store = Watched::<MemoryStore>::default();
    let handler = get(async |first: Session, second: Session| -> Result<(), Error> {
        first.get::<String>("my_car")?;
        second.get::<String>("my_car")?;
        Ok(())
    });
    let twice = Router::new().route("/twice", handler).layer(SessionLayer::new(store.clone()));
    let mut visitor = Browser::open(garage(store.clone()).merge(twice));
    visitor.post("/car", &[("my_car", "mini")]).await;
    store.take_calls();

    visitor.get("/twice").await;

    assert_eq!(store.take_calls(), ["load"]);
}

#[tokio::test]
async fn any_look_at_the_session_varies_the_page_and_only_holding_it_does_not() {
    async fn varied(look: fn(Session)) -> bool {
        let app = Router::new()
            .route("/", get(async move |session: Session| look(session)))
            .layer(SessionLayer::new(MemoryStore::default()));
        !vary(Browser::open(app).get("/").await).is_empty()
    }

    assert!(!varied(|_| ()).await);
    assert!(
        varied(|session| {
            session.contains_key("my_car");
        })
        .await
    );
    assert!(
        varied(|session| {
            session.is_empty();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.keys();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.id();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.get_mut("my_car");
        })
        .await
    );
    assert!(
        varied(|session| {
            session.expiry_date();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.expires_at_browser_close();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.test_cookie_worked();
        })
        .await
    );
    assert!(
        varied(|session| {
            session.remove("my_car");
        })
        .await
    );
    assert!(varied(|session| session.clear()).await);
}

#[tokio::test]
async fn what_a_page_varied_by_already_is_kept_and_nothing_is_said_twice() {
    async fn said<const N: usize>(by_handler: [&'static str; N]) -> Vec<String> {
        let headers = AppendHeaders(by_handler.map(|value| (VARY, value)));
        let app = Router::new()
            .route(
                "/",
                get(async move |session: Session| {
                    session.is_empty();
                    headers
                }),
            )
            .layer(SessionLayer::new(MemoryStore::default()));
        let mut visitor = Browser::open(app);
        vary(visitor.get("/").await).into_iter().map(str::to_owned).collect()
    }

    assert_eq!(said([]).await, ["Cookie"]);
    assert_eq!(said(["Accept-Language"]).await, ["Accept-Language", "Cookie"]);
    assert_eq!(said(["Accept", "Origin"]).await, ["Accept", "Origin", "Cookie"]);
    // A longer word is another header.
    assert_eq!(said(["X-Cookie, Cookie2"]).await, ["X-Cookie, Cookie2", "Cookie"]);

    assert_eq!(said(["Cookie"]).await, ["Cookie"]);
    assert_eq!(said(["cookie"]).await, ["cookie"]);
    assert_eq!(
        said(["Accept-Language,COOKIE , Origin"]).await,
        ["Accept-Language,COOKIE , Origin"]
    );
    assert_eq!(said(["Accept", "Cookie"]).await, ["Accept", "Cookie"]);
    assert_eq!(said(["*"]).await, ["*"]);
}

#[tokio::test]
async fn a_handlers_own_cookies_are_sent_with_the_sessions() {
    let app = Router::new()
        .route(
            "/",
            post(async |session: Session| -> Result<_, Error> {
                session.insert("my_car", "mini")?;
                Ok([("set-cookie", "theme=dark; Path=/")])
            }),
        )
        .layer(SessionLayer::new(MemoryStore::default()));
    let mut visitor = Browser::open(app);

    visitor.post("/", &[]).await;

    assert_eq!(visitor.cookie("theme").as_deref(), Some("dark"));
    assert!(visitor.cookie("sessionid").is_some());
}

#[tokio::test]
async fn a_made_up_id_that_only_reads_is_removed_and_not_adopted() {
    let (mut visitor, store) = open();

    let page = get_with_cookie(&mut visitor, "/", &format!("sessionid={MADE_UP}")).await;

    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.body(), "no car");
    assert_removed(page, MADE_UP);
    assert_eq!(vary(page), ["Cookie"]);
    assert_eq!(store.take_calls(), ["load"]);
}

/// They cannot be ids, so they are another program's.
const NO_IDS: [&str; 6] = ["", "x", "\"\"", "\"x\"", "AAAAAAAAAAAAAAAAAAAAAAA", "<script>"];

#[tokio::test]
async fn a_cookie_that_cannot_be_an_id_is_passed_over_and_left_alone() {
    for value in NO_IDS {
        let (mut visitor, store) = open();
        let cookie = format!("sessionid={value}");
        let page = get_with_cookie(&mut visitor, "/", &cookie).await;
        assert_eq!(page.status(), StatusCode::OK, "for {value:?}");
        assert_eq!(page.body(), "no car");
        assert_no_cookie(page, value);
        assert_eq!(vary(page), ["Cookie"]);
        assert!(store.take_calls().is_empty(), "for {value:?}");
    }
}

#[tokio::test]
async fn a_made_up_id_that_stores_something_gets_an_id_of_the_servers_choice() {
    for made_up in NO_IDS.iter().chain(&[MADE_UP]) {
        let (mut visitor, _) = open();
        let cookie = format!("sessionid={made_up}");
        // The victim's browser sends the id that an attacker planted.
        let page = post_with_cookie(&mut visitor, "/car", &cookie, "my_car=mini").await;
        assert_eq!(page.set_cookies().len(), 1);
        let id = visitor.cookie("sessionid").expect("a session cookie");
        assert_ne!(id, *made_up);

        // The attacker sees nothing; the visitor sees their car.
        let mut attacker = visitor.private_window();
        assert_eq!(get_with_cookie(&mut attacker, "/", &cookie).await.body(), "no car");
        assert_eq!(visitor.get("/").await.body(), "mini");
    }
}

#[tokio::test]
async fn a_made_up_id_that_removes_something_is_not_adopted() {
    let (mut visitor, store) = open();

    let cookie = format!("sessionid={MADE_UP}");
    let page = post_with_cookie(&mut visitor, "/forget", &cookie, "").await;

    assert_removed(page, MADE_UP);
    assert_eq!(store.take_calls(), ["load"]);
}

#[tokio::test]
async fn no_cache_shows_one_visitors_page_to_another() {
    async fn said(by_handler: Option<&'static str>, look: fn(&Session)) -> Option<String> {
        let app = Router::new()
            .route(
                "/",
                get(async move |session: Session| {
                    look(&session);
                    AppendHeaders(by_handler.map(|value| ("cache-control", value)))
                }),
            )
            .layer(SessionLayer::new(MemoryStore::default()));
        Browser::open(app).get("/").await.header("cache-control").map(str::to_owned)
    }
    let usual = Some("private, no-cache".to_owned());
    let store = |session: &Session| session.insert("my_car", "mini").expect("it fits");

    assert_eq!(said(None, |session| drop(session.keys())).await, usual);
    assert_eq!(said(None, store).await, usual);
    assert_eq!(said(None, |_| ()).await, None, "a page that is the same for all may be cached");
    let public = Some("public, max-age=60".to_owned());
    assert_eq!(said(Some("public, max-age=60"), store).await, public, "the handler knows best");
}

#[tokio::test]
async fn the_page_that_removes_a_cookie_or_fails_is_not_cached_either() {
    let (mut visitor, store) = open();
    let page = get_with_cookie(&mut visitor, "/", &format!("sessionid={MADE_UP}")).await;
    assert_removed(page, MADE_UP);
    assert_eq!(page.header("cache-control"), Some("private, no-cache"));

    store.fail(&["load"]);
    let page = get_with_cookie(&mut visitor, "/", &format!("sessionid={MADE_UP}")).await;
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(page.header("cache-control"), Some("private, no-cache"));
    assert_eq!(vary(page), ["Cookie"]);

    assert_eq!(visitor.get("/about").await.header("cache-control"), None);
}
