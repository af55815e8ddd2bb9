//! A site that saves every request: each visit renews the session, also one that only reads.

mod helpers;

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use browser::Browser;
use helpers::{
    Gate, assert_no_cookie, cookie_of, during, get_with_cookie, id_of, in_an_hour, load,
    minutes_ago, set_end, the_cookie,
};
use sessions::{Error, Id, MemoryStore, Session, SessionLayer};
use time::OffsetDateTime;

/// `/` shows the session's car, a POST to `/car` sets it. `/about` does not look at the session.
/// The handlers under `/slow` have it and wait at the gate.
fn slow_garage(store: MemoryStore, saves_every_request: bool, gate: &Gate) -> Browser {
    let layer = SessionLayer::builder(store).save_every_request(saves_every_request).build();
    let (look, car) = (gate.clone(), gate.clone());
    let app = Router::new()
        .route(
            "/",
            get(async |session: Session| -> Result<String, Error> {
                Ok(session.get("my_car")?.unwrap_or("no car".to_owned()))
            }),
        )
        .route("/car", post(async |session: Session| session.insert("my_car", "mini")))
        .route("/empty", post(async |session: Session| drop(session.remove("my_car"))))
        .route("/cycle", post(async |session: Session| session.cycle_id()))
        .route("/sign-out", post(async |session: Session| session.flush().await))
        .route("/crash", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/about", get(async || "We keep cars."))
        .route(
            "/slow/look",
            post(async move |session: Session| {
                let car: Option<String> = session.get("my_car").expect("a car");
                look.wait().await;
                car.unwrap_or_default()
            }),
        )
        .route(
            "/slow/car",
            post(async move |session: Session| {
                car.wait().await;
                session.insert("my_car", "beetle")
            }),
        )
        .layer(layer.expect("good settings"));
    Browser::open(app)
}

fn saving_every_request(store: MemoryStore) -> Browser {
    slow_garage(store, true, &Gate::default())
}

/// A visitor with a mini, whose record has an hour left.
async fn nearly_expired() -> (Browser, MemoryStore, Id) {
    let store = MemoryStore::default();
    let mut visitor = saving_every_request(store.clone());
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = id_of(&visitor);
    set_end(&store, &id, in_an_hour()).await;
    (visitor, store, id)
}

async fn is_renewed(store: &MemoryStore, id: &Id) -> bool {
    let record = load(store, id).await.expect("a record");
    record.expiry_date > OffsetDateTime::now_utc() + time::Duration::days(13)
}

#[tokio::test]
async fn every_request_renews_the_session_if_the_site_says_so() {
    for path in ["/", "/about", "/no/such/page"] {
        let (mut visitor, store, id) = nearly_expired().await;
        let page = visitor.get(path).await;
        let cookie = the_cookie(page);
        assert_eq!(cookie.value(), id.to_string(), "at {path}");
        assert_eq!(cookie.max_age(), Some(time::Duration::weeks(2)), "at {path}");
        assert_eq!(page.header("vary"), Some("Cookie"), "at {path}");
        assert!(is_renewed(&store, &id).await, "at {path}");
    }
}

#[tokio::test]
async fn an_emptied_session_is_renewed_as_well() {
    let (mut visitor, store, id) = nearly_expired().await;
    visitor.post("/empty", &[]).await;

    assert_eq!(the_cookie(visitor.get("/about").await).value(), id.to_string());
    assert!(is_renewed(&store, &id).await);
}

#[tokio::test]
async fn a_page_that_fails_renews_nothing() {
    let (mut visitor, store, id) = nearly_expired().await;

    assert!(visitor.get("/crash").await.set_cookies().is_empty());

    assert!(!is_renewed(&store, &id).await);
}

#[tokio::test]
async fn a_newcomer_gets_no_session_from_saving_every_request() {
    let mut newcomer = saving_every_request(MemoryStore::default());
    for path in ["/about", "/"] {
        assert!(newcomer.get(path).await.set_cookies().is_empty(), "at {path}");
    }
}

#[tokio::test]
async fn saving_every_request_removes_a_made_up_id_and_does_not_adopt_it() {
    let made_up = Id(0);
    for path in ["/", "/about"] {
        let store = MemoryStore::default();
        let mut visitor = saving_every_request(store.clone());
        let cookie = format!("sessionid={made_up}");
        let page = visitor.get_with(path, &[("cookie", cookie.as_bytes())]).await;
        assert_eq!(page.status(), 200);
        assert_eq!(the_cookie(page).value(), "", "at {path}");
        assert_eq!(load(&store, &made_up).await, None, "at {path}");
    }
}

#[tokio::test]
async fn without_the_setting_looking_renews_nothing() {
    let (visitor, store, id) = nearly_expired().await;
    let mut usual = slow_garage(store.clone(), false, &Gate::default());

    let page = get_with_cookie(&mut usual, "/", &cookie_of(&visitor)).await;

    assert_eq!(page.body(), "mini");
    assert!(page.set_cookies().is_empty());
    assert!(!is_renewed(&store, &id).await);
}

#[tokio::test]
async fn a_page_that_only_read_is_sent_if_the_session_ended_or_moved_meanwhile() {
    for meanwhile in ["/sign-out", "/cycle", "expires"] {
        let (store, gate) = (MemoryStore::default(), Gate::default());
        let mut visitor = slow_garage(store.clone(), true, &gate);
        visitor.post("/car", &[("my_car", "mini")]).await;
        let id = id_of(&visitor);

        let page = during(&mut visitor, &gate, "/slow/look", async |tab| {
            match meanwhile {
                "expires" => set_end(&store, &id, minutes_ago(1)).await,
                path => drop(tab.post(path, &[]).await.clone()),
            };
        })
        .await;

        assert_eq!(page.status(), StatusCode::OK, "{meanwhile}: {}", page.body());
        assert_eq!(page.body(), "mini");
        assert_no_cookie(&page, meanwhile);
        if meanwhile == "/cycle" {
            assert_ne!(id_of(&visitor), id);
            assert_eq!(visitor.get("/").await.body(), "mini");
        }
    }
}

#[tokio::test]
async fn a_page_that_changed_something_is_not_sent_if_the_session_ended_meanwhile() {
    let gate = Gate::default();
    let mut visitor = slow_garage(MemoryStore::default(), true, &gate);
    visitor.post("/car", &[("my_car", "mini")]).await;

    let page = during(&mut visitor, &gate, "/slow/car", async |tab| {
        tab.post("/sign-out", &[]).await;
    })
    .await;

    assert_eq!(page.status(), StatusCode::CONFLICT);
    assert_no_cookie(&page, "nothing was stored");
}
