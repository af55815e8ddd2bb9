//! What cannot work is said when the SQLite file is opened, in one line that says what to do.

mod helpers;

use std::{fs, path::Path};

use helpers::{child, execute, fresh_file, open_sqlite, refusal, rows, stored};
use sessions::{SqliteStore, Store as _};

/// What opening this file is refused with: one line that names the file.
async fn refused(file: &Path) -> String {
    let words = refusal(SqliteStore::open(file).await);
    assert!(!words.contains('\n'), "{words}");
    let beginning = format!("cannot keep sessions in {} (", file.display());
    assert!(words.starts_with(&beginning) || words.starts_with('"'), "{words}");
    words
}

/// As [`refused`], of a file that has been prepared with this SQL.
async fn refused_after(sql: &str) -> String {
    let (_folder, file) = fresh_file();
    execute(&file, sql).await;
    let refused = refused(&file).await;
    // It is as it was.
    let again = refusal(SqliteStore::open(&file).await);
    assert_eq!(again, refused);
    refused
}

#[tokio::test]
async fn a_table_of_another_program_is_named() {
    for sql in [
        "CREATE TABLE session (sid TEXT PRIMARY KEY, sess TEXT, expire INTEGER)",
        // The columns of an older version of this one.
        "CREATE TABLE session (
             id_hash BLOB PRIMARY KEY, data TEXT NOT NULL, expiry_date INTEGER NOT NULL) STRICT",
        // No key, so that each write would add a row.
        "CREATE TABLE session (prefix INTEGER, id_hash BLOB, data TEXT, expiry_date INTEGER,
             version INTEGER)",
    ] {
        let refused = refused_after(sql).await;
        assert!(refused.contains("another program's, or of another version"), "{refused}");
        assert!(refused.ends_with("choose another file, or drop the table"), "{refused}");
    }
}

#[tokio::test]
async fn a_view_of_that_name_is_named() {
    let refused = refused_after(
        "CREATE TABLE visits (prefix INTEGER PRIMARY KEY, id_hash BLOB, data TEXT,
             expiry_date INTEGER, version INTEGER);
         CREATE VIEW session AS SELECT * FROM visits",
    )
    .await;
    assert!(refused.contains("view"), "{refused}");
    assert!(refused.contains("choose another file"), "{refused}");
}

#[tokio::test]
async fn a_name_that_is_no_files_is_refused() {
    for name in ["", ":memory:"] {
        let words = refusal(SqliteStore::open(name).await);
        assert_eq!(
            words,
            format!(
                "{name:?} is not a file: name one, or use a MemoryStore for sessions in memory"
            )
        );
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let (_folder, file) = fresh_file();
    let diary = "Dear diary, today I bought a mini. ".repeat(40);
    fs::write(&file, &diary).expect("a file");

    let refused = refused(&file).await;

    assert!(refused.ends_with("choose another file, or restore a copy"), "{refused}");
    assert_eq!(fs::read_to_string(&file).expect("the file"), diary, "it is as it was");
}

#[tokio::test]
async fn a_place_that_cannot_hold_a_file_is_refused() {
    let (folder, file) = fresh_file();
    fs::write(&file, "").expect("a file");
    for place in [folder.path().join("no/such/folder/garage.sqlite"), folder.path().to_owned()] {
        let refused = refused(&place).await;
        assert!(
            refused.ends_with(
                "check that it is a file, that its folder exists, and that you may write there"
            ),
            "{refused}"
        );
    }
    // An empty file is a new database.
    stored(&open_sqlite(&file).await, "mini").await;
    assert_eq!(rows(&file).await, 1);
}

#[tokio::test]
async fn a_file_that_another_program_keeps_locked_is_refused() {
    let (_folder, file) = fresh_file();
    execute(&file, "CREATE TABLE books (title TEXT)").await;
    use sqlx::Connection as _;
    let address = format!("sqlite://{}", file.display());
    let mut other = sqlx::SqliteConnection::connect(&address).await.expect("the file opens");
    let lock = sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await;
    lock.expect("it is locked");

    let refused = refused(&file).await;

    assert!(refused.ends_with("another program keeps it locked; close that program"), "{refused}");
    sqlx::query("ROLLBACK").execute(&mut other).await.expect("the lock is released");
    open_sqlite(&file).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_may_only_be_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode is set");
    };
    for (file_mode, folder_mode) in [(0o444, 0o777), (0o666, 0o555), (0o444, 0o555)] {
        let (folder, file) = fresh_file();
        let store = open_sqlite(&file).await;
        stored(&store, "mini").await;
        store.close().await;
        set_mode(&file, file_mode);
        set_mode(folder.path(), folder_mode);

        child::play_without_roots_rights("the_file_is_read_only", &file);

        set_mode(folder.path(), 0o755);
    }
}

#[tokio::test]
#[ignore = "a_file_that_may_only_be_read_is_refused runs it"]
async fn the_file_is_read_only() {
    let Some(file) = child::told() else { return };
    let refused = refused(&file).await;
    let remedies = [
        "let this program write to the file and to its folder",
        "check that it is a file, that its folder exists, and that you may write there",
    ];
    assert!(remedies.iter().any(|remedy| refused.ends_with(remedy)), "{refused}");
}

#[tokio::test]
async fn the_sites_own_tables_stay_as_they_are() {
    let (_folder, file) = fresh_file();
    execute(&file, "CREATE TABLE books (title TEXT); INSERT INTO books VALUES ('The Willows')")
        .await;
    let store = open_sqlite(&file).await;
    stored(&store, "mini").await;
    assert_eq!(execute(&file, "UPDATE books SET title = title || '!'").await, 1);
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 0);
}
