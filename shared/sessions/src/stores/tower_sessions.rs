//! The bridge to tower-sessions, in both directions: its stores for our layer, and ours for its.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::{Outcome, Store, Version};
use crate::session::moved;

/// Locks for this many groups of sessions, so that one slow write holds up few others.
const LOCKS: usize = 64;

/// A store that was written for tower-sessions, made exact for one server.
///
/// Such a store knows no versions. A lock in this process keeps two requests of one session from
/// writing at the same time, and a hash of the record stands for its version. A second process over
/// the same store does not see the lock: between two servers the last write wins.
///
/// ```
/// use sessions::{OneServer, SessionLayer};
///
/// // Any store that was written for tower-sessions.
/// let store = tower_sessions::MemoryStore::default();
/// let layer = SessionLayer::new(OneServer::new(store));
/// ```
#[derive(Clone)]
pub struct OneServer<S> {
    store: S,
    locks: Arc<[Mutex<()>; LOCKS]>,
}

impl<S: SessionStore> OneServer<S> {
    /// Wraps `store`, through which all writes must go from now on.
    ///
    /// ```
    /// let store = sessions::OneServer::new(tower_sessions::MemoryStore::default());
    /// ```
    pub fn new(store: S) -> Self {
        OneServer { store, locks: Arc::new(std::array::from_fn(|_| Mutex::new(()))) }
    }

    /// The record, unless it has expired: some stores return it until they are cleared.
    async fn current(&self, id: &Id) -> Result<Option<Record>> {
        let now = OffsetDateTime::now_utc();
        Ok(self.store.load(id).await?.filter(|record| record.expiry_date > now))
    }

    fn lock(&self, id: &Id) -> &Mutex<()> {
        &self.locks[id.0.rem_euclid(LOCKS as i128) as usize]
    }
}

/// Not the store, whose own output might show the sessions that it holds.
impl<S> fmt::Debug for OneServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneServer").finish_non_exhaustive()
    }
}

#[async_trait]
impl<S: SessionStore> Store for OneServer<S> {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        Ok(self.current(id).await?.map(|record| {
            let version = fingerprint(&record);
            (record, version)
        }))
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        let mut stored = record.clone();
        self.store.create(&mut stored).await?;
        if stored.id != record.id {
            // The id was taken, and this store has drawn another one by itself. The framework
            // draws ids, so that one goes again.
            self.store.delete(&stored.id).await?;
            return Ok(Outcome::IdTaken);
        }
        Ok(Outcome::Stored(fingerprint(record)))
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        // From the look to the write, no other request of this process writes to this session.
        let _turn = self.lock(&new.id).lock().await;
        match self.current(&new.id).await? {
            None => Ok(Outcome::Missing),
            Some(current) if fingerprint(&current) != expected => Ok(Outcome::Conflict),
            Some(_) => {
                self.store.save(new).await?;
                Ok(Outcome::Stored(fingerprint(new)))
            }
        }
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        let _turn = self.lock(id).lock().await;
        let record = self.store.load(id).await;
        self.store.delete(id).await?;
        record
    }
}

/// Two states of a record differ in what they hold, so a hash of that tells them apart.
fn fingerprint(record: &Record) -> Version {
    let mut entries: Vec<_> = record.data.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    let mut hasher = DefaultHasher::new();
    record.expiry_date.unix_timestamp().hash(&mut hasher);
    for (key, value) in entries {
        key.hash(&mut hasher);
        value.to_string().hash(&mut hasher);
    }
    Version(hasher.finish())
}

/// One of our stores, for tower-sessions' own layer, and so for crates that build on that layer.
///
/// That layer saves whole records and knows no versions, so of two requests at once the last one
/// wins, and a session that was ended can come back: chapter 9 shows both.
///
/// ```
/// use sessions::{ForTowerSessions, MemoryStore};
/// use tower_sessions::SessionManagerLayer;
///
/// let layer = SessionManagerLayer::new(ForTowerSessions::new(MemoryStore::default()));
/// ```
#[derive(Clone, Debug)]
pub struct ForTowerSessions<S>(S);

impl<S: Store> ForTowerSessions<S> {
    /// Wraps `store`.
    ///
    /// ```
    /// use sessions::{ForTowerSessions, MemoryStore};
    ///
    /// let store = ForTowerSessions::new(MemoryStore::default());
    /// ```
    pub fn new(store: S) -> Self {
        ForTowerSessions(store)
    }
}

#[async_trait]
impl<S: Store> SessionStore for ForTowerSessions<S> {
    async fn create(&self, record: &mut Record) -> Result<()> {
        while let Outcome::IdTaken = self.0.create(record).await? {
            record.id = Id::default();
        }
        Ok(())
    }

    /// Stores the record, whatever was there before.
    async fn save(&self, record: &Record) -> Result<()> {
        loop {
            let outcome = match self.0.load(&record.id).await {
                // Whatever version it has: that layer knows none, so the last write wins.
                Ok(Some((_, version))) => self.0.compare_and_swap(version, record).await?,
                Ok(None) => match self.0.create(record).await? {
                    // What is there has expired, and makes room.
                    Outcome::IdTaken => {
                        self.0.delete(&record.id).await?;
                        continue;
                    }
                    outcome => outcome,
                },
                Err(Error::Decode(_)) => {
                    // It is gone although the answer is that it could not be read.
                    let _ = self.0.delete(&record.id).await;
                    continue;
                }
                Err(error) => return Err(error),
            };
            // Otherwise another request wrote or deleted it between the two calls: once more.
            if let Outcome::Stored(_) = outcome {
                return Ok(());
            }
        }
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let found = self.0.load(id).await?;
        // Our layer leaves a note under the id that a session has moved away from.
        Ok(found.map(|(record, _)| record).filter(|record| moved::to(record).is_none()))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.0.delete(id).await.map(drop)
    }
}
