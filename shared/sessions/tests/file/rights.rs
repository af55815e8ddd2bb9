//! Who may read the folder, and what is said if the server may not. Permissions bind everyone but
//! root, so some of these stories are played by a child without root's rights.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use sessions::{FileStore, Outcome, Store as _};

use crate::{
    helpers::{
        child::{play_without_roots_rights, told},
        fresh_folder, open_folder, stored,
    },
    message,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("its metadata").permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode is set");
}

#[tokio::test]
async fn only_the_servers_own_user_can_read_the_folder_and_its_files() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let (record, seen) = stored(&store, "mini").await;
    let swapped = store.compare_and_swap(seen, &record).await.expect("it is written");
    assert!(matches!(swapped, Outcome::Stored(_)), "{swapped:?}");

    assert_eq!(mode(&folder), 0o700);
    let mut seen = 0;
    for entry in fs::read_dir(&folder).expect("the folder") {
        let path = entry.expect("its file").path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
        seen += 1;
    }
    assert!(seen >= 2, "a record and a lock");
}

#[tokio::test]
async fn a_folder_that_was_there_keeps_its_mode() {
    let (_around, folder) = fresh_folder();
    fs::create_dir(&folder).expect("a folder");
    set_mode(&folder, 0o750);
    open_folder(&folder).await;
    assert_eq!(mode(&folder), 0o750);
}

/// What opening the folder is refused with, in a child that has these rights to it.
async fn told_to_open() -> Option<String> {
    let folder = told()?;
    Some(message(FileStore::open(&folder).await, &folder))
}

#[tokio::test]
async fn a_folder_that_may_only_be_read_is_refused_at_the_start() {
    let (around, folder) = fresh_folder();
    set_mode(around.path(), 0o755);
    // It was in use before: the locks are there.
    stored(&open_folder(&folder).await, "mini").await;
    for entry in fs::read_dir(&folder).expect("the folder") {
        set_mode(&entry.expect("its file").path(), 0o666);
    }
    set_mode(&folder, 0o555);
    play_without_roots_rights("rights::the_folder_may_not_be_used", &folder);
    set_mode(&folder, 0o700);
}

#[tokio::test]
async fn a_folder_that_may_not_be_listed_is_refused_at_the_start() {
    let (around, folder) = fresh_folder();
    set_mode(around.path(), 0o755);
    fs::create_dir(&folder).expect("a folder");
    // To a child of root the folder is another user's; without root, it is the child's own.
    set_mode(&folder, 0o333);
    play_without_roots_rights("rights::the_folder_may_not_be_used", &folder);
    set_mode(&folder, 0o700);
}

#[tokio::test]
#[ignore = "a_folder_that_may_only_be_read_is_refused_at_the_start runs it"]
async fn the_folder_may_not_be_used() {
    let Some(message) = told_to_open().await else { return };
    assert_eq!(
        message,
        "cannot keep sessions in sessions: Permission denied (os error 13); \
         let this program read and write there, or choose another folder"
    );
}

#[tokio::test]
async fn a_folder_in_one_that_may_only_be_read_is_refused_at_the_start() {
    let (around, folder) = fresh_folder();
    set_mode(around.path(), 0o555);
    play_without_roots_rights("rights::the_folder_around_may_only_be_read", &folder);
    set_mode(around.path(), 0o700);
}

#[tokio::test]
#[ignore = "a_folder_in_one_that_may_only_be_read_is_refused_at_the_start runs it"]
async fn the_folder_around_may_only_be_read() {
    let Some(message) = told_to_open().await else { return };
    assert_eq!(
        message,
        "cannot make the folder sessions for the sessions: Permission denied (os error 13); \
         make it yourself, or choose another place"
    );
}
