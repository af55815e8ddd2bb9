//! Exercise 7: a store of your own.
//!
//! `Shelf` keeps sessions in a map, each with a version. Its `compare_and_swap` stores what it is
//! given. So a session that was signed out comes back when a late request saves it, and of two
//! requests at once one loses its change.
//!
//! Run: `just exercise 7`

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use sessions::{Id, Outcome, Record, Store, StoreError, Version};
use time::OffsetDateTime;

/// What the check tries.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    records: Arc<Mutex<Records>>,
}

type Records = HashMap<Id, (Record, Version)>;

impl Shelf {
    /// The map, locked until the guard is dropped.
    fn records(&self) -> MutexGuard<'_, Records> {
        self.records.lock().expect("no other holder of the lock has panicked")
    }
}

/// The record as it is now, unless it has expired.
fn current<'a>(records: &'a Records, id: &Id) -> Option<&'a (Record, Version)> {
    records.get(id).filter(|(record, _)| record.expiry_date > OffsetDateTime::now_utc())
}

#[async_trait]
impl Store for Shelf {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>, StoreError> {
        Ok(current(&self.records(), id).cloned())
    }

    async fn create(&self, record: &Record) -> Result<Outcome, StoreError> {
        let mut records = self.records();
        if records.contains_key(&record.id) {
            return Ok(Outcome::IdTaken);
        }
        records.insert(record.id, (record.clone(), Version(1)));
        Ok(Outcome::Stored(Version(1)))
    }

    async fn compare_and_swap(
        &self,
        expected: Version,
        new: &Record,
    ) -> Result<Outcome, StoreError> {
        let mut records = self.records();
        // TODO: store `new` only if its record is still there, in the version `expected`.
        // Otherwise store nothing, and answer `Outcome::Missing` or `Outcome::Conflict`.
        // Hint: `current` does half of it. The map stays locked until you return, so what you have
        // looked at cannot change before you write.
        let next = Version(expected.0 + 1);
        records.insert(new.id, (new.clone(), next));
        Ok(Outcome::Stored(next))
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>, StoreError> {
        Ok(self.records().remove(id).map(|(record, _)| record))
    }
}
