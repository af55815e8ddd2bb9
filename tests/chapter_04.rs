//! Chapter 4's promises: the counter is right, and it is still right after a restart.

use axum::http::StatusCode;
use browser::Browser;
use catalog::Catalog;
use insta::assert_snapshot;
use sessions::{MemoryStore, SqliteStore};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

async fn open() -> Browser {
    let library = Catalog::in_memory().await.expect("a library in memory");
    Browser::open(chapter_4::app(library, MemoryStore::default()))
}

/// A server over an SQLite file, as `main` starts it.
async fn start(database: &Path) -> Browser {
    let library = Catalog::open(database).await.expect("the library opens");
    let store = SqliteStore::open(database).await.expect("the store opens");
    Browser::open(chapter_4::app(library, store))
}

fn fresh_file() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder for the database");
    let file = folder.path().join("library.sqlite");
    (folder, file)
}

fn visits(visitor: &Browser) -> String {
    visitor.page().texts(".lead").concat()
}

#[tokio::test]
async fn visits_are_counted_before_they_are_shown() {
    let mut visitor = open().await;
    for expected in [
        "You have visited this page 1 time.",
        "You have visited this page 2 times.",
        "You have visited this page 3 times.",
    ] {
        visitor.get("/").await;
        assert_eq!(visits(&visitor), expected);
    }
    assert_snapshot!("visits_1_2_and_3", visitor.transcript());
    assert_snapshot!("the_page", visitor.page().html());
    assert_snapshot!("what_you_see", visitor.page().text());
}

#[tokio::test]
async fn the_record_counts_come_from_the_database() {
    let library = Catalog::in_memory().await.expect("a library in memory");
    let mut visitor = Browser::open(chapter_4::app(library.clone(), MemoryStore::default()));
    sqlx::query("UPDATE book_instance SET status = 'd'").execute(library.pool()).await.unwrap();
    sqlx::query(
        "DELETE FROM book_instance WHERE rowid IN (SELECT rowid FROM book_instance LIMIT 1)",
    )
    .execute(library.pool())
    .await
    .unwrap();
    let counts = library.counts().await.unwrap();

    visitor.get("/").await;

    let expected = [
        format!("Books: {}", counts.books),
        format!("Copies: {}", counts.copies),
        "Copies available: 0".to_owned(),
        format!("Authors: {}", counts.authors),
    ];
    assert_eq!(visitor.page().texts("main li"), expected);
}

#[tokio::test]
async fn the_count_survives_a_restart() {
    let (_folder, file) = fresh_file();
    let mut visitor = start(&file).await;
    visitor.get("/").await;
    visitor.get("/").await;
    let cookie = format!("chapter4={}", visitor.cookie("chapter4").expect("a session cookie"));
    drop(visitor);

    let mut later = start(&file).await;
    later.get_with("/", &[("cookie", cookie.as_bytes())]).await;

    assert_eq!(visits(&later), "You have visited this page 3 times.");
}

#[tokio::test]
async fn two_browsers_count_apart() {
    let (_folder, file) = fresh_file();
    let mut visitor = start(&file).await;
    visitor.get("/").await;
    visitor.get("/").await;

    let mut stranger = visitor.private_window();
    stranger.get("/").await;
    assert_eq!(visits(&stranger), "You have visited this page 1 time.");
    assert_snapshot!("a_private_window", stranger.transcript());

    visitor.get("/").await;
    assert_eq!(visits(&visitor), "You have visited this page 3 times.");
}

#[tokio::test]
async fn a_broken_cookie_is_a_first_visit_under_an_id_of_the_servers_choice() {
    let (_folder, file) = fresh_file();
    let planted = "AAAAAAAAAAAAAAAAAAAAAA";
    for value in [planted, "", "x", "a b", "%00", "\"", "<script>alert(1)</script>"] {
        let mut visitor = start(&file).await;
        let cookie = format!("chapter4={value}");
        visitor.get_with("/", &[("cookie", cookie.as_bytes())]).await;
        assert_eq!(visits(&visitor), "You have visited this page 1 time.", "for {value:?}");
        let id = visitor.cookie("chapter4").expect("a session cookie");
        assert_ne!(id, planted);
        assert!(!visitor.page().has("script"));
    }

    let mut visitor = start(&file).await;
    visitor.get_with("/", &[("cookie", b"chapter4=broken")]).await;
    assert_snapshot!("a_broken_cookie", visitor.transcript());
}

#[tokio::test]
async fn a_store_that_is_away_is_a_calm_503_and_the_next_request_works() {
    let (_folder, file) = fresh_file();
    let mut visitor = start(&file).await;
    visitor.get("/").await;
    let database = Catalog::open(&file).await.unwrap();
    sqlx::query("ALTER TABLE session RENAME TO gone").execute(database.pool()).await.unwrap();

    visitor.take_transcript();
    visitor.get("/").await;
    assert_eq!(visitor.page().status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_snapshot!("the_store_is_away", visitor.transcript());

    sqlx::query("ALTER TABLE gone RENAME TO session").execute(database.pool()).await.unwrap();
    visitor.get("/").await;
    assert_eq!(visits(&visitor), "You have visited this page 2 times.");
}

#[tokio::test]
async fn what_no_visitor_looks_at_is_not_counted_and_makes_no_session() {
    let (_folder, file) = fresh_file();
    let mut visitor = start(&file).await;
    let ahead: &[(&str, &[u8])] = &[("sec-purpose", b"prefetch;prerender")];
    visitor.get_with("/", ahead).await;
    assert!(visitor.page().set_cookies().is_empty());
    let head = axum::http::Request::head("/").body(axum::body::Body::empty()).expect("valid");
    assert!(visitor.send(head).await.set_cookies().is_empty());

    visitor.get("/").await;
    visitor.get_with("/", ahead).await;
    visitor.get("/").await;
    assert_eq!(visits(&visitor), "You have visited this page 2 times.");
}
