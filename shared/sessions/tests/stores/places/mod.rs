//! The places of each kind of store. Those that a cargo feature turns on have a file each.

#[cfg(feature = "cached")]
mod cached;
#[cfg(feature = "file")]
mod file;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;

use std::{fs, path::PathBuf, pin::Pin, sync::Arc};

use async_trait::async_trait;
use sessions::{Id, MemoryStore, OneServer, SqliteStore, Store};
use tempfile::TempDir;

#[cfg(feature = "cached")]
pub use self::cached::{cached_memory, cached_sqlite};
#[cfg(feature = "file")]
pub use self::file::file;
#[cfg(feature = "postgres")]
pub use self::postgres::{postgres, serializable_postgres};
#[cfg(feature = "redis")]
pub use self::redis::redis;
use crate::{
    helpers::{execute, fresh_file, open_sqlite},
    place::Place,
};

type NewPlace = Pin<Box<dyn Future<Output = Arc<dyn Place>>>>;

fn place(place: impl Place) -> NewPlace {
    Box::pin(async move { Arc::new(place) as Arc<dyn Place> })
}

/// This process. Its servers share one store.
pub fn memory() -> NewPlace {
    place(Shared(MemoryStore::default()))
}

/// A store that was written for tower-sessions.
pub fn one_server() -> NewPlace {
    place(Shared(OneServer::new(tower_sessions::MemoryStore::default())))
}

struct Shared<S>(S);

#[async_trait]
impl<S: Store + Clone> Place for Shared<S> {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.0.clone())
    }
}

pub fn sqlite() -> NewPlace {
    place(Sqlite::new())
}

struct Sqlite {
    folder: TempDir,
    file: PathBuf,
}

impl Sqlite {
    fn new() -> Sqlite {
        let (folder, file) = fresh_file();
        Sqlite { folder, file }
    }

    async fn store(&self) -> SqliteStore {
        open_sqlite(&self.file).await
    }
}

#[async_trait]
impl Place for Sqlite {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(self.store().await)
    }

    async fn copy(&self) -> Vec<u8> {
        let files = fs::read_dir(self.folder.path()).expect("the folder");
        files.flat_map(|it| fs::read(it.expect("its file").path()).expect("its bytes")).collect()
    }

    async fn spoil(&self, _: &Id, data: &str) {
        let data = data.replace('\'', "''");
        assert_eq!(execute(&self.file, &format!("UPDATE session SET data = '{data}'")).await, 1);
    }
}

/// A program that chooses its store when it starts: a store in a box in a box.
pub fn chosen_at_the_start() -> NewPlace {
    place(Chosen(Sqlite::new()))
}

struct Chosen(Sqlite);

#[async_trait]
impl Place for Chosen {
    async fn open(&self) -> Arc<dyn Store> {
        let chosen: Arc<dyn Store> = Arc::new(self.0.store().await);
        Arc::new(chosen)
    }

    async fn copy(&self) -> Vec<u8> {
        self.0.copy().await
    }

    async fn spoil(&self, id: &Id, data: &str) {
        self.0.spoil(id, data).await;
    }
}
