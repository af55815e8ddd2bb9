//! Sessions in a PostgreSQL database, which any number of web servers may share.
//!
//! This file has the table and the statements. `open.rs` reads the URL and finds out at the start
//! whether sessions can be kept there. `connections.rs` is the connection pool.

mod connections;
mod open;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use sqlx::PgConnection;
use tower_sessions::{
    session::{Id, Record},
    session_store::Result,
};

use self::connections::Database;
use super::{
    Outcome, Store, Version,
    record::{Columns, IdHash, Row, column, decode, hash, now},
};

/// A row is found by the hash of its id: see `record.rs`. The data are `text` and not `jsonb`,
/// which refuses the character U+0000.
///
/// With `IF NOT EXISTS` alone, two web servers that start at once both see no table, and one of
/// them fails to create it. So one waits for the other: the statements are sent together, which
/// makes them one transaction, and the lock lasts as long as that. Its number is any that no other
/// program uses.
const SCHEMA: &str = "
    SELECT pg_advisory_xact_lock(5022413106940312);
    CREATE TABLE IF NOT EXISTS session (
        id_hash     bytea  NOT NULL PRIMARY KEY,
        data        text   NOT NULL, -- a JSON object
        expiry_date bigint NOT NULL, -- seconds since 1970, UTC
        version     bigint NOT NULL  -- 1, and one more with each write
    );
    CREATE INDEX IF NOT EXISTS session_expiry_date ON session (expiry_date);";

/// A store in a PostgreSQL database, exact also when several web servers use it.
///
/// The sessions are in the table `session`, which [`PostgresStore::open`] creates. They survive
/// what the database survives: PostgreSQL answers a write when its disk has it, unless its
/// setting `synchronous_commit` was turned off.
///
/// Whether a session has expired is told by the clock of the web server that asks, and not by the
/// database's: keep the clocks of several web servers in step (NTP). Expired rows stay until
/// [`clear_expired`](crate::clear_expired) deletes them. Several web servers may clear at once,
/// and none waits for another.
///
/// # Connections
///
/// Each web server opens up to ten connections. A request waits three seconds for the database at
/// most, the wait for a free connection included; then its visitor gets a 503 page. The next
/// request tries again, so nothing has to be restarted when the database is back.
///
/// PostgreSQL does not notice that a request has stopped waiting, for example for a table that
/// an administrator has locked, and works on. Limit it too: `ALTER ROLE library SET
/// statement_timeout = '3s'`.
///
/// For TLS, give sqlx one of its features for it, such as `tls-rustls-ring-native-roots`, and add
/// `?sslmode=verify-full` to the URL. With the feature and without `sslmode`, sqlx uses TLS if the
/// server offers it, and checks no certificate.
///
/// # Behind a connection pooler
///
/// The statements are prepared once for each connection. A pooler such as PgBouncer must keep them
/// apart: in session mode it does, and in transaction mode if it follows prepared statements
/// (PgBouncer 1.21 and later, setting `max_prepared_statements`). [`PostgresStore::open`] refuses
/// one that does not.
///
/// ```
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// use sessions::{PostgresStore, SessionLayer};
///
/// let store = PostgresStore::open("postgres://library:secret@localhost:5432/library").await?;
/// let layer = SessionLayer::new(store);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct PostgresStore(Arc<Database>);

/// The place, and not the password, which the options would show.
impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresStore").field(&self.0.place()).finish()
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        let select = || async {
            let mut db = self.0.acquire().await?;
            let found: Option<Columns> = sqlx::query_as(
                "SELECT data, expiry_date, version FROM session
                 WHERE id_hash = $1 AND expiry_date > $2",
            )
            .bind(hash(id))
            .bind(now())
            .fetch_optional(&mut *db)
            .await?;
            db.release();
            Ok(found)
        };
        let found = self.0.call(select).await?;
        found.map(|columns| decode(id, columns)).transpose()
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        let row = Row::encode(record)?;
        let insert = || async {
            let mut db = self.0.acquire().await?;
            let inserted = sqlx::query(
                "INSERT INTO session (id_hash, data, expiry_date, version) VALUES ($1, $2, $3, 1)
                 ON CONFLICT (id_hash) DO NOTHING",
            )
            .bind(&row.id_hash)
            .bind(&row.data)
            .bind(row.expiry_date)
            .execute(&mut *db)
            .await?
            .rows_affected();
            db.release();
            Ok(if inserted == 1 { Outcome::Stored(Version(1)) } else { Outcome::IdTaken })
        };
        self.0.call(insert).await
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        let row = Row::encode(new)?;
        let update = || async {
            let mut db = self.0.acquire().await?;
            // Comparison and write are one statement. A second request that writes to this row
            // waits for the first, compares again, and finds another version.
            let written = sqlx::query(
                "UPDATE session SET data = $1, expiry_date = $2, version = version + 1
                 WHERE id_hash = $3 AND version = $4 AND expiry_date > $5",
            )
            .bind(&row.data)
            .bind(row.expiry_date)
            .bind(&row.id_hash)
            // NULL, which equals nothing, if no row that can be read has this version.
            .bind(column(expected))
            .bind(now())
            .execute(&mut *db)
            .await?
            .rows_affected();
            let outcome = match written {
                1 => Outcome::Stored(expected.next()),
                _ => why_not(&mut db, &row.id_hash).await?,
            };
            db.release();
            Ok(outcome)
        };
        self.0.call(update).await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        let delete = || async {
            let mut db = self.0.acquire().await?;
            let deleted: Option<Columns> = sqlx::query_as(
                "DELETE FROM session WHERE id_hash = $1 RETURNING data, expiry_date, version",
            )
            .bind(hash(id))
            .fetch_optional(&mut *db)
            .await?;
            db.release();
            Ok(deleted)
        };
        let deleted = self.0.call(delete).await?;
        // The row is gone by now, also if it cannot be read.
        deleted.map(|columns| Ok(decode(id, columns)?.0)).transpose()
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        let clear = || async {
            let mut db = self.0.acquire().await?;
            // ARRAY has the rows chosen once. With IN, PostgreSQL may choose again for each row
            // that it deletes, and delete more than the limit. SKIP LOCKED leaves out the rows
            // that another web server is clearing.
            let cleared = sqlx::query(
                "DELETE FROM session WHERE id_hash = ANY (ARRAY (
                     SELECT id_hash FROM session WHERE expiry_date <= $1
                     ORDER BY expiry_date LIMIT $2 FOR UPDATE SKIP LOCKED))",
            )
            .bind(now())
            .bind(i64::from(limit))
            .execute(&mut *db)
            .await?
            .rows_affected();
            db.release();
            Ok(cleared)
        };
        self.0.call(clear).await
    }
}

/// Why no row was written. This is a statement of its own, and much may have happened before it.
/// That does no harm: after either answer the request loads the record, or finds it gone.
async fn why_not(db: &mut PgConnection, id_hash: &IdHash) -> sqlx::Result<Outcome> {
    let is_there = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM session WHERE id_hash = $1 AND expiry_date > $2)",
    )
    .bind(id_hash)
    .bind(now())
    .fetch_one(db)
    .await?;
    Ok(if is_there { Outcome::Conflict } else { Outcome::Missing })
}
