//! A schema of its own in the database that the tests use.

use std::sync::Arc;

use async_trait::async_trait;
use sessions::{Id, PostgresStore, Store};

use super::NewPlace;
use crate::{
    helpers::{Wire, postgres::Schema},
    place::Place,
};

pub fn postgres() -> NewPlace {
    Box::pin(async { Arc::new(Postgres(Schema::create().await)) as Arc<dyn Place> })
}

struct Postgres(Schema);

#[async_trait]
impl Place for Postgres {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.open().await)
    }

    async fn open_through_a_wire(&self) -> (Arc<dyn Store>, Wire) {
        let (store, wire) = self.0.open_through_a_wire().await;
        (Arc::new(store), wire)
    }

    async fn copy(&self) -> Vec<u8> {
        self.0.all_rows().await.join("\n").into_bytes()
    }

    async fn spoil(&self, _: &Id, data: &str) {
        let data = data.replace('\'', "''");
        assert_eq!(self.0.execute(&format!("UPDATE session SET data = '{data}'")).await, 1);
    }
}

/// An administrator has made all transactions stricter than they are by default. PostgreSQL then
/// asks for some of them to be run again.
pub fn serializable_postgres() -> NewPlace {
    Box::pin(async {
        let schema = Postgres(Schema::create().await);
        Arc::new(Serializable(schema)) as Arc<dyn Place>
    })
}

struct Serializable(Postgres);

#[async_trait]
impl Place for Serializable {
    async fn open(&self) -> Arc<dyn Store> {
        let Postgres(schema) = &self.0;
        let url = format!("{}%20-cdefault_transaction_isolation%3Dserializable", schema.url());
        Arc::new(PostgresStore::open(&url).await.expect("the store opens"))
    }

    async fn open_through_a_wire(&self) -> (Arc<dyn Store>, Wire) {
        self.0.open_through_a_wire().await
    }

    async fn copy(&self) -> Vec<u8> {
        self.0.copy().await
    }

    async fn spoil(&self, id: &Id, data: &str) {
        self.0.spoil(id, data).await;
    }
}
