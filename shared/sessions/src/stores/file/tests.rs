//! What needs a look inside, or a clock that stands still: locks that are held, and bad data.

use std::{
    fs::{self, File},
    path::PathBuf,
};

use tempfile::TempDir;
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tower_sessions::session_store::Error;

use super::*;
use crate::{
    stores::PATIENCE,
    testing::{Expired, check},
};

/// A store, its folder, and the folder around that.
async fn fresh() -> (FileStore, PathBuf, TempDir) {
    let around = TempDir::new().expect("a folder for the folder");
    let folder = around.path().join("sessions");
    (FileStore::open(&folder).await.expect("the store opens"), folder, around)
}

/// With an id whose lock is `.lock-55`.
fn record(car: &str) -> Record {
    Record {
        id: Id(0),
        data: [("my_car".to_owned(), car.into())].into(),
        expiry_date: OffsetDateTime::now_utc() + Duration::HOUR,
    }
}

const LOCK: &str = ".lock-55";

/// As another process does that hangs in the middle of a write: a lock belongs to an open file, so
/// the store in this process has to wait for it too.
fn hold(folder: &Path, lock: &str) -> File {
    let file = File::options().write(true).open(folder.join(lock)).expect("the lock's file");
    file.lock().expect("the lock is free");
    file
}

/// What the store says, without the folder around its own, so that a test can tell it whole.
#[track_caller]
fn message<T: fmt::Debug>(refused: Result<T>, around: &TempDir) -> String {
    let Err(Error::Backend(message)) = refused else { panic!("it must fail: {refused:?}") };
    assert_eq!(message.lines().count(), 1, "{message}");
    message.replace(&format!("{}/", around.path().display()), "")
}

fn held(lock: &str) -> String {
    format!(
        "cannot lock a session in sessions: its lock was held for 3 seconds; end the process that \
         `fuser -v sessions/{lock}` shows, or check the folder's disk if it is this one"
    )
}

/// A request in a task of its own.
fn start_creating(store: &FileStore, car: &str) -> JoinHandle<Result<Outcome>> {
    let (store, record) = (store.clone(), record(car));
    tokio::spawn(async move { store.create(&record).await })
}

#[tokio::test]
async fn the_file_store_meets_every_requirement() {
    let around = TempDir::new().expect("a folder for the folders");
    let open = async || {
        let folder = around.path().join(Id::default().to_string());
        FileStore::open(folder).await.expect("the store opens")
    };
    check(open, Expired::Cleared).await;
}

// From here on the clock is paused: it moves only when all tasks wait for it, and then at once to
// the next moment that one of them waits for.

#[tokio::test(start_paused = true)]
async fn a_lock_that_is_held_for_too_long_is_an_error_that_names_it() {
    let (store, folder, around) = fresh().await;
    let created = store.create(&record("mini")).await.expect("it is stored");
    assert_eq!(created, Outcome::Stored(Version(1)));
    let theirs = hold(&folder, LOCK);

    let start = Instant::now();
    assert_eq!(message(store.create(&record("beetle")).await, &around), held(LOCK));
    assert_eq!(start.elapsed().as_secs(), PATIENCE.as_secs());
    let swapped = store.compare_and_swap(Version(1), &record("beetle")).await;
    assert_eq!(message(swapped, &around), held(LOCK));
    assert_eq!(message(store.delete(&Id(0)).await, &around), held(LOCK));

    let (found, version) = store.load(&Id(0)).await.expect("no lock").expect("a record");
    assert_eq!((&found.data["my_car"], version), (&"mini".into(), Version(1)));
    drop(theirs);
    assert!(store.delete(&Id(0)).await.expect("the lock is free").is_some());
}

#[tokio::test(start_paused = true)]
async fn requests_that_wait_for_one_another_are_told_so_together_and_not_one_after_the_other() {
    let (store, folder, around) = fresh().await;
    let _theirs = hold(&folder, LOCK);

    let start = Instant::now();
    let first = [start_creating(&store, "mini"), start_creating(&store, "beetle")];
    sleep(Duration::SECOND.unsigned_abs()).await;
    let later = start_creating(&store, "rover");
    for request in first {
        assert_eq!(message(request.await.expect("no panic"), &around), held(LOCK));
    }
    assert_eq!(start.elapsed().as_secs(), 3);
    assert_eq!(message(later.await.expect("no panic"), &around), held(LOCK));
    assert_eq!(start.elapsed().as_secs(), 4, "three seconds from when it came");
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_becomes_free_in_time_is_waited_for() {
    let (store, folder, _around) = fresh().await;
    let theirs = hold(&folder, LOCK);
    let creating = start_creating(&store, "mini");
    sleep(PATIENCE / 2).await;
    assert!(!creating.is_finished(), "it waits");

    drop(theirs);
    let outcome = creating.await.expect("no panic").expect("the lock is free");
    assert_eq!(outcome, Outcome::Stored(Version(1)));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_had_to_wait_leaves_the_lock_free_for_a_moment_the_next_time() {
    let (store, folder, _around) = fresh().await;
    let theirs = hold(&folder, LOCK);
    let first = start_creating(&store, "mini");
    sleep(PATIENCE / 2).await;
    drop(theirs);
    assert!(first.await.expect("no panic").is_ok());

    let second = start_creating(&store, "beetle");
    sleep(locks::PAUSE).await;
    let theirs = hold(&folder, LOCK);
    assert!(!second.is_finished(), "the other process is first");
    drop(theirs);
    assert_eq!(second.await.expect("no panic").expect("an answer"), Outcome::IdTaken);
}

#[tokio::test(start_paused = true)]
async fn a_held_lock_holds_up_no_session_of_another_group() {
    let (store, folder, _around) = fresh().await;
    let _theirs = hold(&folder, LOCK);
    let start = Instant::now();
    let other = Record { id: Id(1), ..record("mini") };
    let created = store.create(&other).await.expect("its lock is free");
    assert_eq!(created, Outcome::Stored(Version(1)));
    assert!(start.elapsed() < PATIENCE);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_request_was_given_up_while_it_waited_is_not_done() {
    let (store, folder, _around) = fresh().await;
    let theirs = hold(&folder, LOCK);
    let given_up = start_creating(&store, "mini");
    sleep(PATIENCE / 2).await;
    given_up.abort();
    assert!(given_up.await.expect_err("given up").is_cancelled());

    drop(theirs);
    assert_eq!(store.delete(&Id(0)).await.expect("the lock is free"), None);
}

#[tokio::test(start_paused = true)]
async fn a_folder_with_a_lock_that_is_held_does_not_open() {
    let (_, folder, around) = fresh().await;
    for lock in [".lock-00", ".lock-63"] {
        let _theirs = hold(&folder, lock);
        assert_eq!(message(FileStore::open(&folder).await, &around), held(lock));
    }
    FileStore::open(&folder).await.expect("all locks are free");
}

#[tokio::test(start_paused = true)]
async fn a_record_whose_lock_is_held_keeps_the_clearing_from_no_other_record() {
    let (store, folder, around) = fresh().await;
    for number in 0..10 {
        let expiry_date = OffsetDateTime::UNIX_EPOCH;
        let old = Record { id: Id(number), expiry_date, ..record("a wreck") };
        assert_eq!(store.create(&old).await.expect("it is stored"), Outcome::Stored(Version(1)));
    }
    let theirs = hold(&folder, LOCK);
    let (mut cleared, mut refused) = (0, 0);
    while cleared < 9 {
        match store.clear_expired(1).await {
            Ok(number) => cleared += number,
            error => {
                assert_eq!(message(error, &around), held(LOCK));
                refused += 1;
            }
        }
    }
    assert!(refused <= 1, "the walk goes on after it");
    drop(theirs);
    assert_eq!(store.clear_expired(10).await.expect("all locks are free"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_clearing_at_the_same_time_is_told_so() {
    let (store, _folder, around) = fresh().await;
    let _first = store.walk.lock().await;
    assert_eq!(
        message(store.clear_expired(10).await, &around),
        "cannot clear sessions in sessions: this program is clearing them already; try it later"
    );
}

/// A thread that waited for the lock would keep this test from ending.
#[test]
fn a_program_whose_request_waits_for_a_lock_can_end() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    let (store, folder, _around) = runtime.block_on(fresh());
    let _theirs = hold(&folder, LOCK);
    let creating = runtime.spawn(async move { store.create(&record("mini")).await });
    runtime.block_on(async { sleep(PATIENCE / 2).await });
    assert!(!creating.is_finished(), "it waits");
    drop(runtime);
}

// Bad data: files that another program has written, or only half of a file.

const FILE: &str = "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb.json";

#[tokio::test]
async fn a_file_is_named_by_the_hash_of_its_id_and_is_json() {
    let (store, folder, _around) = fresh().await;
    let record = Record { expiry_date: datetime!(2099-01-01 0:00 UTC), ..record("mini") };
    let created = store.create(&record).await.expect("it is stored");
    assert_eq!(created, Outcome::Stored(Version(1)));
    let swapped = store.compare_and_swap(Version(1), &record).await.expect("it is stored");
    assert_eq!(swapped, Outcome::Stored(Version(2)));

    // printf '\0%.0s' {1..16} | sha256sum
    assert_eq!(
        fs::read_to_string(folder.join(FILE)).expect("the file"),
        r#"{"version":2,"expiry_date":4070908800,"data":{"my_car":"mini"}}"#
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_decoded_is_an_error_until_it_is_deleted() {
    let valid = r#"{"version":1,"expiry_date":4070908800,"data":{"my_car":"mini"}}"#;
    for spoilt in [
        b"" as &[u8],
        &valid.as_bytes()[..40],
        &[valid.as_bytes(), b"}"].concat(),
        b"\xff\xfe",
        b"[]",
        br#"{"version":1,"expiry_date":4070908800,"data":["my_car"]}"#,
        br#"{"version":-1,"expiry_date":4070908800,"data":{}}"#,
        br#"{"version":18446744073709551616,"expiry_date":4070908800,"data":{}}"#,
        br#"{"version":1,"expiry_date":9223372036854775807,"data":{}}"#,
        br#"{"version":1,"expiry_date":-9223372036854775808,"data":{}}"#,
        br#"{"version":1,"data":{"my_car":"mini"}}"#,
    ] {
        let (store, folder, _around) = fresh().await;
        fs::write(folder.join(FILE), spoilt).expect("it is spoilt");
        let of = String::from_utf8_lossy(spoilt);

        assert!(matches!(store.load(&Id(0)).await, Err(Error::Decode(_))), "{of}");
        let swapped = store.compare_and_swap(Version(1), &record("beetle")).await;
        assert!(matches!(swapped, Err(Error::Decode(_))), "{of}: {swapped:?}");
        let created = store.create(&record("beetle")).await.expect("an answer");
        assert_eq!(created, Outcome::IdTaken, "{of}");

        assert!(matches!(store.delete(&Id(0)).await, Err(Error::Decode(_))), "{of}");
        assert_eq!(store.load(&Id(0)).await.expect("an answer"), None, "{of}");
        assert_eq!(store.delete(&Id(0)).await.expect("an answer"), None, "{of}");
    }
}

#[tokio::test]
async fn any_version_can_be_read_and_written_over() {
    for (seen, next) in [(0, 1), (u64::MAX, 0)] {
        let (store, folder, _around) = fresh().await;
        let json = format!(r#"{{"version":{seen},"expiry_date":4070908800,"data":{{}}}}"#);
        fs::write(folder.join(FILE), json).expect("it is written");

        let (_, version) = store.load(&Id(0)).await.expect("an answer").expect("a record");
        assert_eq!(version, Version(seen));
        let swapped = store.compare_and_swap(version, &record("mini")).await.expect("an answer");
        assert_eq!(swapped, Outcome::Stored(Version(next)));
        let (_, version) = store.load(&Id(0)).await.expect("an answer").expect("a record");
        assert_eq!(version, Version(next));
        assert!(store.delete(&Id(0)).await.expect("an answer").is_some());
    }
}
