//! A store whose calls wait at a gate, and go wrong.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use async_trait::async_trait;
use sessions::{Id, MemoryStore, Outcome, Record, Store, StoreError, Version};

use crate::helpers::Gate;

type Result<T> = std::result::Result<T, StoreError>;

/// What goes wrong with a write.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fault {
    #[default]
    None,
    /// It fails, and nothing is stored.
    Refused,
    /// It is stored, and the answer is lost.
    Unanswered,
    Panic,
}

/// A store in memory. As an SQLite store does, it goes on with a write that was given up.
#[derive(Clone, Debug, Default)]
pub struct Slow {
    pub store: MemoryStore,
    /// How many loads have come.
    pub loads: Arc<AtomicUsize>,
    /// A load waits here with what it has found.
    pub found: Gate,
    /// A write waits here before it is done.
    pub asked: Gate,
    fault: Arc<parking_lot::Mutex<Fault>>,
}

impl Slow {
    /// From the next write on.
    pub fn goes_wrong(&self, fault: Fault) {
        *self.fault.lock() = fault;
    }

    async fn write<T: Send + 'static>(
        &self,
        write: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (asked, fault) = (self.asked.clone(), *self.fault.lock());
        let written = tokio::spawn(async move {
            asked.pass().await;
            if fault == Fault::Refused {
                return Err(StoreError::Backend("the disk is full".to_owned()));
            }
            let answer = write.await;
            match fault {
                Fault::Unanswered => Err(StoreError::Backend("the cable is out".to_owned())),
                _ => answer,
            }
        });
        let answer = written.await.expect("no panic");
        assert_ne!(fault, Fault::Panic, "the store has a bug");
        answer
    }
}

#[async_trait]
impl Store for Slow {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        self.loads.fetch_add(1, Relaxed);
        let found = self.store.load(id).await;
        self.found.pass().await;
        found
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        let (store, record) = (self.store.clone(), record.clone());
        self.write(async move { store.create(&record).await }).await
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        let (store, new) = (self.store.clone(), new.clone());
        self.write(async move { store.compare_and_swap(expected, &new).await }).await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        let (store, id) = (self.store.clone(), *id);
        self.write(async move { store.delete(&id).await }).await
    }
}
