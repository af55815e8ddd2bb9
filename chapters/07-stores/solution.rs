//! One answer to exercise 7: look whether the record is what was seen, and write under the same
//! lock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use sessions::{Id, Replaced, SessionStore, Store, Version};
use time::OffsetDateTime;
use tower_sessions::{session::Record, session_store::Result};

/// What the check tries.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    records: Arc<Mutex<Records>>,
}

type Records = HashMap<Id, (Record, Version)>;

impl Shelf {
    /// The map, locked until the guard is dropped.
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().expect("nobody panics who holds the lock")
    }
}

/// The record as it is now, unless it has expired.
fn alive<'a>(records: &'a Records, id: &Id) -> Option<&'a (Record, Version)> {
    records.get(id).filter(|(record, _)| record.expiry_date > OffsetDateTime::now_utc())
}

/// Adds a new record; where its id is taken, under another.
fn add(records: &mut Records, record: &mut Record) -> Version {
    while records.contains_key(&record.id) {
        record.id = Id::default();
    }
    records.insert(record.id, (record.clone(), Version(1)));
    Version(1)
}

#[async_trait]
impl Store for Shelf {
    async fn load_versioned(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        Ok(alive(&self.records(), id).cloned())
    }

    async fn replace(&self, old: &Id, seen: Version, new: &mut Record) -> Result<Replaced> {
        let mut records = self.records();
        match alive(&records, old) {
            None => return Ok(Replaced::Gone),
            Some((_, version)) if *version != seen => return Ok(Replaced::Changed),
            Some(_) => {}
        }
        let version = if new.id == *old {
            let next = Version(seen.0 + 1);
            records.insert(new.id, (new.clone(), next));
            next
        } else {
            let first = add(&mut records, new);
            records.remove(old);
            first
        };
        Ok(Replaced::Done(version))
    }
}

#[async_trait]
impl SessionStore for Shelf {
    async fn create(&self, record: &mut Record) -> Result<()> {
        add(&mut self.records(), record);
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let mut records = self.records();
        let version = records.get(&record.id).map_or(1, |(_, version)| version.0 + 1);
        records.insert(record.id, (record.clone(), Version(version)));
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.load_versioned(id).await?.map(|(record, _)| record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.records().remove(id);
        Ok(())
    }
}
