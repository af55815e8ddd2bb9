//! Redis, and the key of a session. The variable [`VARIABLE`] names a server. The tests use keys of
//! their own there, and leave none that does not expire.

use redis::{Client, aio::MultiplexedConnection};
use sessions::{Id, RedisStore};
use sha2::{Digest, Sha256};

use super::{Wire, promise};

pub const VARIABLE: &str = "TEST_REDIS_URL";

/// The URL of the server.
pub fn server() -> String {
    promise::url(VARIABLE)
}

pub async fn open() -> RedisStore {
    RedisStore::open(&server()).await.expect("the store opens")
}

/// A store at the other end of a wire.
pub async fn open_through_a_wire() -> (RedisStore, Wire) {
    let mut through = redis::parse_redis_url(&server()).expect("the URL of a Redis database");
    let host = through.host_str().expect("a host").to_owned();
    let wire = Wire::to(format!("{host}:{}", through.port().unwrap_or(6379))).await;
    through.set_host(Some("127.0.0.1")).expect("a host");
    through.set_port(Some(wire.address().port())).expect("a port");
    (RedisStore::open(through.as_str()).await.expect("the store opens"), wire)
}

/// For what an administrator does while the web server runs.
pub async fn connect() -> MultiplexedConnection {
    let client = Client::open(server()).expect("the URL of a Redis database");
    client.get_multiplexed_async_connection().await.expect("Redis")
}

/// The key of this session.
pub fn key(id: &Id) -> String {
    format!("session:{}", hex::encode(Sha256::digest(id.0.to_le_bytes())))
}
