//! How large a session may be, and what counts towards it.

mod helpers;

use axum::{
    Form, Router,
    http::StatusCode,
    routing::{get, post},
};
use browser::{Browser, Page};
use helpers::{assert_no_cookie, id_of, load};
use sessions::{Error, Expiry, MemoryStore, Session, SessionLayer};

fn layer(store: MemoryStore, limit: usize) -> SessionLayer {
    SessionLayer::builder(store).size_limit(limit).build().expect("good settings")
}

/// A site whose sessions hold 100 bytes, with all ways to store something.
fn small() -> Browser {
    fn lorry() -> String {
        "lorry ".repeat(20)
    }
    fn lengthen(car: &mut String) {
        *car = lorry();
    }
    let app = Router::new()
        .route("/", get(async |session: Session| session.require::<String>("my_car")))
        .route("/car", post(async |session: Session| session.insert("my_car", "mini")))
        .route("/insert", post(async |session: Session| session.insert("my_car", lorry())))
        .route(
            "/extend",
            post(async |session: Session| {
                session.extend([("colour", "red".to_owned()), ("my_car", lorry())])
            }),
        )
        .route(
            "/update",
            post(async |session: Session| session.update("my_car", lengthen).await.map(drop)),
        )
        .route(
            "/nested",
            post(async |session: Session| {
                if let Some(mut car) = session.get_mut("my_car") {
                    *car = lorry().into();
                }
                session.set_modified(true);
            }),
        )
        // {"my_car":""} is 13 bytes, and the lorry 120.
        .route(
            "/words",
            post(async |session: Session| match session.insert("my_car", lorry()) {
                Err(error @ Error::TooLarge { size: 133, limit: 100 }) => error.to_string(),
                other => panic!("{other:?}"),
            }),
        )
        .route("/keys", get(async |session: Session| session.keys().join(" ")))
        .layer(layer(MemoryStore::default(), 100));
    Browser::open(app)
}

#[track_caller]
fn assert_too_large(page: &Page, path: &str) {
    assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY, "for {path}");
    assert!(page.body().contains("more than this site can remember"), "{}", page.body());
    assert_no_cookie(page, path);
}

#[tokio::test]
async fn too_much_is_refused_and_what_was_stored_before_is_kept() {
    let mut visitor = small();
    visitor.post("/car", &[]).await;
    for path in ["/insert", "/extend", "/update", "/nested"] {
        assert_too_large(visitor.post(path, &[]).await, path);
        assert_eq!(visitor.get("/").await.body(), "mini", "for {path}");
        assert_eq!(visitor.get("/keys").await.body(), "my_car", "for {path}");
    }
    for path in ["/insert", "/extend", "/update"] {
        let mut newcomer = small();
        assert_too_large(newcomer.post(path, &[]).await, path);
        assert_eq!(newcomer.cookie("sessionid"), None);
    }
}

#[tokio::test]
async fn the_error_says_how_much_it_is_and_how_much_it_may_be() {
    let mut visitor = small();

    let page = visitor.post("/words", &[]).await;

    assert_eq!(page.body(), "the session would take 133 bytes, and 100 is its limit");
}

/// A POST to `/` stores the form.
fn open(layer: SessionLayer) -> Browser {
    let app = Router::new()
        .route("/", get(async |session: Session| session.require::<String>("my_car")))
        .route(
            "/",
            post(async |session: Session, Form(form): Form<Vec<(String, String)>>| {
                session.extend(form)
            }),
        )
        .route("/forget", post(async |session: Session| drop(session.remove("my_car"))))
        .route(
            "/expiry",
            post(async |session: Session| {
                session.set_expiry(Some(Expiry::OnInactivity(time::Duration::HOUR)));
            }),
        )
        .route("/cycle", post(async |session: Session| session.cycle_id()));
    Browser::open(app.layer(layer))
}

/// A car that makes a session of this size: the rest is {"my_car":""}.
fn car_of(size: usize) -> String {
    "m".repeat(size - 13)
}

#[tokio::test]
async fn a_session_holds_64_kib_unless_the_site_says_otherwise() {
    const KIB_64: usize = 64 * 1024;
    let mut visitor = open(SessionLayer::new(MemoryStore::default()));
    let page = visitor.post("/", &[("my_car", &car_of(KIB_64 + 1))]).await;
    assert_too_large(page, "one byte more");
    let full = car_of(KIB_64);
    assert_eq!(visitor.post("/", &[("my_car", &full)]).await.status(), StatusCode::OK);
    assert_eq!(visitor.get("/").await.body(), full);

    let mut visitor = open(layer(MemoryStore::default(), KIB_64 + 1));
    let page = visitor.post("/", &[("my_car", &car_of(KIB_64 + 1))]).await;
    assert_eq!(page.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_size_is_that_of_the_stored_json() {
    let store = MemoryStore::default();
    let entries = [("my_car", "größer 🚗"), ("", "\"\\\u{0}\n"), ("k\"ey", "x"), ("z", "")];
    let data: std::collections::HashMap<_, _> = entries.into_iter().collect();
    let size = serde_json::to_string(&data).expect("JSON").len();

    let mut visitor = open(layer(store.clone(), size - 1));
    assert_too_large(visitor.post("/", &entries).await, "one byte less");
    let mut visitor = open(layer(store.clone(), size));
    assert_eq!(visitor.post("/", &entries).await.status(), StatusCode::OK);
    let stored = load(&store, &id_of(&visitor)).await.expect("a record").data;
    assert_eq!(serde_json::to_string(&stored).expect("JSON").len(), size);
}

#[tokio::test]
async fn a_session_that_is_larger_than_a_lowered_limit_may_shrink_and_not_grow() {
    let store = MemoryStore::default();
    let mut visitor = open(layer(store.clone(), 300));
    visitor.post("/", &[("my_car", &car_of(200)), ("colour", "red")]).await;
    let cookie = helpers::cookie_of(&visitor);
    let mut lowered = open(layer(store, 100));
    let mut post = async |path: &'static str, form: String| {
        helpers::post_with_cookie(&mut lowered, path, &cookie, &form).await.clone()
    };

    assert_too_large(&post("/", "wheels=4".to_owned()).await, "one more key");
    let longer = format!("my_car={}", car_of(201));
    assert_too_large(&post("/", longer).await, "a longer value");
    let other = format!("my_car={}", "n".repeat(200 - 13));
    assert_eq!(post("/", other).await.status(), StatusCode::OK, "as long as before");
    assert_eq!(post("/", "colour=".to_owned()).await.status(), StatusCode::OK, "shorter");
    assert_eq!(post("/expiry", String::new()).await.status(), StatusCode::OK);
    assert_eq!(post("/cycle", String::new()).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_chosen_expiry_does_not_count() {
    let store = MemoryStore::default();
    let mut visitor = open(layer(store.clone(), 100));
    visitor.post("/", &[("my_car", &car_of(100))]).await;

    assert_eq!(visitor.post("/expiry", &[]).await.status(), StatusCode::OK);

    let stored = load(&store, &id_of(&visitor)).await.expect("a record").data;
    assert!(stored.contains_key("_session_expiry"), "as Django calls it: {stored:?}");
    assert_eq!(visitor.get("/").await.body(), car_of(100));
    let page = visitor.post("/", &[("my_car", &car_of(101))]).await;
    assert_too_large(page, "the limit is where it was");
}

#[tokio::test]
async fn what_a_request_removes_makes_room_for_what_it_adds() {
    let app = Router::new()
        .route("/car", post(async |session: Session| session.insert("my_car", car_of(100))))
        .route(
            "/swap",
            post(async |session: Session| -> Result<String, Error> {
                session.remove("my_car");
                session.insert("boat", "b".repeat(80))?;
                session.insert("boat", "")?;
                session.insert("my_car", "m".repeat(70))?;
                Ok(session.keys().join(" "))
            }),
        )
        .layer(layer(MemoryStore::default(), 100));
    let mut visitor = Browser::open(app);
    visitor.post("/car", &[]).await;

    assert_eq!(visitor.post("/swap", &[]).await.body(), "boat my_car");
}

#[tokio::test]
async fn a_full_session_says_so_when_it_is_to_take_the_test_cookie() {
    let app = Router::new()
        .route("/car", post(async |session: Session| session.insert("my_car", car_of(100))))
        .route("/form", get(async |session: Session| session.set_test_cookie()))
        .layer(layer(MemoryStore::default(), 100));
    let mut visitor = Browser::open(app);
    visitor.post("/car", &[]).await;

    assert_too_large(visitor.get("/form").await, "the mark is data as well");
}

#[tokio::test]
async fn of_several_values_for_one_key_the_last_counts_and_its_size_alone() {
    let session = SessionLayer::new(MemoryStore::default()).session(None);
    session.load().await.expect("the store answers");
    session.insert("my_car", "m".repeat(1000)).expect("it fits");

    session.extend([("my_car", 1), ("my_car", 2)]).expect("it fits");
    assert_eq!(session.require::<u32>("my_car").expect("a number"), 2);

    let almost_full = "m".repeat(40_000);
    session
        .extend([("my_car", almost_full.clone()), ("my_car", almost_full)])
        .expect("one of them is stored, and that fits");
}
