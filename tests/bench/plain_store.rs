//! What one writes first: a store that upserts each save on a connection of a pool.
//!
//! The published tower-sessions-sqlx-store does the same. It does not fit tower-sessions 0.15
//! (docs/pitfalls.md), so here is its like, in JSON.

use std::path::Path;

use async_trait::async_trait;
use sessions::{Id, SessionStore};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode},
};
use time::OffsetDateTime;
use tower_sessions::{
    session::Record,
    session_store::{Error, Result},
};

pub use sqlx::sqlite::SqliteSynchronous as Synchronous;

#[derive(Clone, Debug)]
pub struct PlainStore {
    pool: SqlitePool,
}

impl PlainStore {
    pub async fn open(path: &Path, synchronous: Synchronous) -> sqlx::Result<PlainStore> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous);
        let pool = SqlitePool::connect_with(options).await?;
        let table = "CREATE TABLE IF NOT EXISTS tower_sessions (
                         id TEXT PRIMARY KEY NOT NULL,
                         data TEXT NOT NULL,
                         expiry_date INTEGER NOT NULL)";
        sqlx::query(table).execute(&pool).await?;
        Ok(PlainStore { pool })
    }
}

#[async_trait]
impl SessionStore for PlainStore {
    // An id has 128 random bits: what `save` would overwrite is not there.
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.save(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let data = serde_json::to_string(&record.data).map_err(encode)?;
        let upsert = "INSERT INTO tower_sessions (id, data, expiry_date) VALUES (?, ?, ?)
                      ON CONFLICT (id) DO UPDATE SET
                          data = excluded.data, expiry_date = excluded.expiry_date";
        sqlx::query(upsert)
            .bind(record.id.to_string())
            .bind(data)
            .bind(record.expiry_date.unix_timestamp())
            .execute(&self.pool)
            .await
            .map_err(backend)?;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let select = "SELECT data, expiry_date FROM tower_sessions
                      WHERE id = ? AND expiry_date > ?";
        let row: Option<(String, i64)> = sqlx::query_as(select)
            .bind(id.to_string())
            .bind(OffsetDateTime::now_utc().unix_timestamp())
            .fetch_optional(&self.pool)
            .await
            .map_err(backend)?;
        let Some((data, expiry_date)) = row else { return Ok(None) };
        let data = serde_json::from_str(&data).map_err(decode)?;
        let expiry_date = OffsetDateTime::from_unix_timestamp(expiry_date).map_err(decode)?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let delete = sqlx::query("DELETE FROM tower_sessions WHERE id = ?").bind(id.to_string());
        delete.execute(&self.pool).await.map_err(backend)?;
        Ok(())
    }
}

fn encode(error: impl std::error::Error) -> Error {
    Error::Encode(error.to_string())
}

fn decode(error: impl std::error::Error) -> Error {
    Error::Decode(error.to_string())
}

fn backend(error: impl std::error::Error) -> Error {
    Error::Backend(error.to_string())
}
