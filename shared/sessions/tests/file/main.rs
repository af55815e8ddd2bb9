//! Sessions in a folder: what is in it, who may read it, and who may write at once.
//!
//! What every store promises is in `tests/stores`. What a record looks like, and what becomes of a
//! request that waits for too long, is in `src/stores/file/tests.rs`.

mod another_server;
mod at_the_start;
mod clearing;
#[path = "../helpers/mod.rs"]
mod helpers;
#[cfg(unix)]
mod limits;
mod processes;
#[cfg(unix)]
mod rights;

use std::{fs, path::Path};

use browser::Browser;
use helpers::{MADE_UP, fresh_folder, garage, get_with_cookie, id_of, open_folder, record, stored};
use sessions::{Outcome, Record, Store as _, StoreError};

/// What the store says, without the folder around its own, so that a test can tell it whole.
#[track_caller]
fn message<T>(refused: Result<T, StoreError>, folder: &Path) -> String {
    let Err(StoreError::Backend(message)) = refused else { panic!("it must fail in the backend") };
    assert_eq!(message.lines().count(), 1, "{message}");
    let around = format!("{}/", folder.parent().expect("a folder in another").display());
    message.replace(&around, "")
}

#[tokio::test]
async fn a_visitor_who_only_reads_leaves_no_file() {
    let (_around, folder) = fresh_folder();
    let mut visitor = Browser::open(garage(open_folder(&folder).await));
    visitor.get("/").await;
    get_with_cookie(&mut visitor, "/", &format!("sessionid={MADE_UP}")).await;
    assert!(helpers::files(&folder).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_while_another_request_writes_finds_a_whole_record() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let (first, mut seen) = stored(&store, &"a".repeat(60_000)).await;
    let id = first.id;
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for car in ["b", "c", "d"].iter().cycle().take(150) {
                let new = Record { id, ..record(&car.repeat(60_000)) };
                match store.compare_and_swap(seen, &new).await.expect("it is written") {
                    Outcome::Stored(version) => seen = version,
                    other => panic!("no other request writes, yet {other:?}"),
                }
            }
        }
    });
    while !writer.is_finished() {
        let found = store.load(&id).await.expect("no half of a record");
        let (record, _) = found.expect("a record");
        let car = record.data["my_car"].as_str().expect("a text");
        assert!(car == car[..1].repeat(60_000), "of one write, not of two");
    }
    writer.await.expect("no panic");
}

#[tokio::test]
async fn a_log_of_the_store_shows_the_folder_and_nothing_else() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let expected = format!("FileStore {{ folder: {folder:?}, .. }}");
    assert_eq!(format!("{store:?}"), expected);
}

#[tokio::test]
async fn a_folder_that_is_gone_is_a_503_until_it_is_back() {
    let (around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let mut visitor = Browser::open(garage(store.clone()));
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = id_of(&visitor);
    let elsewhere = around.path().join("elsewhere");

    fs::rename(&folder, &elsewhere).expect("it is moved away");
    for page in [
        visitor.get("/").await.clone(),
        visitor.post("/car", &[("my_car", "beetle")]).await.clone(),
        visitor.private_window().post("/car", &[("my_car", "beetle")]).await.clone(),
    ] {
        assert_eq!(page.status(), 503);
        helpers::assert_no_cookie(&page, "while the folder is gone");
    }
    assert_eq!(
        message(store.load(&id).await, &folder),
        "cannot read a session in sessions: No such file or directory (os error 2); \
         bring the folder back, or start this program again"
    );
    assert!(store.delete(&id).await.is_err(), "a sign-out that does not hold is told");
    assert!(store.clear_expired(1).await.is_err());
    assert!(!folder.exists(), "a folder that only looks empty would hide what is wrong");

    fs::rename(&elsewhere, &folder).expect("it is brought back");
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(store.clear_expired(1).await.expect("the store clears"), 0);
}
