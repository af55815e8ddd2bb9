//! What cannot be a folder of sessions says so at the start, in one line.

use std::{fs, path::Path};

use sessions::{FileStore, StoreError};
use tokio::task::JoinSet;

use crate::{
    helpers::{files, fresh_folder},
    message,
};

async fn refusal(folder: &Path) -> String {
    message(FileStore::open(folder).await, folder)
}

#[tokio::test]
async fn a_file_in_the_place_of_the_folder_is_refused() {
    let (_around, folder) = fresh_folder();
    fs::write(&folder, "Dear diary").expect("a file");
    assert_eq!(
        refusal(&folder).await,
        "sessions is not a folder, so no sessions can be kept in it; choose another place"
    );
    assert_eq!(fs::read_to_string(&folder).expect("it is still there"), "Dear diary");
}

#[tokio::test]
async fn a_folder_in_a_folder_that_is_missing_is_refused() {
    let (_around, folder) = fresh_folder();
    assert_eq!(
        refusal(&folder.join("of/my")).await.replace("sessions/of/", ""),
        "cannot make the folder my for the sessions: No such file or directory (os error 2); \
         make it yourself, or choose another place"
    );
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_folder_in_a_file_is_refused() {
    let (_around, folder) = fresh_folder();
    fs::write(&folder, "Dear diary").expect("a file");
    assert_eq!(
        refusal(&folder.join("my")).await,
        "cannot make the folder my for the sessions: Not a directory (os error 20); \
         make it yourself, or choose another place"
    );
}

#[tokio::test]
async fn a_folder_without_a_name_is_refused() {
    let refused = FileStore::open("").await;
    let Err(StoreError::Backend(message)) = refused else { panic!("it must fail") };
    assert_eq!(
        message,
        "cannot make the folder  for the sessions: \
         cannot make an empty path absolute; make it yourself, or choose another place"
    );
}

#[tokio::test]
async fn opening_a_folder_leaves_no_trace_in_it() {
    let (_around, folder) = fresh_folder();
    let mut starts = JoinSet::new();
    for _ in 0..8 {
        starts.spawn(FileStore::open(folder.clone()));
    }
    for opened in starts.join_all().await {
        opened.expect("the store opens");
    }
    assert!(files(&folder).is_empty());
}
