//! Requests share statements and commits. This is an optimisation, and nothing else: with `load`
//! and the other statements of `mod.rs` called one by one, the store would do the same.
//!
//! Why: sqlx gives each connection a thread. To send it a statement and to be woken by its answer
//! takes several times as long as SQLite needs to find a row; and a commit that waits for the disk
//! takes longer still. docs/measurements.md has the figures.
//!
//! How: requests put what they want into a queue. A task that has a connection takes all that has
//! gathered in the queue, asks SQLite once, and answers each of them.
//!
//! ```text
//!   request ─┐                           ┌─ reader ── SELECT … WHERE prefix IN (…)
//!   request ─┼─► queue of loads  ───────►┤
//!   request ─┘                           └─ reader ── SELECT … WHERE prefix IN (…)
//!
//!   request ─┐
//!   request ─┼─► queue of writes ───────►── writer ── INSERT … ON CONFLICT … (one commit)
//!   request ─┘
//! ```
//!
//! SQLite lets one writer in at a time, so there is one. A write that the shared statement cannot
//! do (a conflict, a deletion) is done by its own statement, in one transaction with the others of
//! its batch.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use serde::Serialize;
use sqlx::{Connection as _, SqliteConnection};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_sessions::session_store::{Error, Result};

use super::{
    open::{Connection, Database, backend, extended_code},
    prefix,
    write::{Write, Written},
};
use crate::stores::{
    PATIENCE, no_answer,
    record::{Columns, IdHash, not_json, now},
};

/// How many requests share a statement or a commit at most.
const BATCH: usize = 256;

/// How many connections read.
const READERS: usize = 2;

/// How often a reader makes sure that the file is still the one that was opened. A writer does so
/// at each commit.
const CHECKED_EVERY: Duration = Duration::from_secs(1);

/// The queues, and the tasks that work them off.
#[derive(Clone, Debug)]
pub(super) struct Batches {
    loads: mpsc::Sender<Load>,
    writes: mpsc::Sender<Job>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct Load {
    id_hash: IdHash,
    reply: oneshot::Sender<Result<Option<Columns>>>,
}

#[derive(Debug)]
struct Job {
    write: Write,
    asked: Instant,
    reply: oneshot::Sender<Result<Written>>,
}

impl Batches {
    pub fn start(database: Database) -> Batches {
        let (loads, waiting_loads) = mpsc::channel(4 * BATCH);
        let (writes, waiting_writes) = mpsc::channel(4 * BATCH);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let queue = Queue { waiting: Arc::new(Mutex::new(waiting_loads)), stop: stop.clone() };
        // Both readers take from one queue: whichever is free answers next.
        for _ in 0..READERS {
            let (database, queue) = (database.clone(), queue.clone());
            tasks.spawn(keep_running(move || read_all(database.clone(), queue.clone())));
        }
        let queue = Queue { waiting: Arc::new(Mutex::new(waiting_writes)), stop: stop.clone() };
        // One writer. SQLite would make a second one wait in any case.
        tasks.spawn(keep_running(move || write_all(database.clone(), queue.clone())));
        // No more tasks will come, so that `close` can wait for the last of these.
        tasks.close();
        Batches { loads, writes, stop, tasks }
    }

    pub async fn load(&self, id_hash: IdHash) -> Result<Option<Columns>> {
        let (reply, answer) = oneshot::channel();
        self.ask(&self.loads, Load { id_hash, reply }, answer).await
    }

    pub async fn write(&self, write: Write) -> Result<Written> {
        let (reply, answer) = oneshot::channel();
        self.ask(&self.writes, Job { write, asked: Instant::now(), reply }, answer).await
    }

    /// One limit for the wait in the queue and the wait for SQLite together.
    async fn ask<Q, A>(
        &self,
        queue: &mpsc::Sender<Q>,
        question: Q,
        answer: oneshot::Receiver<Result<A>>,
    ) -> Result<A> {
        let asked = async {
            queue.send(question).await.map_err(|_| ended())?;
            answer.await.map_err(|_| ended())?
        };
        timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(Error::Backend(no_answer())))
    }

    /// Answers what is in the queues, and closes the connections.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.wait().await;
    }
}

/// The tasks end with the runtime in which the store was opened, and when it is closed.
pub(super) fn ended() -> Error {
    Error::Backend("the session store is closed, or one of its tasks has just failed".to_owned())
}

/// What waits for a task. Several tasks may share it.
struct Queue<Q> {
    waiting: Arc<Mutex<mpsc::Receiver<Q>>>,
    stop: CancellationToken,
}

impl<Q> Clone for Queue<Q> {
    fn clone(&self) -> Self {
        Queue { waiting: self.waiting.clone(), stop: self.stop.clone() }
    }
}

impl<Q> Queue<Q> {
    /// All that waits, at least one; empty when the store is closed or dropped.
    async fn next(&self) -> Vec<Q> {
        let mut batch = Vec::new();
        // A reader that waits here holds the lock. The other one waits for the lock, and takes what
        // comes after.
        let mut waiting = self.waiting.lock().await;
        tokio::select! {
            _ = waiting.recv_many(&mut batch, BATCH) => return batch,
            () = self.stop.cancelled() => {}
        }
        // No more is let in; what is there is still answered.
        waiting.close();
        waiting.recv_many(&mut batch, BATCH).await;
        batch
    }
}

/// Starts the task again if it panics, so that one bad row does not end the store. The requests of
/// that batch get an error.
async fn keep_running<T: Future<Output = ()> + Send + 'static>(task: impl Fn() -> T) {
    while let Err(panic) = tokio::spawn(task()).await {
        tracing::error!("a task of the session store has failed and starts again: {panic}");
    }
}

async fn read_all(database: Database, queue: Queue<Load>) {
    let mut connection = database.connection();
    let mut checked = Instant::now();
    loop {
        let loads = queue.next().await;
        if loads.is_empty() {
            return connection.close().await;
        }
        // All that has gathered while the last batch was read.
        let mut found = find(&mut connection, &loads).await.map_err(backend);
        if found.is_err() {
            connection.discard();
        } else if checked.elapsed() > CHECKED_EVERY {
            (found, checked) = (database.identity.check().and(found), Instant::now());
        }
        for Load { id_hash, reply } in loads {
            let row = match &found {
                // Several requests of one visitor may ask for the same row.
                Ok(rows) => Ok(rows.get(&id_hash).cloned()),
                Err(error) => Err(again(error)),
            };
            // An error means that the request was given up.
            let _ = reply.send(row);
        }
    }
}

/// One statement for all, whose text is always the same, so that SQLite prepares it once. Its
/// answer is one row of JSON, since sqlx hands rows over one by one.
async fn find(
    connection: &mut Connection,
    loads: &[Load],
) -> sqlx::Result<HashMap<IdHash, Columns>> {
    let db = connection.get().await?;
    // With few visitors most batches are of one, and the plain statement is cheaper.
    if let [load] = loads {
        let row = super::load(db, &load.id_hash).await?;
        return Ok(row.map(|row| (load.id_hash.clone(), row)).into_iter().collect());
    }
    let rows: Vec<u8> = sqlx::query_scalar(
        "SELECT json_group_object(hex(id_hash), json_array(data, expiry_date, version))
         FROM session
         WHERE prefix IN (SELECT value FROM json_each(?)) AND expiry_date > ?",
    )
    .bind(json(loads.iter().map(|load| prefix(&load.id_hash))))
    .bind(now())
    .fetch_one(db)
    .await?;
    // Lossy, so that a row with bytes that are not text spoils no other request's.
    let rows: HashMap<String, Columns> = serde_json::from_str(&String::from_utf8_lossy(&rows))
        .map_err(|error| sqlx::Error::Decode(not_json(&error).into()))?;
    let with_hash = |(hash, row)| Some((hex::decode(hash).ok()?, row));
    Ok(rows.into_iter().filter_map(with_hash).collect())
}

async fn write_all(database: Database, queue: Queue<Job>) {
    let mut connection = database.connection();
    loop {
        let mut jobs = queue.next().await;
        if jobs.is_empty() {
            return connection.close().await;
        }
        // A request that has waited for too long has its 503 page: its write must not follow.
        jobs.retain(|job| !job.reply.is_closed());
        let Some(oldest) = jobs.iter().map(|job| job.asked.elapsed()).max() else { continue };
        let (writes, replies): (Vec<_>, Vec<_>) =
            jobs.into_iter().map(|job| (job.write, job.reply)).unzip();
        match commit_here(&mut connection, &database, oldest, &writes).await {
            Ok(written) => {
                for (reply, written) in replies.into_iter().zip(written) {
                    let _ = reply.send(Ok(written));
                }
            }
            Err(error) => {
                connection.discard();
                replies.into_iter().for_each(|reply| drop(reply.send(Err(again(&error)))))
            }
        }
    }
}

/// Commits to the file that was opened, and to no other: no visitor is told that something is
/// stored that is in a deleted file. Checked before the commit too, or each request of an outage
/// would be stored there in spite of its 503 page.
async fn commit_here(
    connection: &mut Connection,
    database: &Database,
    waited: Duration,
    writes: &[Write],
) -> Result<Vec<Written>> {
    database.identity.check()?;
    connection.limit_wait(waited).await.map_err(backend)?;
    let written = commit(connection, writes).await.map_err(backend)?;
    database.identity.check()?;
    Ok(written)
}

/// All of these writes, or none of them. They were asked for at the same time, so any order will
/// do.
async fn commit(connection: &mut Connection, writes: &[Write]) -> sqlx::Result<Vec<Written>> {
    let db = connection.get().await?;
    // One message to the connection's thread instead of three (BEGIN, the statement, COMMIT).
    if let Some(stored) = store_upserts(db, writes).await? {
        return Ok(stored);
    }
    // IMMEDIATE takes the write lock before anything is read: another server cannot come between.
    let mut transaction = db.begin_with("BEGIN IMMEDIATE").await?;
    let mut written = Vec::with_capacity(writes.len());
    for write in writes {
        written.push(apply(&mut transaction, write).await?);
    }
    transaction.commit().await?;
    Ok(written)
}

async fn apply(db: &mut SqliteConnection, write: &Write) -> sqlx::Result<Written> {
    Ok(match write {
        Write::Create(row) => Written::Outcome(super::create(db, row).await?),
        Write::CompareAndSwap(expected, new) => {
            Written::Outcome(super::compare_and_swap(db, *expected, new).await?)
        }
        Write::Delete(id_hash) => Written::Deleted(super::delete(db, id_hash).await?),
        Write::Clear(prefixes) => Written::Cleared(super::clear(db, prefixes).await?),
    })
}

/// Nearly all writes are upserts: a row that is new, or that takes the place of the version that was
/// seen. If all of a batch are, one statement does them, which is a transaction of its own.
///
/// It stores all or none. A row that cannot be stored, because another write came first, gets
/// NULL for a column that must have a value, and SQLite gives the whole statement up.
async fn store_upserts(
    db: &mut SqliteConnection,
    writes: &[Write],
) -> sqlx::Result<Option<Vec<Written>>> {
    let upserts: Option<Vec<_>> = writes.iter().map(Write::as_upsert).collect();
    let Some(upserts) = upserts else { return Ok(None) };
    let rows = upserts.iter().map(|(row, version, is_new)| {
        let hash = hex::encode(&row.id_hash);
        (prefix(&row.id_hash), hash, &row.data, row.expiry_date, version.0 as i64, is_new)
    });
    // ->> 5: a new row needs no other. Any other row takes the place of one that is still there.
    // ON CONFLICT: the row there must have the whole hash, and the version before this one. A row
    // that is new has version 1, and no row has version 0, so an id that is taken is refused too.
    let statement = sqlx::query(
        "INSERT INTO session (prefix, id_hash, data, expiry_date, version)
         SELECT value ->> 0, unhex(value ->> 1),
             iif(value ->> 5 OR EXISTS (
                 SELECT 1 FROM session WHERE prefix = value ->> 0 AND expiry_date > ?1),
                 value ->> 2, NULL),
             value ->> 3, value ->> 4
         FROM json_each(?2)
         WHERE true
         ON CONFLICT (prefix) DO UPDATE SET data = excluded.data,
             expiry_date = excluded.expiry_date,
             version = iif(id_hash = excluded.id_hash AND version = excluded.version - 1,
                 excluded.version, NULL)",
    );
    match statement.bind(now()).bind(json(rows)).execute(db).await {
        Ok(_) => {
            Ok(Some(upserts.iter().map(|(_, version, _)| Written::stored(*version)).collect()))
        }
        // At least one came too late. Each is tried by itself now, and told what became of it.
        Err(error) if extended_code(&error) == Some(CONSTRAINT_NOTNULL) => Ok(None),
        Err(error) => Err(error),
    }
}

/// sqlite.org/rescode.html
const CONSTRAINT_NOTNULL: u32 = 1299;

fn again(error: &Error) -> Error {
    Error::Backend(match error {
        Error::Backend(cause) => cause.clone(),
        other => other.to_string(),
    })
}

fn json(values: impl IntoIterator<Item: Serialize>) -> String {
    let values: Vec<_> = values.into_iter().collect();
    serde_json::to_string(&values).expect("hashes, texts and numbers are JSON")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_starts_again() {
        let starts = Arc::new(AtomicU32::new(0));
        let counted = starts.clone();
        keep_running(move || {
            let start = counted.fetch_add(1, Relaxed);
            async move { assert_ne!(start, 0, "the first one panics") }
        })
        .await;
        assert_eq!(starts.load(Relaxed), 2);
    }
}
