//! Sessions in an SQLite file: what is in it, and who may read it.

mod garage;

use std::{
    fs,
    path::{Path, PathBuf},
};

use axum::{Router, routing::post};
use browser::Browser;
use garage::garage;
use serde_json::Value;
use sessions::{Error, Session, SessionLayer, SessionStore, SqliteStore, Store as _};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tower_sessions::{
    session::{Id, Record},
    session_store,
};

fn fresh_file() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder for the database");
    let file = folder.path().join("garage.sqlite");
    (folder, file)
}

async fn open(file: &Path) -> Browser {
    Browser::open(garage(SqliteStore::open(file).await.expect("the store opens")))
}

/// The same visitor at a server that does not know this browser.
async fn shown_to(id: &str, server: &mut Browser) -> String {
    let cookie = format!("sessionid={id}");
    server.get_with("/", &[("cookie", cookie.as_bytes())]).await.body().to_owned()
}

/// What an administrator does with the file while the server runs.
async fn execute(file: &Path, sql: &'static str) -> u64 {
    let address = format!("sqlite://{}", file.display());
    let mut database = SqliteConnection::connect(&address).await.expect("the file opens");
    sqlx::query(sql).execute(&mut database).await.expect("valid SQL").rows_affected()
}

async fn rows(file: &Path) -> i64 {
    let address = format!("sqlite://{}", file.display());
    let mut database = SqliteConnection::connect(&address).await.expect("the file opens");
    let counted = sqlx::query_scalar("SELECT count(*) FROM session").fetch_one(&mut database);
    counted.await.expect("the table")
}

fn record(car: &str) -> Record {
    Record {
        id: Id::default(),
        data: [("my_car".to_owned(), car.into())].into(),
        expiry_date: in_an_hour(),
    }
}

/// In whole seconds, as the file keeps it.
fn in_an_hour() -> OffsetDateTime {
    (OffsetDateTime::now_utc() + Duration::hours(1)).replace_nanosecond(0).expect("zero is valid")
}

#[tokio::test]
async fn a_session_survives_a_restart() {
    let (_folder, file) = fresh_file();
    let mut visitor = open(&file).await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = visitor.cookie("sessionid").expect("a session cookie");
    drop(visitor);

    assert_eq!(shown_to(&id, &mut open(&file).await).await, "mini");
}

#[tokio::test]
async fn two_servers_on_one_file_see_each_others_sessions() {
    let (_folder, file) = fresh_file();
    let (mut here, mut there) = (open(&file).await, open(&file).await);
    here.post("/car", &[("my_car", "mini")]).await;
    let id = here.cookie("sessionid").expect("a session cookie");
    assert_eq!(shown_to(&id, &mut there).await, "mini");

    here.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(shown_to(&id, &mut there).await, "beetle");
}

#[tokio::test]
async fn many_servers_may_start_on_a_fresh_file_at_once() {
    let (_folder, file) = fresh_file();
    let starts: Vec<_> = (0..8).map(|_| tokio::spawn(SqliteStore::open(file.clone()))).collect();
    for start in starts {
        start.await.expect("no panic").expect("the store opens");
    }
}

#[tokio::test]
async fn visitors_who_only_read_leave_no_row() {
    let (_folder, file) = fresh_file();
    let mut visitor = open(&file).await;
    visitor.get("/").await;
    visitor.get("/about").await;
    visitor.post("/forget", &[]).await;
    visitor.get_with("/", &[("cookie", b"sessionid=AAAAAAAAAAAAAAAAAAAAAA")]).await;
    visitor.post("/crash", &[]).await;
    assert_eq!(rows(&file).await, 0);

    visitor.post("/car", &[("my_car", "mini")]).await;
    assert_eq!(rows(&file).await, 1);
    visitor.post("/forget", &[]).await;
    assert_eq!(rows(&file).await, 1, "an emptied session keeps its row");
}

#[tokio::test]
async fn nobody_can_read_an_id_from_the_files() {
    let (folder, file) = fresh_file();
    let mut visitor = open(&file).await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    visitor.post("/car", &[("my_car", "beetle")]).await;
    visitor.get("/").await;
    let cookie = visitor.cookie("sessionid").expect("a session cookie");
    let id: Id = cookie.parse().expect("an id");

    let mut files = Vec::new();
    for entry in fs::read_dir(folder.path()).expect("the folder") {
        files.push(fs::read(entry.expect("its file").path()).expect("its bytes"));
    }
    let is_anywhere = |wanted: &[u8]| {
        files.iter().any(|bytes| bytes.windows(wanted.len()).any(|it| it == wanted))
    };

    assert!(files.len() >= 2, "the database and its write-ahead log");
    assert!(is_anywhere(b"\"my_car\""), "the test finds what is there");
    let hex: String = id.0.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    for (form, bytes) in [
        ("as in the cookie", cookie.as_bytes()),
        ("raw, as in the cookie", &id.0.to_le_bytes()),
        ("raw, the other way round", &id.0.to_be_bytes()),
        ("a part of it", &id.0.to_le_bytes()[..8]),
        ("a number", id.0.to_string().as_bytes()),
        ("hexadecimal", hex.as_bytes()),
        ("HEXADECIMAL", hex.to_uppercase().as_bytes()),
    ] {
        assert!(!is_anywhere(bytes), "{form}");
    }
}

#[tokio::test]
async fn a_record_comes_back_as_it_went_in() {
    let (_folder, file) = fresh_file();
    let store = SqliteStore::open(&file).await.expect("the store opens");
    let mut saved = record("größer 🚗 \"\u{0}\"");
    store.create(&mut saved).await.expect("it is stored");

    let found = store.load(&saved.id).await.expect("it is found").expect("a record");
    assert_eq!(found, saved);
    assert_eq!(store.load(&Id::default()).await.expect("the store answers"), None);
}

#[tokio::test]
async fn a_new_record_whose_id_is_taken_gets_another() {
    let (_folder, file) = fresh_file();
    let store = SqliteStore::open(&file).await.expect("the store opens");
    let mut first = record("mini");
    store.create(&mut first).await.expect("it is stored");

    let mut second = Record { id: first.id, ..record("beetle") };
    store.create(&mut second).await.expect("it is stored");

    assert_ne!(second.id, first.id);
    assert_eq!(store.load(&first.id).await.expect("it is found"), Some(first));
    assert_eq!(store.load(&second.id).await.expect("it is found"), Some(second));
}

#[tokio::test]
async fn to_save_or_delete_one_record_leaves_the_others() {
    let (_folder, file) = fresh_file();
    let store = SqliteStore::open(&file).await.expect("the store opens");
    let (mut first, mut second) = (record("mini"), record("beetle"));
    store.create(&mut first).await.expect("it is stored");
    store.create(&mut second).await.expect("it is stored");

    first.data.insert("my_car".to_owned(), "rover".into());
    first.expiry_date += Duration::DAY;
    store.save(&first).await.expect("it is saved");
    assert_eq!(store.load(&first.id).await.expect("it is found").as_ref(), Some(&first));
    assert_eq!(store.load(&second.id).await.expect("it is found").as_ref(), Some(&second));

    store.delete(&first.id).await.expect("it is deleted");
    store.delete(&first.id).await.expect("nothing is there to delete");
    assert_eq!(store.load(&first.id).await.expect("the store answers"), None);
    assert_eq!(store.load(&second.id).await.expect("it is found"), Some(second));
}

#[tokio::test]
async fn an_expired_record_is_nobodys() {
    let (_folder, file) = fresh_file();
    let mut visitor = open(&file).await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = visitor.cookie("sessionid").expect("a session cookie");
    execute(&file, "UPDATE session SET expiry_date = unixepoch()").await;

    let page = visitor.get("/").await;
    assert_eq!(page.body(), "no car");
    assert!(page.set_cookies()[0].starts_with("sessionid=; "));

    visitor.post("/car", &[("colour", "red")]).await;
    assert_ne!(visitor.cookie("sessionid"), Some(id));
    assert_eq!(visitor.get("/").await.body(), "no car");
}

#[tokio::test]
async fn the_store_itself_does_not_return_what_has_expired() {
    let (_folder, file) = fresh_file();
    let store = SqliteStore::open(&file).await.expect("the store opens");
    let mut expired = record("mini");
    expired.expiry_date = OffsetDateTime::now_utc() - Duration::SECOND;
    store.create(&mut expired).await.expect("it is stored");

    assert_eq!(store.load(&expired.id).await.expect("the store answers"), None);
    assert_eq!(rows(&file).await, 1, "whose row is cleared later");
}

/// The visitor of a record that somebody spoilt starts anew, under a new id.
async fn starts_anew_after(spoil: &'static str) {
    let (_folder, file) = fresh_file();
    let mut visitor = open(&file).await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = visitor.cookie("sessionid").expect("a session cookie");
    assert_eq!(execute(&file, spoil).await, 1);

    let page = visitor.get("/").await;
    assert_eq!(page.status(), 200, "after {spoil}");
    assert_eq!(page.body(), "no car", "after {spoil}");
    assert!(page.set_cookies()[0].starts_with("sessionid=; "), "after {spoil}");

    visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_ne!(visitor.cookie("sessionid"), Some(id), "after {spoil}");
    assert_eq!(visitor.get("/").await.body(), "beetle", "after {spoil}");
}

#[tokio::test]
async fn a_record_that_cannot_be_decoded_is_an_empty_session() {
    for spoil in [
        "UPDATE session SET data = ''",
        "UPDATE session SET data = '{\"my_car\":'",
        "UPDATE session SET data = '[\"my_car\"]'",
        "UPDATE session SET data = 'null'",
        "UPDATE session SET data = '{\"my_car\":\"mini\"} and more'",
        "UPDATE session SET expiry_date = 9223372036854775807",
    ] {
        starts_anew_after(spoil).await;
    }
}

#[tokio::test]
async fn a_record_that_is_not_even_text_is_an_empty_session() {
    starts_anew_after("UPDATE session SET data = CAST(x'7bfffe7d' AS TEXT)").await;
}

#[tokio::test]
async fn a_record_that_is_not_even_text_spoils_no_other_that_is_read_with_it() {
    let (_folder, file) = fresh_file();
    let store = SqliteStore::open(&file).await.expect("the store opens");
    let (mut spoilt, mut sound) = (record("mini"), record("beetle"));
    store.create(&mut spoilt).await.expect("it is stored");
    let spoil = "UPDATE session SET data = CAST(x'7bfffe7d' AS TEXT)";
    assert_eq!(execute(&file, spoil).await, 1);
    store.create(&mut sound).await.expect("it is stored");

    // Both wait in the queue before anybody reads, so they share a statement.
    let (lost, found) = tokio::join!(store.load(&spoilt.id), store.load(&sound.id));

    assert!(matches!(lost, Err(session_store::Error::Decode(_))), "{lost:?}");
    assert_eq!(found.expect("the store answers"), Some(sound));
}

#[tokio::test]
async fn no_value_that_insert_accepts_costs_the_visitor_their_session() {
    // serde_json writes any depth, and reads 127.
    async fn nest(session: Session) -> Result<(), Error> {
        session.insert("parts", (0..150).fold(Value::Null, |inner, _| vec![inner].into()))
    }
    let (_folder, file) = fresh_file();
    let store = SqliteStore::open(&file).await.expect("the store opens");
    let nest = Router::new().route("/nest", post(nest)).layer(SessionLayer::new(store.clone()));
    let mut visitor = Browser::open(garage(store).merge(nest));
    visitor.post("/car", &[("my_car", "mini")]).await;

    visitor.post("/nest", &[]).await;

    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn a_lost_table_is_a_503_until_it_is_back() {
    let (_folder, file) = fresh_file();
    let mut visitor = open(&file).await;
    visitor.post("/car", &[("my_car", "mini")]).await;

    execute(&file, "ALTER TABLE session RENAME TO gone").await;
    assert_eq!(visitor.get("/").await.status(), 503);
    assert_eq!(visitor.private_window().post("/car", &[("my_car", "mini")]).await.status(), 503);

    execute(&file, "ALTER TABLE gone RENAME TO session").await;
    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn a_transaction_that_sqlite_ends_by_itself_is_a_503_and_the_next_request_works() {
    // That is what SQLite does on a full disk. Here a trigger makes it.
    let (_folder, file) = fresh_file();
    let mut visitor = open(&file).await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    execute(
        &file,
        "CREATE TRIGGER full BEFORE UPDATE ON session BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
    )
    .await;
    visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.page().status(), 503);

    execute(&file, "DROP TRIGGER full").await;
    visitor.post("/car", &[("my_car", "rover")]).await;
    assert!(visitor.page().status().as_u16() < 400, "{}", visitor.page().body());
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_at_the_start() {
    let (folder, file) = fresh_file();
    fs::write(&file, "Dear diary, today I bought a mini. ".repeat(40)).expect("a file");
    let refused = SqliteStore::open(&file).await;
    assert!(matches!(refused, Err(session_store::Error::Backend(_))), "{refused:?}");

    let refused = SqliteStore::open(folder.path().join("no/such/folder/garage.sqlite")).await;
    assert!(matches!(refused, Err(session_store::Error::Backend(_))), "{refused:?}");
}

#[tokio::test]
async fn the_journal_is_a_write_ahead_log() {
    let (_folder, file) = fresh_file();
    open(&file).await;
    let address = format!("sqlite://{}", file.display());
    let mut database = SqliteConnection::connect(&address).await.expect("the file opens");
    let journal: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut database).await.expect("a pragma");
    assert_eq!(journal, "wal");
}

#[tokio::test]
async fn clearing_also_finds_what_expires_behind_the_place_where_it_is() {
    let (_folder, file) = fresh_file();
    let store = SqliteStore::open(&file).await.expect("the store opens");
    let expired = |id| Record {
        id: Id(id),
        expiry_date: OffsetDateTime::now_utc() - Duration::hours(1),
        ..record("mini")
    };
    store.save(&record("beetle")).await.expect("saved");
    for id in 0..10 {
        store.save(&expired(id)).await.expect("saved");
    }
    assert_eq!(store.clear_expired(6).await.expect("cleared"), 6);

    // Their hashes lie all over the table: some before the six, some after them.
    for id in 10..20 {
        store.save(&expired(id)).await.expect("saved");
    }
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 10);
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 4);
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 0);
    assert_eq!(rows(&file).await, 1, "the session that has not expired");
}
