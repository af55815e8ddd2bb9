//! The stores meet what is asked of a store, and the check tells which one does not.

use async_trait::async_trait;
use sessions::{
    Id, MemoryStore, OneServer, Replaced, SessionStore, SqliteStore, Store, Version,
    contract::{Expired, check},
};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::task::LocalSet;
use tower_sessions::{session::Record, session_store::Result};

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

/// What a store may get wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    ReturnsExpired,
    OverwritesTakenIds,
    ForgetsIdSigns,
    LosesUnicode,
    RefusesSecondDelete,
    /// The last one to write wins.
    IgnoresVersions,
    /// It looks, and writes later.
    LooksThenWrites,
    WritesDeletedBack,
    KeepsOldIds,
    OverwritesTakenNewIds,
    /// It stores the new record, then sees that it came too late.
    StoresTooLateMoves,
    CountsNothing,
    ClearsAll,
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    /// This one has no idea of expiry, so that the faults do.
    records: tokio::sync::Mutex<std::collections::HashMap<Id, (Record, u64)>>,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        Broken { fault, records: Default::default() }
    }

    fn key(&self, id: &Id) -> Id {
        match self.fault {
            Fault::ForgetsIdSigns => Id(id.0.wrapping_abs()),
            _ => *id,
        }
    }

    async fn find(&self, id: &Id) -> Option<(Record, Version)> {
        // As over a network: others get their turn while this one waits.
        tokio::task::yield_now().await;
        let records = self.records.lock().await;
        let (mut record, version) = records.get(&self.key(id)).cloned()?;
        record.id = *id;
        let returns_expired = matches!(self.fault, Fault::ReturnsExpired);
        let is_alive = returns_expired || record.expiry_date > OffsetDateTime::now_utc();
        is_alive.then_some((record, Version(version)))
    }

    async fn put(&self, record: &Record) -> Version {
        let mut record = record.clone();
        if let Fault::LosesUnicode = self.fault {
            for value in record.data.values_mut() {
                if let Some(text) = value.as_str() {
                    *value = text.replace(|c: char| !c.is_ascii(), "?").into();
                }
            }
        }
        let mut records = self.records.lock().await;
        let key = self.key(&record.id);
        let version = records.get(&key).map_or(1, |(_, version)| version + 1);
        records.insert(key, (record, version));
        Version(version)
    }

    async fn is_taken(&self, id: &Id) -> bool {
        self.records.lock().await.contains_key(&self.key(id))
    }
}

#[async_trait]
impl SessionStore for Broken {
    async fn create(&self, record: &mut Record) -> Result<()> {
        if !matches!(self.fault, Fault::OverwritesTakenIds) {
            while self.is_taken(&record.id).await {
                record.id = Id::default();
            }
        }
        self.put(record).await;
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        tokio::task::yield_now().await;
        self.put(record).await;
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.find(id).await.map(|(record, _)| record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let deleted = self.records.lock().await.remove(&self.key(id));
        match self.fault {
            Fault::RefusesSecondDelete if deleted.is_none() => {
                Err(tower_sessions::session_store::Error::Backend("nothing is there".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Store for Broken {
    async fn load_versioned(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        Ok(self.find(id).await)
    }

    async fn replace(&self, old: &Id, seen: Version, new: &mut Record) -> Result<Replaced> {
        let moves = new.id != *old;
        if moves && matches!(self.fault, Fault::StoresTooLateMoves) {
            self.create(new).await?;
        }
        match self.find(old).await {
            None if matches!(self.fault, Fault::WritesDeletedBack) => {}
            None => return Ok(Replaced::Gone),
            Some((_, version)) if version != seen => {
                if !matches!(self.fault, Fault::IgnoresVersions) {
                    return Ok(Replaced::Changed);
                }
            }
            Some(_) => {}
        }
        if let Fault::LooksThenWrites = self.fault {
            tokio::task::yield_now().await;
        }
        if moves && !matches!(self.fault, Fault::OverwritesTakenNewIds) {
            while self.is_taken(&new.id).await {
                new.id = Id::default();
            }
        }
        let version = self.put(new).await;
        if moves && !matches!(self.fault, Fault::KeepsOldIds) {
            self.delete(old).await?;
        }
        Ok(Replaced::Done(version))
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        let now = OffsetDateTime::now_utc();
        let mut records = self.records.lock().await;
        let clears_all = matches!(self.fault, Fault::ClearsAll);
        let expired: Vec<_> = records
            .iter()
            .filter(|(_, (record, _))| clears_all || record.expiry_date <= now)
            .map(|(key, _)| *key)
            .take(limit as usize)
            .collect();
        for key in &expired {
            records.remove(key);
        }
        match self.fault {
            Fault::CountsNothing => Ok(0),
            _ => Ok(expired.len() as u64),
        }
    }
}

/// What the check says of a store with this fault.
async fn verdict(fault: Fault) -> std::result::Result<(), String> {
    let checked = LocalSet::new()
        .run_until(async move {
            let open = async move || Broken::new(fault);
            tokio::task::spawn_local(async move { check(open, Expired::Cleared).await }).await
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
    assert_eq!(verdict(Fault::None).await, Ok(()));
}

#[tokio::test]
async fn the_check_names_what_a_broken_store_does_not_do() {
    for (fault, requirement) in [
        (Fault::ReturnsExpired, "an expired record is nobody's"),
        (Fault::OverwritesTakenIds, "a new record whose id is taken gets another"),
        (Fault::ForgetsIdSigns, "any number can be an id"),
        (Fault::LosesUnicode, "any JSON comes back as it went in"),
        (Fault::RefusesSecondDelete, "a deleted record is gone, and may be deleted again"),
        (Fault::IgnoresVersions, "a record that was written since is not replaced"),
        (Fault::LooksThenWrites, "of many who replace one version at once, one wins"),
        (Fault::WritesDeletedBack, "a deleted record is not written back"),
        (Fault::KeepsOldIds, "a replacement under another id deletes the old record"),
        (Fault::OverwritesTakenNewIds, "a replacement whose new id is taken gets another"),
        (Fault::StoresTooLateMoves, "an expired record is not written back"),
        (Fault::CountsNothing, "clearing deletes what has expired"),
        (Fault::ClearsAll, "clearing deletes what has expired"),
    ] {
        let verdict = verdict(fault).await.expect_err(&format!("{fault:?} goes unnoticed"));
        assert!(verdict.contains(requirement), "of {fault:?} it says: {verdict}");
    }
}

#[tokio::test]
async fn a_store_in_memory_says_that_it_cannot_clear() {
    let refused = MemoryStore::default().clear_expired(1).await.expect_err("it cannot");
    assert!(refused.to_string().contains("cannot clear its expired sessions"), "{refused}");
}
