//! The bridge to tower-sessions, in both directions: a store for tower-sessions under our layer, and
//! one of our stores under its layer.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use async_trait::async_trait;
use time::OffsetDateTime;
use tokio::{
    sync::Mutex,
    time::{error::Elapsed, timeout},
};
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::{Outcome, PATIENCE, Store, Version, no_answer};
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
pub struct OneServer<S> {
    store: Arc<S>,
    locks: Arc<[Arc<Mutex<()>>; LOCKS]>,
}

impl<S: SessionStore> OneServer<S> {
    /// Wraps `store`, through which all writes must go from now on.
    ///
    /// ```
    /// let store = sessions::OneServer::new(tower_sessions::MemoryStore::default());
    /// ```
    pub fn new(store: S) -> Self {
        let locks = Arc::new(std::array::from_fn(|_| Arc::default()));
        OneServer { store: Arc::new(store), locks }
    }

    /// Work during which no other request writes to the session.
    async fn locked<T, F>(&self, id: Id, work: impl FnOnce(Arc<S>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let lock = &self.locks[id.0.rem_euclid(LOCKS as i128) as usize];
        let late = |_: Elapsed| Error::Backend(no_answer());
        let lock = timeout(PATIENCE, lock.clone().lock_owned()).await.map_err(late)?;
        let work = work(self.store.clone());
        // In a task of its own, because a store may go on with a write whose request was given up.
        // The next request has to wait for that, but not for ever: then the store is broken.
        let task = tokio::spawn(async move {
            let _lock = lock;
            timeout(PATIENCE, work).await.map_err(late)?
        });
        task.await.unwrap_or_else(|ended| Err(Error::Backend(ended.to_string())))
    }
}

/// The record, unless it has expired: some stores return it until they are cleared.
async fn current(store: &impl SessionStore, id: &Id) -> Result<Option<Record>> {
    let now = OffsetDateTime::now_utc();
    let found = store.load(id).await.map_err(without_its_words)?;
    Ok(found.filter(|record| record.expiry_date > now))
}

impl<S> Clone for OneServer<S> {
    fn clone(&self) -> Self {
        OneServer { store: self.store.clone(), locks: self.locks.clone() }
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
        let found = current(&*self.store, id).await?;
        Ok(found.map(|record| {
            let version = fingerprint(&record);
            (record, version)
        }))
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        let record = record.clone();
        self.locked(record.id, async move |store| {
            // Look first: a store may have no `create` of its own, and tower-sessions' default for
            // it is `save`, which writes over what is there.
            match store.load(&record.id).await {
                Ok(None) => {}
                Ok(Some(_)) | Err(Error::Decode(_)) => return Ok(Outcome::IdTaken),
                Err(error) => return Err(error),
            }
            let mut stored = record.clone();
            store.create(&mut stored).await?;
            if stored.id != record.id {
                // The id was taken, by a record that has expired, and this store has drawn another
                // one by itself. The framework draws ids, so that one goes again.
                store.delete(&stored.id).await?;
                return Ok(Outcome::IdTaken);
            }
            Ok(Outcome::Stored(fingerprint(&record)))
        })
        .await
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        let new = new.clone();
        self.locked(new.id, async move |store| match current(&*store, &new.id).await? {
            None => Ok(Outcome::Missing),
            Some(current) if fingerprint(&current) != expected => Ok(Outcome::Conflict),
            Some(_) => {
                store.save(&new).await?;
                Ok(Outcome::Stored(fingerprint(&new)))
            }
        })
        .await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        let id = *id;
        self.locked(id, async move |store| {
            let record = store.load(&id).await;
            // Also if it cannot be read: what was ended must not stay.
            store.delete(&id).await?;
            record
        })
        .await
    }
}

/// What another store says of a record that it cannot read may quote it, and goes to the log.
fn without_its_words(error: Error) -> Error {
    match error {
        Error::Decode(_) => Error::Decode("the store cannot read it".to_owned()),
        other => other,
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

    /// Stores the record over what was there before.
    async fn save(&self, record: &Record) -> Result<()> {
        let mut is_taken = false;
        loop {
            let outcome = match self.0.load(&record.id).await {
                // In any version: that layer knows no versions, so the last write wins.
                Ok(Some((_, version))) => self.0.compare_and_swap(version, record).await?,
                Ok(None) if !is_taken => self.0.create(record).await?,
                // The id is taken, and yet nothing is found: what is there has expired. Or it
                // cannot be read. Both make room.
                Ok(None) | Err(Error::Decode(_)) => {
                    self.delete(&record.id).await?;
                    is_taken = false;
                    continue;
                }
                Err(error) => return Err(error),
            };
            match outcome {
                Outcome::Stored(_) => return Ok(()),
                // Perhaps another request has created the record at this moment: look again.
                Outcome::IdTaken => is_taken = true,
                // Another request wrote or deleted the record between the two calls: once more.
                Outcome::Conflict | Outcome::Missing => {}
            }
        }
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let found = self.0.load(id).await?;
        // Our layer leaves a note under the id that a session has moved away from.
        Ok(found.map(|(record, _)| record).filter(|record| moved::to(record).is_none()))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        match self.0.delete(id).await {
            // A record that cannot be read is deleted all the same.
            Ok(_) | Err(Error::Decode(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
