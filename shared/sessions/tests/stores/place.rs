//! A kind of store, and a place in which such a store keeps its records.

use std::{env, pin::Pin, sync::Arc};

use async_trait::async_trait;
use sessions::{Id, Store, testing::Expired};

use crate::helpers::Wire;

/// A kind of store, and what is to be expected of it.
#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    pub new_place: NewPlace,
    pub expired: Expired,
    /// Are its records there after the last server has stopped?
    pub remembers: bool,
    /// The environment variable that names the server it needs. Such a server may be away.
    needs: Option<&'static str>,
}

type NewPlace = fn() -> Pin<Box<dyn Future<Output = Arc<dyn Place>>>>;

impl Kind {
    pub fn new(name: &'static str, new_place: NewPlace, expired: Expired) -> Kind {
        Kind { name, new_place, expired, remembers: true, needs: None }
    }

    /// Its records go with the last server.
    pub fn forgets(self) -> Kind {
        Kind { remembers: false, ..self }
    }

    /// It needs a server, and this environment variable names it.
    #[allow(dead_code, reason = "no store without a cargo feature needs one")]
    pub fn needs(self, variable: &'static str) -> Kind {
        Kind { needs: Some(variable), ..self }
    }

    pub fn is_on_a_server(&self) -> bool {
        self.needs.is_some()
    }

    /// The variable that would have to be set.
    pub fn misses(&self) -> Option<&'static str> {
        self.needs.filter(|variable| env::var_os(variable).is_none())
    }
}

/// A new and empty place for records, of which each test has its own.
#[async_trait]
pub trait Place: Send + Sync + 'static {
    /// One more server over this place.
    async fn open(&self) -> Arc<dyn Store>;

    /// One more server, which reaches this place through a wire. Asked only of kinds that are on a
    /// server.
    async fn open_through_a_wire(&self) -> (Arc<dyn Store>, Wire) {
        unreachable!("this kind of store is in the same machine")
    }

    /// All that an intruder could copy. Asked only of kinds that remember.
    async fn copy(&self) -> Vec<u8> {
        unreachable!("this kind of store forgets")
    }

    /// Writes this text where the data of the record under `id` is, the only one of this place.
    /// Asked only of kinds that remember.
    async fn spoil(&self, id: &Id, data: &str) {
        unreachable!("this kind of store forgets {id}, and so {data}")
    }
}
