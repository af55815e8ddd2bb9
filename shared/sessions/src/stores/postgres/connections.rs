//! A small connection pool, and how long a call to PostgreSQL may take.
//!
//! Why not sqlx's pool? That one asks each connection that it takes back whether it is alive, and
//! sets no limit to the wait for the answer: a server that falls silent at the wrong moment keeps
//! the connection, and in time all of them. Here a connection that did not answer is closed and
//! not asked, and no call takes longer than [`PATIENCE`].

use std::ops::{Deref, DerefMut};

use parking_lot::Mutex;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};
use tower_sessions::session_store::Result;

use crate::stores::{
    PATIENCE,
    network::{self, FRESH, no_answer},
    record::undecodable,
};

/// How many connections one web server opens at most. PostgreSQL allows 100 in all by default.
const CONNECTIONS: usize = 10;

/// Two statements met, and this one has to be run again. PostgreSQL asks for that only if its
/// setting `default_transaction_isolation` is stricter than `read committed`, the default.
const SERIALIZATION_FAILURE: &str = "40001";

/// The database, and the connections to it.
pub(super) struct Database {
    options: PgConnectOptions,
    /// Host, port, database and user, for messages.
    place: String,
    idle: Mutex<Vec<Idle>>,
    /// One for each connection that may be in use.
    permits: Semaphore,
}

struct Idle {
    connection: PgConnection,
    since: Instant,
}

/// A connection that no other call uses meanwhile.
///
/// It is closed unless [`release`](Acquired::release) gives it back. So a call that fails, or is
/// dropped in the middle of a statement because the visitor has given up, leaves no connection
/// behind whose next answer would be the one to that statement.
pub(super) struct Acquired<'a> {
    connection: PgConnection,
    database: &'a Database,
    _permit: SemaphorePermit<'a>,
}

impl Database {
    pub fn new(options: PgConnectOptions, place: String) -> Self {
        Database {
            options,
            place,
            idle: Mutex::new(Vec::with_capacity(CONNECTIONS)),
            permits: Semaphore::new(CONNECTIONS),
        }
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    /// Makes one call, which [acquires](Database::acquire) a connection.
    ///
    /// The time runs from here on: for a free connection or a new one, and for the statements.
    pub async fn call<T, F>(&self, statements: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let repeated = async {
            loop {
                match statements().await {
                    // No end is counted here: the time runs.
                    Err(error) if code(&error).as_deref() == Some(SERIALIZATION_FAILURE) => {}
                    done => return done,
                }
            }
        };
        let cause = match timeout(PATIENCE, repeated).await {
            Ok(Ok(done)) => return Ok(done),
            // Only this row is at fault, and the other calls go on as they are.
            Ok(Err(sqlx::Error::ColumnDecode { source, .. } | sqlx::Error::Decode(source))) => {
                return Err(undecodable(source));
            }
            Ok(Err(error)) => cause(&error),
            Err(_) => no_answer(),
        };
        // If one connection is broken, the others may be, too. A new one costs little, and then no
        // later request runs into them.
        self.idle.lock().clear();
        Err(network::failed(&self.place, &cause))
    }

    /// The connection that was used last, if it is alive, or a new one.
    pub async fn acquire(&self) -> sqlx::Result<Acquired<'_>> {
        // tokio's semaphore is fair: the call that has waited longest comes next.
        let permit = self.permits.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        // In a statement of its own, so that the lock is not held while the connection is asked.
        let idle = self.idle.lock().pop();
        if let Some(Idle { mut connection, since }) = idle {
            let is_alive = since.elapsed() < FRESH
                || matches!(timeout(FRESH, connection.ping()).await, Ok(Ok(())));
            if is_alive {
                return Ok(Acquired { connection, database: self, _permit: permit });
            }
            // The others have been idle for even longer. Each would cost a request as much time.
            self.idle.lock().clear();
        }
        Ok(Acquired { connection: self.options.connect().await?, database: self, _permit: permit })
    }

    /// Keeps a connection for a later call.
    pub fn keep_idle(&self, connection: PgConnection) {
        self.idle.lock().push(Idle { connection, since: Instant::now() });
    }
}

impl Acquired<'_> {
    /// Gives the connection back, after its last statement was answered.
    pub fn release(self) {
        self.database.keep_idle(self.connection);
    }
}

impl Deref for Acquired<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Acquired<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

/// One of the codes in PostgreSQL's documentation, appendix "PostgreSQL Error Codes".
pub(super) fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// What the server or the operating system said, without sqlx's introduction.
pub(super) fn cause(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => error.to_string(),
        error => error.to_string(),
    }
}
