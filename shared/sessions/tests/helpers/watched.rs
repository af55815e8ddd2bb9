//! A store that notes its calls, holds them at a gate, and fails if it is told to.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use sessions::{Id, MemoryStore, Outcome, Record, Store, StoreError, Version};

use super::{Gate, minutes_ago};

type Result<T> = std::result::Result<T, StoreError>;

/// Around the work of a call.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Moment {
    /// The call has come, and the store has done nothing.
    Before,
    /// The store has done it, and the caller does not know yet.
    After,
}

/// A store around another one. Its calls are `load`, `create`, `swap`, `delete` and `clear`.
#[derive(Clone, Debug, Default)]
pub struct Watched<S = MemoryStore> {
    store: S,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    calls: Vec<&'static str>,
    failing: HashSet<&'static str>,
    gates: HashMap<(Moment, &'static str), Gate>,
    cannot_decode: bool,
    returns_expired: bool,
}

impl<S: Store> Watched<S> {
    pub fn over(store: S) -> Self {
        Watched { store, state: Arc::default() }
    }

    /// The calls since this was last asked.
    pub fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.state.lock().calls)
    }

    /// From now on these calls fail, and no others.
    pub fn fail(&self, calls: &[&'static str]) {
        self.state.lock().failing = calls.iter().copied().collect();
    }

    /// The next call of this name waits at the gate that is returned.
    pub fn hold(&self, moment: Moment, call: &'static str) -> Gate {
        let gate = Gate::default();
        self.state.lock().gates.insert((moment, call), gate.clone());
        gate
    }

    /// Are its records spoilt?
    pub fn cannot_decode(&self, spoilt: bool) {
        self.state.lock().cannot_decode = spoilt;
    }

    /// Have its records expired, and does it return them all the same?
    pub fn returns_expired(&self, late: bool) {
        self.state.lock().returns_expired = late;
    }

    async fn pass(&self, moment: Moment, call: &'static str) {
        let gate = self.state.lock().gates.remove(&(moment, call));
        if let Some(gate) = gate {
            gate.wait().await;
        }
    }

    async fn call<T>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.state.lock().calls.push(call);
        self.pass(Moment::Before, call).await;
        if self.state.lock().failing.contains(call) {
            return Err(StoreError::Backend("the cable is out".to_owned()));
        }
        let answer = work.await;
        self.pass(Moment::After, call).await;
        answer
    }
}

#[async_trait]
impl<S: Store> Store for Watched<S> {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        let found = self.call("load", self.store.load(id)).await?;
        let (cannot_decode, late) = {
            let state = self.state.lock();
            (state.cannot_decode, state.returns_expired)
        };
        if cannot_decode {
            return Err(StoreError::Decode("expected value at line 1".to_owned()));
        }
        Ok(found.map(|(record, version)| match late {
            true => (Record { expiry_date: minutes_ago(1), ..record }, version),
            false => (record, version),
        }))
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        self.call("create", self.store.create(record)).await
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        self.call("swap", self.store.compare_and_swap(expected, new)).await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        self.call("delete", self.store.delete(id)).await
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        self.call("clear", self.store.clear_expired(limit)).await
    }
}
