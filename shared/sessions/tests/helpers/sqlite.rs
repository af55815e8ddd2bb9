//! A fresh SQLite file, and SQL on it.

use std::path::{Path, PathBuf};

use sessions::SqliteStore;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use tempfile::TempDir;

/// A place for a database, which is not there yet, in a folder that goes with the first value.
pub fn fresh_file() -> (TempDir, PathBuf) {
    let folder = TempDir::new().expect("a folder for the database");
    let file = folder.path().join("garage.sqlite");
    (folder, file)
}

pub async fn open_sqlite(file: &Path) -> SqliteStore {
    SqliteStore::open(file).await.expect("the store opens")
}

/// What an administrator does with the file while the server runs; how many rows it changed.
pub async fn execute(file: &Path, sql: &str) -> u64 {
    let mut database = connect(file).await;
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut database).await;
    // Otherwise the connection would end on a thread of its own, later.
    database.close().await.expect("the file closes");
    done.expect("valid SQL").rows_affected()
}

/// How many rows the table has.
pub async fn rows(file: &Path) -> i64 {
    let mut database = connect(file).await;
    let counted = sqlx::query_scalar("SELECT count(*) FROM session").fetch_one(&mut database);
    let counted = counted.await.expect("the table");
    database.close().await.expect("the file closes");
    counted
}

async fn connect(file: &Path) -> SqliteConnection {
    let address = format!("sqlite://{}?mode=rwc", file.display());
    SqliteConnection::connect(&address).await.expect("the file opens")
}
