//! A fresh folder for sessions, and the files in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sessions::FileStore;
use tempfile::TempDir;

/// A place for a folder of sessions, which is not there yet, in a folder that goes with the first
/// value.
pub fn fresh_folder() -> (TempDir, PathBuf) {
    let around = TempDir::new().expect("a folder for the folder");
    let folder = around.path().join("sessions");
    (around, folder)
}

pub async fn open_folder(folder: &Path) -> FileStore {
    FileStore::open(folder).await.expect("the store opens")
}

/// The folder's files, without the locks.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder");
    let paths = entries.map(|entry| entry.expect("its file").path());
    paths.filter(|path| !path.display().to_string().contains("/.lock-")).collect()
}

/// The file of the only session.
pub fn the_file(folder: &Path) -> PathBuf {
    let [file] = files(folder).try_into().expect("one file");
    file
}
