//! The stores meet what is asked of a store, and the check tells which one does not.

use std::collections::HashMap;

use async_trait::async_trait;
use sessions::{
    Id, MemoryStore, OneServer, Outcome, Record, SessionStore, SqliteStore, Store, StoreError,
    Version,
    testing::{Expired, check},
};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::{
    sync::Mutex,
    task::{LocalSet, yield_now},
};

type Result<T> = std::result::Result<T, StoreError>;

#[tokio::test]
async fn the_sqlite_store_meets_every_requirement() {
    let folder = TempDir::new().expect("a folder for the databases");
    let open = async || {
        let file = folder.path().join(format!("{}.sqlite", Id::default()));
        SqliteStore::open(file).await.expect("the store opens")
    };
    check(open, Expired::Cleared).await;
}

#[tokio::test]
async fn the_store_in_memory_meets_every_requirement() {
    check(async || MemoryStore::default(), Expired::Cleared).await;
}

#[tokio::test]
async fn a_store_that_was_written_for_tower_sessions_meets_every_requirement() {
    check(async || OneServer::new(tower_sessions::MemoryStore::default()), Expired::Stay).await;
}

#[tokio::test]
async fn a_store_over_a_network_meets_every_requirement_on_one_server() {
    check(async || OneServer::new(Broken::new(Fault::None)), Expired::Stay).await;
}

#[tokio::test]
async fn a_store_that_is_late_in_clearing_meets_every_requirement() {
    check(async || OneServer::new(Broken::new(Fault::ReturnsExpired)), Expired::Stay).await;
}

#[tokio::test]
async fn a_store_for_tower_sessions_cannot_clear_and_says_so() {
    let store = OneServer::new(tower_sessions::MemoryStore::default());
    let refused = store.clear_expired(1).await.expect_err("it cannot");
    assert!(refused.to_string().contains("cannot clear its expired sessions"), "{refused}");
}

/// What a store may get wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    KeepsOnlyTheLast,
    TellsAnotherVersion,
    FindsWhatIsNot,
    ReturnsExpired,
    OverwritesTakenIds,
    LosesUnicode,
    LosesEmptyRecords,
    ForgetsIdSigns,
    /// It cuts dates to 32 bits.
    EndsIn2038,
    RefusesSecondDelete,
    ReturnsNothingDeleted,
    KeepsDeleted,
    KeepsVersions,
    KeepsOldDates,
    WritesToAll,
    /// The last one to write wins.
    IgnoresVersions,
    CountsRefusedWrites,
    SaysThatAConflictIsTheEnd,
    WritesDeletedBack,
    WritesExpiredBack,
    NeverFreesIds,
    /// It looks, and writes later.
    LooksThenSwaps,
    LooksThenCreates,
    /// A swap waits for a swap, but a deletion does not.
    DeletesDuringASwap,
    CountsNothing,
    ClearsAll,
    ClearsMoreThanTold,
    CannotClear,
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    /// This one has no idea of expiry, so that the faults do.
    records: Mutex<HashMap<Id, (Record, u64)>>,
    deleted: Mutex<Vec<Id>>,
    /// One write at a time, unless that is the fault.
    writing: Mutex<()>,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        let (records, deleted) = (Mutex::default(), Mutex::default());
        Broken { fault, records, deleted, writing: Mutex::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn key(&self, id: &Id) -> Id {
        if self.has(Fault::ForgetsIdSigns) { Id(id.0.wrapping_abs()) } else { *id }
    }

    async fn find(&self, id: &Id) -> Option<(Record, Version)> {
        // As over a network: others get their turn while this one waits.
        yield_now().await;
        let records = self.records.lock().await;
        let (mut record, version) = match records.get(&self.key(id)).cloned() {
            None if self.has(Fault::FindsWhatIsNot) => records.values().next().cloned()?,
            found => found?,
        };
        record.id = *id;
        if self.has(Fault::EndsIn2038) {
            let seconds = record.expiry_date.unix_timestamp() as i32;
            record.expiry_date =
                OffsetDateTime::from_unix_timestamp(seconds.into()).expect("a date");
        }
        let is_alive = record.expiry_date > OffsetDateTime::now_utc();
        (is_alive || self.has(Fault::ReturnsExpired)).then_some((record, Version(version)))
    }

    async fn put(&self, record: &Record) -> Version {
        let mut record = record.clone();
        if self.has(Fault::LosesUnicode) {
            for value in record.data.values_mut() {
                if let Some(text) = value.as_str() {
                    *value = text.replace(|c: char| !c.is_ascii(), "?").into();
                }
            }
        }
        let mut records = self.records.lock().await;
        if self.has(Fault::KeepsOnlyTheLast) {
            records.clear();
        }
        if self.has(Fault::WritesToAll) && records.contains_key(&record.id) {
            records.values_mut().for_each(|(other, _)| other.data = record.data.clone());
        }
        let key = self.key(&record.id);
        let mut version = 1;
        if let Some((old, old_version)) = records.get(&key) {
            version = if self.has(Fault::KeepsVersions) { *old_version } else { old_version + 1 };
            if self.has(Fault::KeepsOldDates) {
                record.expiry_date = old.expiry_date;
            }
        }
        if !(record.data.is_empty() && self.has(Fault::LosesEmptyRecords)) {
            records.insert(key, (record, version));
        }
        Version(version)
    }

    async fn is_taken(&self, id: &Id) -> bool {
        let was_deleted = self.deleted.lock().await.contains(id);
        let is_there = self.records.lock().await.contains_key(&self.key(id));
        (is_there && !self.has(Fault::OverwritesTakenIds))
            || (was_deleted && self.has(Fault::NeverFreesIds))
    }

    async fn remove(&self, id: &Id) -> Option<Record> {
        self.deleted.lock().await.push(*id);
        let mut records = self.records.lock().await;
        if self.has(Fault::KeepsDeleted) {
            return records.get(&self.key(id)).map(|(record, _)| record.clone());
        }
        let (record, _) = records.remove(&self.key(id))?;
        Some(Record { id: *id, ..record })
    }
}

/// As a store for tower-sessions, over a network.
#[async_trait]
impl SessionStore for Broken {
    async fn create(&self, record: &mut Record) -> Result<()> {
        while self.is_taken(&record.id).await {
            record.id = Id::default();
        }
        self.put(record).await;
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        yield_now().await;
        self.put(record).await;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.find(id).await.map(|(record, _)| record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        self.remove(id).await;
        Ok(())
    }
}

#[async_trait]
impl Store for Broken {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        Ok(self.find(id).await)
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        let one_at_a_time = self.writing.lock().await;
        if self.is_taken(&record.id).await {
            return Ok(Outcome::IdTaken);
        }
        if self.has(Fault::LooksThenCreates) {
            drop(one_at_a_time);
            yield_now().await;
        }
        let Version(version) = self.put(record).await;
        let told = if self.has(Fault::TellsAnotherVersion) { version + 1 } else { version };
        Ok(Outcome::Stored(Version(told)))
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        let one_at_a_time = self.writing.lock().await;
        let is_there = self.records.lock().await.contains_key(&self.key(&new.id));
        match self.find(&new.id).await {
            None if !is_there && self.has(Fault::WritesDeletedBack) => {}
            None if is_there && self.has(Fault::WritesExpiredBack) => {}
            None => return Ok(Outcome::Missing),
            Some((_, version)) if version == expected || self.has(Fault::IgnoresVersions) => {}
            Some(_) if self.has(Fault::SaysThatAConflictIsTheEnd) => return Ok(Outcome::Missing),
            Some((theirs, _)) => {
                if self.has(Fault::CountsRefusedWrites) {
                    self.put(&theirs).await;
                }
                return Ok(Outcome::Conflict);
            }
        }
        if self.has(Fault::LooksThenSwaps) {
            drop(one_at_a_time);
        }
        yield_now().await;
        Ok(Outcome::Stored(self.put(new).await))
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        let _one_at_a_time = match self.fault {
            Fault::DeletesDuringASwap => None,
            _ => Some(self.writing.lock().await),
        };
        match self.remove(id).await {
            None if self.has(Fault::RefusesSecondDelete) => {
                Err(StoreError::Backend("nothing is there".to_owned()))
            }
            _ if self.has(Fault::ReturnsNothingDeleted) => Ok(None),
            deleted => Ok(deleted),
        }
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        if self.has(Fault::CannotClear) {
            return Err(StoreError::Backend("it has no list of dates".to_owned()));
        }
        let limit = if self.has(Fault::ClearsMoreThanTold) { u32::MAX } else { limit };
        let now = OffsetDateTime::now_utc();
        let mut records = self.records.lock().await;
        let expired: Vec<_> = records
            .iter()
            .filter(|(_, (record, _))| self.has(Fault::ClearsAll) || record.expiry_date <= now)
            .map(|(key, _)| *key)
            .take(limit as usize)
            .collect();
        for key in &expired {
            records.remove(key);
        }
        Ok(if self.has(Fault::CountsNothing) { 0 } else { expired.len() as u64 })
    }
}

/// What the check says of a store with this fault.
async fn verdict(fault: Fault, expired: Expired) -> std::result::Result<(), String> {
    let checked = LocalSet::new()
        .run_until(async move {
            let open = async move || Broken::new(fault);
            tokio::task::spawn_local(async move { check(open, expired).await }).await
        })
        .await;
    checked.map_err(|failed| {
        let panic = failed.into_panic();
        panic
            .downcast::<String>()
            .map(|words| *words)
            .or_else(|panic| panic.downcast::<&str>().map(|words| words.to_string()))
            .expect("a panic with words")
    })
}

#[tokio::test]
async fn a_store_without_a_fault_passes() {
    assert_eq!(verdict(Fault::None, Expired::Cleared).await, Ok(()));
}

#[tokio::test]
async fn the_check_names_what_a_broken_store_does_not_do() {
    for (fault, requirement) in [
        (Fault::KeepsOnlyTheLast, "a created record is found, and so are all others"),
        (Fault::TellsAnotherVersion, "a created record is found"),
        (Fault::FindsWhatIsNot, "an unknown id is not found"),
        (Fault::ReturnsExpired, "an expired record is not found"),
        (Fault::OverwritesTakenIds, "a new record whose id is taken is refused"),
        (Fault::LosesUnicode, "any JSON comes back as it went in"),
        (Fault::LosesEmptyRecords, "a record without any data is a record"),
        (Fault::ForgetsIdSigns, "any number can be an id"),
        (Fault::EndsIn2038, "any date can be an expiry date"),
        (Fault::RefusesSecondDelete, "a deleted record is returned once, and gone"),
        (Fault::ReturnsNothingDeleted, "a deleted record is returned once, and gone"),
        (Fault::KeepsDeleted, "a deleted record is returned once, and gone"),
        (Fault::KeepsVersions, "a record that was written over is found in its new version"),
        (Fault::KeepsOldDates, "a record that was written over is found in its new version"),
        (Fault::WritesToAll, "a write leaves the other records alone"),
        (Fault::IgnoresVersions, "a record that was written since is not written over"),
        (Fault::CountsRefusedWrites, "a record that was written since is not written over"),
        (Fault::SaysThatAConflictIsTheEnd, "a record that was written since is not written over"),
        (Fault::WritesDeletedBack, "a deleted record is not written back"),
        (Fault::WritesExpiredBack, "an expired record is not written back"),
        (Fault::NeverFreesIds, "the id of a deleted record is free again"),
        (Fault::LooksThenSwaps, "of many who write over one version at once, one wins"),
        (Fault::LooksThenCreates, "of many who create a record under one id at once, one wins"),
        (Fault::DeletesDuringASwap, "a record that is deleted while it is written stays deleted"),
        (Fault::CountsNothing, "clearing deletes what has expired, and no more than it is told"),
        (Fault::ClearsAll, "clearing deletes what has expired, and no more than it is told"),
        (
            Fault::ClearsMoreThanTold,
            "clearing deletes what has expired, and no more than it is told",
        ),
        (Fault::CannotClear, "clear_expired"),
    ] {
        let verdict = verdict(fault, Expired::Cleared).await;
        let verdict = verdict.expect_err(&format!("{fault:?} goes unnoticed"));
        assert!(verdict.contains(requirement), "of {fault:?} it says: {verdict}");
    }
}

#[tokio::test]
async fn the_check_notices_a_store_that_clears_although_it_is_said_not_to() {
    for (expired, requirement) in [
        (Expired::GoByThemselves, "if records go by themselves, there is nothing to clear"),
        (Expired::Stay, "a store that cannot clear says so"),
    ] {
        let verdict = verdict(Fault::None, expired).await;
        let verdict = verdict.expect_err(&format!("that they do not {expired:?} goes unnoticed"));
        assert!(verdict.contains(requirement), "of {expired:?} it says: {verdict}");
    }
    assert_eq!(verdict(Fault::CannotClear, Expired::Stay).await, Ok(()));
}
