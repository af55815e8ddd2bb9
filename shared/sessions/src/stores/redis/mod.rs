//! Sessions in Redis or Valkey, which any number of web servers may share.
//!
//! This file has the keys and the scripts. `open.rs` reads the URL and finds out at the start
//! whether sessions can be kept there. `connection.rs` keeps the connection,
//! and `target.rs` says what it leads to.

mod connection;
mod open;
mod target;

use std::{
    fmt,
    sync::{Arc, LazyLock},
};

use async_trait::async_trait;
use redis::{FromRedisValue, Script, ScriptInvocation};
use tower_sessions::{
    session::{Id, Record},
    session_store::Result,
};

use self::connection::{Answer, Server};
use super::{
    Outcome, Store, Version,
    record::{IdHash, Row, column, decode, hash, undecodable},
};

/// Redis runs one script at a time and nothing else meanwhile, so no other request comes between
/// the look and the write. Each script has one key. An expiry date in the past deletes it at once.
static CREATE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('EXISTS', KEYS[1]) == 1 then return 'taken' end
         redis.call('HSET', KEYS[1], 'data', ARGV[1], 'expiry_date', ARGV[2], 'version', 1)
         redis.call('EXPIREAT', KEYS[1], ARGV[2])
         return 'stored'",
    )
});

/// The versions are compared as texts. Lua's numbers have fractions, and are exact up to 2^53 only:
/// so the next version is not computed here.
static COMPARE_AND_SWAP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('EXISTS', KEYS[1]) == 0 then return 'missing' end
         if redis.call('HGET', KEYS[1], 'version') ~= ARGV[4] then return 'conflict' end
         redis.call('HSET', KEYS[1], 'data', ARGV[1], 'expiry_date', ARGV[2], 'version', ARGV[3])
         redis.call('EXPIREAT', KEYS[1], ARGV[2])
         return 'stored'",
    )
});

/// `pcall` returns an error as a value. With `call` the script would end there, and a value that is
/// not a hash would stay.
static DELETE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local fields = redis.pcall('HMGET', KEYS[1], 'data', 'expiry_date', 'version')
         redis.call('DEL', KEYS[1])
         return fields",
    )
});

/// A store in Redis or Valkey, exact also when several web servers use it.
///
/// A session is a hash under the key `session:` and the SHA-256 of its id, with the fields `data`
/// (JSON), `expiry_date` (seconds since 1970, UTC) and `version`. The key has a TTL: Redis deletes
/// the session by itself when its time has come, by the clock of the machine that Redis runs on.
/// So there is nothing to clear: [`clear_expired`](crate::clear_expired) returns 0.
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
/// # The connection
///
/// All requests share one connection. A request waits three seconds for Redis at most, the wait
/// for a new connection included; then its visitor gets a 503 page. The next request tries again,
/// so nothing has to be restarted when Redis is back.
///
/// A Redis Cluster spreads the keys over several servers. With the cargo feature `redis-cluster` the
/// store follows them there, if the URL is `redis-cluster://HOST:PORT,HOST:PORT`. With any other URL,
/// [`RedisStore::open`] refuses a server that is part of a cluster.
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

/// The place, and not the password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisStore").field(&self.0.place()).finish()
    }
}

/// A copy of the keys shows hashes, which cannot be turned back into ids: see `record.rs`.
fn key(id_hash: &IdHash) -> String {
    format!("session:{}", hex::encode(id_hash))
}

impl RedisStore {
    async fn run<T: FromRedisValue>(&self, script: ScriptInvocation<'_>) -> Answer<T> {
        self.0.call(async move |mut redis| script.invoke_async(&mut redis).await).await
    }

    async fn try_load(&self, id: &Id) -> Answer<Fields> {
        let mut load = redis::cmd("HMGET");
        load.arg(key(&hash(id))).arg("data").arg("expiry_date").arg("version");
        self.0.call(async move |mut redis| load.query_async(&mut redis).await).await
    }

    async fn try_create(&self, row: Row) -> Answer<String> {
        let mut create = CREATE.key(key(&row.id_hash));
        create.arg(row.data).arg(row.expiry_date);
        self.run(create).await
    }

    async fn try_delete(&self, id: &Id) -> Answer<Fields> {
        self.run(DELETE.key(key(&hash(id)))).await
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        let found = self.try_load(id).await;
        read(id, found.map_err(|problem| self.0.failed(problem))?)
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        let answer = self.try_create(Row::encode(record)?).await;
        Ok(match answer.map_err(|problem| self.0.failed(problem))?.as_str() {
            "stored" => Outcome::Stored(Version(1)),
            _ => Outcome::IdTaken,
        })
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        let row = Row::encode(new)?;
        let mut swap = COMPARE_AND_SWAP.key(key(&row.id_hash));
        swap.arg(row.data).arg(row.expiry_date).arg(expected.next().0);
        // Left out if no record that can be read has this version: then the script finds `nil`,
        // which no text equals.
        swap.arg(column(expected));
        let answer: Answer<String> = self.run(swap).await;
        Ok(match answer.map_err(|problem| self.0.failed(problem))?.as_str() {
            "stored" => Outcome::Stored(expected.next()),
            "conflict" => Outcome::Conflict,
            _ => Outcome::Missing,
        })
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        let deleted = self.try_delete(id).await;
        let found = read(id, deleted.map_err(|problem| self.0.failed(problem))?)?;
        Ok(found.map(|(record, _)| record))
    }

    /// Does nothing: Redis deletes each session by itself when its time has come.
    async fn clear_expired(&self, _: u32) -> Result<u64> {
        Ok(0)
    }
}

/// Data, expiry date and version. All are missing if there is no record under the key.
type Fields = [Option<Vec<u8>>; 3];

fn read(id: &Id, fields: Fields) -> Result<Option<(Record, Version)>> {
    match fields {
        [None, None, None] => Ok(None),
        [Some(data), Some(expiry_date), Some(version)] => {
            let data = String::from_utf8(data).map_err(undecodable)?;
            decode(id, (data, number(&expiry_date)?, number(&version)?)).map(Some)
        }
        _ => Err(undecodable("a field is missing")),
    }
}

/// Only as Redis writes it: a version like `+1` would be read as 1, and no write would find it.
fn number(field: &[u8]) -> Result<i64> {
    let number = str::from_utf8(field).ok().and_then(|text| text.parse().ok());
    let number = number.filter(|number: &i64| number.to_string().as_bytes() == field);
    number.ok_or_else(|| undecodable("a field is not a number"))
}
