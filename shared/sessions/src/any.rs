//! A store of any kind, chosen while the program runs.

use std::sync::Arc;

use async_trait::async_trait;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::Result,
};

use crate::store::{Replaced, Store, Version};

/// A store whose kind the program learns when it starts, from an argument for example.
///
/// Each kind of store is a type of its own, and a variable has one type. This one holds any of
/// them, and does what that one does. Clones share it.
///
/// ```
/// use sessions::{AnyStore, Error, MemoryStore, SqliteStore};
///
/// async fn choose(file: Option<&str>) -> Result<AnyStore, Error> {
///     Ok(match file {
///         Some(file) => AnyStore::new(SqliteStore::open(file).await?),
///         None => AnyStore::new(MemoryStore::default()),
///     })
/// }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Error> {
///
/// let layer = sessions::SessionLayer::new(choose(None).await?);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct AnyStore(Arc<dyn Store>);

impl AnyStore {
    /// Holds `store`.
    ///
    /// ```
    /// use sessions::{AnyStore, MemoryStore};
    ///
    /// let store = AnyStore::new(MemoryStore::default());
    /// ```
    pub fn new(store: impl Store) -> Self {
        AnyStore(Arc::new(store))
    }
}

#[async_trait]
impl SessionStore for AnyStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.0.create(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        self.0.save(record).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        self.0.load(id).await
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.0.delete(id).await
    }
}

#[async_trait]
impl Store for AnyStore {
    async fn load_versioned(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        self.0.load_versioned(id).await
    }

    async fn replace(&self, old: &Id, seen: Version, new: &mut Record) -> Result<Replaced> {
        self.0.replace(old, seen, new).await
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        self.0.clear_expired(limit).await
    }
}
