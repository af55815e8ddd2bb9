//! The connection to Redis, and how long a call may take.
//!
//! Why not the crate's `ConnectionManager`? That one keeps a connection whose server has
//! fallen silent, and after an outage the first request gets the outage's error. Here, a connection
//! that did not answer is replaced before the next command, and no call takes longer than
//! [`PATIENCE`].

use std::sync::Arc;

use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::{
    sync::Mutex,
    time::{Instant, error::Elapsed, timeout, timeout_at},
};
use tower_sessions::session_store::Error;

use super::target::{Redis, Target};
use crate::stores::{
    PATIENCE,
    network::{self, FRESH, no_answer},
    record::undecodable,
};

/// Redis, and the connection to it, which all requests share.
pub(super) struct Server {
    target: Target,
    /// Host, port and database, for messages.
    place: String,
    /// The lock is held while the connection is asked whether it is alive, and while a new one is
    /// opened: so the other requests wait for that one.
    held: Mutex<Option<Connection>>,
}

#[derive(Clone)]
struct Connection {
    redis: Redis,
    /// When it gave its last answer; `None` once it is broken.
    answered: Arc<parking_lot::Mutex<Option<Instant>>>,
}

impl Server {
    pub fn new(target: Target, place: String) -> Self {
        Server { target, place, held: Mutex::new(None) }
    }

    pub fn place(&self) -> &str {
        &self.place
    }

    /// Sends a command. The time runs from here on: for the connection and the answer together.
    pub async fn call<T, F>(&self, command: impl FnOnce(Redis) -> F) -> Answer<T>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let deadline = Instant::now() + PATIENCE;
        let connection = timeout_at(deadline, self.connection()).await??;
        let answer = timeout_at(deadline, command(connection.redis)).await;
        // An error that Redis itself reports is an answer, and the connection is as good as before.
        // After any other one the next command goes over a new connection.
        let is_sound = match &answer {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => match error.kind() {
                // The primary server has become a replica: a new connection may lead to the new
                // primary, if the name in the URL does.
                ErrorKind::Server(ServerErrorKind::ReadOnly) => false,
                ErrorKind::Server(_) | ErrorKind::Extension => true,
                _ => false,
            },
            Err(_) => false,
        };
        *connection.answered.lock() = is_sound.then(Instant::now);
        Ok(answer??)
    }

    async fn connection(&self) -> RedisResult<Connection> {
        let mut held = self.held.lock().await;
        // Taken out: if this request is dropped while it waits, the next one opens a connection.
        if let Some(mut connection) = held.take()
            && connection.is_alive().await
        {
            return Ok(held.insert(connection).clone());
        }
        let redis = self.target.connect().await?;
        let answered = Arc::new(parking_lot::Mutex::new(Some(Instant::now())));
        Ok(held.insert(Connection { redis, answered }).clone())
    }

    /// What the store's caller is told of a problem.
    pub fn failed(&self, problem: Failure) -> Error {
        let cause = problem.cause();
        // Under the record's key there is another value than a hash. Redis 6 puts more words in
        // front of the code if a script has met it.
        if cause.contains("WRONGTYPE") {
            return undecodable(cause);
        }
        network::failed(&self.place, &cause)
    }
}

impl Connection {
    async fn is_alive(&mut self) -> bool {
        let answered = *self.answered.lock();
        match answered {
            None => false,
            Some(moment) if moment.elapsed() < FRESH => true,
            Some(_) => {
                let ping = redis::cmd("PING");
                let answer = timeout(FRESH, ping.exec_async(&mut self.redis)).await;
                matches!(answer, Ok(Ok(())))
            }
        }
    }
}

pub(super) type Answer<T> = std::result::Result<T, Failure>;

/// Why there was no answer to a command.
pub(super) enum Failure {
    TooSlow,
    Error(RedisError),
}

impl From<Elapsed> for Failure {
    fn from(_: Elapsed) -> Self {
        Failure::TooSlow
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Failure::Error(error)
    }
}

impl Failure {
    /// What the server or the operating system said.
    pub fn cause(&self) -> String {
        let error = match self {
            Failure::TooSlow => return no_answer(),
            Failure::Error(error) => error,
        };
        match (error.kind(), error.code(), error.detail()) {
            (ErrorKind::AuthenticationFailed, ..) => "the password is refused".to_owned(),
            (_, Some(code), Some(detail)) => {
                // Redis 7 adds which line of which script it was.
                let (detail, _) = detail.split_once(" script: ").unwrap_or((detail, ""));
                format!("{code} {detail}")
            }
            _ => error.to_string(),
        }
    }
}
