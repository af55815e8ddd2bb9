//! Servers with a cache each over one place.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use sessions::{Cached, Id, MemoryStore, Store};

use super::{NewPlace, Shared, Sqlite, place};
use crate::place::Place;

/// So long that no test comes to its end.
const LONG: Duration = Duration::from_secs(60 * 60);

pub fn cached_memory() -> NewPlace {
    place(Before(Shared(MemoryStore::default())))
}

pub fn cached_sqlite() -> NewPlace {
    place(Before(Sqlite::new()))
}

/// A cache before what is in another place.
struct Before<P>(P);

#[async_trait]
impl<P: Place> Place for Before<P> {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(Cached::new(self.0.open().await, LONG))
    }

    async fn copy(&self) -> Vec<u8> {
        self.0.copy().await
    }

    async fn spoil(&self, id: &Id, data: &str) {
        self.0.spoil(id, data).await;
    }
}
