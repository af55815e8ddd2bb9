//! What every [`Store`] has to do, as one check that any store can run.
//!
//! Write a store, call [`check`] in a test, and the framework's promises hold on your store as
//! they do on [`SqliteStore`](crate::SqliteStore):
//!
//! ```
//! use sessions::{
//!     MemoryStore,
//!     testing::{self, Expired},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! testing::check(async || MemoryStore::default(), Expired::Cleared).await;
//! # }
//! ```

use std::sync::Arc;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime, PrimitiveDateTime};
use tokio::{sync::Barrier, task::JoinSet};
use tower_sessions::session::{Id, Record};

use crate::{Outcome, Store, Version};

/// What becomes of a store's expired records.
///
/// ```
/// use sessions::testing::Expired;
///
/// // What an SQLite file does.
/// let expired = Expired::Cleared;
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Expired {
    /// [`Store::clear_expired`] deletes them.
    Cleared,
    /// The store deletes them by itself, so there is nothing to clear.
    GoByThemselves,
    /// They stay for ever, and `clear_expired` says so with an error.
    Stay,
}

/// Runs every requirement against a store.
///
/// `open` makes a new and empty store each time: each requirement gets one of its own.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use sessions::{SqliteStore, testing};
///
/// let folder = tempfile::tempdir().expect("a folder");
/// let open = async || {
///     let file = folder.path().join(format!("{}.sqlite", sessions::Id::default()));
///     SqliteStore::open(file).await.expect("the store opens")
/// };
/// testing::check(open, testing::Expired::Cleared).await;
/// # }
/// ```
///
/// # Panics
///
/// With the requirement that the store does not meet, and outside a tokio runtime.
pub async fn check<S: Store>(open: impl AsyncFn() -> S, expired: Expired) {
    a_created_record_is_found(open().await).await;
    an_unknown_id_is_not_found(open().await).await;
    an_expired_record_is_not_found(open().await).await;
    a_new_record_whose_id_is_taken_is_refused(open().await).await;
    any_json_comes_back_as_it_went_in(open().await).await;
    a_deleted_record_is_returned_and_gone(open().await).await;
    any_number_can_be_an_id(open().await).await;
    any_date_can_be_an_expiry_date(open().await).await;
    a_swapped_record_is_found_in_its_new_version(open().await).await;
    a_record_that_was_written_since_is_a_conflict(open().await).await;
    a_deleted_record_is_not_written_back(open().await).await;
    an_expired_record_is_not_written_back(open().await).await;
    the_id_of_a_deleted_record_is_free_again(open().await).await;
    of_many_who_swap_one_version_one_wins(open().await).await;
    of_many_who_create_one_record_one_wins(open().await).await;
    a_record_deleted_while_it_is_written_stays_deleted(open().await).await;
    clearing_deletes_what_has_expired(open().await, expired).await;
}

fn record(car: &str) -> Record {
    Record {
        id: Id::default(),
        data: [("my_car".to_owned(), car.into())].into(),
        expiry_date: OffsetDateTime::now_utc() + Duration::hours(1),
    }
}

fn expired(car: &str) -> Record {
    Record { expiry_date: OffsetDateTime::now_utc() - Duration::minutes(1), ..record(car) }
}

async fn create(store: &impl Store, record: &Record) -> Version {
    match store.create(record).await.expect("create") {
        Outcome::Stored(version) => version,
        other => panic!("a record under a new id is stored, and is not {other:?}"),
    }
}

/// A record in the store, with its version.
async fn stored(store: &impl Store, car: &str) -> (Record, Version) {
    let record = record(car);
    let version = create(store, &record).await;
    (record, version)
}

/// Writes over a record, and returns the new version.
async fn swap(store: &impl Store, seen: Version, new: &Record) -> Version {
    match store.compare_and_swap(seen, new).await.expect("compare_and_swap") {
        Outcome::Stored(version) => version,
        other => panic!("a record in the version that was seen is stored, and is not {other:?}"),
    }
}

async fn load(store: &impl Store, id: &Id) -> Option<(Record, Version)> {
    store.load(id).await.expect("load")
}

async fn assert_found(store: &impl Store, wanted: &Record, requirement: &str) -> Version {
    let Some((found, version)) = load(store, &wanted.id).await else {
        panic!("{requirement}: it is not found");
    };
    assert_eq!(found.id, wanted.id, "{requirement}");
    // By its key: a value may be so large that it is hard to find in a message.
    for (key, value) in &wanted.data {
        let is_equal = found.data.get(key) == Some(value);
        assert!(is_equal, "{requirement}: its value for {key:?} is not what was stored");
    }
    assert_eq!(found.data.len(), wanted.data.len(), "{requirement}: it has keys of its own");
    // A store may keep whole seconds: the framework hands it dates that are.
    let rounding = (found.expiry_date - wanted.expiry_date).abs();
    assert!(
        rounding <= Duration::SECOND,
        "{requirement}: it ends at {}, not at {}",
        found.expiry_date,
        wanted.expiry_date
    );
    version
}

async fn assert_missing(store: &impl Store, id: &Id, requirement: &str) {
    assert_eq!(load(store, id).await, None, "{requirement}");
}

async fn a_created_record_is_found(store: impl Store) {
    let requirement = "a created record is found, and so are all others";
    let (first, version) = stored(&store, "mini").await;
    let (second, _) = stored(&store, "beetle").await;
    assert_eq!(assert_found(&store, &first, requirement).await, version, "{requirement}");
    assert_found(&store, &second, requirement).await;
}

async fn an_unknown_id_is_not_found(store: impl Store) {
    stored(&store, "mini").await;
    assert_missing(&store, &Id::default(), "an unknown id is not found").await;
}

async fn an_expired_record_is_not_found(store: impl Store) {
    let record = expired("mini");
    create(&store, &record).await;
    assert_missing(&store, &record.id, "an expired record is not found").await;
}

async fn a_new_record_whose_id_is_taken_is_refused(store: impl Store) {
    let requirement = "a new record whose id is taken is refused";
    let (first, seen) = stored(&store, "mini").await;
    let second = Record { id: first.id, ..record("beetle") };
    let outcome = store.create(&second).await.expect("create, with an id that is taken");
    assert_eq!(outcome, Outcome::IdTaken, "{requirement}");
    assert_eq!(assert_found(&store, &first, requirement).await, seen, "{requirement}");
}

async fn any_json_comes_back_as_it_went_in(store: impl Store) {
    let requirement = "any JSON comes back as it went in";
    let nested = (0..100).fold(Value::Null, |inner, _| json!([inner]));
    let mut record = record("größer 🚗 \"\\' \u{0} \u{2028}\r\n");
    record.data.extend(
        [
            ("", json!("a key without letters")),
            ("ключ 🔑 \"\u{0}", json!({ "": [] })),
            ("nothing", json!([null, false, {}, [], ""])),
            ("numbers", json!([0, -1, i64::MIN, u64::MAX, 0.1, -1.5e-300, 1e300])),
            ("nested", nested),
            ("large", json!("ü".repeat(100_000))),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    let seen = create(&store, &record).await;
    assert_found(&store, &record, requirement).await;

    record.data.remove("large");
    let seen = swap(&store, seen, &record).await;
    assert_found(&store, &record, requirement).await;

    record.data.clear();
    swap(&store, seen, &record).await;
    assert_found(&store, &record, "a record without any data is a record").await;
}

async fn any_number_can_be_an_id(store: impl Store) {
    let requirement = "any number can be an id";
    let records = [i128::MIN, i128::MAX, -1, 0, 1].map(|number| {
        let id = Id(number);
        Record { id, ..record(&number.to_string()) }
    });
    for record in &records {
        let outcome = store.create(record).await.expect("create");
        assert!(matches!(outcome, Outcome::Stored(_)), "{requirement}, and not {outcome:?}");
    }
    for record in &records {
        assert_found(&store, record, requirement).await;
        store.delete(&record.id).await.expect("delete");
        assert_missing(&store, &record.id, requirement).await;
    }
}

async fn any_date_can_be_an_expiry_date(store: impl Store) {
    let requirement = "any date can be an expiry date";
    let dates = [PrimitiveDateTime::MIN.assume_utc(), OffsetDateTime::UNIX_EPOCH];
    for expiry_date in dates {
        let past = Record { expiry_date, ..record("mini") };
        create(&store, &past).await;
        assert_missing(&store, &past.id, requirement).await;
    }
    let last_second = PrimitiveDateTime::MAX.assume_utc().replace_nanosecond(0).expect("a date");
    let future = Record { expiry_date: last_second, ..record("mini") };
    create(&store, &future).await;
    assert_found(&store, &future, requirement).await;
}

async fn a_deleted_record_is_returned_and_gone(store: impl Store) {
    let requirement = "a deleted record is returned once, and gone";
    let (first, _) = stored(&store, "mini").await;
    let (second, _) = stored(&store, "beetle").await;
    let deleted = store.delete(&first.id).await.expect(requirement);
    assert_eq!(deleted.map(|it| (it.id, it.data)), Some((first.id, first.data)), "{requirement}");
    let deleted = store.delete(&first.id).await.expect(requirement);
    assert_eq!(deleted, None, "{requirement}");
    assert_missing(&store, &first.id, requirement).await;
    assert_found(&store, &second, requirement).await;
}

async fn a_swapped_record_is_found_in_its_new_version(store: impl Store) {
    let requirement = "a record that was written over is found in its new version";
    let (first, mut seen) = stored(&store, "mini").await;
    let (other, _) = stored(&store, "rover").await;
    for car in ["beetle", "camper", "mini"] {
        let next =
            Record { id: first.id, expiry_date: first.expiry_date + Duration::DAY, ..record(car) };
        let version = swap(&store, seen, &next).await;
        assert_ne!(version, seen, "{requirement}");
        assert_eq!(assert_found(&store, &next, requirement).await, version, "{requirement}");
        seen = version;
    }
    assert_found(&store, &other, "a write leaves the other records alone").await;
}

async fn a_record_that_was_written_since_is_a_conflict(store: impl Store) {
    let requirement = "a record that was written since is not written over";
    let (first, seen) = stored(&store, "mini").await;
    let theirs = Record { id: first.id, ..record("beetle") };
    let version = swap(&store, seen, &theirs).await;

    let mine = Record { id: first.id, ..record("rover") };
    let outcome = store.compare_and_swap(seen, &mine).await.expect("compare_and_swap");
    assert_eq!(outcome, Outcome::Conflict, "{requirement}");
    // Were its version another one, the request that wrote it could not write again.
    assert_eq!(assert_found(&store, &theirs, requirement).await, version, "{requirement}");
}

async fn a_deleted_record_is_not_written_back(store: impl Store) {
    let requirement = "a deleted record is not written back";
    let (record, seen) = stored(&store, "mini").await;
    store.delete(&record.id).await.expect("delete");
    let outcome = store.compare_and_swap(seen, &record).await.expect("compare_and_swap");
    assert_eq!(outcome, Outcome::Missing, "{requirement}");
    assert_missing(&store, &record.id, requirement).await;
}

async fn an_expired_record_is_not_written_back(store: impl Store) {
    let requirement = "an expired record is not written back";
    let (first, seen) = stored(&store, "mini").await;
    let past = Record { id: first.id, ..expired("beetle") };
    let seen = swap(&store, seen, &past).await;
    assert_missing(&store, &first.id, "an expired record is not found").await;

    let late = Record { id: first.id, ..record("rover") };
    let outcome = store.compare_and_swap(seen, &late).await.expect("compare_and_swap");
    assert_eq!(outcome, Outcome::Missing, "{requirement}");
    assert_missing(&store, &first.id, requirement).await;
}

async fn the_id_of_a_deleted_record_is_free_again(store: impl Store) {
    let requirement = "the id of a deleted record is free again";
    let (old, _) = stored(&store, "mini").await;
    store.delete(&old.id).await.expect("delete");
    let new = Record { id: old.id, ..record("beetle") };
    let outcome = store.create(&new).await.expect("create");
    assert!(matches!(outcome, Outcome::Stored(_)), "{requirement}, and not {outcome:?}");
    assert_found(&store, &new, requirement).await;
}

/// How many requests of one visitor come at once.
const MANY: usize = 8;

async fn of_many_who_swap_one_version_one_wins(store: impl Store) {
    let requirement = "of many who write over one version at once, one wins";
    let (first, seen) = stored(&store, "mini").await;
    race(store, first.id, Some(seen), requirement).await;
}

async fn of_many_who_create_one_record_one_wins(store: impl Store) {
    let requirement = "of many who create a record under one id at once, one wins";
    race(store, Id::default(), None, requirement).await;
}

/// All at once write to one id; one of them is stored, and the others are told that they were not.
async fn race<S: Store>(store: S, id: Id, seen: Option<Version>, requirement: &str) {
    let (store, start) = (Arc::new(store), Arc::new(Barrier::new(MANY)));
    let mut running = JoinSet::new();
    for n in 0..MANY {
        let (store, start) = (store.clone(), start.clone());
        let new = Record { id, ..record(&format!("car {n}")) };
        running.spawn(async move {
            start.wait().await;
            let outcome = match seen {
                Some(seen) => store.compare_and_swap(seen, &new).await,
                None => store.create(&new).await,
            };
            (outcome.expect("a write"), new)
        });
    }
    let done: Vec<_> = running.join_all().await;
    let told = if seen.is_some() { Outcome::Conflict } else { Outcome::IdTaken };
    let (winners, others): (Vec<_>, Vec<_>) =
        done.into_iter().partition(|(outcome, _)| matches!(outcome, Outcome::Stored(_)));
    let [(_, winner)] = &winners[..] else { panic!("{requirement}, and not {}", winners.len()) };
    for (outcome, _) in others {
        assert_eq!(outcome, told, "{requirement}, and the others are told");
    }
    assert_found(&store, winner, requirement).await;
}

async fn a_record_deleted_while_it_is_written_stays_deleted(store: impl Store) {
    let requirement = "a record that is deleted while it is written stays deleted";
    let store = Arc::new(store);
    // The deletion comes a little later each time, so that it meets the store between any two of
    // its steps.
    for turns in 0..8 {
        let (record, seen) = stored(&store, "mini").await;
        let writing = tokio::spawn({
            let (store, new) = (store.clone(), record.clone());
            async move { store.compare_and_swap(seen, &new).await.expect("compare_and_swap") }
        });
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        store.delete(&record.id).await.expect("delete");
        // Whichever came first, nothing is left.
        let _ = writing.await.expect("no panic");
        assert_missing(&store, &record.id, requirement).await;
    }
}

async fn clearing_deletes_what_has_expired(store: impl Store, becomes: Expired) {
    let (live, _) = stored(&store, "mini").await;
    for _ in 0..3 {
        create(&store, &expired("beetle")).await;
    }
    match becomes {
        Expired::Cleared => {
            let requirement = "clearing deletes what has expired, and no more than it is told";
            for cleared in [2, 1, 0] {
                let deleted = store.clear_expired(2).await.expect("clear_expired");
                assert_eq!(deleted, cleared, "{requirement}");
            }
        }
        Expired::GoByThemselves => {
            let cleared = store.clear_expired(2).await.expect("clear_expired");
            assert_eq!(cleared, 0, "if records go by themselves, there is nothing to clear");
        }
        Expired::Stay => {
            let refused = store.clear_expired(2).await;
            assert!(refused.is_err(), "a store that cannot clear says so, and not {refused:?}");
        }
    }
    assert_found(&store, &live, "clearing leaves what has not expired").await;
}
