//! A folder of its own.

use std::{fs, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use sessions::{Id, Store};
use tempfile::TempDir;

use super::{NewPlace, place};
use crate::{
    helpers::{fresh_folder, open_folder, the_file},
    place::Place,
};

pub fn file() -> NewPlace {
    let (around, folder) = fresh_folder();
    place(Folder { _around: around, folder })
}

struct Folder {
    _around: TempDir,
    folder: PathBuf,
}

#[async_trait]
impl Place for Folder {
    async fn open(&self) -> Arc<dyn Store> {
        Arc::new(open_folder(&self.folder).await)
    }

    /// The names of the files too.
    async fn copy(&self) -> Vec<u8> {
        let mut copy = Vec::new();
        for file in fs::read_dir(&self.folder).expect("the folder") {
            let file = file.expect("its file").path();
            copy.extend(file.file_name().expect("a name").as_encoded_bytes());
            copy.extend(fs::read(file).expect("its bytes"));
        }
        copy
    }

    async fn spoil(&self, _: &Id, data: &str) {
        let file = the_file(&self.folder);
        let record = fs::read_to_string(&file).expect("a record");
        let (before, _) = record.split_once("{\"my_car\"").expect("the data come last");
        fs::write(file, format!("{before}{data}}}")).expect("it is written");
    }
}
