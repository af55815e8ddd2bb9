//! What clearing deletes, and what it leaves alone.

use std::{fs, path::Path};

use sessions::{Store as _, clear_expired};

use crate::helpers::{files, fresh_folder, open_folder, stored, the_file};

/// As the store would have written it, an hour ago.
fn put_expired(folder: &Path, names: std::ops::Range<u32>) {
    for name in names {
        let json = r#"{"version":1,"expiry_date":1000000000,"data":{}}"#;
        fs::write(folder.join(format!("{name:064x}.json")), json).expect("it is written");
    }
}

#[tokio::test]
async fn it_deletes_all_that_has_expired_however_many_there_are() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let (live, _) = stored(&store, "mini").await;
    put_expired(&folder, 0..2500);

    assert_eq!(store.clear_expired(0).await.expect("cleared"), 0);
    assert_eq!(store.clear_expired(2400).await.expect("cleared"), 2400);
    assert_eq!(clear_expired(&store).await.expect("cleared"), 100);

    assert_eq!(files(&folder).len(), 1);
    assert!(store.load(&live.id).await.expect("the store answers").is_some());
}

#[tokio::test]
async fn it_also_finds_what_expires_behind_the_place_where_it_is() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    stored(&store, "mini").await;
    put_expired(&folder, 0..10);
    assert_eq!(store.clear_expired(6).await.expect("cleared"), 6);

    put_expired(&folder, 10..20);
    // Six names are free again, and some of them lie behind.
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 10);
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 4);
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 0);
}

#[tokio::test]
async fn it_removes_what_a_crash_has_left_behind() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    stored(&store, "mini").await;
    let file = the_file(&folder);
    fs::write(file.with_extension("a1B2c3.tmp"), "{\"vers").expect("half a record");

    assert_eq!(store.clear_expired(10).await.expect("cleared"), 0, "it was no session");

    assert_eq!(files(&folder), [file]);
}

#[tokio::test]
async fn it_leaves_alone_what_is_not_the_stores() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let hash = "0123456789abcdef".repeat(4);
    let past = r#"{"version":1,"expiry_date":1000000000,"data":{}}"#;
    let mut theirs = [
        "notes.txt".to_owned(),
        "notes.json".to_owned(),
        "notes.tmp".to_owned(),
        format!("{}.json", hash.to_uppercase()),
        format!("{}.json", &hash[1..]),
        format!("{hash}0.json"),
        format!("{hash}.json.bak"),
        hash.clone(),
    ];
    for name in &theirs {
        fs::write(folder.join(name), past).expect("it is written");
    }
    // A record that cannot be decoded may be worth a look.
    let spoilt = format!("{hash}.json");
    fs::write(folder.join(&spoilt), "{\"expiry_date\":1000000000,").expect("it is written");
    let mut expected = theirs.each_mut().map(|name| folder.join(name)).to_vec();
    expected.push(folder.join(spoilt));

    assert_eq!(clear_expired(&store).await.expect("cleared"), 0);

    expected.sort();
    let mut left = files(&folder);
    left.sort();
    assert_eq!(left, expected);
}
