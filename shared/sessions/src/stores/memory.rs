//! Sessions in this process's memory.

use std::{
    collections::{BTreeSet, HashMap},
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

const MIB: usize = 1024 * 1024;

/// How many bytes of session data are kept at most, measured as JSON.
const CAPACITY: usize = 64 * MIB;

/// What a record takes in addition to its data: its id, its date, its version and its places in
/// the maps.
const OVERHEAD: usize = 256;

/// Sessions in this process's memory, for tests and for trying things out. They go when it ends.
///
/// It keeps up to 64 MiB of sessions, measured as JSON; the process needs a few times as much for
/// it. Once it is full, it forgets what has expired. If that makes no room, a new session is
/// refused with [`Error::Backend`], which the visitor sees as a 503 page, and so is a change that
/// makes a session larger. So a flood of newcomers does not end the process, and costs no visitor
/// their session.
///
/// In a full store nothing new can be stored, and a sign-in that asks for a new id is refused too.
///
/// Clones share the same sessions. Django: the backend `cache` with a cache in local memory.
///
/// ```
/// use sessions::{MemoryStore, SessionLayer};
///
/// let layer = SessionLayer::new(MemoryStore::default());
/// ```
#[derive(Clone)]
pub struct MemoryStore(Arc<Mutex<Memory>>);

struct Memory {
    kept: HashMap<Id, Kept>,
    /// When each record expires, and its id: what expires first comes first, so that the expired
    /// ones are found without a look at the others.
    expiry_dates: BTreeSet<(OffsetDateTime, i128)>,
    /// The sum of the records' sizes, and how large it may become.
    size: usize,
    capacity: usize,
}

struct Kept {
    record: Record,
    version: Version,
    size: usize,
}

/// Neither ids nor data: they have no place in a log.
impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        MemoryStore::with_capacity(CAPACITY)
    }
}

impl MemoryStore {
    /// A store for so many bytes of session data, measured as JSON; the default is 64 MiB.
    ///
    /// ```
    /// let store = sessions::MemoryStore::with_capacity(1024 * 1024);
    /// ```
    pub fn with_capacity(capacity: usize) -> Self {
        let (kept, expiry_dates) = (HashMap::new(), BTreeSet::new());
        MemoryStore(Arc::new(Mutex::new(Memory { kept, expiry_dates, size: 0, capacity })))
    }

    /// A store that holds this one record.
    #[cfg(feature = "encrypted-cookie")]
    pub(crate) fn holding(record: Record) -> Self {
        let store = MemoryStore::default();
        store.0.lock().insert(Kept { size: size(&record), record, version: Version(1) });
        store
    }
}

impl Memory {
    /// The record and its version as they are now, unless the record has expired.
    fn current(&self, id: &Id) -> Option<&Kept> {
        self.kept.get(id).filter(|kept| kept.record.expiry_date > OffsetDateTime::now_utc())
    }

    /// Stores the record, if there is room for it.
    fn put(&mut self, record: &Record, version: Version) -> Result<Outcome> {
        let size = size(record);
        let old_size = self.kept.get(&record.id).map_or(0, |kept| kept.size);
        // A record that does not grow needs no room. So in a full store the visitors who are there
        // can still change what they have, and sign out.
        let growth = size.saturating_sub(old_size);
        while growth > 0 && self.size + growth > self.capacity {
            if !self.clear_first_expired() {
                return Err(self.full());
            }
        }
        self.insert(Kept { record: record.clone(), version, size });
        Ok(Outcome::Stored(version))
    }

    fn full(&self) -> Error {
        let capacity = self.capacity / MIB;
        Error::Backend(format!(
            "the store in memory is full ({capacity} MiB): keep the sessions in a database or in \
             files, or let them expire sooner"
        ))
    }

    fn insert(&mut self, kept: Kept) {
        self.remove(&kept.record.id);
        self.size += kept.size;
        self.expiry_dates.insert((kept.record.expiry_date, kept.record.id.0));
        self.kept.insert(kept.record.id, kept);
    }

    fn remove(&mut self, id: &Id) -> Option<Record> {
        let kept = self.kept.remove(id)?;
        self.size -= kept.size;
        self.expiry_dates.remove(&(kept.record.expiry_date, id.0));
        Some(kept.record)
    }

    /// Was there an expired record to delete?
    fn clear_first_expired(&mut self) -> bool {
        let first = self.expiry_dates.first().copied();
        let expired = first.filter(|(expiry_date, _)| *expiry_date <= OffsetDateTime::now_utc());
        expired.and_then(|(_, id)| self.remove(&Id(id))).is_some()
    }
}

fn size(record: &Record) -> usize {
    OVERHEAD + json_size(&record.data)
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        Ok(self.0.lock().current(id).map(|kept| (kept.record.clone(), kept.version)))
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        let mut memory = self.0.lock();
        if memory.kept.contains_key(&record.id) {
            return Ok(Outcome::IdTaken);
        }
        memory.put(record, Version(1))
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        let mut memory = self.0.lock();
        match memory.current(&new.id) {
            None => Ok(Outcome::Missing),
            Some(kept) if kept.version != expected => Ok(Outcome::Conflict),
            Some(_) => memory.put(new, expected.next()),
        }
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.0.lock().remove(id))
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        let mut memory = self.0.lock();
        Ok((0..limit).take_while(|_| memory.clear_first_expired()).count() as u64)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    /// How many large records fill a small store.
    const ROOM: usize = 16;

    fn small_store() -> MemoryStore {
        MemoryStore::with_capacity(MIB)
    }

    fn large(expiry_date: OffsetDateTime) -> Record {
        let data = [("my_car".to_owned(), long("a"))].into();
        Record { id: Id::default(), data, expiry_date }
    }

    fn long(letter: &str) -> serde_json::Value {
        letter.repeat(MIB / ROOM - 300).into()
    }

    fn in_an_hour() -> OffsetDateTime {
        OffsetDateTime::now_utc() + Duration::HOUR
    }

    fn a_minute_ago() -> OffsetDateTime {
        OffsetDateTime::now_utc() - Duration::MINUTE
    }

    async fn create(store: &MemoryStore, record: &Record) {
        let outcome = store.create(record).await.expect("there is room");
        assert_eq!(outcome, Outcome::Stored(Version(1)));
    }

    /// A store without room for another large record, and what is in it.
    async fn full() -> (MemoryStore, Vec<Record>) {
        let store = small_store();
        let records: Vec<_> = (0..ROOM).map(|_| large(in_an_hour())).collect();
        for record in &records {
            create(&store, record).await;
        }
        (store, records)
    }

    #[track_caller]
    fn assert_full(refused: Result<Outcome>) {
        let Err(Error::Backend(message)) = refused else { panic!("there is no room: {refused:?}") };
        assert!(message.contains("is full (1 MiB)"), "{message}");
    }

    #[tokio::test]
    async fn a_flood_of_newcomers_is_refused_and_costs_no_visitor_their_session() {
        let (store, records) = full().await;
        for _ in 0..3 {
            assert_full(store.create(&large(in_an_hour())).await);
        }
        for record in records {
            let found = store.load(&record.id).await.expect("memory does not fail");
            assert_eq!(found, Some((record, Version(1))));
        }
    }

    #[tokio::test]
    async fn what_has_expired_makes_room_and_no_more_of_it_than_is_needed() {
        let store = small_store();
        for _ in 0..ROOM - 2 {
            create(&store, &large(in_an_hour())).await;
        }
        for _ in 0..2 {
            create(&store, &large(a_minute_ago())).await;
        }
        create(&store, &large(in_an_hour())).await;
        assert_eq!(store.clear_expired(10).await.expect("memory does not fail"), 1);
        create(&store, &large(in_an_hour())).await;
        assert_full(store.create(&large(in_an_hour())).await);
    }

    #[tokio::test]
    async fn a_session_in_a_full_store_can_be_changed_to_what_is_not_larger() {
        let (store, records) = full().await;
        let mut mine = records[0].clone();

        mine.data.insert("my_car".to_owned(), long("b"));
        let outcome = store.compare_and_swap(Version(1), &mine).await;
        assert_eq!(outcome.expect("it needs no room"), Outcome::Stored(Version(2)));

        let mut larger = mine.clone();
        larger.data.insert("wheels".to_owned(), "alloy".repeat(1000).into());
        assert_full(store.compare_and_swap(Version(2), &larger).await);
        let found = store.load(&mine.id).await.expect("memory does not fail");
        assert_eq!(found, Some((mine.clone(), Version(2))), "a refused change changes nothing");

        mine.data.clear();
        let outcome = store.compare_and_swap(Version(2), &mine).await;
        assert_eq!(outcome.expect("it needs no room"), Outcome::Stored(Version(3)));
        create(&store, &large(in_an_hour())).await;
    }

    #[tokio::test]
    async fn a_sign_out_makes_room() {
        let (store, records) = full().await;
        store.delete(&records[0].id).await.expect("memory does not fail");
        create(&store, &large(in_an_hour())).await;
        assert_full(store.create(&large(in_an_hour())).await);
    }

    #[tokio::test]
    async fn an_emptied_store_counts_nothing() {
        let (store, records) = full().await;
        for (n, record) in records.iter().enumerate() {
            let later = Record { expiry_date: a_minute_ago(), ..record.clone() };
            let outcome = store.compare_and_swap(Version(1), &later).await;
            assert_eq!(outcome.expect("it needs no room"), Outcome::Stored(Version(2)));
            if n % 2 == 0 {
                store.delete(&record.id).await.expect("memory does not fail");
            }
        }
        assert_eq!(store.clear_expired(100).await.expect("memory does not fail"), 8);
        let memory = store.0.lock();
        assert_eq!((memory.size, memory.kept.len(), memory.expiry_dates.len()), (0, 0, 0));
    }

    #[tokio::test]
    async fn a_log_of_the_store_in_memory_shows_no_session() {
        assert_eq!(format!("{:?}", MemoryStore::default()), "MemoryStore { .. }");
    }
}
