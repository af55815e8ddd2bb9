//! How a file becomes a library: once, and wholly or not at all, however many programs start.

use std::time::{Duration, Instant};

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, SqlSafeStr, SqliteConnection, SqlitePool};

use crate::Problem;
use crate::error::{BUSY, Refusal, primary_code};

const SAMPLE: &str = include_str!("../sample.sql");

/// The day on which the sample's dates of return were written. Moved by as many days as have passed
/// since, they lie ahead of every new library in the same way.
pub(crate) const SAMPLE_DAY: &str = "2026-12-21";

/// The day that a library is made on, in SQLite's words and in UTC.
pub(crate) const TODAY: &str = "now";

/// The first migration's description, by which a library is told from another program's database.
const LIBRARY: &str = "library";

/// The tables of a library, and the one in which sqlx notes its migrations.
const TABLES: [&str; 7] =
    ["book", "author", "book_instance", "book_genre", "genre", "language", MIGRATIONS];
const MIGRATIONS: &str = "_sqlx_migrations";

/// What the queries need of the tables, tried without a row. If the tables were changed by hand,
/// SQLite objects here, and not at a visitor's first click.
///
/// The deletion is for a file that may only be read: there, BEGIN IMMEDIATE quietly begins to read.
const TRY: &str = "
    SELECT id, title, author_id, summary, isbn, language_id FROM book WHERE false;
    SELECT id, first_name, last_name, date_of_birth, date_of_death FROM author WHERE false;
    SELECT id, book_id, imprint, due_back, borrower, status FROM book_instance WHERE false;
    SELECT book_id, genre_id FROM book_genre WHERE false;
    SELECT id, name FROM genre WHERE false;
    SELECT id, name FROM language WHERE false;
    DELETE FROM book WHERE false;";

/// How long to wait before asking for WAL mode again.
const WAL_PAUSE: Duration = Duration::from_millis(5);

/// Every change to the tables, oldest first.
///
/// A list by hand instead of `sqlx::migrate!`: that macro would compile sqlx and SQLite a second
/// time, for the compiler's own use.
fn migrations() -> Migrator {
    let library = include_str!("../migrations/0001_library.sql");
    Migrator::with_migrations(vec![migration(1, LIBRARY, library)])
}

/// The checksum of a migration that was applied is in the file and must never change. So it is
/// taken of lines that end in LF, however git has checked the source out.
fn migration(version: i64, description: &'static str, sql: &str) -> Migration {
    // Safe: it is a file of this crate.
    let sql = AssertSqlSafe(sql.replace("\r\n", "\n")).into_sql_str();
    Migration::new(version, description.into(), MigrationType::Simple, sql, false)
}

/// Makes the pool's database a library: its tables up to date and, if it had none, filled as on
/// this day.
pub(crate) async fn prepare(
    pool: &SqlitePool,
    patience: Duration,
    day: &str,
) -> Result<(), Refusal> {
    let mut db = pool.acquire().await?;
    switch_to_wal(&mut db, patience).await?;

    // IMMEDIATE queues for the write lock before anything is read. Of two programs that start on
    // the same new file, the second one waits here and then finds the work done. With a plain BEGIN
    // both would find nothing, and one would fail.
    let mut turn = db.begin_with("BEGIN IMMEDIATE").await?;
    let is_new = is_new(&mut turn).await?;
    // The migrator's own transactions are savepoints inside ours. Not `run`, which does the same: on
    // a borrowed connection its future is not Send, and the library could not be opened in a task.
    migrations().run_direct(None, &mut *turn, false).await.map_err(sqlx::Error::from)?;
    if is_new {
        fill(&mut turn, day).await?;
    }
    sqlx::raw_sql(TRY).execute(&mut *turn).await?;
    Ok(turn.commit().await?)
}

/// Is there no library yet? Its tables tell, not its rows: a library that was emptied stays empty.
async fn is_new(db: &mut SqliteConnection) -> Result<bool, Refusal> {
    // Tables, views and indexes share their names, which are the same in any case.
    let names: Vec<String> =
        sqlx::query_scalar("SELECT lower(name) FROM sqlite_schema").fetch_all(&mut *db).await?;
    let is_there = |table: &str| names.iter().any(|name| name == table);
    if is_there(MIGRATIONS) {
        // Other programs note their migrations in a table of this name, too.
        let is_ours = "SELECT EXISTS (SELECT 1 FROM _sqlx_migrations
                                      WHERE version = 1 AND description = ?)";
        if sqlx::query_scalar(is_ours).bind(LIBRARY).fetch_one(&mut *db).await? {
            return Ok(false);
        }
    }
    match TABLES.into_iter().find(|table| is_there(table)) {
        Some(table) => Err(Problem::Taken(table).into()),
        None => Ok(true),
    }
}

/// Puts the sample in, as if it had been written on this day.
async fn fill(db: &mut SqliteConnection, day: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SAMPLE).execute(&mut *db).await?;
    sqlx::query(
        "UPDATE book_instance
         SET due_back = date(due_back, (julianday(date(?)) - julianday(?)) || ' days')",
    )
    .bind(day)
    .bind(SAMPLE_DAY)
    .execute(db)
    .await?;
    Ok(())
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
    async fn prepare_within(pages: u32, path: &Path) -> Result<(), Refusal> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .pragma("max_page_count", pages.to_string());
        let pool = SqlitePoolOptions::new().connect_lazy_with(options);
        let result = prepare(&pool, Duration::ZERO, TODAY).await;
        pool.close().await;
        result
    }

    #[test]
    fn a_checkout_with_the_line_ends_of_windows_has_the_same_checksums() {
        let lf = include_str!("../migrations/0001_library.sql").replace("\r\n", "\n");
        let crlf = lf.replace('\n', "\r\n");
        assert_ne!(lf, crlf);

        assert_eq!(migration(1, LIBRARY, &crlf).checksum, migration(1, LIBRARY, &lf).checksum);
    }

    // Eight starts at once rarely meet in just this moment, so here one holds the file on purpose.
    #[tokio::test]
    async fn a_start_waits_while_another_still_fills_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("library.sqlite");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut other =
            SqliteConnection::connect_with(&options).await.expect("a new file can be made");
        let turn = other.begin_with("BEGIN IMMEDIATE").await.expect("the lock is free");

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
            let Err(refusal) = prepare_within(pages, &path).await else {
                break pages;
            };
            assert_eq!(
                Error::open(&path, refusal).to_string(),
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
