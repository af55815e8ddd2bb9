//! Exercise 7: a store of your own.
//!
//! `Shelf` keeps sessions in a map, each with a version. Its `replace` stores whatever it is
//! given. So a session that was signed out comes back when a late request saves it, and of two
//! requests at once one loses its change.
//!
//! Run: `just exercise 7`

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

    async fn replace(&self, _old: &Id, seen: Version, new: &mut Record) -> Result<Replaced> {
        let mut records = self.records();
        // TODO: store `new` only if the record `_old` is still there, in the version `seen`.
        // Otherwise store nothing, and answer `Replaced::Gone` or `Replaced::Changed`. Where
        // `new` has another id, the old record has to go: the session has moved.
        // Hint: `alive` and `add` do half of it. The map stays locked until you return, so what
        // you have looked at cannot change before you write.
        let version = Version(seen.0 + 1);
        records.insert(new.id, (new.clone(), version));
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
