//! Opens the file, and says in one line what is wrong with it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};
use tower_sessions::session_store::{Error, Result};

use super::SCHEMA;
use crate::stores::PATIENCE;

/// What every write needs of the table, tried without changing a row. On a file that may only be
/// read SQLite objects here, and not at a visitor's first click; and so it does if the table is
/// another program's.
const TRY: &str = "
    INSERT INTO session (prefix, id_hash, data, expiry_date, version)
        SELECT prefix, id_hash, data, expiry_date, version FROM session WHERE false
        ON CONFLICT (prefix) DO NOTHING;
    DELETE FROM session WHERE false;";

/// How long SQLite waits for another program's lock. It gives up a little before the request does:
/// a visitor whose 503 page is sent must not find later that the write was done.
const BUSY_TIMEOUT: Duration = PATIENCE.saturating_sub(Duration::from_millis(500));

/// A shorter wait in a queue changes nothing.
const NOTICEABLE: Duration = Duration::from_millis(200);

/// The open file: how to connect to it, and which file it was.
#[derive(Clone, Debug)]
pub(super) struct Database {
    options: SqliteConnectOptions,
    pub identity: Identity,
}

impl Database {
    /// A connection that is opened when it is first needed.
    pub fn connection(&self) -> Connection {
        let Database { options, identity } = self.clone();
        Connection { options, identity, open: None, busy_timeout: BUSY_TIMEOUT }
    }
}

/// A connection of one task. sqlx's pool would ask it whether it is alive at each use, which would
/// triple the work; a file on the same machine has no need of that.
#[derive(Debug)]
pub(super) struct Connection {
    options: SqliteConnectOptions,
    identity: Identity,
    open: Option<SqliteConnection>,
    /// How long SQLite waits for another program's lock on this connection.
    busy_timeout: Duration,
}

impl Connection {
    pub async fn get(&mut self) -> sqlx::Result<&mut SqliteConnection> {
        match &mut self.open {
            Some(open) => Ok(open),
            closed => {
                // Another file may have that name now. This connection would go on with it when
                // the right one is back.
                self.identity.check().map_err(io::Error::other)?;
                let open = self.options.connect().await?;
                self.identity.check().map_err(io::Error::other)?;
                Ok(closed.insert(open))
            }
        }
    }

    /// A request that has waited in a queue has less time left for another program's lock. SQLite is
    /// told so only if that makes a difference, since it costs a message.
    pub async fn limit_wait(&mut self, waited: Duration) -> sqlx::Result<()> {
        let is_fresh = waited < NOTICEABLE;
        let left = if is_fresh { BUSY_TIMEOUT } else { BUSY_TIMEOUT.saturating_sub(waited) };
        if left != self.busy_timeout {
            let pragma = format!("PRAGMA busy_timeout = {}", left.as_millis());
            let db = self.get().await?;
            sqlx::raw_sql(AssertSqlSafe(pragma)).execute(db).await?;
            self.busy_timeout = left;
        }
        Ok(())
    }

    /// After a failure: the next [`get`](Connection::get) opens another one. On a full disk SQLite
    /// ends a transaction by itself; sqlx does not hear of it, and would begin no other.
    pub fn discard(&mut self) {
        (self.open, self.busy_timeout) = (None, BUSY_TIMEOUT);
    }

    pub async fn close(&mut self) {
        if let Some(open) = self.open.take()
            && let Err(error) = open.close().await
        {
            tracing::warn!("closing the sessions' database: {error}");
        }
    }
}

/// Opens the file and makes it ready.
pub(super) async fn open(path: &Path) -> Result<Database> {
    if path.as_os_str().is_empty() || path == Path::new(":memory:") {
        return Err(Error::Backend(format!(
            "{path:?} is not a file: name one, or use a MemoryStore for sessions in memory"
        )));
    }
    make(path);
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT);
    let explain = |error: sqlx::Error| {
        let remedy = remedy(&error);
        let (path, cause) = (path.display(), cause(&error));
        Error::Backend(format!("cannot keep sessions in {path} ({cause}): {remedy}"))
    };
    // Each of the three steps finds other errors.
    let mut db = connect(&options).await.map_err(explain)?;
    sqlx::raw_sql(SCHEMA).execute(&mut db).await.map_err(explain)?;
    sqlx::raw_sql(TRY).execute(&mut db).await.map_err(explain)?;
    db.close().await.map_err(explain)?;
    let identity = Identity::of(path).map_err(|error| explain(error.into()))?;
    Ok(Database { options: options.create_if_missing(false), identity })
}

/// Makes a new file that only its owner may read and write: SQLite would let every user of the
/// machine read it. A file that is there keeps its rights; the files of the log get the same.
fn make(path: &Path) {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // If it cannot be made, SQLite says why in a moment.
    if let Ok(file) = options.open(path) {
        // It stays open as long as the process lives. Closing any handle of a file ends the locks
        // that this process has on it, and another thread may have opened it by now
        // (sqlite.org/howtocorrupt.html, section 2.2).
        std::mem::forget(file);
    }
}

/// Unlike every other statement, the switch to the write-ahead log does not wait for its turn: of
/// two servers that start on a new file at once, one is told that it is busy. So wait here.
async fn connect(options: &SqliteConnectOptions) -> sqlx::Result<SqliteConnection> {
    let start = Instant::now();
    loop {
        match options.connect().await {
            Err(error) if code(&error) == Some(BUSY) && start.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            done => return done,
        }
    }
}

// SQLite's result codes: https://www.sqlite.org/rescode.html
const ERROR: u32 = 1;
const BUSY: u32 = 5;
const READONLY: u32 = 8;
const CORRUPT: u32 = 11;
const FULL: u32 = 13;
const CANTOPEN: u32 = 14;
const NOTADB: u32 = 26;

/// The lowest byte says what happened; the others say why.
pub(super) fn code(error: &sqlx::Error) -> Option<u32> {
    Some(extended_code(error)? & 0xff)
}

pub(super) fn extended_code(error: &sqlx::Error) -> Option<u32> {
    error.as_database_error()?.code()?.parse().ok()
}

fn remedy(error: &sqlx::Error) -> &'static str {
    match code(error) {
        Some(ERROR) => {
            "the table `session` is another program's, or of another version of this one; choose \
             another file, or drop the table"
        }
        Some(BUSY) => "another program keeps it locked; close that program",
        Some(READONLY) => "let this program write to the file and to its folder",
        Some(CORRUPT | NOTADB) => "choose another file, or restore a copy",
        Some(FULL) => "make room on its disk",
        Some(CANTOPEN) => {
            "check that it is a file, that its folder exists, and that you may write there"
        }
        _ => "choose another file, in a folder that has room and where you may write",
    }
}

fn cause(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

pub(super) fn backend(error: sqlx::Error) -> Error {
    Error::Backend(cause(&error))
}

/// Which file was opened. A connection goes on with a file that was deleted or replaced: its
/// answers look right, and all of it is lost when the server ends. So the name is checked too.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    path: PathBuf,
    number: FileNumber,
}

impl Identity {
    fn of(path: &Path) -> io::Result<Identity> {
        let path = std::path::absolute(path)?;
        let number = file_number(&fs::metadata(&path)?);
        Ok(Identity { path, number })
    }

    /// # Errors
    ///
    /// If there is another file of this name now, or none, or an empty one.
    pub fn check(&self) -> Result<()> {
        let problem = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => "was deleted or moved away",
            Err(_) => "cannot be reached",
            Ok(now) if file_number(&now) != self.number => "was replaced by another file",
            Ok(now) if now.len() == 0 => "was emptied",
            Ok(_) => return Ok(()),
        };
        let path = self.path.display();
        Err(Error::Backend(format!("{path} {problem}: put it back, or restart this program")))
    }
}

/// The disk and the number of the file on it. Windows keeps an open file from being replaced.
type FileNumber = (u64, u64);

#[cfg(unix)]
fn file_number(file: &fs::Metadata) -> FileNumber {
    use std::os::unix::fs::MetadataExt;
    (file.dev(), file.ino())
}

#[cfg(not(unix))]
fn file_number(_: &fs::Metadata) -> FileNumber {
    (0, 0)
}
