//! A store chosen while the program runs does what the store in it does.

use sessions::{
    AnyStore, Id, MemoryStore, SessionStore, SqliteStore,
    contract::{Expired, check},
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tower_sessions::session::Record;

#[tokio::test]
async fn whichever_store_it_holds_it_meets_every_requirement() {
    let folder = TempDir::new().expect("a folder for the databases");
    let sqlite = async || {
        let file = folder.path().join(format!("{}.sqlite", Id::default()));
        AnyStore::new(SqliteStore::open(file).await.expect("the store opens"))
    };
    check(sqlite, Expired::Cleared).await;

    let memory = async || AnyStore::new(MemoryStore::default());
    check(memory, Expired::Stay).await;
}

#[tokio::test]
async fn a_log_of_the_store_shows_no_session() {
    let store = AnyStore::new(MemoryStore::default());
    let mut record = Record {
        id: Id::default(),
        data: [("my_car".to_owned(), "mini".into())].into(),
        expiry_date: OffsetDateTime::now_utc() + Duration::HOUR,
    };
    store.create(&mut record).await.expect("it is stored");

    let shown = format!("{store:?}");
    for part in [record.id.to_string(), record.id.0.to_string(), "mini".to_owned()] {
        assert!(!shown.contains(&part), "{shown}");
    }
}
