//! The Redis that the tests use. They share it: each uses keys of its own.

use std::sync::Arc;

use async_trait::async_trait;
use redis::cmd;
use sessions::{Id, Store};

use super::{NewPlace, place};
use crate::{
    helpers::{
        Wire,
        redis::{connect, key, open, open_through_a_wire},
    },
    place::Place,
};

pub fn redis() -> NewPlace {
    place(Redis)
}

struct Redis;

#[async_trait]
impl Place for Redis {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(open().await)
    }

    async fn open_through_a_wire(&self) -> (Arc<dyn Store>, Wire) {
        let (store, wire) = open_through_a_wire().await;
        (Arc::new(store), wire)
    }

    async fn copy(&self) -> Vec<u8> {
        let mut redis = connect().await;
        let keys: Vec<String> =
            cmd("KEYS").arg("session:*").query_async(&mut redis).await.expect("keys");
        let mut copy = Vec::new();
        for key in keys {
            copy.extend(key.as_bytes());
            let hash: Vec<Vec<u8>> =
                cmd("HGETALL").arg(key).query_async(&mut redis).await.expect("a hash");
            copy.extend(hash.concat());
        }
        copy
    }

    async fn spoil(&self, id: &Id, data: &str) {
        let mut spoil = cmd("HSET");
        spoil.arg(key(id)).arg("data").arg(data);
        let new_fields: i64 = spoil.query_async(&mut connect().await).await.expect("done");
        assert_eq!(new_fields, 0, "the field was there");
    }
}
