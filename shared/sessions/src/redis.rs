//! Sessions in Redis or Valkey, which any number of servers may share.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use async_trait::async_trait;
use redis::{
    AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, Script,
    aio::MultiplexedConnection,
};
use time::OffsetDateTime;
use tokio::{
    sync::Mutex,
    time::{Instant, error::Elapsed, timeout, timeout_at},
};
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::{
    row::hash,
    store::{Replaced, Store, Version},
};

/// Redis runs one script at a time and nothing else meanwhile, so nobody comes between the look
/// and the write. To set an expiry date that is past deletes the key at once.
static CREATE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('EXISTS', KEYS[1]) == 1 then return 'taken' end
         redis.call('HSET', KEYS[1],
             'data', ARGV[1], 'expiry_date', ARGV[2], 'version', ARGV[3])
         redis.call('EXPIREAT', KEYS[1], ARGV[2])
         return 'done'",
    )
});

/// The keys are the old record and the new one, which may be the same.
static REPLACE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local version = redis.call('HGET', KEYS[1], 'version')
         if not version then return 'gone' end
         if version ~= ARGV[4] then return 'changed' end
         local moves = KEYS[1] ~= KEYS[2]
         if moves and redis.call('EXISTS', KEYS[2]) == 1 then return 'taken' end
         redis.call('HSET', KEYS[2],
             'data', ARGV[1], 'expiry_date', ARGV[2], 'version', ARGV[3])
         redis.call('EXPIREAT', KEYS[2], ARGV[2])
         if moves then redis.call('DEL', KEYS[1]) end
         return 'done'",
    )
});

/// How long a visitor waits for Redis at most.
const PATIENCE: Duration = Duration::from_secs(3);

/// A connection that has rested for longer is asked whether it is alive, and may take as long to
/// answer.
const FRESH: Duration = Duration::from_secs(1);

/// A store in Redis or Valkey, exact also when several servers use it.
///
/// A session is a hash under the key `session:` and the SHA-256 of its id, with the fields `data`
/// (JSON), `expiry_date` (seconds since 1970, UTC) and `version`. Redis deletes it by itself when
/// its time has come, by the clock of the machine that Redis runs on. So there is nothing to
/// clear: [`clear_expired`](crate::clear_expired) returns 0.
///
/// # What a crash costs
///
/// Redis keeps everything in memory. How much of it is on disk is for Redis's settings to say, and
/// by default it is not much:
///
/// | `appendonly` | `appendfsync` | a crash loses |
/// |---|---|---|
/// | `no`, the default | | all since the last snapshot: minutes, up to an hour (`save`) |
/// | `yes` | `everysec`, its default | about a second |
/// | `yes` | `always` | nothing that was answered |
///
/// With what is lost, an older state comes back: a visitor who signed out in that time is signed
/// in again. The same holds when a replica takes over, since Redis replicates after it has
/// answered. And under a `maxmemory-policy` other than `noeviction`, the default, Redis deletes
/// sessions to make room (Redis's documentation, pages "Redis persistence" and "Key eviction").
///
/// # Servers and connections
///
/// All requests share one connection. A request waits three seconds for Redis at most; then its
/// visitor gets a 503 page. The next request tries again, so nobody has to restart anything when
/// Redis is back.
///
/// Redis Cluster is not supported: there, a script cannot move a session to a new id whose key is
/// kept on another machine.
///
/// For TLS, give the crate redis its feature `tokio-rustls-comp` and write `rediss://` in the URL.
///
/// ```
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// use sessions::{RedisStore, SessionLayer};
///
/// let store = RedisStore::open("redis://:secret@localhost:6379/0").await?;
/// let layer = SessionLayer::new(store);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct RedisStore(Arc<Server>);

/// The place, and no password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisStore").field(&self.0.place).finish()
    }
}

impl RedisStore {
    /// Connects to Redis, and makes sure that sessions can be stored there.
    ///
    /// The URL is `redis://USER:PASSWORD@HOST:PORT/NUMBER`, of which all but the host can be left
    /// out; the number is that of the database. `valkey://` means the same. Write `%40` for an `@`
    /// in the password, `%2F` for a `/`, `%3A` for a `:` and `%23` for a `#`.
    ///
    /// ```
    /// # async fn start() {
    /// use sessions::RedisStore;
    ///
    /// match RedisStore::open("redis://localhost/").await {
    ///     Ok(store) => println!("{store:?} is open"),
    ///     Err(error) => eprintln!("error: {error}"),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] where the URL is none of Redis's, where the server does not answer
    /// within three seconds or refuses the password, and where it cannot be written to. Its one
    /// line says what was tried and what to do, and no password.
    pub async fn open(url: &str) -> Result<Self> {
        let client = parse(url)?;
        let place = place(&client);
        let store = RedisStore(Arc::new(Server { client, place, held: Mutex::new(None) }));
        // Redis deletes what has expired as soon as it is written. So this shows whether a session
        // can be stored, and leaves nothing behind.
        let (id, data) = (Id::default(), Default::default());
        let expired = Record { id, data, expiry_date: OffsetDateTime::UNIX_EPOCH };
        match store.try_create(Entry::of(&expired)?).await {
            Ok(_) => Ok(store),
            Err(problem) => Err(Error::Backend(format!(
                "cannot keep sessions in {} ({}){}",
                store.0.place,
                problem.cause(),
                problem.advice()
            ))),
        }
    }

    async fn try_create(&self, entry: Entry) -> Answer<String> {
        let mut create = CREATE.key(entry.key);
        create.arg(entry.data).arg(entry.expiry_date).arg(entry.version.0);
        self.0.ask(async move |mut redis| create.invoke_async(&mut redis).await).await
    }

    async fn try_replace(&self, old: &Id, seen: Version, new: Entry) -> Answer<String> {
        let mut replace = REPLACE.key(key(old));
        replace.key(new.key).arg(new.data).arg(new.expiry_date).arg(new.version.0).arg(seen.0);
        self.0.ask(async move |mut redis| replace.invoke_async(&mut redis).await).await
    }
}

fn parse(url: &str) -> Result<Client> {
    // The scheme, and no more of the URL: there may be a password in it.
    let problem = match url.split_once("://") {
        Some(("redis" | "rediss" | "valkey" | "valkeys", _)) => match Client::open(url) {
            Ok(client) => return Ok(client),
            // Without the name that the crate has for such problems.
            Err(problem) => problem.to_string().replace(" - InvalidClientConfig", ""),
        },
        Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            format!("it starts with {scheme}://")
        }
        _ => "it is no URL".to_owned(),
    };
    Err(Error::Backend(format!(
        "that is not the URL of a Redis database ({problem}): write \
         redis://USER:PASSWORD@HOST:PORT/NUMBER"
    )))
}

fn place(client: &Client) -> String {
    let info = client.get_connection_info();
    let (address, database) = (info.addr(), info.redis_settings().db());
    match info.redis_settings().username() {
        Some(user) => format!("Redis at {address}, database {database}, user {user:?}"),
        None => format!("Redis at {address}, database {database}"),
    }
}

/// Redis, and the connection to it.
///
/// The connection is not in the crate's `ConnectionManager`. That one keeps a connection whose
/// server has fallen silent, and after an outage the first visitor gets the outage's error.
struct Server {
    client: Client,
    /// Host, port and database, for messages.
    place: String,
    /// Whoever opens the connection has the lock, so that the others wait and open none.
    held: Mutex<Option<Link>>,
}

#[derive(Clone)]
struct Link {
    connection: MultiplexedConnection,
    /// When it gave its last answer; `None` once it is broken.
    answered: Arc<parking_lot::Mutex<Option<Instant>>>,
}

impl Server {
    /// Asks one question. Redis's own errors leave the connection as it was; after all others the
    /// next question goes over a new one.
    async fn ask<T, F>(&self, question: impl FnOnce(MultiplexedConnection) -> F) -> Answer<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let deadline = Instant::now() + PATIENCE;
        let link = timeout_at(deadline, self.link()).await??;
        let answer = timeout_at(deadline, question(link.connection)).await;
        let is_sound = match &answer {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension),
            Err(_) => false,
        };
        *link.answered.lock() = is_sound.then(Instant::now);
        Ok(answer??)
    }

    async fn link(&self) -> RedisResult<Link> {
        let mut held = self.held.lock().await;
        if let Some(mut link) = held.take()
            && link.is_alive().await
        {
            return Ok(held.insert(link).clone());
        }
        // The limits are PATIENCE and FRESH, and no others.
        let settings =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let connection =
            self.client.get_multiplexed_async_connection_with_config(&settings).await?;
        let answered = Arc::new(parking_lot::Mutex::new(Some(Instant::now())));
        Ok(held.insert(Link { connection, answered }).clone())
    }

    fn failed(&self, problem: Problem) -> Error {
        match &problem {
            // Under the record's key there is something else than a hash.
            Problem::Error(error) if error.code() == Some("WRONGTYPE") => {
                Error::Decode(problem.cause())
            }
            _ => Error::Backend(format!("{}: {}", self.place, problem.cause())),
        }
    }
}

impl Link {
    async fn is_alive(&mut self) -> bool {
        let answered = *self.answered.lock();
        match answered {
            None => false,
            Some(moment) if moment.elapsed() < FRESH => true,
            Some(_) => {
                let ping = redis::cmd("PING");
                let answer = timeout(FRESH, ping.exec_async(&mut self.connection)).await;
                matches!(answer, Ok(Ok(())))
            }
        }
    }
}

type Answer<T> = std::result::Result<T, Problem>;

/// Why there was no answer to a question.
enum Problem {
    TooSlow,
    Error(RedisError),
}

impl From<Elapsed> for Problem {
    fn from(_: Elapsed) -> Self {
        Problem::TooSlow
    }
}

impl From<RedisError> for Problem {
    fn from(error: RedisError) -> Self {
        Problem::Error(error)
    }
}

impl Problem {
    fn cause(&self) -> String {
        let error = match self {
            Problem::TooSlow => return format!("no answer within {} seconds", PATIENCE.as_secs()),
            Problem::Error(error) => error,
        };
        match (error.kind(), error.code(), error.detail()) {
            (ErrorKind::AuthenticationFailed, ..) => "the password is refused".to_owned(),
            (_, Some(code), Some(detail)) => format!("{code} {detail}"),
            _ => error.to_string(),
        }
    }

    fn advice(&self) -> &'static str {
        let error = match self {
            Problem::TooSlow => return START,
            Problem::Error(error) => error,
        };
        match (error.kind(), error.code(), error.detail()) {
            (ErrorKind::Io, ..) => START,
            (ErrorKind::AuthenticationFailed, ..) | (_, Some("NOAUTH"), _) => {
                ": correct the password in the URL, redis://:PASSWORD@HOST:PORT"
            }
            (.., Some("DB index is out of range")) => ": name a database with a lower number",
            _ => "",
        }
    }
}

const START: &str = ": start the server, or correct the host and the port in the URL";

#[async_trait]
impl SessionStore for RedisStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        loop {
            let answer = self.try_create(Entry::of(record)?).await;
            match answer.map_err(|problem| self.0.failed(problem))?.as_str() {
                "taken" => record.id = Id::default(),
                _ => return Ok(()),
            }
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let entry = Entry::of(record)?;
        let mut save = redis::pipe();
        save.atomic().cmd("DEL").arg(&entry.key);
        save.cmd("HSET").arg(&entry.key).arg("data").arg(entry.data);
        save.arg("expiry_date").arg(entry.expiry_date).arg("version").arg(entry.version.0);
        save.cmd("EXPIREAT").arg(&entry.key).arg(entry.expiry_date);
        let saved = self.0.ask(async move |mut redis| save.exec_async(&mut redis).await).await;
        saved.map_err(|problem| self.0.failed(problem))
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.load_versioned(id).await?.map(|(record, _)| record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let mut delete = redis::cmd("DEL");
        delete.arg(key(id));
        let deleted = self.0.ask(async move |mut redis| delete.exec_async(&mut redis).await).await;
        deleted.map_err(|problem| self.0.failed(problem))
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn load_versioned(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        let mut load = redis::cmd("HMGET");
        load.arg(key(id)).arg("data").arg("expiry_date").arg("version");
        let found = self.0.ask(async move |mut redis| load.query_async(&mut redis).await).await;
        let fields: [Option<Vec<u8>>; 3] = found.map_err(|problem| self.0.failed(problem))?;
        let [Some(data), Some(expiry_date), Some(version)] = &fields else {
            let is_there = fields.iter().any(Option::is_some);
            return if is_there { Err(undecodable("a field is missing")) } else { Ok(None) };
        };
        let expiry_date = OffsetDateTime::from_unix_timestamp(number(expiry_date)?);
        let record = Record {
            id: *id,
            data: serde_json::from_slice(data).map_err(undecodable)?,
            expiry_date: expiry_date.map_err(undecodable)?,
        };
        Ok(Some((record, Version(number(version)?))))
    }

    async fn replace(&self, old: &Id, seen: Version, new: &mut Record) -> Result<Replaced> {
        loop {
            let entry = Entry::of(new)?;
            let version = entry.version;
            let answer = self.try_replace(old, seen, entry).await;
            match answer.map_err(|problem| self.0.failed(problem))?.as_str() {
                "done" => return Ok(Replaced::Done(version)),
                "changed" => return Ok(Replaced::Changed),
                "taken" => new.id = Id::default(),
                _ => return Ok(Replaced::Gone),
            }
        }
    }

    /// Does nothing: Redis deletes each session by itself when its time has come.
    async fn clear_expired(&self, _: u32) -> Result<u64> {
        Ok(0)
    }
}

struct Entry {
    key: String,
    data: String,
    /// Seconds since 1970, UTC.
    expiry_date: i64,
    version: Version,
}

impl Entry {
    fn of(record: &Record) -> Result<Entry> {
        Ok(Entry {
            key: key(&record.id),
            data: serde_json::to_string(&record.data)
                .map_err(|error| Error::Encode(error.to_string()))?,
            expiry_date: record.expiry_date.unix_timestamp(),
            version: new_version(),
        })
    }
}

/// Whoever reads the keys cannot turn a hash back into an id: see row.rs.
fn key(id: &Id) -> String {
    let hex: String = hash(id).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("session:{hex}")
}

/// Random, and not one more than before: where a record has gone, nothing is left to count on
/// from, and a record that is saved under the same key later must not repeat a version.
fn new_version() -> Version {
    Version(Id::default().0 as u64)
}

fn number<T: FromStr>(field: &[u8]) -> Result<T> {
    let number = str::from_utf8(field).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| undecodable("a field is not a number"))
}

fn undecodable(error: impl ToString) -> Error {
    Error::Decode(error.to_string())
}
