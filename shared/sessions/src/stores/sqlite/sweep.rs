//! Which rows have expired, a few at a time.
//!
//! It goes through the table in the order of the rows, again and again, so that what one step
//! deletes lies together, on few pages. With an index by date it would not pass the other rows,
//! but then every save would have to write that index too.

use tower_sessions::session_store::Result;

use super::{
    batch::ended,
    open::{Connection, backend},
};
use crate::stores::record::now;

/// How far it has come, and the connection over which it looks.
#[derive(Debug)]
pub(super) struct Sweep {
    connection: Connection,
    last: i64,
    is_closed: bool,
}

impl Sweep {
    pub fn new(connection: Connection) -> Self {
        Sweep { connection, last: i64::MIN, is_closed: false }
    }

    /// The next expired rows after the last one, and on from the table's start when it ends.
    pub async fn next(&mut self, limit: u32) -> Result<Vec<i64>> {
        if self.is_closed {
            // A connection that is opened now would keep the log from being moved into the file.
            return Err(ended());
        }
        let expired = self.find(limit).await;
        if expired.is_err() {
            self.connection.discard();
        }
        expired.map_err(backend)
    }

    async fn find(&mut self, limit: u32) -> sqlx::Result<Vec<i64>> {
        let after = "SELECT prefix FROM session WHERE prefix > ? AND expiry_date <= ?
                     ORDER BY prefix LIMIT ?";
        let up_to = "SELECT prefix FROM session WHERE prefix <= ? AND expiry_date <= ?
                     ORDER BY prefix LIMIT ?";
        let mut expired: Vec<i64> = Vec::new();
        for part in [after, up_to] {
            let some: Vec<i64> = sqlx::query_scalar(part)
                .bind(self.last)
                .bind(now())
                .bind(limit - expired.len() as u32)
                .fetch_all(self.connection.get().await?)
                .await?;
            expired.extend(some);
        }
        self.last = expired.last().copied().unwrap_or(i64::MIN);
        Ok(expired)
    }

    pub async fn close(&mut self) {
        self.is_closed = true;
        self.connection.close().await;
    }
}
