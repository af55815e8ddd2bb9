//! Sessions in a PostgreSQL database, which any number of servers may share.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use sqlx::{
    ConnectOptions as _, Connection as _, PgConnection, Postgres,
    postgres::{PgArguments, PgConnectOptions},
};
use time::OffsetDateTime;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::{
    row::{Hash, Row, Stored, decode, hash, record},
    store::{Replaced, Store, Version},
};

/// What the store needs of the table, asked without changing a row.
const TRY: &str = "
    INSERT INTO session (id_hash, data, expiry_date, version)
    SELECT id_hash, data, expiry_date, version FROM session WHERE false";

/// Statements that are sent together are one transaction, and the lock lasts as long as that. With
/// `IF NOT EXISTS` alone, two servers that start at once both see no table, and one of them fails
/// to create it. The lock's number is any that nobody else in the database uses.
///
/// A row is found by the hash of its id: see row.rs. The data are text
/// and not jsonb, which refuses the character U+0000.
const SCHEMA: &str = "
    SELECT pg_advisory_xact_lock(5022413106940312);
    CREATE TABLE IF NOT EXISTS session (
        id_hash     bytea  NOT NULL PRIMARY KEY,
        data        text   NOT NULL, -- a JSON object
        expiry_date bigint NOT NULL, -- seconds since 1970, UTC
        version     bigint NOT NULL  -- one more with each write
    );
    CREATE INDEX IF NOT EXISTS session_expiry_date ON session (expiry_date);";

/// How long a visitor waits for the database at most.
const PATIENCE: Duration = Duration::from_secs(3);

/// A connection that has rested for longer is asked whether it is alive, and may take as long to
/// answer.
const FRESH: Duration = Duration::from_secs(1);

/// How many connections one server opens at most. PostgreSQL allows 100 in all by default.
const CONNECTIONS: usize = 10;

/// A store in a PostgreSQL database, exact also when several servers use the database.
///
/// The sessions are in the table `session`, which [`PostgresStore::open`] creates. They survive
/// whatever the database survives: PostgreSQL answers a save when its disk has it, unless its
/// setting `synchronous_commit` was turned off.
///
/// Whether a session has expired is told by the clock of the web server that asks, and not by the
/// database's: keep the clocks of several web servers in step (NTP). Expired rows stay until
/// [`clear_expired`](crate::clear_expired) deletes them. Several servers may clear at once; none
/// waits for another.
///
/// Each server opens up to ten connections. A request waits three seconds for the database at
/// most; then its visitor gets a 503 page. The next request tries again, so nobody has to restart
/// anything when the database is back.
///
/// # A connection that nobody can listen to
///
/// For TLS, give sqlx one of its features for it, such as `tls-rustls-ring-native-roots`, and add
/// `?sslmode=verify-full` to the URL. With the feature and without `sslmode`, sqlx uses TLS if the
/// server offers it, and checks no certificate.
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
        f.debug_tuple("PostgresStore").field(&self.0.place).finish()
    }
}

impl PostgresStore {
    /// Connects to the database, and creates the table `session` where it is missing.
    ///
    /// The URL is `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Write `%40` for an `@` in the
    /// password, `%2F` for a `/`, `%3A` for a `:` and `%23` for a `#`. What it leaves out comes
    /// from the variables `PGUSER`, `PGPASSWORD` and so on (PostgreSQL's documentation, section
    /// "Environment Variables" of libpq). Add `?options=-csearch_path%3DNAME` for another schema
    /// than `public`.
    ///
    /// The user needs the right to create the table, unless it is there already: then to select,
    /// insert, update and delete its rows is enough.
    ///
    /// ```
    /// # async fn start() {
    /// use sessions::PostgresStore;
    ///
    /// match PostgresStore::open("postgres://localhost/library").await {
    ///     Ok(store) => println!("{store:?} is open"),
    ///     Err(error) => eprintln!("error: {error}"),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] where the URL is none of PostgreSQL's, where the server does not answer
    /// within three seconds or refuses the user, and where the database or a right is missing.
    /// Its one line says what was tried and what to do, and no password.
    pub async fn open(url: &str) -> Result<Self> {
        let options = parse(url)?;
        let place = place(&options);
        let explain = |cause: &str, advice: &str| {
            Error::Backend(format!("cannot keep sessions in {place} ({cause}){advice}"))
        };
        let opened = match timeout(PATIENCE, prepare(&options)).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => return Err(explain(&cause(&error), advice(&error))),
            Err(_) => return Err(explain(&no_answer(), START)),
        };
        let store = PostgresStore(Arc::new(Database {
            options,
            place,
            resting: Mutex::new(Vec::with_capacity(CONNECTIONS)),
            turns: Semaphore::new(CONNECTIONS),
        }));
        store.0.rest(opened);
        Ok(store)
    }

    /// Runs a statement, and says how many rows it changed.
    async fn execute(&self, statement: Query) -> Result<u64> {
        self.0
            .in_time(async {
                let mut lent = self.0.lend().await?;
                let done = statement.execute(&mut lent.connection).await?;
                self.0.keep(lent);
                Ok(done.rows_affected())
            })
            .await
    }

    async fn write(&self, old: &Hash, seen: Version, new: &Row) -> Result<Written> {
        self.0
            .in_time(async {
                let mut lent = self.0.lend().await?;
                let db = &mut lent.connection;
                let written = match *old == new.id_hash {
                    true => Written::Replaced(overwrite(db, seen, new).await?),
                    false => move_to(db, old, seen, new).await?,
                };
                self.0.keep(lent);
                Ok(written)
            })
            .await
    }
}

const START: &str = ": start the server, or correct the host and the port in the URL";

fn parse(url: &str) -> Result<PgConnectOptions> {
    // The scheme, and no more of the URL: there may be a password in it.
    let problem = match url.split_once("://") {
        Some(("postgres" | "postgresql", _)) => match url.parse::<PgConnectOptions>() {
            Ok(options) => return Ok(options),
            Err(problem) => problem.to_string().replace("error with configuration: ", ""),
        },
        Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            format!("it starts with {scheme}://")
        }
        _ => "it is no URL".to_owned(),
    };
    Err(Error::Backend(format!(
        "that is not the URL of a PostgreSQL database ({problem}): write \
         postgres://USER:PASSWORD@HOST:PORT/DATABASE"
    )))
}

fn place(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => options.get_host().to_owned(),
    };
    let (port, user) = (options.get_port(), options.get_username());
    let database = options.get_database().unwrap_or(user);
    format!("PostgreSQL at {host}:{port}, database {database:?}, user {user:?}")
}

async fn prepare(options: &PgConnectOptions) -> sqlx::Result<PgConnection> {
    let mut db = options.connect().await?;
    let tried = sqlx::raw_sql(TRY).execute(&mut db).await;
    let is_missing = tried.as_ref().err().and_then(code).as_deref() == Some(UNDEFINED_TABLE);
    if is_missing { sqlx::raw_sql(SCHEMA).execute(&mut db).await } else { tried }?;
    Ok(db)
}

const UNDEFINED_TABLE: &str = "42P01";

/// PostgreSQL's documentation, appendix "Error Codes".
fn code(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// What the server or the operating system said, without sqlx's introduction.
fn cause(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn advice(error: &sqlx::Error) -> &'static str {
    if let sqlx::Error::Io(_) = error {
        return START;
    }
    match code(error).as_deref() {
        Some("28000" | "28P01") => ": correct the user and the password in the URL",
        Some("3D000") => ": create the database, or name another one in the URL",
        Some("42501") => ": let the user create a table there, or use the one that is there",
        Some("42703") => ": that table session is another program's; use another database",
        _ => "",
    }
}

fn no_answer() -> String {
    format!("no answer within {} seconds", PATIENCE.as_secs())
}

/// The database, and the connections to it.
///
/// They are not in sqlx's pool. That one asks each connection that it takes back whether it is
/// alive, and waits for the answer without end: a server that falls silent at the wrong moment
/// would keep the connection, and in time all of them. Here, whatever is not given back after a
/// success is closed, and nothing is awaited for longer than [`PATIENCE`].
struct Database {
    options: PgConnectOptions,
    /// Host, port, database and user, for messages.
    place: String,
    resting: Mutex<Vec<Resting>>,
    turns: Semaphore,
}

struct Resting {
    connection: PgConnection,
    since: Instant,
}

/// A connection at work, which is closed unless [`Database::keep`] gets it back: also when the
/// visitor gives up and the request ends in the middle.
struct Lent<'a> {
    connection: PgConnection,
    _turn: SemaphorePermit<'a>,
}

impl Database {
    async fn in_time<T>(&self, work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
        let problem = match timeout(PATIENCE, work).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error @ (sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)))) => {
                return Err(decode(error));
            }
            Ok(Err(error)) => cause(&error),
            Err(_) => no_answer(),
        };
        // Where one connection is broken the others may be, too. To open them anew costs little,
        // and the next visitor does not run into them.
        self.resting.lock().clear();
        Err(Error::Backend(format!("{}: {problem}", self.place)))
    }

    async fn lend(&self) -> sqlx::Result<Lent<'_>> {
        let turn = self.turns.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let rested = self.resting.lock().pop();
        if let Some(Resting { mut connection, since }) = rested {
            let is_alive = since.elapsed() < FRESH
                || matches!(timeout(FRESH, connection.ping()).await, Ok(Ok(())));
            if is_alive {
                return Ok(Lent { connection, _turn: turn });
            }
        }
        Ok(Lent { connection: self.options.connect().await?, _turn: turn })
    }

    fn keep(&self, lent: Lent<'_>) {
        self.rest(lent.connection);
    }

    fn rest(&self, connection: PgConnection) {
        self.resting.lock().push(Resting { connection, since: Instant::now() });
    }
}

enum Written {
    Replaced(Replaced),
    /// The new record's id is taken.
    Taken,
}

/// One statement, so nobody comes between the look at the version and the write.
async fn overwrite(db: &mut PgConnection, seen: Version, new: &Row) -> sqlx::Result<Replaced> {
    let written = sqlx::query(
        "UPDATE session SET data = $1, expiry_date = $2, version = version + 1
         WHERE id_hash = $3 AND version = $4 AND expiry_date > $5",
    )
    .bind(&new.data)
    .bind(new.expiry_date)
    .bind(&new.id_hash)
    .bind(seen.0 as i64)
    .bind(now())
    .execute(&mut *db)
    .await?
    .rows_affected();
    match written {
        1 => Ok(Replaced::Done(Version(seen.0 + 1))),
        _ => why_not(db, &new.id_hash).await,
    }
}

/// One transaction: everybody sees the old row or the new one, never both and never neither.
async fn move_to(
    db: &mut PgConnection,
    old: &Hash,
    seen: Version,
    new: &Row,
) -> sqlx::Result<Written> {
    let mut transaction = db.begin().await?;
    if insert(new).execute(&mut *transaction).await?.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(Written::Taken);
    }
    // Of several who move the row, one deletes it; the others wait here until that one is done.
    let deleted =
        sqlx::query("DELETE FROM session WHERE id_hash = $1 AND version = $2 AND expiry_date > $3")
            .bind(old)
            .bind(seen.0 as i64)
            .bind(now())
            .execute(&mut *transaction)
            .await?
            .rows_affected();
    if deleted == 0 {
        transaction.rollback().await?;
        return why_not(db, old).await.map(Written::Replaced);
    }
    transaction.commit().await?;
    Ok(Written::Replaced(Replaced::Done(Version(1))))
}

/// Why a record was not replaced.
async fn why_not(db: &mut PgConnection, id_hash: &Hash) -> sqlx::Result<Replaced> {
    let is_there = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM session WHERE id_hash = $1 AND expiry_date > $2)",
    )
    .bind(id_hash)
    .bind(now())
    .fetch_one(db)
    .await?;
    Ok(if is_there { Replaced::Changed } else { Replaced::Gone })
}

type Query = sqlx::query::Query<'static, Postgres, PgArguments>;

fn insert(row: &Row) -> Query {
    sqlx::query(
        "INSERT INTO session (id_hash, data, expiry_date, version) VALUES ($1, $2, $3, 1)
         ON CONFLICT DO NOTHING",
    )
    .bind(&row.id_hash)
    .bind(&row.data)
    .bind(row.expiry_date)
}

#[async_trait]
impl SessionStore for PostgresStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        while self.execute(insert(&Row::of(record)?)).await? == 0 {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let row = Row::of(record)?;
        let upsert = sqlx::query(
            "INSERT INTO session (id_hash, data, expiry_date, version) VALUES ($1, $2, $3, 1)
             ON CONFLICT (id_hash) DO UPDATE SET data = excluded.data,
                 expiry_date = excluded.expiry_date, version = session.version + 1",
        );
        let upsert = upsert.bind(row.id_hash).bind(row.data).bind(row.expiry_date);
        self.execute(upsert).await.map(drop)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.load_versioned(id).await?.map(|(record, _)| record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let delete = sqlx::query("DELETE FROM session WHERE id_hash = $1").bind(hash(id));
        self.execute(delete).await.map(drop)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn load_versioned(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        let stored: Option<Stored> = self
            .0
            .in_time(async {
                let mut lent = self.0.lend().await?;
                let stored = sqlx::query_as(
                    "SELECT data, expiry_date, version FROM session
                     WHERE id_hash = $1 AND expiry_date > $2",
                )
                .bind(hash(id))
                .bind(now())
                .fetch_optional(&mut lent.connection)
                .await?;
                self.0.keep(lent);
                Ok(stored)
            })
            .await?;
        stored.map(|stored| record(id, stored)).transpose()
    }

    async fn replace(&self, old: &Id, seen: Version, new: &mut Record) -> Result<Replaced> {
        loop {
            match self.write(&hash(old), seen, &Row::of(new)?).await? {
                Written::Replaced(replaced) => return Ok(replaced),
                Written::Taken => new.id = Id::default(),
            }
        }
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        // ARRAY has the rows chosen once. In its place, IN would let PostgreSQL choose again for
        // each row that it deletes, which is more than the limit. SKIP LOCKED leaves out the rows
        // that another server is clearing.
        let clear = sqlx::query(
            "DELETE FROM session WHERE id_hash = ANY (ARRAY (
                 SELECT id_hash FROM session WHERE expiry_date <= $1
                 ORDER BY expiry_date LIMIT $2 FOR UPDATE SKIP LOCKED))",
        );
        self.execute(clear.bind(now()).bind(i64::from(limit))).await
    }
}

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}
