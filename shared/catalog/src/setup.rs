//! How a file becomes a library: once, and wholly or not at all, however many programs start.

use std::time::{Duration, Instant};

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, SqlSafeStr, SqliteConnection, SqlitePool};

use crate::Problem;
use crate::error::{BUSY, Refusal, primary_code};

const SAMPLE: &str = include_str!("../sample.sql");
const READERS: &str = include_str!("../readers.sql");

/// The day on which the sample's dates of return were written. Moved by as many days as have passed
/// since, they lie ahead of every new library in the same way.
pub(crate) const SAMPLE_DAY: &str = "2026-12-21";

/// The day that a library is made on, in SQLite's words and in UTC.
pub(crate) const TODAY: &str = "now";

/// The first migration's description, by which a library is told from another program's database.
const LIBRARY: &str = "library";

/// The tables of a library, and the one in which sqlx notes its migrations.
const TABLES: [&str; 8] =
    ["book", "author", "book_instance", "book_genre", "genre", "language", READER, MIGRATIONS];
const MIGRATIONS: &str = "_sqlx_migrations";

/// The one that libraries of the first version lack.
const READER: &str = "reader";

/// What the queries need of the tables, tried without a row. If the tables were changed by hand,
/// SQLite objects here, and not at a visitor's first click.
///
/// The deletion is for a file that may only be read: there, BEGIN IMMEDIATE quietly begins to read.
const TRY: &str = "
    SELECT id, title, author_id, summary, isbn, language_id FROM book WHERE false;
    SELECT id, first_name, last_name, date_of_birth, date_of_death FROM author WHERE false;
    SELECT id, book_id, imprint, due_back, borrower_id, status FROM book_instance WHERE false;
    SELECT id, name, password_hash, is_librarian, epoch FROM reader WHERE false;
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
    let readers = include_str!("../migrations/0002_readers.sql");
    Migrator::with_migrations(vec![
        migration(1, LIBRARY, library),
        migration(2, "readers", readers),
    ])
}

/// The checksum of a migration that was applied is in the file and must never change. So it is
/// taken of lines that end in LF, however git has checked the source out.
fn migration(version: i64, description: &'static str, sql: &str) -> Migration {
    // Safe: it is a file of this crate.
    let sql = AssertSqlSafe(sql.replace("\r\n", "\n")).into_sql_str();
    Migration::new(version, description.into(), MigrationType::Simple, sql, false)
}

/// Makes the pool's database a library: its tables up to date and, those it did not have, filled as
/// on this day.
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
    let found = look(&mut turn).await?;
    // The migrator's own transactions are savepoints inside ours. Not `run`, which does the same: on
    // a borrowed connection its future is not Send, and the library could not be opened in a task.
    migrations().run_direct(None, &mut *turn, false).await.map_err(sqlx::Error::from)?;
    if found == Found::Nothing {
        fill(&mut turn, day).await?;
    }
    if found != Found::Readers {
        sqlx::raw_sql(READERS).execute(&mut *turn).await?;
    }
    sqlx::raw_sql(TRY).execute(&mut *turn).await?;
    Ok(turn.commit().await?)
}

/// How much of a library there is.
#[derive(Clone, Copy, PartialEq)]
enum Found {
    /// None of it.
    Nothing,
    /// A library of the first version.
    Books,
    /// One with readers.
    Readers,
}

/// Its tables tell, not its rows: a library that was emptied stays empty.
async fn look(db: &mut SqliteConnection) -> Result<Found, Refusal> {
    // Tables, views and indexes share their names, which are the same in any case.
    let names: Vec<String> =
        sqlx::query_scalar("SELECT lower(name) FROM sqlite_schema").fetch_all(&mut *db).await?;
    let is_there = |table: &str| names.iter().any(|name| name == table);
    if is_there(MIGRATIONS) {
        // Other programs note their migrations in a table of this name, too.
        let done: Vec<(i64, String)> =
            sqlx::query_as("SELECT version, description FROM _sqlx_migrations ORDER BY version")
                .fetch_all(&mut *db)
                .await?;
        let is_ours = done.iter().any(|(version, what)| *version == 1 && what == LIBRARY);
        match is_ours {
            true if done.iter().any(|(version, _)| *version == 2) => return Ok(Found::Readers),
            true if is_there(READER) => return Err(Problem::Taken(READER).into()),
            true => return Ok(Found::Books),
            false => {}
        }
    }
    match TABLES.into_iter().find(|table| is_there(table)) {
        Some(table) => Err(Problem::Taken(table).into()),
        None => Ok(Found::Nothing),
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

    /// A library as the first version has made it.
    async fn make_the_first_version(path: &Path) -> SqlitePool {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options);
        let library = include_str!("../migrations/0001_library.sql");
        let first = Migrator::with_migrations(vec![migration(1, LIBRARY, library)]);
        first.run(&pool).await.expect("an empty file takes the tables");
        let mut db = pool.acquire().await.expect("a connection");
        fill(&mut db, TODAY).await.expect("the sample fits");
        drop(db);
        pool
    }

    #[tokio::test]
    async fn a_library_of_the_first_version_gets_readers_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("library.sqlite");
        let old = make_the_first_version(&path).await;
        let change = "DELETE FROM author WHERE last_name = 'Carroll';
                      UPDATE book_instance SET status = 'a', due_back = NULL
                      WHERE id = '1b1d6b86-d74f-42da-8084-ac0c701c5881'";
        sqlx::raw_sql(change).execute(&old).await.expect("it can be changed");
        old.close().await;

        let library = Catalog::open(&path).await.expect("it is brought up to date");

        assert_eq!(library.counts().await.expect("it can be counted").authors, 17);
        let loans = library.loans_of(1).await.expect("there are loans");
        let titles: Vec<_> = loans.iter().map(|loan| loan.title.as_str()).collect();
        assert_eq!(titles, ["Anna Karenina"], "Middlemarch was on the shelf");
        library.close().await;
        let library = Catalog::open(&path).await.expect("it opens again");
        assert_eq!(library.loans().await.expect("the same").len(), 3);
    }

    #[tokio::test]
    async fn a_library_of_the_first_version_in_which_another_program_has_readers_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("library.sqlite");
        let old = make_the_first_version(&path).await;
        sqlx::raw_sql("CREATE TABLE Reader (id)").execute(&old).await.expect("a table");
        old.close().await;

        let error = Catalog::open(&path).await.expect_err("the name is taken");

        let said = "has a table or a view `reader` of another program's. Choose another file.";
        assert_eq!(error.to_string(), format!("{} {said}", path.display()));
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
