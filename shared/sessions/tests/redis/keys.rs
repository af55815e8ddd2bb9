//! The keys, while the site runs.

use browser::Browser;
use libtest_mimic::Trial;
use redis::cmd;
use sessions::{Id, Outcome, Record, Store as _, StoreError, Version};
use time::Duration;
use tracing::Level;

use crate::helpers::{
    self, assert_removed, create, expired, garage, id_of, listen, load, logged, minutes_ago,
    record,
    redis::{connect, key, open, open_through_a_wire},
    stored,
};

pub fn promises() -> Vec<Trial> {
    helpers::promises![
        redis_ends_each_session_at_the_date_in_its_record
        a_session_that_has_expired_is_gone_at_once
        a_flushed_session_leaves_no_key
        a_hash_that_makes_no_sense_is_an_empty_session_and_a_warning
        a_hash_that_makes_no_sense_is_written_over_by_no_request
        a_key_of_another_type_is_deleted_as_a_session_is
        a_redis_that_forgot_the_scripts_is_no_trouble
        a_store_in_redis_shows_where_it_is
    ]
}

async fn browser() -> Browser {
    Browser::open(garage(open().await))
}

/// When Redis is going to delete the key: in seconds since 1970, -1 for never, and -2 if there is no
/// such key.
async fn end_of(id: &Id) -> i64 {
    let mut command = cmd("EXPIRETIME");
    command.arg(key(id)).query_async(&mut connect().await).await.expect("a moment")
}

async fn redis_ends_each_session_at_the_date_in_its_record() {
    let store = open().await;
    let (mut car, seen) = stored(&store, "mini").await;
    assert_eq!(end_of(&car.id).await, car.expiry_date.unix_timestamp(), "created");

    let mut seen = seen;
    for longer in [Duration::HOUR, -Duration::MINUTE] {
        car.expiry_date += longer;
        let swapped = store.compare_and_swap(seen, &car).await.expect("Redis answers");
        let Outcome::Stored(version) = swapped else { panic!("{swapped:?}") };
        assert_eq!(end_of(&car.id).await, car.expiry_date.unix_timestamp(), "by {longer}");
        seen = version;
    }
    assert_eq!(store.load(&car.id).await.expect("Redis answers"), Some((car, seen)));
}

async fn a_session_that_has_expired_is_gone_at_once() {
    let store = open().await;
    let created = expired("mini");
    create(&store, &created).await;
    assert_eq!(end_of(&created.id).await, -2, "created");

    let (swapped, seen) = stored(&store, "mini").await;
    let past = Record { expiry_date: minutes_ago(1), ..swapped };
    let outcome = store.compare_and_swap(seen, &past).await.expect("Redis answers");
    assert!(matches!(outcome, Outcome::Stored(_)), "{outcome:?}");
    assert_eq!(end_of(&past.id).await, -2, "written over");
}

async fn a_flushed_session_leaves_no_key() {
    let store = open().await;
    let (car, _) = stored(&store, "mini").await;
    store.delete(&car.id).await.expect("deleted");
    assert_eq!(end_of(&car.id).await, -2);
}

/// What an administrator or another program may do to a hash.
const SPOILT: [(&str, &[&[u8]]); 10] = [
    ("HSET", &[b"data", b"{"]),
    ("HSET", &[b"data", b"{\"my_car\":\"\xff\"}"]),
    ("HSET", &[b"expiry_date", b"soon"]),
    ("HSET", &[b"expiry_date", b"9223372036854775807"]),
    ("HSET", &[b"version", b"-1"]),
    ("HSET", &[b"version", b"0"]),
    ("HSET", &[b"version", b"+1"]),
    ("HSET", &[b"version", b"9223372036854775807"]),
    ("HDEL", &[b"version"]),
    ("SET", &[b"not a hash at all"]),
];

async fn spoil(id: &Id, (command, arguments): (&str, &[&[u8]])) {
    let mut spoil = cmd(command);
    spoil.arg(key(id)).arg(arguments);
    let () = spoil.query_async(&mut connect().await).await.expect("done");
}

async fn a_hash_that_makes_no_sense_is_an_empty_session_and_a_warning() {
    for spoilt in SPOILT {
        let mut visitor = browser().await;
        visitor.post("/car", &[("my_car", "mini")]).await;
        let id = id_of(&visitor);
        listen();
        spoil(&id, spoilt).await;

        let page = visitor.get("/").await;
        assert_eq!((page.status().as_u16(), page.body()), (200, "no car"), "after {spoilt:?}");
        assert_removed(page, spoilt.0);
        let warnings = logged(Level::WARN);
        assert!(warnings.len() == 1 && warnings[0].contains("cannot be read"), "{warnings:?}");
        assert!(!warnings[0].contains(&id.to_string()), "an id has no place in a log");

        visitor.post("/car", &[("my_car", "beetle")]).await;
        assert_ne!(id_of(&visitor), id, "after {spoilt:?}");
        assert_eq!(visitor.get("/").await.body(), "beetle", "after {spoilt:?}");
        // The key of the last one would never expire.
        let deleted = open().await.delete(&id).await;
        assert!(matches!(deleted, Err(StoreError::Decode(_))), "after {spoilt:?}: {deleted:?}");
    }
}

async fn a_hash_that_makes_no_sense_is_written_over_by_no_request() {
    let store = open().await;
    for spoilt in SPOILT.into_iter().filter(|(command, _)| *command != "SET") {
        let (car, _) = stored(&store, "mini").await;
        spoil(&car.id, spoilt).await;

        let loaded = store.load(&car.id).await;
        assert!(matches!(loaded, Err(StoreError::Decode(_))), "after {spoilt:?}: {loaded:?}");
        let taken = store.create(&car).await.expect("Redis answers");
        assert_eq!(taken, Outcome::IdTaken, "after {spoilt:?}");
        // Versions that no store has given out, so that no request can have seen them.
        for version in [0, 9223372036854775807, 18446744073709551615].map(Version) {
            let new = Record { id: car.id, ..record("beetle") };
            let swapped = store.compare_and_swap(version, &new).await.expect("Redis answers");
            assert_eq!(swapped, Outcome::Conflict, "{version:?} after {spoilt:?}");
        }

        let deleted = store.delete(&car.id).await;
        assert!(matches!(deleted, Err(StoreError::Decode(_))), "after {spoilt:?}: {deleted:?}");
        assert_eq!(end_of(&car.id).await, -2, "after {spoilt:?}");
    }
}

async fn a_key_of_another_type_is_deleted_as_a_session_is() {
    let store = open().await;
    for (command, arguments) in [
        ("SET", &[b"a text" as &[u8]] as &[&[u8]]),
        ("RPUSH", &[b"a", b"list"]),
        ("SADD", &[b"a", b"set"]),
    ] {
        let id = Id::default();
        spoil(&id, (command, arguments)).await;

        let new = Record { id, ..record("beetle") };
        let swapped = store.compare_and_swap(Version(1), &new).await;
        assert!(matches!(swapped, Err(StoreError::Decode(_))), "after {command}: {swapped:?}");
        let taken = store.create(&new).await.expect("Redis answers");
        assert_eq!(taken, Outcome::IdTaken, "after {command}");

        let deleted = store.delete(&id).await;
        assert!(matches!(deleted, Err(StoreError::Decode(_))), "after {command}: {deleted:?}");
        assert_eq!(end_of(&id).await, -2, "after {command}");
        assert_eq!(load(&store, &id).await, None, "after {command}");
    }
}

async fn a_redis_that_forgot_the_scripts_is_no_trouble() {
    let mut visitor = browser().await;
    visitor.post("/car", &[("my_car", "mini")]).await;

    // As after a restart of Redis.
    let () = cmd("SCRIPT").arg("FLUSH").query_async(&mut connect().await).await.expect("done");

    visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.get("/").await.body(), "beetle");
}

async fn a_store_in_redis_shows_where_it_is() {
    let (store, wire) = open_through_a_wire().await;
    let shown = format!("{store:?}");
    let place = format!("RedisStore(\"Redis at {}, database ", wire.address());
    assert!(shown.starts_with(&place), "{shown}");
}
