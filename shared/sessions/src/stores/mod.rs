//! Where sessions are kept: what a store has to do, and the stores that there are.
//!
//! | store | file | cargo feature |
//! |---|---|---|
//! | [`MemoryStore`] | `memory.rs` | |
//! | [`SqliteStore`] | `sqlite/` | `sqlite`, on by default |
//! | `PostgresStore` | `postgres/` | `postgres` |
//! | `RedisStore` | `redis/` | `redis` |
//! | `FileStore` | `file/` | `file` |
//! | `Cached`, in front of another store | `cached.rs` | `cached` |
//! | [`OneServer`], around a store for tower-sessions | `tower_sessions.rs` | |
//! | no store: an encrypted cookie | `encrypted_cookie.rs` | `encrypted-cookie` |
//!
//! `record.rs` has what they share: the hash of an id, and a record as text and numbers.
//! `network.rs` has what PostgreSQL and Redis share: how long to wait, and words for a wrong URL.

#[cfg(feature = "cached")]
mod cached;
#[cfg(feature = "encrypted-cookie")]
pub(crate) mod encrypted_cookie;
#[cfg(feature = "file")]
mod file;
mod memory;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod network;
#[cfg(feature = "postgres")]
mod postgres;
// Each store has use for a part of it.
#[cfg_attr(not(all(feature = "postgres", feature = "redis", feature = "sqlite")), allow(dead_code))]
mod record;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlite")]
mod sqlite;
mod tower_sessions;

use std::{fmt, sync::Arc, time::Duration};

use ::tower_sessions::{
    session::{Id, Record},
    session_store::{Error, Result},
};
use async_trait::async_trait;

#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use self::tower_sessions::{ForTowerSessions, OneServer};
#[cfg(feature = "cached")]
pub use cached::Cached;
#[cfg(feature = "file")]
pub use file::FileStore;
pub use memory::MemoryStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

/// How long one call of a store takes at most: for a server that does not answer, for a lock that
/// another program holds. What a request may wait in all is in `session/load.rs`.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// What a request that has waited for so long is told.
pub(crate) fn no_answer() -> String {
    format!("no answer within {} seconds", PATIENCE.as_secs())
}

/// Which state of a record was loaded. Each write gives the record another version.
///
/// ```
/// use sessions::Version;
///
/// assert_ne!(Version(1), Version(2));
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Version(pub u64);

impl Version {
    /// The version after this one. It begins at zero again after the largest number, since a
    /// version is compared and never counted.
    pub(crate) fn next(self) -> Version {
        Version(self.0.wrapping_add(1))
    }
}

/// What became of a write: of [`Store::create`] or [`Store::compare_and_swap`].
///
/// ```
/// use sessions::{Outcome, Version};
///
/// let outcome = Outcome::Stored(Version(2));
/// let is_stored = matches!(outcome, Outcome::Stored(_));
/// ```
#[must_use = "anything but `Stored` means that nothing was stored"]
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The record is stored, in this version.
    Stored(Version),
    /// Another request wrote the record first. Nothing was stored: load it, merge, try again.
    Conflict,
    /// The record was deleted, or has expired. Nothing was stored.
    Missing,
    /// There is a record under the id of the new one already. Nothing was stored: draw another id.
    IdTaken,
}

/// A place that keeps records, and notices when two requests write to the same one.
///
/// Every record has a version. A request loads both, and when it writes, it names the version that
/// it has seen: [`compare_and_swap`](Store::compare_and_swap) stores the new record only if that
/// is still the version in the store. This is *optimistic locking*: no request waits for another,
/// and a request that comes too late is told of the conflict. On it rest the promises that no
/// update is lost and that a session which was ended does not come back.
///
/// tower-sessions' [`SessionStore`](crate::SessionStore) saves what it is given, without a
/// version. [`OneServer`] makes a `Store` of any of them, and [`ForTowerSessions`] is the way back.
///
/// [`testing::check`](crate::testing::check) tests a store of your own.
///
/// ```
/// use sessions::{MemoryStore, Outcome, Record, Store};
/// use sessions::time::{Duration, OffsetDateTime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), sessions::StoreError> {
/// let store = MemoryStore::default();
/// let expiry_date = OffsetDateTime::now_utc() + Duration::HOUR;
/// let mut record = Record { id: Default::default(), data: Default::default(), expiry_date };
/// assert!(matches!(store.create(&record).await?, Outcome::Stored(_)));
///
/// let (_, seen) = store.load(&record.id).await?.expect("it was stored");
/// record.data.insert("my_car".to_owned(), "mini".into());
/// assert!(matches!(store.compare_and_swap(seen, &record).await?, Outcome::Stored(_)));
///
/// // The version that was seen is stale now, so a second write is refused.
/// record.data.clear();
/// assert_eq!(store.compare_and_swap(seen, &record).await?, Outcome::Conflict);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// All that ask the store: [`Error::Backend`] if the store is out of reach or broken, [`Error::Decode`]
/// if a stored record cannot be read.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// The record and its version, or `None` if the record is missing or has expired.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sessions::StoreError> {
    /// # use sessions::{Id, MemoryStore, Store};
    /// let found = MemoryStore::default().load(&Id::default()).await?;
    /// assert_eq!(found, None);
    /// # Ok(()) }
    /// ```
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>>;

    /// As [`load`](Store::load), from the store itself. A cache in front of a store overrides it; no
    /// other store has to.
    ///
    /// The framework asks in this way after a conflict, and before it sends a cookie for a session
    /// that another server may have ended.
    async fn load_uncached(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        self.load(id).await
    }

    /// Stores a new record: [`Outcome::Stored`], or [`Outcome::IdTaken`] if there is a record under
    /// its id, whether or not that has expired.
    ///
    /// ```
    /// # use sessions::{MemoryStore, Outcome, Record, Store, StoreError};
    /// async fn add(store: &MemoryStore, record: &Record) -> Result<bool, StoreError> {
    ///     Ok(matches!(store.create(record).await?, Outcome::Stored(_)))
    /// }
    /// ```
    async fn create(&self, record: &Record) -> Result<Outcome>;

    /// Stores `new` over the record of the same id, if that is still in the version `expected`:
    /// [`Outcome::Stored`], [`Outcome::Conflict`] or [`Outcome::Missing`].
    ///
    /// Between the comparison and the write no other request may come, which makes this a
    /// *compare-and-swap*: in SQL one statement does both, in Redis one script. Without it, a request
    /// could write over what another has stored since it looked: a lost update.
    ///
    /// ```
    /// # use sessions::{MemoryStore, Outcome, Record, Store, StoreError, Version};
    /// async fn save(store: &MemoryStore, seen: Version, new: &Record) -> Result<bool, StoreError> {
    ///     Ok(matches!(store.compare_and_swap(seen, new).await?, Outcome::Stored(_)))
    /// }
    /// ```
    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome>;

    /// Deletes the record, and returns it if it was there.
    ///
    /// It returns the record and not a yes, because the one that is deleted may say that the
    /// session has moved to another id: see `session/moved.rs`. A record that cannot be read is
    /// deleted too, and is [`Error::Decode`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sessions::StoreError> {
    /// # use sessions::{Id, MemoryStore, Store};
    /// let deleted = MemoryStore::default().delete(&Id::default()).await?;
    /// assert_eq!(deleted, None);
    /// # Ok(()) }
    /// ```
    async fn delete(&self, id: &Id) -> Result<Option<Record>>;

    /// Deletes up to `limit` expired records, and says how many it deleted.
    ///
    /// A store whose records go by themselves has nothing to do and returns 0. Django:
    /// `clear_expired()`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sessions::StoreError> {
    /// # use sessions::{MemoryStore, Store};
    /// assert_eq!(MemoryStore::default().clear_expired(500).await?, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] also from a store that cannot find its expired records. That is what this
    /// method does unless a store implements it.
    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        let _ = limit;
        Err(Error::Backend("this store cannot clear its expired sessions".to_owned()))
    }

    /// Finishes what is under way and closes files and connections, when a server has ended. From
    /// then on the store may answer with an error. A store that holds nothing open has nothing to
    /// do.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # use sessions::{MemoryStore, Store};
    /// MemoryStore::default().close().await;
    /// # }
    /// ```
    async fn close(&self) {}
}

/// An `Arc<dyn Store>` holds a store of any kind, for a program that chooses one when it starts.
///
/// ```
/// use std::sync::Arc;
/// use sessions::{MemoryStore, SessionLayer, SqliteStore, Store, StoreError};
///
/// async fn choose(file: Option<&str>) -> Result<Arc<dyn Store>, StoreError> {
///     Ok(match file {
///         Some(file) => Arc::new(SqliteStore::open(file).await?),
///         None => Arc::new(MemoryStore::default()),
///     })
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), StoreError> {
///
/// let layer = SessionLayer::new(choose(None).await?);
/// # Ok(()) }
/// ```
#[async_trait]
impl<S: Store + ?Sized> Store for Arc<S> {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        (**self).load(id).await
    }

    async fn load_uncached(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        (**self).load_uncached(id).await
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        (**self).create(record).await
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        (**self).compare_and_swap(expected, new).await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        (**self).delete(id).await
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        (**self).clear_expired(limit).await
    }

    async fn close(&self) {
        (**self).close().await;
    }
}
