//! What one server does while another holds the lock of a session.
//!
//! The clock is paused: it moves only when all tasks wait for it, and then at once to the next
//! moment that one of them waits for. So while a test waits for [`A_WHILE`] of that clock, the
//! store comes as far as it can without the lock, however slow the machine is.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use sessions::{Outcome, Record, Store as _};
use tokio::{task::JoinHandle, time::sleep};

use crate::helpers::{create, expired, fresh_folder, load, open_folder, record, stored, the_file};

/// Shorter than a request waits for a lock.
const A_WHILE: Duration = Duration::from_secs(1);

fn lock_of(session: &Path) -> PathBuf {
    let name = session.file_name().expect("a name").display().to_string();
    let group = u8::from_str_radix(&name[..2], 16).expect("hexadecimal") % 64;
    session.with_file_name(format!(".lock-{group:02}"))
}

/// As another server does, while it writes this session.
fn lock(session: &Path) -> File {
    let file = File::options().write(true).open(lock_of(session));
    let file = file.expect("the lock was used before");
    file.lock().expect("the lock is free");
    file
}

/// The request has come as far as it can while another server holds the lock.
async fn it_waits<T>(request: &JoinHandle<T>) {
    sleep(A_WHILE).await;
    assert!(!request.is_finished(), "it does not wait for the lock");
}

/// The stored JSON, changed by hand.
fn edit(file: &Path, from: &str, to: &str) {
    let json = fs::read_to_string(file).expect("a record");
    assert!(json.contains(from), "{json}");
    fs::write(file, json.replace(from, to)).expect("it is written");
}

#[tokio::test(start_paused = true)]
async fn a_write_waits_for_it_and_then_sees_what_it_has_written() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let (record, seen) = stored(&store, "mini").await;
    let theirs = lock(&the_file(&folder));

    let writing = tokio::spawn({
        let store = store.clone();
        async move { store.compare_and_swap(seen, &record).await }
    });
    it_waits(&writing).await;
    edit(&the_file(&folder), "\"version\":1", "\"version\":2");
    drop(theirs);

    let outcome = writing.await.expect("no panic").expect("the store answers");
    assert_eq!(outcome, Outcome::Conflict);
}

#[tokio::test(start_paused = true)]
async fn a_new_record_whose_id_it_takes_meanwhile_is_refused() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let (taken, _) = stored(&store, "rover").await;
    let file = the_file(&folder);
    let theirs = lock(&file);
    let record_of_theirs = fs::read(&file).expect("a record");
    fs::remove_file(&file).expect("they have not stored it yet");

    let creating = tokio::spawn({
        let store = store.clone();
        let new = Record { id: taken.id, ..record("beetle") };
        async move { store.create(&new).await }
    });
    it_waits(&creating).await;
    fs::write(&file, record_of_theirs).expect("now they have");
    drop(theirs);

    let outcome = creating.await.expect("no panic").expect("the store answers");
    assert_eq!(outcome, Outcome::IdTaken);
    assert_eq!(load(&store, &taken.id).await, Some(taken));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_it_renews_is_not_cleared() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let old = expired("a wreck");
    create(&store, &old).await;
    let theirs = lock(&the_file(&folder));

    let clearing = tokio::spawn({
        let store = store.clone();
        async move { store.clear_expired(10).await }
    });
    it_waits(&clearing).await;
    let date = old.expiry_date.unix_timestamp();
    let later = (date + 3600).to_string();
    edit(&the_file(&folder), &date.to_string(), &later);
    drop(theirs);

    assert_eq!(clearing.await.expect("no panic").expect("the store clears"), 0);
    assert!(load(&store, &old.id).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn what_it_is_about_to_store_is_not_taken_for_a_left_over() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let (record, _) = stored(&store, "mini").await;
    let file = the_file(&folder);
    let theirs = lock(&file);
    let temporary = file.with_extension("a1B2c3.tmp");
    fs::copy(&file, &temporary).expect("their new record");
    edit(&temporary, "mini", "beetle");

    let clearing = tokio::spawn({
        let store = store.clone();
        async move { store.clear_expired(10).await }
    });
    it_waits(&clearing).await;
    fs::rename(&temporary, &file).expect("it is still there");
    drop(theirs);

    assert_eq!(clearing.await.expect("no panic").expect("the store clears"), 0);
    let found = load(&store, &record.id).await.expect("a record");
    assert_eq!(found.data["my_car"], "beetle");
}
