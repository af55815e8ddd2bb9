//! What every [`Store`] has to do, as one check that any store can run.
//!
//! Write a store, call [`check`] in a test, and the framework's promises hold on your store as
//! they do on [`SqliteStore`](crate::SqliteStore):
//!
//! ```
//! use sessions::{
//!     MemoryStore,
//!     contract::{self, Expired},
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! contract::check(async || MemoryStore::default(), Expired::Stay).await;
//! # }
//! ```

use std::sync::Arc;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use tokio::{sync::Barrier, task::JoinSet};
use tower_sessions::session::{Id, Record};

use crate::store::{Replaced, Store, Version};

/// What becomes of a store's expired records.
///
/// ```
/// use sessions::contract::Expired;
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
/// use sessions::{SqliteStore, contract};
///
/// let folder = tempfile::tempdir().expect("a folder");
/// let open = async || {
///     let file = folder.path().join(format!("{}.sqlite", sessions::Id::default()));
///     SqliteStore::open(file).await.expect("the store opens")
/// };
/// contract::check(open, contract::Expired::Cleared).await;
/// # }
/// ```
///
/// # Panics
///
/// With the requirement that the store does not meet, and outside a tokio runtime.
pub async fn check<S: Store>(open: impl AsyncFn() -> S, expired: Expired) {
    a_created_record_is_found(open().await).await;
    an_unknown_id_is_nobodys(open().await).await;
    an_expired_record_is_nobodys(open().await).await;
    a_new_record_whose_id_is_taken_gets_another(open().await).await;
    any_json_comes_back_as_it_went_in(open().await).await;
    any_number_can_be_an_id(open().await).await;
    a_saved_record_takes_the_place_of_the_old_one(open().await).await;
    a_deleted_record_is_gone_and_may_be_deleted_again(open().await).await;
    a_replaced_record_is_found_in_its_new_version(open().await).await;
    a_record_that_was_written_since_is_not_replaced(open().await).await;
    a_deleted_record_is_not_replaced(open().await).await;
    an_expired_record_is_not_replaced(open().await).await;
    a_replacement_under_another_id_deletes_the_old_record(open().await).await;
    a_replacement_that_fails_stores_nothing_under_its_new_id(open().await).await;
    a_replacement_whose_new_id_is_taken_gets_another(open().await).await;
    of_many_who_replace_one_version_one_wins(open().await).await;
    of_many_who_move_one_version_one_wins(open().await).await;
    a_record_deleted_while_it_is_replaced_stays_deleted(open().await).await;
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

/// A record in the store, with its version.
async fn stored(store: &impl Store, car: &str) -> (Record, Version) {
    let mut record = record(car);
    store.create(&mut record).await.expect("create");
    let version = version(store, &record.id).await.expect("a created record has a version");
    (record, version)
}

async fn version(store: &impl Store, id: &Id) -> Option<Version> {
    let found = store.load_versioned(id).await.expect("load_versioned");
    found.map(|(_, version)| version)
}

/// The record under this id, by both ways of loading.
async fn found(store: &impl Store, id: &Id) -> Option<Record> {
    let found = store.load(id).await.expect("load");
    let versioned = store.load_versioned(id).await.expect("load_versioned");
    assert_eq!(found, versioned.map(|(record, _)| record), "both ways to load find the same");
    found
}

async fn assert_found(store: &impl Store, wanted: &Record, requirement: &str) {
    let Some(found) = found(store, &wanted.id).await else {
        panic!("{requirement}: it is not found");
    };
    assert_eq!(found.id, wanted.id, "{requirement}");
    assert_eq!(found.data, wanted.data, "{requirement}");
    // Stores may round to whole seconds.
    let rounding = (found.expiry_date - wanted.expiry_date).abs();
    assert!(
        rounding <= Duration::SECOND,
        "{requirement}: it ends at {}, not at {}",
        found.expiry_date,
        wanted.expiry_date
    );
}

async fn assert_nobody(store: &impl Store, id: &Id, requirement: &str) {
    assert_eq!(found(store, id).await, None, "{requirement}");
}

async fn a_created_record_is_found(store: impl Store) {
    let requirement = "a created record is found, beside all others";
    let (first, _) = stored(&store, "mini").await;
    let (second, _) = stored(&store, "beetle").await;
    assert_found(&store, &first, requirement).await;
    assert_found(&store, &second, requirement).await;
}

async fn an_unknown_id_is_nobodys(store: impl Store) {
    stored(&store, "mini").await;
    assert_nobody(&store, &Id::default(), "an unknown id is nobody's").await;
}

async fn an_expired_record_is_nobodys(store: impl Store) {
    let mut record = expired("mini");
    store.create(&mut record).await.expect("create, of an expired record");
    assert_nobody(&store, &record.id, "an expired record is nobody's").await;
}

async fn a_new_record_whose_id_is_taken_gets_another(store: impl Store) {
    let requirement = "a new record whose id is taken gets another";
    let (first, _) = stored(&store, "mini").await;
    let mut second = Record { id: first.id, ..record("beetle") };
    store.create(&mut second).await.expect("create, with an id that is taken");
    assert_ne!(second.id, first.id, "{requirement}");
    assert_found(&store, &first, requirement).await;
    assert_found(&store, &second, requirement).await;
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
    store.create(&mut record).await.expect("create");
    assert_found(&store, &record, requirement).await;

    record.data.remove("large");
    store.save(&record).await.expect("save");
    assert_found(&store, &record, requirement).await;

    record.data.clear();
    store.save(&record).await.expect("save");
    assert_found(&store, &record, "a record without any data is a record").await;
}

async fn any_number_can_be_an_id(store: impl Store) {
    let requirement = "any number can be an id";
    let records = [i128::MIN, i128::MAX, -1, 0, 1].map(|number| {
        let id = Id(number);
        Record { id, ..record(&number.to_string()) }
    });
    for mut record in records.clone() {
        let id = record.id;
        store.create(&mut record).await.expect("create");
        assert_eq!(record.id, id, "{requirement}");
    }
    for record in &records {
        assert_found(&store, record, requirement).await;
        store.delete(&record.id).await.expect("delete");
        assert_nobody(&store, &record.id, requirement).await;
    }
}

async fn a_saved_record_takes_the_place_of_the_old_one(store: impl Store) {
    let requirement = "a saved record takes the place of the old one, and no other's";
    let (mut first, _) = stored(&store, "mini").await;
    let (second, _) = stored(&store, "beetle").await;
    first.data = record("rover").data;
    first.expiry_date += Duration::DAY;
    store.save(&first).await.expect("save");
    assert_found(&store, &first, requirement).await;
    assert_found(&store, &second, requirement).await;
}

async fn a_deleted_record_is_gone_and_may_be_deleted_again(store: impl Store) {
    let requirement = "a deleted record is gone, and may be deleted again";
    let (first, _) = stored(&store, "mini").await;
    let (second, _) = stored(&store, "beetle").await;
    store.delete(&first.id).await.expect(requirement);
    store.delete(&first.id).await.expect(requirement);
    assert_nobody(&store, &first.id, requirement).await;
    assert_found(&store, &second, requirement).await;
}

/// Replaces, and returns the new version.
async fn replace(store: &impl Store, seen: Version, new: &mut Record) -> Version {
    let id = new.id;
    match store.replace(&id, seen, new).await.expect("replace") {
        Replaced::Done(version) => version,
        other => panic!("a record in the version that was seen is replaced, and not {other:?}"),
    }
}

async fn a_replaced_record_is_found_in_its_new_version(store: impl Store) {
    let requirement = "a replaced record is found in its new version";
    let (first, mut seen) = stored(&store, "mini").await;
    let (other, _) = stored(&store, "rover").await;
    for car in ["beetle", "camper", "mini"] {
        let mut next = Record { id: first.id, ..record(car) };
        let version_now = replace(&store, seen, &mut next).await;
        assert_ne!(version_now, seen, "{requirement}");
        assert_eq!(version(&store, &next.id).await, Some(version_now), "{requirement}");
        assert_found(&store, &next, requirement).await;
        seen = version_now;
    }
    assert_found(&store, &other, "a replacement leaves the other records alone").await;
}

async fn a_record_that_was_written_since_is_not_replaced(store: impl Store) {
    let requirement = "a record that was written since is not replaced";
    let (first, seen) = stored(&store, "mini").await;
    let mut theirs = Record { id: first.id, ..record("beetle") };
    let seen_by_them = replace(&store, seen, &mut theirs).await;

    let mut mine = Record { id: first.id, ..record("rover") };
    let replaced = store.replace(&first.id, seen, &mut mine).await.expect("replace");
    assert_eq!(replaced, Replaced::Changed, "{requirement}");
    assert_found(&store, &theirs, requirement).await;

    let saved = Record { id: first.id, ..record("camper") };
    store.save(&saved).await.expect("save");
    let replaced = store.replace(&first.id, seen_by_them, &mut mine).await.expect("replace");
    assert_eq!(replaced, Replaced::Changed, "{requirement}, be it by a plain save");
    assert_found(&store, &saved, requirement).await;
}

async fn a_deleted_record_is_not_replaced(store: impl Store) {
    let requirement = "a deleted record is not written back";
    let (mut record, seen) = stored(&store, "mini").await;
    store.delete(&record.id).await.expect("delete");
    let id = record.id;
    let replaced = store.replace(&id, seen, &mut record).await.expect("replace");
    assert_eq!(replaced, Replaced::Gone, "{requirement}");
    assert_nobody(&store, &id, requirement).await;
}

async fn an_expired_record_is_not_replaced(store: impl Store) {
    let requirement = "an expired record is not written back";
    let (first, seen) = stored(&store, "mini").await;
    let mut past = Record { id: first.id, ..expired("beetle") };
    let seen = replace(&store, seen, &mut past).await;
    assert_nobody(&store, &first.id, "an expired record is nobody's").await;

    for new_id in [first.id, Id::default()] {
        let mut late = Record { id: new_id, ..record("rover") };
        let replaced = store.replace(&first.id, seen, &mut late).await.expect("replace");
        assert_eq!(replaced, Replaced::Gone, "{requirement}");
        assert_nobody(&store, &first.id, requirement).await;
        assert_nobody(&store, &late.id, requirement).await;
    }
}

async fn a_replacement_under_another_id_deletes_the_old_record(store: impl Store) {
    let requirement = "a replacement under another id deletes the old record";
    let (old, seen) = stored(&store, "mini").await;
    let mut new = record("beetle");
    let replaced = store.replace(&old.id, seen, &mut new).await.expect("replace");
    let seen = version(&store, &new.id).await;
    assert_eq!(Some(replaced), seen.map(Replaced::Done), "{requirement}");
    assert_found(&store, &new, requirement).await;
    assert_nobody(&store, &old.id, requirement).await;
}

async fn a_replacement_that_fails_stores_nothing_under_its_new_id(store: impl Store) {
    let requirement = "a replacement that comes too late stores nothing under its new id";
    let (old, seen) = stored(&store, "mini").await;
    let mut theirs = Record { id: old.id, ..record("beetle") };
    replace(&store, seen, &mut theirs).await;

    let mut mine = record("rover");
    let replaced = store.replace(&old.id, seen, &mut mine).await.expect("replace");
    assert_eq!(replaced, Replaced::Changed, "{requirement}");
    assert_nobody(&store, &mine.id, requirement).await;
    assert_found(&store, &theirs, requirement).await;

    store.delete(&old.id).await.expect("delete");
    let replaced = store.replace(&old.id, seen, &mut mine).await.expect("replace");
    assert_eq!(replaced, Replaced::Gone, "{requirement}");
    assert_nobody(&store, &mine.id, requirement).await;
}

async fn a_replacement_whose_new_id_is_taken_gets_another(store: impl Store) {
    let requirement = "a replacement whose new id is taken gets another";
    let (old, seen) = stored(&store, "mini").await;
    let (neighbour, _) = stored(&store, "beetle").await;
    let mut new = Record { id: neighbour.id, ..record("rover") };
    let replaced = store.replace(&old.id, seen, &mut new).await.expect("replace");
    assert!(matches!(replaced, Replaced::Done(_)), "{requirement}, and is not {replaced:?}");
    assert_ne!(new.id, neighbour.id, "{requirement}");
    assert_found(&store, &new, requirement).await;
    assert_found(&store, &neighbour, requirement).await;
    assert_nobody(&store, &old.id, requirement).await;
}

/// How many requests of one visitor come at once.
const MANY: usize = 8;

async fn of_many_who_replace_one_version_one_wins(store: impl Store) {
    let requirement = "of many who replace one version at once, one wins";
    let (first, seen) = stored(&store, "mini").await;
    let all = (0..MANY).map(|n| Record { id: first.id, ..record(&format!("car {n}")) }).collect();
    let (store, winner) = race(store, &first.id, seen, all, requirement).await;
    assert_found(&*store, &winner, requirement).await;
}

async fn of_many_who_move_one_version_one_wins(store: impl Store) {
    let requirement = "of many who move one version to another id at once, one wins";
    let (first, seen) = stored(&store, "mini").await;
    let all: Vec<_> = (0..MANY).map(|n| record(&format!("car {n}"))).collect();
    let ids: Vec<_> = all.iter().map(|record| record.id).collect();
    let (store, winner) = race(store, &first.id, seen, all, requirement).await;
    assert_found(&*store, &winner, requirement).await;
    for id in ids.iter().chain([&first.id]).filter(|&&id| id != winner.id) {
        assert_nobody(&*store, id, requirement).await;
    }
}

async fn a_record_deleted_while_it_is_replaced_stays_deleted(store: impl Store) {
    let requirement = "a record that is deleted while it is replaced stays deleted";
    let store = Arc::new(store);
    // The deletion comes a little later each time, so that it meets the store between any two of
    // its steps.
    for turns in 0..8 {
        let (record, seen) = stored(&*store, "mini").await;
        let replacing = tokio::spawn({
            let (store, mut new) = (store.clone(), record.clone());
            async move { store.replace(&record.id, seen, &mut new).await.expect("replace") }
        });
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        store.delete(&record.id).await.expect("delete");
        // Whichever came first, nothing is left.
        replacing.await.expect("no panic");
        assert_nobody(&*store, &record.id, requirement).await;
    }
}

/// All of these at once in the place of one record; the one that made it.
async fn race<S: Store>(
    store: S,
    old: &Id,
    seen: Version,
    all: Vec<Record>,
    requirement: &str,
) -> (Arc<S>, Record) {
    let (store, start) = (Arc::new(store), Arc::new(Barrier::new(all.len())));
    let mut running = JoinSet::new();
    for mut new in all {
        let (store, start, old) = (store.clone(), start.clone(), *old);
        running.spawn(async move {
            start.wait().await;
            let replaced = store.replace(&old, seen, &mut new).await.expect("replace");
            (replaced, new)
        });
    }
    let done: Vec<_> = running.join_all().await;
    let mut winners = done.into_iter().filter(|(it, _)| matches!(it, Replaced::Done(_)));
    let Some((_, winner)) = winners.next() else { panic!("{requirement}, and not none") };
    assert_eq!(winners.count(), 0, "{requirement}: so many more did");
    (store, winner)
}

async fn clearing_deletes_what_has_expired(store: impl Store, becomes: Expired) {
    let (live, _) = stored(&store, "mini").await;
    for _ in 0..3 {
        store.create(&mut expired("beetle")).await.expect("create, of an expired record");
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
            assert_eq!(cleared, 0, "where records go by themselves there is nothing to clear");
        }
        Expired::Stay => {
            let refused = store.clear_expired(2).await;
            assert!(refused.is_err(), "a store that cannot clear says so, and not {refused:?}");
        }
    }
    assert_found(&store, &live, "clearing leaves what has not expired").await;
}
