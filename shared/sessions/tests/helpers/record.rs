//! Records, and what a store has of them.

use sessions::{Id, Outcome, Record, Store, Version};
use time::{Duration, OffsetDateTime};

/// A record with this car that ends in an hour. Its date is in whole seconds, as stores keep it.
pub fn record(car: &str) -> Record {
    let data = [("my_car".to_owned(), car.into())].into();
    Record { id: Id::default(), data, expiry_date: in_an_hour() }
}

/// A record whose time is over.
pub fn expired(car: &str) -> Record {
    Record { expiry_date: minutes_ago(1), ..record(car) }
}

/// In whole seconds.
pub fn in_an_hour() -> OffsetDateTime {
    OffsetDateTime::now_utc().truncate_to_second() + Duration::HOUR
}

/// In whole seconds.
pub fn minutes_ago(minutes: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc().truncate_to_second() - Duration::minutes(minutes)
}

/// Puts a new record into the store.
pub async fn create(store: &(impl Store + ?Sized), record: &Record) -> Version {
    match store.create(record).await.expect("the store answers") {
        Outcome::Stored(version) => version,
        other => panic!("a record under a new id is stored, and is not {other:?}"),
    }
}

/// A new record in the store, with its version.
pub async fn stored(store: &(impl Store + ?Sized), car: &str) -> (Record, Version) {
    let record = record(car);
    let version = create(store, &record).await;
    (record, version)
}

/// What the store has under this id, without its version.
pub async fn load(store: &(impl Store + ?Sized), id: &Id) -> Option<Record> {
    store.load_uncached(id).await.expect("the store answers").map(|(record, _)| record)
}

/// Moves the stored record's end, as if time had passed since it was written.
pub async fn set_end(store: &(impl Store + ?Sized), id: &Id, end: OffsetDateTime) {
    let found = store.load_uncached(id).await.expect("the store answers");
    let (record, version) = found.expect("a record");
    let moved = Record { expiry_date: end, ..record };
    let swapped = store.compare_and_swap(version, &moved).await.expect("the store answers");
    assert!(matches!(swapped, Outcome::Stored(_)), "{swapped:?}");
}
