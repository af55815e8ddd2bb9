//! What the framework asks of a store, and how any tower-sessions store can give it.

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

/// Which state of a record was seen. It differs whenever the record holds something else by now.
///
/// ```
/// use sessions::Version;
///
/// assert_ne!(Version(1), Version(2));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Version(pub u64);

/// What became of [`Store::replace`].
///
/// ```
/// use sessions::{Replaced, Version};
///
/// let replaced = Replaced::Done(Version(2));
/// let is_stored = matches!(replaced, Replaced::Done(_));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Replaced {
    /// The new record is stored, in this version.
    Done(Version),
    /// Somebody else wrote the record first. Nothing was stored: load it and try again.
    Changed,
    /// The record was deleted, or has expired. Nothing was stored.
    Gone,
}

/// A store that can tell whether a record was written or deleted since it was loaded.
///
/// tower-sessions' [`SessionStore`] saves whatever it is given. That brings a session back that
/// another request has deleted, and of two requests at once it loses one's changes. The three
/// methods here are what it takes to do neither, on one server or on several.
///
/// [`OneServer`] makes a `Store` of any `SessionStore`.
///
/// ```
/// use sessions::{MemoryStore, Replaced, SessionStore, Store};
/// use time::{Duration, OffsetDateTime};
/// use tower_sessions::session::Record;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower_sessions::session_store::Error> {
/// let store = MemoryStore::default();
/// let expiry_date = OffsetDateTime::now_utc() + Duration::HOUR;
/// let mut record = Record { id: Default::default(), data: Default::default(), expiry_date };
/// store.create(&mut record).await?;
/// let id = record.id;
///
/// let (_, seen) = store.load_versioned(&id).await?.expect("it was stored");
/// record.data.insert("my_car".to_owned(), "mini".into());
/// assert!(matches!(store.replace(&id, seen, &mut record).await?, Replaced::Done(_)));
///
/// // Whoever comes now with what they saw before is told so.
/// record.data.clear();
/// assert_eq!(store.replace(&id, seen, &mut record).await?, Replaced::Changed);
/// # Ok(()) }
/// ```
#[async_trait]
pub trait Store: SessionStore {
    /// The record, if there is one that has not expired, and which version it is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower_sessions::session_store::Error> {
    /// # use sessions::{Id, MemoryStore, Store};
    /// let found = MemoryStore::default().load_versioned(&Id::default()).await?;
    /// assert_eq!(found, None);
    /// # Ok(()) }
    /// ```
    async fn load_versioned(&self, id: &Id) -> Result<Option<(Record, Version)>>;

    /// Stores `new` in the place of the record `old`, if that is still there in the version
    /// `seen`.
    ///
    /// Where `new` has another id, the old record is deleted, and never before the new one is
    /// stored. Should the new id be taken, the store gives `new` another one.
    ///
    /// ```
    /// use sessions::{Error, Id, Replaced, Store, Version};
    /// use tower_sessions::session::Record;
    ///
    /// /// Says whether it was stored; if not, load the record again and change that.
    /// async fn save(store: impl Store, id: Id, seen: Version, mut new: Record) -> Result<bool, Error> {
    ///     match store.replace(&id, seen, &mut new).await? {
    ///         Replaced::Done(_) => Ok(true),
    ///         Replaced::Changed => Ok(false),
    ///         Replaced::Gone => Err(Error::Interrupted),
    ///     }
    /// }
    /// ```
    async fn replace(&self, old: &Id, seen: Version, new: &mut Record) -> Result<Replaced>;

    /// Deletes up to `limit` expired records and says how many it deleted.
    ///
    /// A store that expires its records by itself has nothing to do and returns 0. Django:
    /// `clear_expired()`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use sessions::{MemoryStore, Store};
    ///
    /// let refused = MemoryStore::default().clear_expired(500).await;
    /// assert!(refused.is_err(), "it cannot find its expired sessions");
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] from a store that cannot find its expired records, which is what this
    /// does unless a store says otherwise.
    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        let _ = limit;
        Err(Error::Backend("this store cannot clear its expired sessions".to_owned()))
    }
}

/// Locks for this many groups of sessions, so that one slow save holds up few others.
const LOCKS: usize = 64;

/// Any tower-sessions store, made exact as long as one server writes to it.
///
/// A lock in this process keeps two requests of one session from writing at once. Another process
/// over the same store does not see the lock: there, the last one to write wins.
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

/// Sessions in this process's memory, for tests and for trying things out. They go when it ends,
/// and expired ones stay until then.
///
/// ```
/// use sessions::{MemoryStore, SessionLayer};
///
/// let layer = SessionLayer::new(MemoryStore::default());
/// ```
pub type MemoryStore = OneServer<tower_sessions::MemoryStore>;

impl<S: SessionStore> OneServer<S> {
    /// Wraps `store`, through which all writes must go from now on.
    ///
    /// ```
    /// let store = sessions::OneServer::new(tower_sessions::MemoryStore::default());
    /// ```
    pub fn new(store: S) -> Self {
        OneServer { store, locks: Arc::new(std::array::from_fn(|_| Mutex::new(()))) }
    }

    /// The record, unless it has expired: a store may be late in clearing it, and what has
    /// expired must not be written back.
    async fn alive(&self, id: &Id) -> Result<Option<Record>> {
        let now = OffsetDateTime::now_utc();
        Ok(self.store.load(id).await?.filter(|record| record.expiry_date > now))
    }

    fn lock(&self, id: &Id) -> &Mutex<()> {
        &self.locks[id.0.rem_euclid(LOCKS as i128) as usize]
    }
}

/// Not the store, which might show the sessions that it holds.
impl<S> fmt::Debug for OneServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneServer").finish_non_exhaustive()
    }
}

impl<S: SessionStore + Default> Default for OneServer<S> {
    fn default() -> Self {
        OneServer::new(S::default())
    }
}

#[async_trait]
impl<S: SessionStore> SessionStore for OneServer<S> {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.store.create(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let _turn = self.lock(&record.id).lock().await;
        self.store.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.alive(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let _turn = self.lock(id).lock().await;
        self.store.delete(id).await
    }
}

#[async_trait]
impl<S: SessionStore> Store for OneServer<S> {
    async fn load_versioned(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        Ok(self.alive(id).await?.map(|record| {
            let version = fingerprint(&record);
            (record, version)
        }))
    }

    async fn replace(&self, old: &Id, seen: Version, new: &mut Record) -> Result<Replaced> {
        let _turn = self.lock(old).lock().await;
        let Some(current) = self.alive(old).await? else { return Ok(Replaced::Gone) };
        if fingerprint(&current) != seen {
            return Ok(Replaced::Changed);
        }
        if new.id == *old {
            self.store.save(new).await?;
        } else {
            self.store.create(new).await?;
            self.store.delete(old).await?;
        }
        Ok(Replaced::Done(fingerprint(new)))
    }
}

/// These stores know no versions, but two states of a record differ in what they hold.
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
