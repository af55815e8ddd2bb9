//! Sessions in an SQLite file: what is in it, and who may read it.

mod helpers;

use std::path::Path;

use browser::Browser;
use helpers::{
    assert_removed, cookie_of, create, execute, expired, fresh_file, garage, get_with_cookie,
    id_of, load, open_sqlite, rows, stored,
};
use sessions::{Id, Record, Store as _, StoreError};
use sqlx::{Connection, SqliteConnection};

async fn open(file: &Path) -> Browser {
    Browser::open(garage(open_sqlite(file).await))
}

#[tokio::test]
async fn two_servers_on_one_file_see_each_others_sessions() {
    let (_folder, file) = fresh_file();
    let (mut here, mut there) = (open(&file).await, open(&file).await);
    here.post("/car", &[("my_car", "mini")]).await;
    let cookie = cookie_of(&here);
    assert_eq!(get_with_cookie(&mut there, "/", &cookie).await.body(), "mini");

    here.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(get_with_cookie(&mut there, "/", &cookie).await.body(), "beetle");
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
async fn an_expired_row_is_no_session() {
    let (_folder, file) = fresh_file();
    let mut visitor = open(&file).await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = id_of(&visitor);
    execute(&file, "UPDATE session SET expiry_date = unixepoch()").await;

    let page = visitor.get("/").await;
    assert_eq!(page.body(), "no car");
    assert_removed(page, "its time is over");

    visitor.post("/car", &[("colour", "red")]).await;
    assert_ne!(id_of(&visitor), id);
    assert_eq!(visitor.get("/").await.body(), "no car");
}

#[tokio::test]
async fn the_store_itself_does_not_return_what_has_expired() {
    let (_folder, file) = fresh_file();
    let store = open_sqlite(&file).await;
    let expired = expired("mini");
    create(&store, &expired).await;

    assert_eq!(load(&store, &expired.id).await, None);
    assert_eq!(rows(&file).await, 1, "whose row is cleared later");
}

/// The visitor of a record that was spoilt starts from nothing, under a new id.
async fn starts_from_nothing_after(spoil: &'static str) {
    let (_folder, file) = fresh_file();
    let mut visitor = open(&file).await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = id_of(&visitor);
    assert_eq!(execute(&file, spoil).await, 1);

    let page = visitor.get("/").await;
    assert_eq!(page.status(), 200, "after {spoil}");
    assert_eq!(page.body(), "no car", "after {spoil}");
    assert_removed(page, spoil);

    visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_ne!(id_of(&visitor), id, "after {spoil}");
    assert_eq!(visitor.get("/").await.body(), "beetle", "after {spoil}");
}

#[tokio::test]
async fn a_row_whose_date_or_version_makes_no_sense_is_an_empty_session() {
    for spoil in [
        "UPDATE session SET expiry_date = 9223372036854775807",
        "UPDATE session SET version = -1",
        "UPDATE session SET version = 0",
        "UPDATE session SET version = -9223372036854775808",
        "UPDATE session SET version = 9223372036854775807",
    ] {
        starts_from_nothing_after(spoil).await;
    }
}

#[tokio::test]
async fn a_record_that_is_not_even_text_is_an_empty_session() {
    starts_from_nothing_after("UPDATE session SET data = CAST(x'7bfffe7d' AS TEXT)").await;
}

#[tokio::test]
async fn a_record_that_is_not_even_text_spoils_no_other_that_is_read_with_it() {
    let (_folder, file) = fresh_file();
    let store = open_sqlite(&file).await;
    let (spoilt, _) = stored(&store, "mini").await;
    let spoil = "UPDATE session SET data = CAST(x'7bfffe7d' AS TEXT)";
    assert_eq!(execute(&file, spoil).await, 1);
    let (sound, seen) = stored(&store, "beetle").await;

    // Both wait in the queue before a reader looks, so they share a statement.
    let (lost, found) = tokio::join!(store.load(&spoilt.id), store.load(&sound.id));

    assert!(matches!(lost, Err(StoreError::Decode(_))), "{lost:?}");
    assert_eq!(found.expect("the store answers"), Some((sound, seen)));
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
async fn clearing_also_finds_what_expires_behind_the_place_to_which_it_has_come() {
    let (_folder, file) = fresh_file();
    let store = open_sqlite(&file).await;
    stored(&store, "beetle").await;
    for id in 0..10 {
        create(&store, &Record { id: Id(id), ..expired("mini") }).await;
    }
    assert_eq!(store.clear_expired(6).await.expect("cleared"), 6);

    // Their hashes lie all over the table: some before the six, some after them.
    for id in 10..20 {
        create(&store, &Record { id: Id(id), ..expired("mini") }).await;
    }
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 10);
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 4);
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 0);
    assert_eq!(rows(&file).await, 1, "the session that has not expired");
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_a_new_file_and_one_that_is_there_keeps_its_rights() {
    use std::os::unix::fs::PermissionsExt;
    let rights = |file: &std::path::Path| {
        std::fs::metadata(file).expect("the file").permissions().mode() & 0o777
    };
    let (_folder, file) = fresh_file();
    let store = open_sqlite(&file).await;
    stored(&store, "mini").await;
    assert_eq!(rights(&file), 0o600);
    assert_eq!(rights(&file.with_extension("sqlite-wal")), 0o600, "the log has sessions too");

    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("they change");
    open_sqlite(&file).await;
    assert_eq!(rights(&file), 0o640);
}
