//! The layer among other layers and routers, and sessions without a request.

mod helpers;

use std::convert::Infallible;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request as AxumRequest,
    http::{Request, Response, StatusCode},
    middleware::{self, Next},
    routing::{get, post},
};
use browser::Browser;
use helpers::{
    MADE_UP, Watched, assert_no_cookie, get_with_cookie, id_of, listen, load, logged, the_cookie,
    with_a_mini,
};
use sessions::{Error, Id, MemoryStore, Session, SessionLayer, Store};
use tower::{Service, ServiceBuilder, ServiceExt};
use tracing::Level;

fn named(name: &str, store: impl Store) -> SessionLayer {
    SessionLayer::builder(store).cookie_name(name).build().expect("good settings")
}

/// The visitor's car, and a way to set it.
fn routes() -> Router {
    Router::new()
        .route(
            "/",
            get(async |session: Session| -> Result<String, Error> {
                Ok(session.get("my_car")?.unwrap_or("no car".to_owned()))
            }),
        )
        .route("/car", post(async |session: Session| session.insert("my_car", "mini")))
}

#[tokio::test]
async fn the_layer_stands_among_layers_that_change_the_bodies() {
    async fn visit(request: Request<String>) -> Result<Response<String>, Infallible> {
        let session = request.extensions().get::<Session>().cloned().expect("a session");
        session.load().await.expect("the store answers");
        let num_visits = session.get("num_visits").expect("a number").unwrap_or(0) + 1;
        session.insert("num_visits", num_visits).expect("it fits");
        Ok(Response::new(format!("{} {num_visits}", request.body())))
    }
    let mut site = ServiceBuilder::new()
        .map_response(|response: Response<Body>| response.map(|body| (body, "outside")))
        .layer(SessionLayer::new(MemoryStore::default()))
        .map_request(|request: Request<&'static str>| request.map(str::to_owned))
        .map_response(|response: Response<String>| response.map(|text| text + "!"))
        .service_fn(visit);

    let response = site.ready().await.expect("ready").call(Request::new("visit")).await;
    let response = response.expect("a response");
    let cookie = response.headers()["set-cookie"].to_str().expect("ASCII");
    let id = cookie.split(';').next().expect("a pair").to_owned();
    let again = Request::builder().header("cookie", id).body("visit").expect("a request");
    let response = site.ready().await.expect("ready").call(again).await.expect("a response");

    let (body, added) = response.into_body();
    assert_eq!(added, "outside");
    let body = axum::body::to_bytes(body, 100).await.expect("a body");
    assert_eq!(body, Bytes::from("visit 2!"));
}

#[tokio::test]
async fn a_router_takes_the_layer_in_a_service_builder() {
    let layers = ServiceBuilder::new()
        .layer(SessionLayer::new(MemoryStore::default()))
        .map_response(|response: Response<Body>| response.map(|_| "another body".to_owned()));
    let mut visitor = Browser::open(routes().layer(layers));

    assert_eq!(visitor.post("/car", &[]).await.set_cookies().len(), 1);
    assert_eq!(visitor.get("/").await.body(), "another body");
}

#[tokio::test]
async fn a_nested_router_finds_the_session_of_the_layer_around_it() {
    let app = routes().nest("/inner", routes()).layer(SessionLayer::new(MemoryStore::default()));
    let mut visitor = Browser::open(app);

    visitor.post("/inner/car", &[]).await;

    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(visitor.get("/inner").await.body(), "mini");
}

#[tokio::test]
async fn a_layer_in_a_nested_router_sees_the_path_that_the_browser_sees() {
    let layer = SessionLayer::builder(MemoryStore::default()).cookie_path("/garage").build();
    let inner = routes().layer(layer.expect("good settings"));
    let mut visitor = Browser::open(Router::new().nest("/garage", inner));

    assert_eq!(the_cookie(visitor.post("/garage/car", &[]).await).path(), Some("/garage"));
    assert_eq!(visitor.get("/garage").await.body(), "mini");
}

#[tokio::test]
async fn a_layer_that_is_applied_twice_is_one() {
    /// Between the two, so it has the session of the outer one.
    async fn note(session: Session, request: AxumRequest, next: Next) -> axum::response::Response {
        let response = next.run(request).await;
        session.insert("seen_by", "the middleware").expect("it fits");
        response
    }
    let store = Watched::<MemoryStore>::default();
    let twice = routes()
        .layer(SessionLayer::new(store.clone()))
        .layer(middleware::from_fn(note))
        .layer(SessionLayer::new(store.clone()));
    let mut visitor = Browser::open(twice);

    assert_eq!(visitor.post("/car", &[]).await.set_cookies().len(), 1);
    assert_eq!(store.take_calls(), ["create"]);
    let data = load(&store, &id_of(&visitor)).await.expect("a record").data;
    assert_eq!(data.len(), 2, "what both have stored: {data:?}");
    store.take_calls();
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(store.take_calls(), ["load", "swap"]);
}

#[tokio::test]
async fn two_layers_with_cookies_of_their_own_keep_two_sessions() {
    let staff = routes().layer(named("staff", MemoryStore::default()));
    let app = Router::new().nest("/staff", staff).merge(routes());
    let mut visitor = Browser::open(app.layer(named("visitors", MemoryStore::default())));

    visitor.post("/staff/car", &[]).await;
    assert!(visitor.cookie("staff").is_some() && visitor.cookie("visitors").is_none());
    assert_eq!(visitor.get("/").await.body(), "no car");

    visitor.post("/car", &[]).await;
    assert!(visitor.cookie("visitors").is_some());
    assert_eq!(visitor.get("/staff").await.body(), "mini");
}

#[tokio::test]
async fn an_optional_session_is_none_without_the_layer_and_loaded_with_it() {
    let show = get(async |session: Option<Session>| match session {
        Some(session) => format!("{:?}", session.get::<String>("my_car").expect("a car")),
        None => "no session".to_owned(),
    });
    let inside = routes().route("/inside", show.clone());
    let app = inside.layer(SessionLayer::new(MemoryStore::default())).route("/outside", show);
    let mut visitor = Browser::open(app);
    visitor.post("/car", &[]).await;

    assert_eq!(visitor.get("/outside").await.body(), "no session");
    assert_eq!(visitor.page().header("vary"), None);
    assert_eq!(visitor.get("/inside").await.body(), "Some(\"mini\")");
    assert_eq!(visitor.page().header("vary"), Some("Cookie"));
}

#[tokio::test]
async fn an_optional_session_whose_store_fails_is_an_error_and_not_none() {
    let store = Watched::<MemoryStore>::default();
    let app = Router::new()
        .route("/", get(async |session: Option<Session>| session.is_some().to_string()))
        .layer(SessionLayer::new(store.clone()));
    store.fail(&["load"]);
    let mut visitor = Browser::open(app);

    let page = get_with_cookie(&mut visitor, "/", &format!("sessionid={MADE_UP}")).await;

    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_no_cookie(page, "it may be good");
}

#[tokio::test]
async fn middleware_loads_the_session_that_the_request_brings() {
    async fn greet(request: AxumRequest, next: Next) -> Result<axum::response::Response, Error> {
        let session = request.extensions().get::<Session>().cloned().expect("a session");
        session.load().await?;
        let car: Option<String> = session.get("my_car")?;
        let mut response = next.run(request).await;
        let car = car.unwrap_or("none".to_owned());
        response.headers_mut().insert("x-car", car.parse().expect("ASCII"));
        Ok(response)
    }
    let store = Watched::<MemoryStore>::default();
    let app = routes().layer(middleware::from_fn(greet)).layer(SessionLayer::new(store.clone()));
    let (mut visitor, _) = with_a_mini(app).await;
    store.take_calls();

    let page = visitor.get("/").await;

    assert_eq!((page.header("x-car"), page.body()), (Some("mini"), "mini"));
    assert_eq!(store.take_calls(), ["load"], "it is loaded once");
}

#[tokio::test]
async fn a_session_that_is_used_before_it_is_loaded_is_named_in_the_log() {
    let layer = SessionLayer::new(MemoryStore::default());
    listen();

    let session = layer.session(Some(Id::default()));

    assert_eq!(session.get::<String>("my_car").expect("none"), None);
    let told = logged(Level::ERROR);
    assert!(told.len() == 1 && told[0].contains("before `load`"), "{told:?}");
}

#[tokio::test]
async fn what_is_stored_without_a_request_is_there_for_the_next_one() {
    let store = MemoryStore::default();
    let layer = SessionLayer::new(store.clone());
    let session = layer.session(None);
    session.load().await.expect("the store answers");
    assert_eq!(session.id(), None);
    session.insert("my_car", "mini").expect("it fits");
    let id = session.save().await.expect("it is saved");
    assert_eq!(session.id(), Some(id));

    let mut visitor = Browser::open(routes().layer(layer.clone()));
    let page = get_with_cookie(&mut visitor, "/", &format!("sessionid={id}")).await;
    assert_eq!(page.body(), "mini");

    let again = layer.session(Some(id));
    again.load().await.expect("the store answers");
    again.flush().await.expect("it is ended");
    assert_eq!(load(&store, &id).await, None);
}

#[tokio::test]
async fn an_id_that_is_not_known_is_not_adopted_without_a_request_either() {
    let store = MemoryStore::default();
    let made_up = Id::default();
    let session = SessionLayer::new(store.clone()).session(Some(made_up));
    session.load().await.expect("the store answers");
    assert!(session.is_empty());
    session.insert("my_car", "mini").expect("it fits");

    assert_ne!(session.save().await.expect("it is saved"), made_up);
    assert_eq!(load(&store, &made_up).await, None);
}

#[tokio::test]
async fn save_returns_the_id_that_the_cookie_will_hold() {
    let store = Watched::<MemoryStore>::default();
    let app = Router::new()
        .route(
            "/",
            post(async |session: Session| -> Result<String, Error> {
                session.insert("my_car", "mini")?;
                Ok(session.save().await?.to_string())
            }),
        )
        .route(
            "/crash",
            post(async |session: Session| -> Result<StatusCode, Error> {
                session.insert("my_car", "a wreck")?;
                session.save().await?;
                Ok(StatusCode::INTERNAL_SERVER_ERROR)
            }),
        )
        .route(
            "/cycle",
            post(async |session: Session| -> Result<String, Error> {
                session.cycle_id();
                Ok(session.save().await?.to_string())
            }),
        )
        .layer(SessionLayer::new(store.clone()));
    let mut visitor = Browser::open(app);

    let told = visitor.post("/", &[]).await.body().to_owned();
    let first = id_of(&visitor);
    assert_eq!(told, first.to_string());
    assert_eq!(store.take_calls(), ["create", "load"], "it is written once");

    let told = visitor.post("/cycle", &[]).await.body().to_owned();
    assert_ne!(id_of(&visitor), first);
    assert_eq!(told, id_of(&visitor).to_string());

    // What it stores stays, even if the page fails.
    visitor.post("/crash", &[]).await;
    let kept = load(&store, &id_of(&visitor)).await.expect("a record").data;
    assert_eq!(kept["my_car"], "a wreck");
}

/// The session is for `/garage`.
fn for_the_garage(store: impl Store) -> SessionLayer {
    SessionLayer::builder(store).cookie_path("/garage").build().expect("good settings")
}

#[tokio::test]
async fn a_page_outside_the_cookies_path_that_stores_something_is_an_error_and_sets_no_cookie() {
    let store = Watched::<MemoryStore>::default();
    let outside = Router::new()
        .route("/garages/car", post(async |session: Session| session.insert("my_car", "mini")))
        .route(
            "/save",
            post(async |session: Session| -> Result<String, Error> {
                session.insert("my_car", "mini")?;
                let refused = session.save().await;
                assert!(matches!(refused, Err(Error::OutsideCookiePath { .. })), "{refused:?}");
                // Otherwise the layer would try again.
                session.clear();
                Ok("It copes.".to_owned())
            }),
        )
        .route("/garage/car", post(async |session: Session| session.insert("my_car", "mini")));
    let app = routes().merge(outside).layer(for_the_garage(store.clone()));
    let mut visitor = Browser::open(app);
    listen();

    for path in ["/car", "/garages/car"] {
        let page = visitor.post(path, &[]).await;
        assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR, "at {path}");
        assert_no_cookie(page, path);
    }
    let causes = logged(Level::ERROR);
    assert!(
        causes.iter().all(|it| it.contains("outside the session cookie's path /garage")),
        "{causes:?}"
    );
    assert_eq!(causes.len(), 2, "{causes:?}");
    assert_eq!(visitor.post("/save", &[]).await.body(), "It copes.");
    assert!(store.take_calls().is_empty());

    assert_eq!(visitor.get("/").await.status(), StatusCode::OK, "reading is allowed");
    assert_eq!(the_cookie(visitor.post("/garage/car", &[]).await).path(), Some("/garage"));
}

#[tokio::test]
async fn a_new_id_that_was_saved_reaches_the_browser_even_if_the_page_fails() {
    let store = MemoryStore::default();
    let fails = Router::new().route(
        "/fails",
        post(async |session: Session| -> Result<StatusCode, Error> {
            session.cycle_id();
            session.save().await?;
            session.insert("colour", "red")?;
            Ok(StatusCode::INTERNAL_SERVER_ERROR)
        }),
    );
    let app = routes().merge(fails).layer(SessionLayer::new(store.clone()));
    let (mut visitor, old) = with_a_mini(app).await;

    let page = visitor.post("/fails", &[]).await;
    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let new = id_of(&visitor);
    assert_ne!(new, old, "the old id opens nothing any more");
    assert_eq!(visitor.get("/").await.body(), "mini");
    let data = load(&store, &new).await.expect("a record").data;
    assert!(!data.contains_key("colour"), "what came after the save is not stored");
}

#[tokio::test]
async fn an_insert_while_the_layer_commits_is_an_error_and_not_lost_without_a_word() {
    let store = Watched::over(MemoryStore::default());
    let (clones, mut clone) = tokio::sync::mpsc::channel(1);
    let lends = Router::new().route(
        "/lend",
        post(async move |session: Session| {
            session.insert("colour", "red").expect("it fits");
            clones.send(session.clone()).await.expect("the test waits for it");
        }),
    );
    let app = routes().merge(lends).layer(SessionLayer::new(store.clone()));
    let (mut visitor, _) = with_a_mini(app).await;
    let gate = store.hold(helpers::Moment::Before, "swap");

    let (page, ()) = tokio::join!(visitor.post("/lend", &[]), async {
        let clone = clone.recv().await.expect("the handler lends it");
        gate.reached().await;
        let refused = clone.insert("wheels", "alloy");
        assert!(matches!(refused, Err(Error::ResponseSent)), "{refused:?}");
        gate.open();
    });
    assert_eq!(page.status(), StatusCode::OK);
}
