//! Sessions in an SQLite database, beside the site's own tables.

use std::{
    collections::HashMap,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use serde::Serialize;
use sqlx::{
    Connection as _, Sqlite, SqliteConnection, SqlitePool, Transaction,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use time::OffsetDateTime;
use tokio::sync::{Mutex, mpsc, oneshot};
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::{
    row::{Hash, Row, Stored, hash, record},
    store::{Replaced, Store, Version},
};

/// A row is found by the hash of its id: see row.rs.
///
/// SQLite finds a row by a number in fewer steps than by a text, so the rows lie in the order of
/// the hash's first bytes. To find one takes the whole hash.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS session (
        prefix      INTEGER PRIMARY KEY, -- the first 8 bytes of the hash
        id_hash     BLOB    NOT NULL,    -- SHA-256
        data        TEXT    NOT NULL,    -- a JSON object
        expiry_date INTEGER NOT NULL,    -- seconds since 1970, UTC
        version     INTEGER NOT NULL     -- one more with each write
    ) STRICT;";

/// How long to wait for another program that keeps the file locked.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many requests share a statement or a commit at most.
const BATCH: usize = 256;

/// How many connections read.
const READERS: u32 = 2;

/// A store in an SQLite file, exact also when several servers use the file.
///
/// A saved session survives a restart and a power cut: the journal is a write-ahead log, and a
/// save returns once the disk has it (`synchronous=FULL`).
///
/// sqlx gives each connection a thread. To send it a statement and to be woken by its answer takes
/// several times as long as SQLite needs to find a row. So requests share statements: they queue
/// up, and whoever holds a connection takes all that wait along. SQLite lets one writer in at a
/// time, so one task writes, and what has queued up meanwhile shares its wait for the disk. Reads
/// have connections of their own and never wait for the writer. docs/measurements.md has the
/// numbers.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sessions::{SessionStore, SqliteStore};
/// use time::{Duration, OffsetDateTime};
/// use tower_sessions::session::Record;
///
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("library.sqlite");
/// let expiry_date = OffsetDateTime::now_utc() + Duration::HOUR;
/// let mut record = Record { id: Default::default(), data: Default::default(), expiry_date };
/// SqliteStore::open(&file).await?.create(&mut record).await?;
///
/// // Whoever opens the file next finds it there.
/// let found = SqliteStore::open(&file).await?.load(&record.id).await?;
/// assert!(found.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct SqliteStore {
    reads: mpsc::Sender<Load>,
    writes: mpsc::Sender<Job>,
    clearing: Arc<Mutex<Clearing>>,
}

/// How far the clearing has come. It goes through the table in the order of the rows, again and
/// again, so that what a step deletes lies together, on few pages. An index by date would spare it
/// the way past the other rows, but every visit would have to write that index too.
#[derive(Debug)]
struct Clearing {
    pool: SqlitePool,
    last: i64,
}

impl SqliteStore {
    /// Opens the file, creating it and the table `session` where they are missing.
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
    /// [`Error::Backend`] where the file cannot be opened or written to, or where another program
    /// keeps it locked for more than five seconds.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(PATIENCE);
        let writer = connect_writer(&options).await.map_err(backend)?;
        sqlx::raw_sql(SCHEMA).execute(&writer).await.map_err(backend)?;

        let (writes, queue) = mpsc::channel(4 * BATCH);
        tokio::spawn(write_all(Connection::of(writer), queue));

        // One more than the readers: the clearing may be long on its way through a large table.
        let readers =
            SqlitePoolOptions::new().max_connections(READERS + 1).connect_lazy_with(options);
        let (reads, queue) = mpsc::channel(4 * BATCH);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..READERS {
            tokio::spawn(read_all(Connection::of(readers.clone()), queue.clone()));
        }
        let clearing = Arc::new(Mutex::new(Clearing { pool: readers, last: i64::MIN }));
        Ok(SqliteStore { reads, writes, clearing })
    }

    async fn read(&self, id_hash: Hash) -> Result<Option<Stored>> {
        let (reply, read) = oneshot::channel();
        self.reads.send(Load { id_hash, reply }).await.map_err(|_| ended())?;
        read.await.map_err(|_| ended())?
    }

    async fn write(&self, write: Write) -> Result<Written> {
        let (reply, written) = oneshot::channel();
        self.writes.send(Job { write, reply }).await.map_err(|_| ended())?;
        written.await.map_err(|_| ended())?
    }
}

/// The tasks end with the runtime in which the store was opened.
fn ended() -> Error {
    Error::Backend("the session store has ended".to_owned())
}

/// One of a pool's connections, kept from one statement to the next: the pool asks a connection
/// whether it is alive when it lends it and when it takes it back, which would triple the work.
struct Connection {
    pool: SqlitePool,
    held: Option<PoolConnection<Sqlite>>,
}

impl Connection {
    fn of(pool: SqlitePool) -> Self {
        Connection { pool, held: None }
    }

    /// The connection, for work after which [`Connection::keep`] puts it back. After work that
    /// failed it goes to the pool, which finds out whether it is still good.
    async fn take(&mut self) -> sqlx::Result<PoolConnection<Sqlite>> {
        match self.held.take() {
            Some(connection) => Ok(connection),
            None => self.pool.acquire().await,
        }
    }

    fn keep(&mut self, connection: PoolConnection<Sqlite>) {
        self.held = Some(connection);
    }
}

/// Unlike every other statement, the switch to the write-ahead log does not wait for its turn: of
/// two servers that start on a new file at once, one is told that it is busy. So wait here.
async fn connect_writer(options: &SqliteConnectOptions) -> sqlx::Result<SqlitePool> {
    let start = Instant::now();
    loop {
        let one = SqlitePoolOptions::new().max_connections(1);
        match one.connect_with(options.clone()).await {
            Err(error) if is_busy(&error) && start.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            done => return done,
        }
    }
}

/// SQLITE_BUSY is 5 in the lowest byte; the others say why (sqlite.org/rescode.html).
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

#[derive(Debug)]
struct Load {
    id_hash: Hash,
    reply: oneshot::Sender<Result<Option<Stored>>>,
}

/// A task that reads, until the last clone of the store is dropped. Several share the queue.
async fn read_all(mut connection: Connection, queue: Arc<Mutex<mpsc::Receiver<Load>>>) {
    let mut loads = Vec::with_capacity(BATCH);
    while queue.lock().await.recv_many(&mut loads, BATCH).await > 0 {
        let found = find(&mut connection, &loads).await;
        for Load { id_hash, reply } in loads.drain(..) {
            let row = match &found {
                // Several requests of one visitor may ask for the same row.
                Ok(rows) => Ok(rows.get(&hex(&id_hash)).cloned()),
                Err(error) => Err(Error::Backend(error.to_string())),
            };
            // Nobody waits any more for a request that was given up.
            let _ = reply.send(row);
        }
    }
}

/// One statement for all, whose text is always the same, so that SQLite prepares it once. Its
/// answer is one row, since sqlx hands rows over one by one.
async fn find(
    connection: &mut Connection,
    loads: &[Load],
) -> sqlx::Result<HashMap<String, Stored>> {
    let mut db = connection.take().await?;
    let rows: Vec<u8> = sqlx::query_scalar(
        "SELECT json_group_object(hex(id_hash), json_array(data, expiry_date, version))
         FROM session
         WHERE prefix IN (SELECT value FROM json_each(?)) AND expiry_date > ?",
    )
    .bind(json(loads.iter().map(|load| prefix(&load.id_hash))))
    .bind(OffsetDateTime::now_utc().unix_timestamp())
    .fetch_one(&mut *db)
    .await?;
    connection.keep(db);
    // Lossy, so that a row with bytes that are no text spoils no other's.
    let rows = String::from_utf8_lossy(&rows);
    serde_json::from_str(&rows).map_err(|error| sqlx::Error::Decode(error.into()))
}

#[derive(Debug)]
struct Job {
    write: Write,
    reply: oneshot::Sender<Result<Written>>,
}

#[derive(Debug)]
enum Write {
    Create(Row),
    Save(Row),
    Replace {
        old: Hash,
        seen: Version,
        new: Row,
    },
    Delete(Hash),
    /// Those of them that have expired.
    Clear(Vec<i64>),
}

#[derive(Debug)]
enum Written {
    Done,
    /// The id is taken, or another one's hash begins as its hash does.
    Taken,
    Replaced(Replaced),
    Cleared(u64),
}

/// The task that writes, until the last clone of the store is dropped.
async fn write_all(mut connection: Connection, mut queue: mpsc::Receiver<Job>) {
    let mut jobs = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut jobs, BATCH).await > 0 {
        let (writes, replies): (Vec<_>, Vec<_>) =
            jobs.drain(..).map(|job| (job.write, job.reply)).unzip();
        match commit(&mut connection, writes).await {
            Ok(written) => {
                for (reply, written) in replies.into_iter().zip(written) {
                    // Nobody waits any more for a request that was given up; it is stored anyway.
                    let _ = reply.send(Ok(written));
                }
            }
            Err(error) => {
                let cause = error.to_string();
                for reply in replies {
                    let _ = reply.send(Err(Error::Backend(cause.clone())));
                }
            }
        }
    }
}

/// All of these writes, or none of them. They were asked for at the same time, so any order will
/// do.
async fn commit(connection: &mut Connection, writes: Vec<Write>) -> sqlx::Result<Vec<Written>> {
    let mut db = connection.take().await?;
    match commit_over(&mut db, writes).await {
        Ok(written) => {
            connection.keep(db);
            Ok(written)
        }
        Err(error) => {
            // On a full disk SQLite ends the transaction by itself. sqlx does not hear of it, and
            // would begin no other one over this connection.
            let _ = db.close().await;
            Err(error)
        }
    }
}

async fn commit_over(db: &mut SqliteConnection, writes: Vec<Write>) -> sqlx::Result<Vec<Written>> {
    // IMMEDIATE takes the write lock before anything is read: another server cannot come between.
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    let all_stored = store_visits(&mut transaction, &writes).await?;
    if !all_stored {
        transaction.rollback().await?;
        transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    }
    let mut written = Vec::with_capacity(writes.len());
    for write in writes {
        written.push(match write.as_visit() {
            Some((_, None)) if all_stored => Written::Done,
            Some((_, Some(seen))) if all_stored => {
                Written::Replaced(Replaced::Done(Version(seen.0 + 1)))
            }
            // What is no visit, and a visit among others that were refused: each learns why.
            _ => apply(&mut transaction, write).await?,
        });
    }
    transaction.commit().await?;
    Ok(written)
}

impl Write {
    /// A visit: a row that is new, or that takes the place of the version seen of it. Nearly all
    /// writes are visits.
    fn as_visit(&self) -> Option<(&Row, Option<Version>)> {
        match self {
            Write::Create(row) => Some((row, None)),
            Write::Replace { old, seen, new } if *old == new.id_hash => Some((new, Some(*seen))),
            _ => None,
        }
    }
}

/// Stores all visits among `writes` in one statement, and says whether each of them was stored.
/// It is refused where another write came first, which is rare.
async fn store_visits(
    transaction: &mut Transaction<'_, Sqlite>,
    writes: &[Write],
) -> sqlx::Result<bool> {
    let rows: Vec<_> = writes
        .iter()
        .filter_map(Write::as_visit)
        .map(|(row, seen)| {
            let seen = seen.map(|version| version.0 as i64);
            (prefix(&row.id_hash), hex(&row.id_hash), &row.data, row.expiry_date, seen)
        })
        .collect();
    let visits = rows.len() as u64;
    if visits == 0 {
        return Ok(true);
    }
    // Versions begin at 1. A row for which none was seen has to be new: no stored one precedes it.
    let stored = sqlx::query(
        "INSERT INTO session (prefix, id_hash, data, expiry_date, version)
         SELECT value ->> 0, unhex(value ->> 1), value ->> 2, value ->> 3,
             ifnull(value ->> 4, 0) + 1
         FROM json_each(?)
         WHERE value ->> 4 IS NULL OR EXISTS (
             SELECT 1 FROM session WHERE prefix = value ->> 0 AND expiry_date > ?)
         ON CONFLICT DO UPDATE SET data = excluded.data, expiry_date = excluded.expiry_date,
             version = excluded.version
         WHERE id_hash = excluded.id_hash AND version = excluded.version - 1",
    )
    .bind(json(rows))
    .bind(OffsetDateTime::now_utc().unix_timestamp())
    .execute(&mut **transaction)
    .await?;
    Ok(stored.rows_affected() == visits)
}

async fn apply(transaction: &mut Transaction<'_, Sqlite>, write: Write) -> sqlx::Result<Written> {
    let db = &mut **transaction;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    match write {
        Write::Create(row) => {
            let created = insert(&row).execute(db).await?.rows_affected() == 1;
            Ok(if created { Written::Done } else { Written::Taken })
        }
        Write::Save(row) => {
            let saved = sqlx::query(
                "INSERT INTO session (prefix, id_hash, data, expiry_date, version)
                 VALUES (?, ?, ?, ?, 1)
                 ON CONFLICT DO UPDATE SET data = excluded.data,
                     expiry_date = excluded.expiry_date, version = version + 1
                 WHERE id_hash = excluded.id_hash",
            )
            .bind(prefix(&row.id_hash))
            .bind(row.id_hash)
            .bind(row.data)
            .bind(row.expiry_date)
            .execute(db)
            .await?
            .rows_affected();
            Ok(if saved == 1 { Written::Done } else { Written::Taken })
        }
        Write::Replace { old, seen, new } if old == new.id_hash => {
            let replaced = sqlx::query(
                "UPDATE session SET data = ?, expiry_date = ?, version = version + 1
                 WHERE prefix = ? AND id_hash = ? AND version = ? AND expiry_date > ?",
            )
            .bind(new.data)
            .bind(new.expiry_date)
            .bind(prefix(&old))
            .bind(&old)
            .bind(seen.0 as i64)
            .bind(now)
            .execute(&mut *db)
            .await?
            .rows_affected();
            Ok(Written::Replaced(match replaced {
                1 => Replaced::Done(Version(seen.0 + 1)),
                _ if exists(db, &old, now).await? => Replaced::Changed,
                _ => Replaced::Gone,
            }))
        }
        Write::Replace { old, seen, new } => {
            let taken = insert(&new).execute(&mut *db).await?.rows_affected() == 0;
            if taken {
                return Ok(Written::Taken);
            }
            let deleted = sqlx::query(
                "DELETE FROM session
                 WHERE prefix = ? AND id_hash = ? AND version = ? AND expiry_date > ?",
            )
            .bind(prefix(&old))
            .bind(&old)
            .bind(seen.0 as i64)
            .bind(now)
            .execute(&mut *db)
            .await?
            .rows_affected();
            if deleted == 1 {
                return Ok(Written::Replaced(Replaced::Done(Version(1))));
            }
            delete(&new.id_hash).execute(&mut *db).await?;
            let changed = exists(db, &old, now).await?;
            Ok(Written::Replaced(if changed { Replaced::Changed } else { Replaced::Gone }))
        }
        Write::Delete(id_hash) => {
            delete(&id_hash).execute(db).await?;
            Ok(Written::Done)
        }
        Write::Clear(prefixes) => {
            let cleared = sqlx::query(
                "DELETE FROM session
                 WHERE prefix IN (SELECT value FROM json_each(?)) AND expiry_date <= ?",
            )
            .bind(json(prefixes))
            .bind(now)
            .execute(db)
            .await?;
            Ok(Written::Cleared(cleared.rows_affected()))
        }
    }
}

type Query<'q> = sqlx::query::Query<'q, Sqlite, sqlx::sqlite::SqliteArguments>;

fn insert(row: &Row) -> Query<'_> {
    sqlx::query(
        "INSERT INTO session (prefix, id_hash, data, expiry_date, version)
         VALUES (?, ?, ?, ?, 1) ON CONFLICT DO NOTHING",
    )
    .bind(prefix(&row.id_hash))
    .bind(&row.id_hash)
    .bind(&row.data)
    .bind(row.expiry_date)
}

fn delete(id_hash: &Hash) -> Query<'_> {
    sqlx::query("DELETE FROM session WHERE prefix = ? AND id_hash = ?")
        .bind(prefix(id_hash))
        .bind(id_hash)
}

async fn exists(db: &mut SqliteConnection, id_hash: &Hash, now: i64) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "SELECT EXISTS (
             SELECT 1 FROM session WHERE prefix = ? AND id_hash = ? AND expiry_date > ?)",
    )
    .bind(prefix(id_hash))
    .bind(id_hash)
    .bind(now)
    .fetch_one(db)
    .await
}

#[async_trait]
impl SessionStore for SqliteStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        while let Written::Taken = self.write(Write::Create(Row::of(record)?)).await? {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        match self.write(Write::Save(Row::of(record)?)).await? {
            Written::Taken => Err(Error::Backend("another session has this place".to_owned())),
            _saved => Ok(()),
        }
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.load_versioned(id).await?.map(|(record, _)| record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.write(Write::Delete(hash(id))).await.map(drop)
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn load_versioned(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        let stored = self.read(hash(id)).await?;
        stored.map(|stored| record(id, stored)).transpose()
    }

    async fn replace(&self, old: &Id, seen: Version, new: &mut Record) -> Result<Replaced> {
        loop {
            let write = Write::Replace { old: hash(old), seen, new: Row::of(new)? };
            match self.write(write).await? {
                Written::Replaced(replaced) => return Ok(replaced),
                _taken => new.id = Id::default(),
            }
        }
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        let mut clearing = self.clearing.lock().await;
        let expired = clearing.next_expired(limit).await.map_err(backend)?;
        match self.write(Write::Clear(expired)).await? {
            Written::Cleared(cleared) => Ok(cleared),
            other => unreachable!("clearing answers with a number, not {other:?}"),
        }
    }
}

impl Clearing {
    /// The next expired rows after the last one, and on from the table's start where it ends.
    async fn next_expired(&mut self, limit: u32) -> sqlx::Result<Vec<i64>> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let after = "SELECT prefix FROM session WHERE prefix > ? AND expiry_date <= ?
                     ORDER BY prefix LIMIT ?";
        let up_to = "SELECT prefix FROM session WHERE prefix <= ? AND expiry_date <= ?
                     ORDER BY prefix LIMIT ?";
        let mut expired = Vec::new();
        for part in [after, up_to] {
            let some: Vec<i64> = sqlx::query_scalar(part)
                .bind(self.last)
                .bind(now)
                .bind(limit - expired.len() as u32)
                .fetch_all(&self.pool)
                .await?;
            expired.extend(some);
        }
        self.last = expired.last().copied().unwrap_or(i64::MIN);
        Ok(expired)
    }
}

fn prefix(hash: &Hash) -> i64 {
    let (start, _) = hash.split_first_chunk().expect("SHA-256 has 32 bytes");
    i64::from_be_bytes(*start)
}

fn hex(hash: &Hash) -> String {
    let digit = |half: u8| char::from(b"0123456789ABCDEF"[usize::from(half)]);
    hash.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn json(values: impl IntoIterator<Item: Serialize>) -> String {
    let values: Vec<_> = values.into_iter().collect();
    serde_json::to_string(&values).expect("hashes, texts and numbers are JSON")
}

fn backend(error: sqlx::Error) -> Error {
    Error::Backend(error.to_string())
}
