//! Sessions in this process's memory.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use time::OffsetDateTime;
use tower_sessions::{
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::{Outcome, Store, Version};
use crate::session::size::json_size;

/// How many bytes of session data are kept at most, measured as JSON: 64 MiB.
const CAPACITY: usize = 64 * 1024 * 1024;

/// What a record takes besides its data: its id, its date, its version and its place in the map.
const OVERHEAD: usize = 256;

/// Sessions in this process's memory, for tests and for trying things out. They go when it ends.
///
/// It keeps up to 64 MiB. Once it is full, it forgets what has expired; if that makes no room, a
/// new session is refused with [`Error::Backend`], which the visitor sees as a 503 page. So a flood
/// of newcomers does not end the process, and costs no visitor their session.
///
/// Clones share the same sessions. Django: the backend `cache` with a cache in local memory.
///
/// ```
/// use sessions::{MemoryStore, SessionLayer};
///
/// let layer = SessionLayer::new(MemoryStore::default());
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    records: HashMap<Id, (Record, Version)>,
    /// The sum of the records' sizes.
    size: usize,
}

/// Neither ids nor data: they have no place in a log.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// A store that holds this one record.
    #[cfg(feature = "encrypted-cookie")]
    pub(crate) fn holding(record: Record) -> Self {
        let size = size(&record);
        let records = HashMap::from([(record.id, (record, Version(1)))]);
        MemoryStore(Arc::new(Mutex::new(Memory { records, size })))
    }
}

impl Memory {
    /// The record and its version as they are now, unless the record has expired.
    fn current(&self, id: &Id) -> Option<&(Record, Version)> {
        self.records.get(id).filter(|(record, _)| is_alive(record))
    }

    fn put(&mut self, record: &Record, version: Version) -> Result<Outcome> {
        let old = self.records.get(&record.id).map_or(0, |(record, _)| size(record));
        let new = size(record);
        // A session that gets smaller always fits.
        if new > old && self.size + new - old > CAPACITY {
            self.clear_expired(u32::MAX);
            if self.size + new - old > CAPACITY {
                return Err(Error::Backend("the store in memory is full".to_owned()));
            }
        }
        self.size = self.size + new - old;
        self.records.insert(record.id, (record.clone(), version));
        Ok(Outcome::Stored(version))
    }

    fn remove(&mut self, id: &Id) -> Option<Record> {
        let (record, _) = self.records.remove(id)?;
        self.size -= size(&record);
        Some(record)
    }

    fn clear_expired(&mut self, limit: u32) -> u64 {
        let expired = self.records.values().filter(|(record, _)| !is_alive(record));
        let ids: Vec<_> = expired.map(|(record, _)| record.id).take(limit as usize).collect();
        ids.iter().filter_map(|id| self.remove(id)).count() as u64
    }
}

fn is_alive(record: &Record) -> bool {
    record.expiry_date > OffsetDateTime::now_utc()
}

fn size(record: &Record) -> usize {
    OVERHEAD + json_size(&record.data)
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        Ok(self.0.lock().current(id).cloned())
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        let mut memory = self.0.lock();
        match memory.records.entry(record.id) {
            Entry::Occupied(_) => Ok(Outcome::IdTaken),
            Entry::Vacant(_) => memory.put(record, Version(1)),
        }
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        let mut memory = self.0.lock();
        match memory.current(&new.id) {
            None => Ok(Outcome::Missing),
            Some((_, version)) if *version != expected => Ok(Outcome::Conflict),
            Some(_) => memory.put(new, expected.next()),
        }
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.0.lock().remove(id))
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        Ok(self.0.lock().clear_expired(limit))
    }
}
