//! How a Redis store is opened, and what is said if it cannot be.

use std::sync::Arc;

#[cfg(feature = "redis-cluster")]
use redis::cluster::ClusterClient;
use redis::{Client, ErrorKind};
use time::OffsetDateTime;
use tower_sessions::{
    session::{Id, Record},
    session_store::Result,
};

use super::{
    RedisStore, Row,
    connection::{Answer, Failure, Server},
    target::Target,
};
use crate::stores::network::{self, START, parse_url};

/// How many keys are tried. A cluster of two servers has each of them on the other one with a
/// probability of one half.
const TRIES: u32 = 32;

impl RedisStore {
    /// Connects to Redis, and makes sure that sessions can be stored there.
    ///
    /// The URL is `redis://USER:PASSWORD@HOST:PORT/NUMBER`, of which all but the host can be left
    /// out; the port is 6379 by default, and the number, that of the database, is 0. `valkey://`
    /// means the same. Write `%40` for an `@` in the password, `%2F` for a `/`, `%3A` for a `:` and
    /// `%23` for a `#`.
    ///
    /// For a Redis Cluster, it is `redis-cluster://USER:PASSWORD@HOST:PORT,HOST:PORT`: some servers of
    /// the cluster, of which one has to answer. This needs the cargo feature `redis-cluster`.
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
    /// [`Error::Backend`](crate::StoreError::Backend) if the URL is not one of Redis's, if the
    /// server does not answer within three seconds or refuses the password, and if sessions cannot
    /// be stored there: because it is a replica, its memory is full, it is part of a cluster, or
    /// the user may not. Its one line says what was tried and what to do, and no password.
    pub async fn open(url: &str) -> Result<Self> {
        let (target, place) = match url.strip_prefix("redis-cluster://") {
            #[cfg(feature = "redis-cluster")]
            Some(nodes) => parse_cluster(nodes)?,
            _ => {
                let client = parse(url)?;
                let place = place(&client);
                (Target::One(client), place)
            }
        };
        let store = RedisStore(Arc::new(Server::new(target, place)));
        match store.try_all().await {
            Ok(()) => Ok(store),
            Err(problem) => {
                let (cause, advice) = (problem.cause(), advice(&problem));
                Err(network::refused(store.0.place(), &cause, advice))
            }
        }
    }

    /// Finds out whether sessions can be kept, and leaves nothing behind: Redis deletes what has
    /// expired as soon as it is written.
    async fn try_all(&self) -> Answer<()> {
        for _ in 0..TRIES {
            let (id, data) = (Id::default(), Default::default());
            let expired = Record { id, data, expiry_date: OffsetDateTime::UNIX_EPOCH };
            let row = Row::encode(&expired).expect("a record without data is JSON");
            self.try_create(row).await?;
        }
        // A user may be allowed to write and not to read, or not to delete.
        let id = Id::default();
        self.try_load(&id).await?;
        self.try_delete(&id).await.map(drop)
    }
}

fn parse(url: &str) -> Result<Client> {
    const EXAMPLE: &str = "redis://USER:PASSWORD@HOST:PORT/NUMBER";
    let schemes = ["redis", "rediss", "valkey", "valkeys"];
    parse_url(url, "Redis database", &schemes, EXAMPLE, |url| {
        Client::open(url).map_err(|error| match error.to_string() {
            problem if problem.contains("TLS") => {
                "for TLS, give the crate redis its feature tokio-rustls-comp".to_owned()
            }
            // Without the name that the crate has for such problems.
            problem => problem.replace(" - InvalidClientConfig", ""),
        })
    })
}

/// Some servers of a cluster. They tell which others there are.
#[cfg(feature = "redis-cluster")]
fn parse_cluster(nodes: &str) -> Result<(Target, String)> {
    let (user, hosts) = match nodes.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), nodes),
    };
    let urls = hosts.split(',').map(|host| format!("redis://{user}{host}"));
    // Each by itself, so that what is wrong with one of them is said in words.
    let clients = urls.map(|url| parse(&url)).collect::<Result<Vec<Client>>>()?;
    let infos = clients.iter().map(|client| client.get_connection_info().clone());
    match ClusterClient::new(infos) {
        Ok(client) => {
            Ok((Target::Cluster(Box::new(client)), format!("the Redis Cluster at {hosts}")))
        }
        Err(error) => Err(network::refused("a Redis Cluster", &error.to_string(), "")),
    }
}

fn place(client: &Client) -> String {
    let info = client.get_connection_info();
    let (address, database) = (info.addr(), info.redis_settings().db());
    match info.redis_settings().username() {
        Some(user) => format!("Redis at {address}, database {database}, user {user:?}"),
        None => format!("Redis at {address}, database {database}"),
    }
}

/// What to do, by the code with which Redis's answer begins.
fn advice(problem: &Failure) -> &'static str {
    let error = match problem {
        Failure::TooSlow => return START,
        Failure::Error(error) => error,
    };
    match error.kind() {
        ErrorKind::Io => return START,
        ErrorKind::AuthenticationFailed => return PASSWORD,
        _ => {}
    }
    match (error.code().unwrap_or_default(), error.detail().unwrap_or_default()) {
        // Without NOAUTH if it was asked for another database than number 0.
        (_, detail) if detail.contains("Authentication required") => PASSWORD,
        ("READONLY" | "MASTERDOWN", _) => ": name the primary server in the URL",
        ("OOM", _) => ": raise maxmemory in Redis's settings, or make room",
        ("MOVED" | "ASK" | "CLUSTERDOWN", _) => {
            ": it is part of a cluster; name a Redis that is not, or with the cargo feature \
             redis-cluster the cluster: redis-cluster://HOST:PORT,HOST:PORT"
        }
        ("LOADING", _) => ": try again when Redis has loaded its data",
        ("NOPERM", _) => {
            ": let the user run EVALSHA, SCRIPT, PING and the commands for hashes and expiry dates \
             on the keys session:*"
        }
        (_, detail) if detail.contains("index is out of range") => {
            ": name a database with a lower number"
        }
        (_, detail) if detail.contains("max number of clients") => {
            ": close other connections, or raise maxclients in Redis's settings"
        }
        _ => "",
    }
}

const PASSWORD: &str = ": correct the password in the URL, redis://:PASSWORD@HOST:PORT";
