//! Sessions in an SQLite database, next to the site's own tables.
//!
//! This file has the table and the statements, one after the other. `open.rs` opens the file and
//! says what is wrong with it, `batch.rs` lets requests share statements and commits (an
//! optimisation), `sweep.rs` finds what has expired, `write.rs` names what a request wants
//! written.

mod batch;
mod open;
mod sweep;
mod write;

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use sqlx::{Sqlite, SqliteConnection, query::Query, sqlite::SqliteArguments};
use tokio::sync::Mutex;
use tower_sessions::{
    session::{Id, Record},
    session_store::Result,
};

use super::{
    Outcome, Store, Version,
    record::{Columns, IdHash, Row, decode, hash, now},
};
use batch::Batches;
use sweep::Sweep;
use write::Write;

/// A row is found by the hash of its id: see `record.rs`.
///
/// SQLite finds a row by a number in fewer steps than by a text, so the rows lie in the order of
/// the hash's first bytes. The whole hash is compared as well.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS session (
        prefix      INTEGER PRIMARY KEY, -- the first 8 bytes of the hash
        id_hash     BLOB    NOT NULL,    -- SHA-256
        data        TEXT    NOT NULL,    -- a JSON object
        expiry_date INTEGER NOT NULL,    -- seconds since 1970, UTC
        version     INTEGER NOT NULL     -- one more with each write
    ) STRICT;";

/// A store in an SQLite file, exact also when several servers use the file.
///
/// A saved session survives a restart and a power cut: the journal is a write-ahead log, and a
/// save returns once the disk has it (`synchronous=FULL`). Readers never wait for the writer.
/// Requests that come at the same time share one statement and one wait for the disk.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sessions::{Record, SqliteStore, Store};
/// use time::{Duration, OffsetDateTime};
///
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("library.sqlite");
/// let expiry_date = OffsetDateTime::now_utc() + Duration::HOUR;
/// let record = Record { id: Default::default(), data: Default::default(), expiry_date };
/// let outcome = SqliteStore::open(&file).await?.create(&record).await?;
///
/// // A program that opens the file later finds it there.
/// let found = SqliteStore::open(&file).await?.load(&record.id).await?;
/// assert!(found.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteStore {
    batches: Batches,
    sweep: Arc<Mutex<Sweep>>,
}

impl SqliteStore {
    /// Opens the file, creating it and the table `session` if they are missing.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sessions::Error> {
    /// use sessions::{SessionLayer, SqliteStore};
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let file = folder.path().join("library.sqlite");
    /// let store = SqliteStore::open(file).await?;
    /// let layer = SessionLayer::new(store);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Backend`](crate::StoreError::Backend), in one line that says what to do: the file
    /// cannot be opened or written to, is not a database, has a table `session` of another
    /// program, or is locked by another program for more than three seconds.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let database = open::open(path.as_ref()).await?;
        let sweep = Arc::new(Mutex::new(Sweep::new(database.connection())));
        Ok(SqliteStore { batches: Batches::start(database), sweep })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        let found = self.batches.load(hash(id)).await?;
        found.map(|columns| decode(id, columns)).transpose()
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        self.batches.write(Write::Create(Row::encode(record)?)).await?.outcome()
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        self.batches.write(Write::CompareAndSwap(expected, Row::encode(new)?)).await?.outcome()
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        let deleted = self.batches.write(Write::Delete(hash(id))).await?.deleted();
        Ok(deleted.map(|columns| decode(id, columns)).transpose()?.map(|(record, _)| record))
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        let expired = self.sweep.lock().await.next(limit).await?;
        Ok(self.batches.write(Write::Clear(expired)).await?.cleared())
    }

    /// Waits for the writes that are under way, and moves all that is in the write-ahead log into
    /// the file: then the file alone holds every session, and can be copied.
    async fn close(&self) {
        // SQLite moves the log into the file when the last connection closes.
        self.sweep.lock().await.close().await;
        self.batches.close().await;
    }
}

// The statements. Those that write run on the one connection that writes, alone or in one
// transaction, so no other write comes between two of them.

async fn load(db: &mut SqliteConnection, id_hash: &IdHash) -> sqlx::Result<Option<Columns>> {
    let row = sqlx::query_as(
        "SELECT data, expiry_date, version FROM session
         WHERE prefix = ? AND id_hash = ? AND expiry_date > ?",
    )
    .bind(prefix(id_hash))
    .bind(id_hash)
    .bind(now())
    .fetch_optional(db)
    .await?;
    Ok(row.map(columns))
}

/// A row whose data are bytes that are not text is a record that cannot be decoded, and no failure
/// of the store.
fn columns((data, expiry_date, version): (Vec<u8>, i64, i64)) -> Columns {
    (String::from_utf8_lossy(&data).into_owned(), expiry_date, version)
}

async fn create(db: &mut SqliteConnection, row: &Row) -> sqlx::Result<Outcome> {
    // Two ids whose hashes begin alike cannot both be stored. The second one counts as taken.
    let created = sqlx::query(
        "INSERT INTO session (prefix, id_hash, data, expiry_date, version)
         VALUES (?, ?, ?, ?, 1) ON CONFLICT DO NOTHING",
    )
    .bind(prefix(&row.id_hash))
    .bind(&row.id_hash)
    .bind(&row.data)
    .bind(row.expiry_date);
    Ok(if changes_a_row(db, created).await? {
        Outcome::Stored(Version(1))
    } else {
        Outcome::IdTaken
    })
}

async fn compare_and_swap(
    db: &mut SqliteConnection,
    expected: Version,
    new: &Row,
) -> sqlx::Result<Outcome> {
    // One statement compares and writes, so no other write comes between the two.
    let swapped = sqlx::query(
        "UPDATE session SET data = ?, expiry_date = ?, version = ?
         WHERE prefix = ? AND id_hash = ? AND version = ? AND expiry_date > ?",
    )
    .bind(&new.data)
    .bind(new.expiry_date)
    .bind(expected.next().0 as i64)
    .bind(prefix(&new.id_hash))
    .bind(&new.id_hash)
    .bind(expected.0 as i64)
    .bind(now());
    if changes_a_row(db, swapped).await? {
        return Ok(Outcome::Stored(expected.next()));
    }
    // Nothing was written. Is there another version, or no record any more?
    let is_there = load(db, &new.id_hash).await?.is_some();
    Ok(if is_there { Outcome::Conflict } else { Outcome::Missing })
}

async fn delete(db: &mut SqliteConnection, id_hash: &IdHash) -> sqlx::Result<Option<Columns>> {
    let row = sqlx::query_as(
        "DELETE FROM session WHERE prefix = ? AND id_hash = ?
         RETURNING data, expiry_date, version",
    )
    .bind(prefix(id_hash))
    .bind(id_hash)
    .fetch_optional(db)
    .await?;
    Ok(row.map(columns))
}

/// Deletes those of these rows that have expired.
async fn clear(db: &mut SqliteConnection, prefixes: &[i64]) -> sqlx::Result<u64> {
    let cleared = sqlx::query(
        "DELETE FROM session
         WHERE prefix IN (SELECT value FROM json_each(?)) AND expiry_date <= ?",
    )
    .bind(serde_json::to_string(prefixes).expect("numbers are JSON"))
    .bind(now())
    .execute(db)
    .await?;
    Ok(cleared.rows_affected())
}

async fn changes_a_row(
    db: &mut SqliteConnection,
    statement: Query<'_, Sqlite, SqliteArguments>,
) -> sqlx::Result<bool> {
    Ok(statement.execute(db).await?.rows_affected() == 1)
}

fn prefix(id_hash: &IdHash) -> i64 {
    let (start, _) = id_hash.split_first_chunk().expect("SHA-256 has 32 bytes");
    i64::from_be_bytes(*start)
}
