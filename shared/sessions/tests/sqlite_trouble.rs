//! What happens to a site whose SQLite file gets into trouble while it serves, and how it stops.

mod helpers;

use std::{
    fs::{self, OpenOptions},
    path::Path,
};

use axum::http::StatusCode;
use browser::{Browser, Page};
use helpers::{
    assert_no_cookie, cookie_of, create, execute, expired, fresh_file, garage, get_with_cookie,
    listen, load, logged, open_sqlite, record, rows, stored, with_a_mini,
};
use sessions::{Outcome, Record, Store as _, StoreError, Version};
use tracing::Level;

/// A write, which makes sure of the file each time.
async fn change(visitor: &mut Browser, car: &str) -> Page {
    visitor.post("/car", &[("my_car", car)]).await.clone()
}

/// One calm 503 page, and one clear line in the log.
#[track_caller]
fn assert_503(page: &Page, words: &str) {
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE, "{}", page.body());
    assert!(page.body().contains("try again"), "{}", page.body());
    assert_no_cookie(page, words);
    let causes = logged(Level::ERROR);
    assert_eq!(causes.len(), 1, "{causes:?}");
    assert!(causes[0].contains(words) && !causes[0].contains('\n'), "{causes:?}");
}

/// The database and its write-ahead log, moved out of sight or back.
fn move_files(from: &Path, to: &Path) {
    for end in ["", "-wal", "-shm"] {
        let (from, to) = (format!("{}{end}", from.display()), format!("{}{end}", to.display()));
        fs::rename(from, to).expect("the file is there");
    }
}

#[tokio::test]
async fn a_deleted_file_is_a_503_until_it_is_back() {
    let (folder, file) = fresh_file();
    let away = folder.path().join("away.sqlite");
    let (mut visitor, _) = with_a_mini(garage(open_sqlite(&file).await)).await;
    move_files(&file, &away);
    listen();

    assert_503(&change(&mut visitor, "beetle").await, "was deleted or moved away");
    let mut newcomer = visitor.private_window();
    assert_eq!(change(&mut newcomer, "rover").await.status(), StatusCode::SERVICE_UNAVAILABLE);

    move_files(&away, &file);
    assert_eq!(visitor.get("/").await.body(), "mini", "what got a 503 page is not stored");
    assert_eq!(change(&mut visitor, "camper").await.status(), StatusCode::OK);
    assert_eq!(visitor.get("/").await.body(), "camper");
}

#[tokio::test]
async fn a_replaced_file_is_a_503_until_the_old_one_is_back() {
    let (folder, file) = fresh_file();
    let away = folder.path().join("away.sqlite");
    let (mut visitor, _) = with_a_mini(garage(open_sqlite(&file).await)).await;
    move_files(&file, &away);
    let other = open_sqlite(&file).await;
    other.close().await;
    listen();

    assert_503(&change(&mut visitor, "beetle").await, "was replaced by another file");
    assert_eq!(rows(&file).await, 0, "the other file is left alone");

    fs::remove_file(&file).expect("the other file");
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{end}", file.display()));
    }
    move_files(&away, &file);
    assert_eq!(visitor.get("/").await.body(), "mini", "what got a 503 page is not stored");
    assert_eq!(change(&mut visitor, "camper").await.status(), StatusCode::OK);
    assert_eq!(visitor.get("/").await.body(), "camper");
}

#[tokio::test]
async fn a_truncated_file_is_a_503_until_it_is_back() {
    let (_folder, file) = fresh_file();
    let (mut visitor, _) = with_a_mini(garage(open_sqlite(&file).await)).await;
    let bytes = fs::read(&file).expect("the file");
    let rewrite = |bytes: &[u8]| {
        use std::io::Write as _;
        let mut same = OpenOptions::new().write(true).truncate(true).open(&file).expect("it opens");
        same.write_all(bytes).expect("it is written");
    };
    listen();

    rewrite(b"");
    assert_503(&change(&mut visitor, "beetle").await, "was emptied");

    rewrite(&bytes);
    assert_eq!(change(&mut visitor, "camper").await.status(), StatusCode::OK);
    assert_eq!(visitor.get("/").await.body(), "camper");
}

#[tokio::test]
async fn a_row_whose_version_makes_no_sense_harms_no_neighbour() {
    for version in [-1, 0, i64::MIN, i64::MAX, i64::MAX - 1] {
        let (_folder, file) = fresh_file();
        let store = open_sqlite(&file).await;
        let (spoilt, _) = stored(&store, "mini").await;
        let sql = format!("UPDATE session SET version = {version}");
        assert_eq!(execute(&file, &sql).await, 1);
        let (sound, seen) = stored(&store, "beetle").await;

        // They wait in the queue together, so they share a statement, or a transaction.
        let (lost, found) = tokio::join!(store.load(&spoilt.id), store.load(&sound.id));
        let seen_version = match lost {
            Ok(Some((_, version))) => version,
            lost => {
                assert!(matches!(lost, Err(StoreError::Decode(_))), "{version}: {lost:?}");
                Version(version as u64)
            }
        };
        assert_eq!(found.expect("the store answers").map(|(_, it)| it), Some(seen));

        let (over_spoilt, over_sound) = tokio::join!(
            store.compare_and_swap(seen_version, &spoilt),
            store.compare_and_swap(seen, &sound)
        );
        drop(over_spoilt);
        let Ok(Outcome::Stored(seen)) = over_sound else { panic!("{version}: {over_sound:?}") };

        let (deleted, over_sound) =
            tokio::join!(store.delete(&spoilt.id), store.compare_and_swap(seen, &sound));
        assert!(
            matches!(deleted, Err(StoreError::Decode(_)) | Ok(Some(_))),
            "{version}: {deleted:?}"
        );
        assert!(matches!(over_sound, Ok(Outcome::Stored(_))), "{version}: {over_sound:?}");
        assert_eq!(rows(&file).await, 1, "{version}: it is deleted");

        // The writer goes on.
        stored(&store, "rover").await;
        assert_eq!(rows(&file).await, 2, "{version}");
    }
}

#[tokio::test]
async fn a_store_that_was_closed_has_everything_in_the_one_file() {
    let (folder, file) = fresh_file();
    let store = open_sqlite(&file).await;
    let records: Vec<Record> = (0..50).map(|n| record(&format!("car {n}"))).collect();
    for record in &records {
        create(&store, record).await;
    }
    let _ = store.clear_expired(10).await;
    store.close().await;

    let copy = folder.path().join("copy.sqlite");
    fs::copy(&file, &copy).expect("one file is copied");
    let copied = open_sqlite(&copy).await;
    for record in records {
        assert_eq!(load(&copied, &record.id).await, Some(record));
    }
    assert!(!Path::new(&format!("{}-wal", file.display())).exists(), "nothing waits in the log");
}

#[tokio::test]
async fn writes_that_wait_while_the_store_closes_are_in_the_file() {
    let (folder, file) = fresh_file();
    let store = open_sqlite(&file).await;
    let (one, other) = (record("mini"), record("beetle"));

    // Both are in the queue when it closes.
    let (first, second, ()) = tokio::join!(store.create(&one), store.create(&other), store.close());

    let copy = folder.path().join("copy.sqlite");
    fs::copy(&file, &copy).expect("one file is copied");
    let copied = open_sqlite(&copy).await;
    for (created, record) in [(first, one), (second, other)] {
        assert!(matches!(created, Ok(Outcome::Stored(_))), "{created:?}");
        assert_eq!(load(&copied, &record.id).await, Some(record));
    }
}

#[tokio::test]
async fn a_store_that_was_closed_answers_with_an_error_and_not_never() {
    let (_folder, file) = fresh_file();
    let store = open_sqlite(&file).await;
    let (record, seen) = stored(&store, "mini").await;
    store.close().await;
    store.close().await;

    let refused = [
        store.load(&record.id).await.map(drop),
        store.create(&record).await.map(drop),
        store.compare_and_swap(seen, &record).await.map(drop),
        store.delete(&record.id).await.map(drop),
    ];
    for refused in refused {
        let Err(StoreError::Backend(words)) = refused else { panic!("{refused:?}") };
        assert!(words.contains("closed"), "{words}");
    }
    let refused = store.clear_expired(1).await;
    assert!(matches!(refused, Err(StoreError::Backend(_))), "{refused:?}");
}

#[tokio::test]
async fn a_session_is_there_after_a_clean_stop_and_a_start() {
    let (_folder, file) = fresh_file();
    let store = open_sqlite(&file).await;
    let (visitor, _) = with_a_mini(garage(store.clone())).await;
    create(&store, &expired("an old car")).await;
    store.close().await;

    let mut restarted = Browser::open(garage(open_sqlite(&file).await));
    let page = get_with_cookie(&mut restarted, "/", &cookie_of(&visitor)).await;
    assert_eq!(page.body(), "mini");
}
