//! The life of a session: update, flush, cycle, and the test cookie.

mod helpers;

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use browser::Browser;
use helpers::{
    MADE_UP, Watched, assert_removed, garage, get_with_cookie, id_of, load, post_with_cookie,
    the_cookie, with_a_mini,
};
use sessions::{Error, Id, MemoryStore, Record, Session, SessionLayer, Store};

/// The garage, and `routes` over the same store.
fn open(store: impl Store + Clone, routes: Router) -> Browser {
    Browser::open(garage(store.clone()).merge(routes.layer(SessionLayer::new(store))))
}

/// A visitor with a mini.
async fn with_a_car(store: impl Store + Clone, routes: Router) -> (Browser, Id) {
    with_a_mini(garage(store.clone()).merge(routes.layer(SessionLayer::new(store)))).await
}

async fn stored(store: &MemoryStore, id: &Id) -> Option<Record> {
    load(store, id).await
}

/// A number in the stored record.
async fn stored_number(store: &MemoryStore, id: &Id, key: &str) -> Option<u64> {
    stored(store, id).await?.data.get(key)?.as_u64()
}

async fn count(session: &Session) -> Result<u64, Error> {
    session.update("num_visits", |visits: &mut u64| *visits += 1).await
}

#[tokio::test]
async fn an_update_is_stored_when_it_returns_and_returns_what_is_stored() {
    let store = MemoryStore::default();
    let shelf = store.clone();
    let handler = post(async move |session: Session| -> Result<String, Error> {
        let id = session.id().expect("a stored session");
        let told = count(&session).await?;
        let seen: Option<u64> = session.get("num_visits")?;
        assert_eq!(seen, Some(told));
        assert_eq!(stored_number(&shelf, &id, "num_visits").await, Some(told));
        Ok(told.to_string())
    });
    let (mut visitor, id) = with_a_car(store.clone(), Router::new().route("/count", handler)).await;

    // A missing key starts as the type's default.
    assert_eq!(visitor.post("/count", &[]).await.body(), "1");
    let page = visitor.post("/count", &[]).await;
    assert_eq!(page.body(), "2");
    assert_eq!(page.header("vary"), Some("Cookie"));
    assert_eq!(the_cookie(page).value(), id.to_string(), "its two weeks begin again");
    assert_eq!(visitor.get("/").await.body(), "mini", "the rest is as it was");
}

#[tokio::test]
async fn an_update_holds_although_the_page_fails_and_nothing_else_does() {
    let store = MemoryStore::default();
    let handler = post(async |session: Session| -> Result<StatusCode, Error> {
        session.insert("my_car", "a wreck")?;
        count(&session).await?;
        Ok(StatusCode::INTERNAL_SERVER_ERROR)
    });
    let (mut visitor, id) = with_a_car(store.clone(), Router::new().route("/count", handler)).await;

    let page = visitor.post("/count", &[]).await;

    assert_eq!(page.status(), 500);
    assert!(page.set_cookies().is_empty());
    assert_eq!(stored_number(&store, &id, "num_visits").await, Some(1));
    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn an_update_and_the_other_changes_of_one_request_are_all_kept() {
    let store = MemoryStore::default();
    let handler = post(async |session: Session| -> Result<(), Error> {
        session.insert("my_car", "beetle")?;
        count(&session).await?;
        session.insert("colour", "red")?;
        count(&session).await.map(drop)
    });
    let (mut visitor, id) = with_a_car(store.clone(), Router::new().route("/count", handler)).await;

    visitor.post("/count", &[]).await;

    let data = stored(&store, &id).await.expect("the record").data;
    assert_eq!(data.len(), 3, "{data:?}");
    assert_eq!(data["num_visits"], 2);
    assert_eq!(data["colour"], "red");
    assert_eq!(data["my_car"], "beetle");
}

#[tokio::test]
async fn a_newcomers_update_waits_for_the_end_of_the_request() {
    let crash = post(async |session: Session| -> Result<StatusCode, Error> {
        assert_eq!(count(&session).await?, 1);
        assert_eq!(session.id(), None, "nothing is stored yet");
        Ok(StatusCode::INTERNAL_SERVER_ERROR)
    });
    let handler = post(async |session: Session| -> Result<String, Error> {
        count(&session).await?;
        Ok(count(&session).await?.to_string())
    });
    let store = MemoryStore::default();
    let routes = Router::new().route("/crash/count", crash).route("/count", handler);
    let mut newcomer = open(store.clone(), routes);

    let page = newcomer.post("/crash/count", &[]).await;
    assert_eq!(page.status(), 500);
    assert!(page.set_cookies().is_empty());

    assert_eq!(newcomer.post("/count", &[]).await.body(), "2");
    assert_eq!(stored_number(&store, &id_of(&newcomer), "num_visits").await, Some(2));
}

#[tokio::test]
async fn an_update_of_another_type_is_an_error_that_leaves_the_value() {
    let handler = post(async |session: Session| {
        match session.update("my_car", |wheels: &mut u64| *wheels += 1).await {
            Err(error @ Error::WrongType { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    });
    let (mut visitor, _) =
        with_a_car(MemoryStore::default(), Router::new().route("/count", handler)).await;

    let page = visitor.post("/count", &[]).await;
    assert!(page.body().contains("`my_car`"), "{}", page.body());
    assert!(page.set_cookies().is_empty());
    assert_eq!(visitor.get("/").await.body(), "mini");
}

fn sign_out() -> Router {
    Router::new()
        .route("/sign-out", post(async |session: Session| session.flush().await))
        .route(
            "/sign-out/crash",
            post(async |session: Session| -> Result<StatusCode, Error> {
                session.flush().await?;
                Ok(StatusCode::INTERNAL_SERVER_ERROR)
            }),
        )
        .route(
            "/sign-out/car",
            post(async |session: Session| -> Result<(), Error> {
                session.flush().await?;
                assert_eq!(session.get::<String>("my_car")?, None, "the dictionary is empty");
                assert!(session.is_empty());
                assert_eq!(session.id(), None);
                session.insert("my_car", "a loan car")
            }),
        )
}

#[tokio::test]
async fn to_flush_deletes_the_record_and_removes_the_cookie_with_its_attributes() {
    let store = MemoryStore::default();
    for origin in ["http://127.0.0.1:3000", "https://library.example"] {
        let mut visitor = open(store.clone(), sign_out()).at(origin);
        let kept = the_cookie(visitor.post("/car", &[("my_car", "mini")]).await);
        let id = id_of(&visitor);

        let page = visitor.post("/sign-out", &[]).await;

        assert_eq!(page.header("vary"), Some("Cookie"));
        let mut removed = the_cookie(page);
        assert_eq!(removed.value(), "");
        assert_eq!(removed.max_age(), Some(time::Duration::ZERO));
        assert_eq!(visitor.cookie("sessionid"), None, "the browser took it");
        assert_eq!(stored(&store, &id).await, None);
        // Apart from its value and its end it is the same cookie.
        removed.set_value(kept.value().to_owned());
        removed.set_max_age(kept.max_age());
        removed.set_expires(kept.expires().expect("an end"));
        assert_eq!(removed, kept);
    }
}

#[tokio::test]
async fn a_sign_out_holds_although_its_page_fails() {
    let store = MemoryStore::default();
    let (mut visitor, id) = with_a_car(store.clone(), sign_out()).await;

    let page = visitor.post("/sign-out/crash", &[]).await;
    assert_eq!(page.status(), 500);
    assert_removed(page, "as Django does");
    assert_eq!(stored(&store, &id).await, None);
    assert_eq!(visitor.cookie("sessionid"), None, "the browser took it");
    assert_eq!(visitor.get("/").await.body(), "no car");
}

#[tokio::test]
async fn what_is_stored_after_a_flush_goes_under_a_new_id() {
    let store = MemoryStore::default();
    let (mut visitor, id) = with_a_car(store.clone(), sign_out()).await;

    visitor.post("/sign-out/car", &[]).await;

    assert_ne!(id_of(&visitor), id);
    assert_eq!(stored(&store, &id).await, None);
    assert_eq!(visitor.get("/").await.body(), "a loan car");
}

#[tokio::test]
async fn to_flush_if_no_cookie_came_sends_none() {
    let mut newcomer = open(MemoryStore::default(), sign_out());

    let page = newcomer.post("/sign-out", &[]).await;

    assert_eq!(page.status(), 200);
    assert!(page.set_cookies().is_empty());
}

/// The victim's browser sends an id that an attacker planted.
async fn post_with_a_made_up_id(visitor: &mut Browser, path: &str) {
    post_with_cookie(visitor, path, &format!("sessionid={MADE_UP}"), "").await;
}

#[tokio::test]
async fn a_made_up_id_is_not_adopted_by_clear_flush_cycle_or_a_chosen_expiry() {
    let store = MemoryStore::default();
    let routes = sign_out()
        .route("/clear", post(async |session: Session| session.clear()))
        .route("/cycle", post(async |session: Session| session.cycle_id()));
    let planted = MADE_UP.parse().expect("an id");
    for path in ["/clear", "/sign-out", "/cycle"] {
        let mut visitor = open(store.clone(), routes.clone());
        post_with_a_made_up_id(&mut visitor, path).await;
        assert_eq!(the_cookie(visitor.page()).value(), "", "after {path}");
        assert_eq!(stored(&store, &planted).await, None, "after {path}");
    }

    let routes = sign_out()
        .route(
            "/cycle/car",
            post(async |session: Session| {
                session.cycle_id();
                session.insert("my_car", "mini")
            }),
        )
        .route(
            "/expiry",
            post(async |session: Session| {
                session.set_expiry(Some(sessions::Expiry::OnSessionEnd));
            }),
        )
        .route("/count", post(async |session: Session| count(&session).await.map(drop)));
    for path in ["/sign-out/car", "/cycle/car", "/expiry", "/count"] {
        let mut visitor = open(store.clone(), routes.clone());
        post_with_a_made_up_id(&mut visitor, path).await;
        let id = id_of(&visitor);
        assert_ne!(id, planted, "after {path}");
        assert!(stored(&store, &id).await.is_some(), "after {path}");
        assert_eq!(stored(&store, &planted).await, None, "after {path}");
    }
}

/// A browser that comes with this id gets no session, and drops its cookie.
async fn assert_is_no_session(store: &MemoryStore, id: &Id) {
    let mut stranger = Browser::open(garage(store.clone()));
    let page = get_with_cookie(&mut stranger, "/", &format!("sessionid={id}")).await;
    assert_eq!(page.body(), "no car");
    assert_removed(page, "the old id");
}

fn sign_in() -> Router {
    async fn cycle(session: Session) -> Result<(), Error> {
        assert!(session.id().is_some());
        session.cycle_id();
        assert_eq!(session.id(), None, "the new id is chosen when it is stored");
        session.insert("user", "toad")
    }
    Router::new().route("/sign-in", post(cycle)).route(
        "/sign-in/crash",
        post(async |session: Session| -> Result<StatusCode, Error> {
            cycle(session).await?;
            Ok(StatusCode::INTERNAL_SERVER_ERROR)
        }),
    )
}

#[tokio::test]
async fn to_cycle_gives_a_new_id_to_the_same_data_and_the_old_id_is_good_for_nothing() {
    let store = MemoryStore::default();
    let (mut visitor, old) = with_a_car(store.clone(), sign_in()).await;

    let kept = the_cookie(visitor.post("/sign-in", &[]).await);

    let new = id_of(&visitor);
    assert_ne!(new, old);
    assert_eq!(kept.max_age(), Some(time::Duration::weeks(2)));
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(stored(&store, &new).await.expect("the record").data["user"], "toad");
    assert_is_no_session(&store, &old).await;
}

#[tokio::test]
async fn a_handler_that_cycles_and_then_fails_leaves_the_old_session_as_it_was() {
    let store = MemoryStore::default();
    let (mut visitor, old) = with_a_car(store.clone(), sign_in()).await;
    let before = stored(&store, &old).await.expect("the record");

    let page = visitor.post("/sign-in/crash", &[]).await;

    assert_eq!(page.status(), 500);
    assert!(page.set_cookies().is_empty());
    assert_eq!(id_of(&visitor), old);
    assert_eq!(stored(&store, &old).await, Some(before));
}

#[tokio::test]
async fn the_new_record_is_stored_before_the_old_one_goes() {
    let store = Watched::<MemoryStore>::default();
    let (mut visitor, _) = with_a_car(store.clone(), sign_in()).await;
    store.take_calls();

    visitor.post("/sign-in", &[]).await;

    assert_eq!(store.take_calls(), ["load", "create", "swap"]);
}

#[tokio::test]
async fn to_cycle_a_newcomers_empty_session_creates_none() {
    let cycle = post(async |session: Session| session.cycle_id());
    let mut newcomer = open(MemoryStore::default(), Router::new().route("/cycle", cycle));

    let page = newcomer.post("/cycle", &[]).await;

    assert_eq!(page.status(), 200);
    assert!(page.set_cookies().is_empty());
}

#[tokio::test]
async fn what_is_updated_in_a_request_that_cycles_moves_along() {
    let store = MemoryStore::default();
    let handler = post(async |session: Session| -> Result<(), Error> {
        count(&session).await?;
        session.cycle_id();
        count(&session).await.map(drop)
    });
    let (mut visitor, old) =
        with_a_car(store.clone(), Router::new().route("/cycle", handler)).await;

    visitor.post("/cycle", &[]).await;

    let new = id_of(&visitor);
    assert_ne!(new, old);
    assert_eq!(stored_number(&store, &new, "num_visits").await, Some(2));
    assert_is_no_session(&store, &old).await;
}

#[tokio::test]
async fn an_id_is_none_until_the_first_save_and_then_what_the_cookie_says() {
    let app = Router::new()
        .route(
            "/car",
            post(async |session: Session| -> Result<String, Error> {
                session.insert("my_car", "mini")?;
                Ok(format!("{:?}", session.id()))
            }),
        )
        .route(
            "/id",
            get(async |session: Session| session.id().map(|id| id.to_string()).unwrap_or_default()),
        )
        .layer(SessionLayer::new(MemoryStore::default()));
    let mut visitor = Browser::open(app);

    assert_eq!(visitor.post("/car", &[]).await.body(), "None");

    let id = visitor.cookie("sessionid").expect("a session cookie");
    assert_eq!(visitor.get("/id").await.body(), id);
    let made_up = format!("sessionid={MADE_UP}");
    assert_eq!(visitor.get_with("/id", &[("cookie", made_up.as_bytes())]).await.body(), "");
}

fn test_cookie() -> Router {
    Router::new()
        .route("/form", get(async |session: Session| session.set_test_cookie()))
        .route(
            "/form",
            post(async |session: Session| -> Result<&'static str, Error> {
                if !session.test_cookie_worked() {
                    return Ok("Please enable cookies.");
                }
                session.delete_test_cookie()?;
                Ok("Thank you.")
            }),
        )
        .route(
            "/delete",
            post(async |session: Session| match session.delete_test_cookie() {
                Err(error @ Error::Missing { .. }) => error.to_string(),
                other => panic!("{other:?}"),
            }),
        )
}

#[tokio::test]
async fn a_browser_that_keeps_cookies_brings_the_test_cookie_back() {
    let store = MemoryStore::default();
    let mut visitor = open(store.clone(), test_cookie());
    visitor.get("/form").await;
    let data = stored(&store, &id_of(&visitor)).await.expect("the record").data;
    assert_eq!(data["testcookie"], "worked", "as Django leaves it");

    assert_eq!(visitor.post("/form", &[]).await.body(), "Thank you.");
    assert_eq!(visitor.post("/form", &[]).await.body(), "Please enable cookies.", "it is deleted");
}

#[tokio::test]
async fn a_browser_that_refuses_cookies_is_told_so() {
    let mut visitor = open(MemoryStore::default(), test_cookie()).refusing_cookies();
    visitor.get("/form").await;

    assert_eq!(visitor.post("/form", &[]).await.body(), "Please enable cookies.");
}

#[tokio::test]
async fn to_delete_a_test_cookie_that_is_not_there_is_an_error_that_names_it() {
    let mut visitor = open(MemoryStore::default(), test_cookie());

    let page = visitor.post("/delete", &[]).await;

    assert!(page.body().contains("`testcookie`"), "{}", page.body());
    assert!(page.set_cookies().is_empty());
}
