//! How a file becomes a library: once, and wholly or not at all, whoever else is starting.

use std::time::{Duration, Instant};

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, SqlSafeStr, SqliteConnection, SqlitePool};

use crate::error::{BUSY, primary_code};

const SAMPLE: &str = include_str!("../sample.sql");

/// How long to wait before asking for WAL mode again.
const WAL_PAUSE: Duration = Duration::from_millis(5);

/// Every change to the tables, oldest first.
///
/// A list by hand instead of `sqlx::migrate!`: that macro would compile sqlx and SQLite a second
/// time, for the compiler's own use.
fn migrations() -> Migrator {
    let library = include_str!("../migrations/0001_library.sql");
    Migrator::with_migrations(vec![migration(1, "library", library)])
}

/// The checksum of a migration that was applied is in the file and must never change. So it is
/// taken of lines that end in LF, however git has checked the source out.
fn migration(version: i64, description: &'static str, sql: &str) -> Migration {
    // Safe: it is a file of this crate.
    let sql = AssertSqlSafe(sql.replace("\r\n", "\n")).into_sql_str();
    Migration::new(version, description.into(), MigrationType::Simple, sql, false)
}

/// Makes the pool's database a library: its tables up to date and, if it had none, filled.
pub(crate) async fn prepare(pool: &SqlitePool, patience: Duration) -> Result<(), sqlx::Error> {
    let mut db = pool.acquire().await?;
    switch_to_wal(&mut db, patience).await?;

    // IMMEDIATE queues for the write lock before anything is read. Of two programs that start on
    // the same new file, the second one waits here and then finds the work done. With a plain BEGIN
    // both would find nothing, and one would fail.
    let mut turn = db.begin_with("BEGIN IMMEDIATE").await?;
    // What tells a new file is its tables, not its rows: a library that was emptied stays empty.
    let is_new: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'book')")
            .fetch_one(&mut *turn)
            .await?;
    // The migrator's own transactions are savepoints inside ours. Not `run`, which does the same: on
    // a borrowed connection its future is not Send, and the library could not be opened in a task.
    migrations().run_direct(None, &mut *turn, false).await?;
    if is_new {
        sqlx::raw_sql(SAMPLE).execute(&mut *turn).await?;
    }
    // On a file that may only be read, BEGIN IMMEDIATE quietly begins to read. A write that
    // changes nothing makes SQLite object now, not at a visitor's first click.
    sqlx::raw_sql("DELETE FROM book WHERE false").execute(&mut *turn).await?;
    turn.commit().await
}

/// Puts the file into WAL mode, in which it stays. In memory there is no such mode, and SQLite
/// leaves it at that.
///
/// The switch needs the file for itself and, unlike every other statement, does not wait for that:
/// of two programs that try at once, one is told that the file is busy. So the waiting is done here.
async fn switch_to_wal(db: &mut SqliteConnection, patience: Duration) -> Result<(), sqlx::Error> {
    let start = Instant::now();
    loop {
        match sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut *db).await {
            Err(error) if primary_code(&error) == Some(BUSY) && start.elapsed() < patience => {
                tokio::time::sleep(WAL_PAUSE).await;
            }
            done => return done.map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    use super::*;
    use crate::{Catalog, Error};

    /// What `prepare` says to a file that may not grow beyond `pages` pages of 4096 bytes.
    async fn prepare_within(pages: u32, path: &Path) -> Result<(), sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .pragma("max_page_count", pages.to_string());
        let pool = SqlitePoolOptions::new().connect_lazy_with(options);
        let result = prepare(&pool, Duration::ZERO).await;
        pool.close().await;
        result
    }

    #[test]
    fn a_checkout_with_the_line_ends_of_windows_has_the_same_checksums() {
        let lf = include_str!("../migrations/0001_library.sql").replace("\r\n", "\n");
        let crlf = lf.replace('\n', "\r\n");
        assert_ne!(lf, crlf);

        assert_eq!(migration(1, "library", &crlf).checksum, migration(1, "library", &lf).checksum);
    }

    // Eight starts at once rarely meet in just this moment, so here one holds the file on purpose.
    #[tokio::test]
    async fn a_start_waits_while_another_still_fills_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("library.sqlite");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut other =
            SqliteConnection::connect_with(&options).await.expect("a new file can be made");
        let turn = other.begin_with("BEGIN IMMEDIATE").await.expect("nobody else is here");

        let mut start = std::pin::pin!(Catalog::open(&path));
        // However slow the machine: a start that does not wait fails here, one that does never can.
        let still_waiting = tokio::time::timeout(Duration::from_millis(100), &mut start).await;
        assert!(still_waiting.is_err(), "it did not wait: {still_waiting:?}");

        turn.rollback().await.expect("the lock is given back");
        let library = start.await.expect("the file is free now");
        assert_eq!(library.counts().await.expect("it can be counted").books, 29);
    }

    #[tokio::test]
    async fn a_full_disk_says_so_and_leaves_nothing_half_filled() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("library.sqlite");

        // From no room for a table to no room for the last copy: it fails at every stage.
        let mut pages = 1;
        let needed = loop {
            let Err(source) = prepare_within(pages, &path).await else {
                break pages;
            };
            assert_eq!(
                Error::open(&path, source).to_string(),
                format!(
                    "{} cannot grow, because the disk is full. Free some space, then try again.",
                    path.display()
                )
            );

            let options = SqliteConnectOptions::new().filename(&path);
            let mut db =
                SqliteConnection::connect_with(&options).await.expect("the file is a database");
            let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
                .fetch_one(&mut db)
                .await
                .expect("the file can be read");
            assert_eq!(tables, 0, "with room for {pages} pages");
            db.close().await.expect("nothing is left to write");
            pages += 1;
        };

        assert!(needed > 20, "only {needed} pages: was the sample tried?");
        let library = Catalog::open(&path).await.expect("it is whole");
        let counts = library.counts().await.expect("it can be counted");
        assert_eq!(counts.books, 29);
    }
}
