//! What the inspector tells of each chapter's decisive moment, and the drawings of the docs, which
//! are made of the same.
//!
//! Draw them again: `just docs`, that is `cargo test -p tests --test inspector --test docs -- --ignored`

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Once},
};

use axum::{
    Router,
    extract::connect_info::MockConnectInfo,
    http::StatusCode,
    routing::{get, post},
};
use browser::Browser;
use catalog::Catalog;
use chapter_7::StoreUrl;
use chapter_9::Pause;
use inspector::{Drawing, Inspector};
use insta::assert_snapshot;
use sessions::{Error, MemoryStore, Session, SessionLayer, SqliteStore, Store};
use tempfile::TempDir;
use tokio::sync::Barrier;
use tracing_subscriber::{prelude::*, registry};

/// An inspector, and what a session's middleware says of itself.
fn inspector() -> Inspector {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| registry().with(inspector::events()).init());
    Inspector::new()
}

/// The same app, watched, as a browser on this machine sees it.
fn open(inspector: &Inspector, app: Router) -> Browser {
    let here: SocketAddr = "127.0.0.1:50000".parse().expect("an address");
    Browser::open(inspector.watch(app).layer(MockConnectInfo(here)))
}

fn text(drawings: &[Drawing]) -> String {
    let texts: Vec<_> = drawings.iter().map(Drawing::to_text).collect();
    texts.join("\n\n\n")
}

async fn library() -> Catalog {
    Catalog::in_memory().await.expect("a library in memory")
}

/// Visits 1 and 2 to chapter 4's page, and a third with an id that was made up.
async fn visits() -> Vec<Drawing> {
    let inspector = inspector();
    let app = chapter_4::app(library().await, inspector.store(MemoryStore::default()));
    let mut visitor = open(&inspector, app);
    visitor.get("/").await;
    visitor.get("/").await;
    visitor.edit_cookie("chapter4", "AAAAAAAAAAAAAAAAAAAAAA");
    visitor.get("/").await;
    inspector.drawings()
}

#[tokio::test]
async fn a_visit_is_loaded_counted_and_saved() {
    let visits = visits().await;
    assert_snapshot!("visit_1", text(&visits[..1]));
    assert_snapshot!("visit_2", text(&visits[1..2]));
}

#[tokio::test]
async fn an_id_that_was_made_up_is_not_adopted() {
    assert_snapshot!("made_up_id", text(&visits().await[2..]));
}

#[tokio::test]
async fn a_cookie_without_a_session_shows_what_came_and_went() {
    let inspector = inspector();
    let mut visitor = open(&inspector, chapter_1::app());
    visitor.get("/").await;
    visitor.edit_cookie("visits", "999999");
    visitor.get("/").await;
    assert_snapshot!("raw_cookie", text(&inspector.drawings()));
}

#[tokio::test]
async fn a_car_is_found_under_the_id_that_the_cookie_carries() {
    let inspector = inspector();
    let store = inspector.store(tower_sessions::MemoryStore::default());
    let mut visitor = open(&inspector, chapter_2::app(store));
    visitor.post("/car", &[("my_car", "mini")]).await;
    visitor.get("/car").await;
    assert_snapshot!("my_car", text(&inspector.drawings()));
}

/// The first two buttons of chapter 3, for a visitor who has a car.
async fn wheels() -> Vec<Drawing> {
    let inspector = inspector();
    let store = inspector.store(tower_sessions::MemoryStore::default());
    let mut visitor = open(&inspector, chapter_3::app(store, false));
    visitor.post("/flagged", &[]).await;
    inspector.empty();
    visitor.post("/inside", &[]).await;
    visitor.post("/flagged", &[]).await;
    inspector.drawings()
}

#[tokio::test]
async fn a_change_inside_is_not_saved_and_the_flag_saves_it() {
    let wheels = wheels().await;
    assert_snapshot!("change_inside", text(&wheels[..1]));
    assert_snapshot!("change_and_flag", text(&wheels[1..]));
}

#[tokio::test]
async fn a_change_on_loan_without_the_flag_is_not_saved() {
    let inspector = inspector();
    let routes = Router::new()
        .route("/car", post(async |session: Session| session.insert("my_car", ["steel"])))
        .route(
            "/inside",
            post(async |session: Session| {
                session.get_mut("my_car").expect("a car")[0] = "alloy".into();
            }),
        )
        .layer(SessionLayer::new(inspector.store(MemoryStore::default())));
    let mut visitor = open(&inspector, routes);
    visitor.post("/car", &[]).await;
    visitor.post("/inside", &[]).await;
    let told = text(&inspector.drawings()[1..]);
    assert!(told.contains("done, changed inside, flag"), "{told}");
    assert!(told.contains("changed inside, not marked"), "{told}");
}

/// The test cookie of chapter 5: it is left, comes back, and is removed.
async fn test_cookie() -> Vec<Drawing> {
    let inspector = inspector();
    let app = chapter_5::app(inspector.store(MemoryStore::default()));
    let mut visitor = open(&inspector, app);
    visitor.get("/counter").await;
    visitor.follow().await;
    visitor.follow().await;
    inspector.drawings()
}

#[tokio::test]
async fn the_test_cookie_is_left_and_comes_back() {
    let told = test_cookie().await;
    assert_snapshot!("test_cookie_left", text(&told[..1]));
    assert_snapshot!("test_cookie_back", text(&told[1..2]));
    assert_snapshot!("test_cookie_gone", text(&told[2..]));
}

/// Chapter 6: a choice is stored, and reading stores nothing.
async fn expiry() -> Vec<Drawing> {
    let inspector = inspector();
    let app = chapter_6::app(inspector.store(MemoryStore::default()), false);
    let mut visitor = open(&inspector, app);
    visitor.post("/bookmark", &[]).await;
    inspector.empty();
    visitor.post("/expiry/idle", &[("seconds", "1800")]).await;
    visitor.get("/").await;
    inspector.drawings()
}

#[tokio::test]
async fn a_chosen_expiry_is_stored_and_reading_stores_nothing() {
    let told = expiry().await;
    assert_snapshot!("expiry_chosen", text(&told[..1]));
    assert_snapshot!("expiry_read", text(&told[1..]));
}

/// Chapter 7 without a store: visit 2, whose cookie is the session.
async fn encrypted_cookie() -> Drawing {
    let inspector = inspector();
    let url: StoreUrl = "cookie:".parse().expect("a store");
    let keys = "00ff".repeat(16);
    let opened = chapter_7::open(&url, Some(&keys)).await.expect("it opens nothing");
    let watched = inspector.clone();
    let layer = opened.layer.map_store(move |store| Arc::new(watched.store(store)));
    let mut visitor = open(&inspector, chapter_7::app(library().await, &url, layer));
    visitor.get("/").await;
    visitor.get("/").await;
    inspector.drawings().remove(1)
}

#[tokio::test]
async fn an_encrypted_cookie_is_shown_opened() {
    let drawing = encrypted_cookie().await;
    assert_snapshot!("encrypted_cookie", text(&[drawing]));
}

#[tokio::test]
async fn preferences_are_one_value() {
    let inspector = inspector();
    let store = inspector.store(MemoryStore::default());
    let notice = chapter_8::Notice { number: 1, text: "Closed on Monday." };
    let mut visitor = open(&inspector, chapter_8::app(library().await, store, notice));
    visitor.post("/preferences", &[("per_page", "5"), ("theme", "dark"), ("order", "title")]).await;
    visitor.get("/books").await;
    assert_snapshot!("preferences", text(&inspector.drawings()));
}

/// Two tabs of chapter 9: a slow action in one, and two books added in the other meanwhile.
async fn two_tabs(way: &str, slow_action: &str, fast_actions: &[&str]) -> Drawing {
    let inspector = inspector();
    let barrier = Arc::new(Barrier::new(2));
    let meeting = barrier.clone();
    let pause: Pause = Arc::new(move || {
        let meeting = meeting.clone();
        Box::pin(async move {
            meeting.wait().await;
            meeting.wait().await;
        })
    });
    let app = chapter_9::app(inspector.store(MemoryStore::default()), pause);
    let mut slow = open(&inspector, app);
    slow.get(way).await;
    inspector.empty();
    let mut fast = slow.second_tab();
    let slow_action = format!("{way}/{slow_action}");
    tokio::join!(slow.post(&slow_action, &[]), async {
        barrier.wait().await;
        for action in fast_actions {
            fast.post(&format!("{way}/{action}"), &[]).await;
        }
        barrier.wait().await;
    });
    inspector.drawing_at_once()
}

#[tokio::test]
async fn two_tabs_of_the_usual_basket_lose_a_book() {
    let lost = two_tabs("/usual", "add-slowly", &["add", "add"]).await;
    assert_snapshot!("lost_update", text(&[lost]));
}

#[tokio::test]
async fn two_tabs_of_the_exact_basket_are_merged() {
    let exact = two_tabs("/exact", "add-slowly", &["add", "add"]).await;
    assert_snapshot!("exact_update", text(&[exact]));
    let merged = two_tabs("/exact", "note-slowly", &["add"]).await;
    assert_snapshot!("merge", text(&[merged]));
}

#[tokio::test]
async fn a_flush_ends_the_session_against_a_request_that_still_runs() {
    let flushed = two_tabs("/exact", "note-slowly", &["sign-out"]).await;
    assert_snapshot!("flush", text(&[flushed]));
}

/// A session of its own, for what no chapter so far does.
fn little_site(inspector: &Inspector, store: impl Store) -> Router {
    async fn fail(session: Session) -> Result<StatusCode, Error> {
        session.insert("my_car", "mini")?;
        Ok(StatusCode::INTERNAL_SERVER_ERROR)
    }
    Router::new()
        .route("/car", post(async |session: Session| session.insert("my_car", "mini")))
        .route("/car", get(async |session: Session| session.get::<String>("my_car").map(drop)))
        .route("/sign-in", post(async |session: Session| session.cycle_id()))
        .route("/fail", post(fail))
        .layer(SessionLayer::new(inspector.store(store)))
}

#[tokio::test]
async fn a_cycle_stores_the_session_under_a_new_id_first() {
    let inspector = inspector();
    let mut visitor = open(&inspector, little_site(&inspector, MemoryStore::default()));
    visitor.post("/car", &[]).await;
    visitor.post("/sign-in", &[]).await;
    assert_snapshot!("cycle", text(&inspector.drawings()[1..]));
}

#[tokio::test]
async fn a_500_saves_nothing() {
    let inspector = inspector();
    let mut visitor = open(&inspector, little_site(&inspector, MemoryStore::default()));
    visitor.post("/fail", &[]).await;
    assert_snapshot!("a_500", text(&inspector.drawings()));
}

#[tokio::test]
async fn a_store_that_is_away_is_told_with_its_reason() {
    let inspector = inspector();
    let folder = TempDir::new().expect("an empty folder");
    let store = SqliteStore::open(folder.path().join("s.sqlite")).await.expect("the store opens");
    let mut visitor = open(&inspector, little_site(&inspector, store.clone()));
    visitor.post("/car", &[]).await;
    store.close().await;
    visitor.get("/car").await;
    assert_eq!(visitor.page().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_snapshot!("store_away", text(&inspector.drawings()[1..]));
}

#[tokio::test]
async fn the_record_is_shown_before_and_after_and_hostile_values_are_escaped() {
    let inspector = inspector();
    let store = inspector.store(tower_sessions::MemoryStore::default());
    let mut visitor = open(&inspector, chapter_2::app(store));
    visitor.post("/car", &[("my_car", "mini")]).await;
    let hostile = "</code><script>alert(1)</script>\"'";
    visitor.post("/car", &[("my_car", hostile)]).await;

    let page = visitor.get("/inspector").await;
    let value = format!("\"{}\"", hostile.replace('"', "\\\""));
    assert_eq!(page.texts("td code"), ["\"mini\"".to_owned(), value]);
    assert_eq!(page.texts("td:last-child"), ["changed"]);
    // The one script is the inspector's own.
    assert_eq!(page.body().matches("<script").count(), 1, "{}", page.body());
}

#[tokio::test]
async fn no_id_is_shown_whole() {
    let inspector = inspector();
    let app = chapter_4::app(library().await, inspector.store(MemoryStore::default()));
    let mut visitor = open(&inspector, app);
    visitor.get("/").await;
    visitor.get("/").await;
    let id = visitor.cookie("chapter4").expect("a cookie");
    for path in ["/inspector/1", "/inspector/2"] {
        let page = visitor.get(path).await;
        assert!(!page.body().contains(&id), "{}", page.body());
        assert!(page.body().contains(&format!("session-1 ({}…)", &id[..4])), "{}", page.body());
    }
}

/// The drawings of the docs, by the names of their files.
async fn drawings_of_the_docs() -> Vec<(&'static str, Drawing)> {
    let mut visits = visits().await;
    let mut wheels = wheels().await;
    let mut test_cookie = test_cookie().await;
    let mut expiry = expiry().await;
    vec![
        ("03-change-and-flag", wheels.remove(1)),
        ("04-visit", visits.remove(1)),
        ("05-test-cookie-comes-back", test_cookie.remove(1)),
        ("06-chosen", expiry.remove(0)),
        ("07-encrypted-cookie", encrypted_cookie().await),
        ("09-lost-update", two_tabs("/usual", "add-slowly", &["add", "add"]).await),
        ("09-merge", two_tabs("/exact", "note-slowly", &["add"]).await),
    ]
}

fn file_of(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder around tests/");
    root.join("docs/pictures").join(name).with_extension("svg")
}

#[tokio::test]
async fn the_drawings_of_the_docs_show_what_happens() {
    for (name, drawing) in drawings_of_the_docs().await {
        let drawn = fs::read_to_string(file_of(name)).unwrap_or_default().replace('\r', "");
        assert!(drawn == drawing.to_svg_file(), "{name}.svg is out of date: run `just docs`");
    }
}

#[tokio::test]
#[ignore = "it draws the pictures of the docs"]
async fn draw() {
    for (name, drawing) in drawings_of_the_docs().await {
        fs::write(file_of(name), drawing.to_svg_file()).expect("the file can be written");
    }
}
