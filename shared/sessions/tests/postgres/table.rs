//! The table, while the site runs.

use browser::Browser;
use libtest_mimic::Trial;
use sessions::{Outcome, PostgresStore, Record, Store as _, StoreError, Version};
use sqlx::Connection as _;
use tracing::Level;

use crate::helpers::{
    self, MADE_UP, PASSWORD, assert_removed, create, expired, garage, get_with_cookie, id_of,
    listen, load, logged,
    postgres::{Schema, place},
    record, stored,
};

pub fn promises() -> Vec<Trial> {
    helpers::promises![
        a_visitor_who_only_reads_leaves_no_row_in_the_table
        a_row_that_makes_no_sense_is_an_empty_session_and_a_warning
        a_row_that_makes_no_sense_is_written_over_by_no_request_and_disturbs_no_other_row
        a_table_that_was_renamed_is_a_503_until_it_has_its_name_back
        servers_that_clear_at_once_do_not_wait_for_each_other
        a_user_who_may_only_use_the_table_may_use_it
        a_store_in_postgresql_shows_where_it_is_and_no_password
    ]
}

async fn browser(schema: &Schema) -> Browser {
    Browser::open(garage(schema.open().await))
}

async fn a_visitor_who_only_reads_leaves_no_row_in_the_table() {
    let schema = Schema::create().await;
    let mut visitor = browser(&schema).await;
    visitor.get("/").await;
    visitor.post("/forget", &[]).await;
    get_with_cookie(&mut visitor, "/", &format!("sessionid={MADE_UP}")).await;
    visitor.post("/crash", &[]).await;
    assert_eq!(schema.rows().await, 0);

    visitor.post("/car", &[("my_car", "mini")]).await;
    assert_eq!(schema.rows().await, 1);
}

/// What an administrator or another program may do to a row.
const SPOILT: [&str; 5] = [
    "expiry_date = 9223372036854775807",
    "version = 0",
    "version = -1",
    "version = 9223372036854775807",
    "data = '{'",
];

async fn a_row_that_makes_no_sense_is_an_empty_session_and_a_warning() {
    for spoil in SPOILT {
        let schema = Schema::create().await;
        let mut visitor = browser(&schema).await;
        visitor.post("/car", &[("my_car", "mini")]).await;
        let id = id_of(&visitor);
        listen();
        assert_eq!(schema.execute(&format!("UPDATE session SET {spoil}")).await, 1);

        let page = visitor.get("/").await;
        assert_eq!((page.status().as_u16(), page.body()), (200, "no car"), "after {spoil}");
        assert_removed(page, spoil);
        let warnings = logged(Level::WARN);
        assert!(warnings.len() == 1 && warnings[0].contains("cannot be read"), "{warnings:?}");
        assert!(!warnings[0].contains(&id.to_string()), "an id has no place in a log");

        visitor.post("/car", &[("my_car", "beetle")]).await;
        assert_ne!(id_of(&visitor), id, "after {spoil}");
        assert_eq!(visitor.get("/").await.body(), "beetle", "after {spoil}");
    }
}

async fn a_row_that_makes_no_sense_is_written_over_by_no_request_and_disturbs_no_other_row() {
    for spoil in SPOILT {
        let schema = Schema::create().await;
        let store = schema.open().await;
        let (spoilt, _) = stored(&store, "mini").await;
        assert_eq!(schema.execute(&format!("UPDATE session SET {spoil}")).await, 1);
        let (neighbour, seen) = stored(&store, "beetle").await;
        let rows = schema.all_rows().await;

        assert_cannot_be_decoded(store.load(&spoilt.id).await, spoil);
        let taken = store.create(&spoilt).await.expect("the store answers");
        assert_eq!(taken, Outcome::IdTaken, "after {spoil}");
        // Versions that no store has given out, so that no request can have seen them.
        for version in [0, 9223372036854775807, 18446744073709551615].map(Version) {
            for record in [&spoilt, &neighbour] {
                let swapped = store.compare_and_swap(version, record).await;
                let swapped = swapped.expect("the store answers");
                assert_eq!(swapped, Outcome::Conflict, "{version:?} after {spoil}");
            }
        }
        assert_eq!(schema.all_rows().await, rows, "after {spoil}");

        assert_cannot_be_decoded(store.delete(&spoilt.id).await, spoil);
        assert_eq!(store.delete(&spoilt.id).await.expect("it is gone"), None, "after {spoil}");
        let found = store.load(&neighbour.id).await.expect("the store answers");
        assert_eq!(found, Some((neighbour, seen)), "after {spoil}");
    }
}

#[track_caller]
fn assert_cannot_be_decoded<T: std::fmt::Debug>(answer: Result<T, StoreError>, spoil: &str) {
    assert!(matches!(answer, Err(StoreError::Decode(_))), "after {spoil}: {answer:?}");
}

async fn a_table_that_was_renamed_is_a_503_until_it_has_its_name_back() {
    let schema = Schema::create().await;
    let mut visitor = browser(&schema).await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    listen();

    schema.execute("ALTER TABLE session RENAME TO gone").await;
    assert_eq!(visitor.get("/").await.status(), 503);
    let causes = logged(Level::ERROR);
    assert!(causes[0].ends_with("relation \"session\" does not exist"), "{causes:?}");
    assert_eq!(visitor.private_window().post("/car", &[("my_car", "mini")]).await.status(), 503);

    schema.execute("ALTER TABLE gone RENAME TO session").await;
    assert_eq!(visitor.get("/").await.body(), "mini");
}

async fn servers_that_clear_at_once_do_not_wait_for_each_other() {
    let schema = Schema::create().await;
    let store = schema.open().await;
    for car in ["mini", "beetle", "rover"] {
        create(&store, &expired(car)).await;
    }

    // Another server is about to delete one of them, and does not get round to it.
    let mut other = schema.connect().await;
    let mut clearing = other.begin().await.expect("a transaction");
    let lock = sqlx::query("SELECT 1 FROM session LIMIT 1 FOR UPDATE");
    lock.execute(&mut *clearing).await.expect("a row is locked");
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 2);

    clearing.rollback().await.expect("the lock is released");
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 1);
}

async fn a_user_who_may_only_use_the_table_may_use_it() {
    let schema = Schema::create().await;
    schema.open().await;
    let url = schema.newcomer().await;
    let name = &schema.name;
    let grant = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON session TO {name}");
    schema.execute(&grant).await;

    let store = PostgresStore::open(&url).await.expect("the store opens");
    let (first, seen) = stored(&store, "mini").await;
    let new = Record { id: first.id, ..record("beetle") };
    let swapped = store.compare_and_swap(seen, &new).await.expect("the store answers");
    assert!(matches!(swapped, Outcome::Stored(_)), "{swapped:?}");
    assert_eq!(load(&store, &new.id).await.as_ref(), Some(&new));
    assert_eq!(store.clear_expired(1).await.expect("cleared"), 0);
    assert_eq!(store.delete(&new.id).await.expect("the store answers"), Some(new));
}

async fn a_store_in_postgresql_shows_where_it_is_and_no_password() {
    let schema = Schema::create().await;
    let url = schema.newcomer().await;
    let name = &schema.name;
    schema.execute(&format!("GRANT CREATE ON SCHEMA {name} TO {name}")).await;

    let store = PostgresStore::open(&url).await.expect("the store opens");

    let place = place(name);
    assert_eq!(format!("{store:?}"), format!("PostgresStore({place:?})"));
    assert!(!place.contains(PASSWORD));
}
