//! Sessions in a folder: what is in it, who may read it, and who may write at once.

mod garage;
mod logs;
mod two_servers;

use std::{
    collections::HashSet,
    env, fs,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use browser::Browser;
use garage::garage;
use logs::{listen, logged};
use sessions::{
    FileStore, Id, Replaced, SessionStore, Store, Version, clear_expired,
    contract::{Expired, check},
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tokio::task::JoinSet;
use tower_sessions::{
    session::Record,
    session_store::{self, Error},
};
use tracing::Level;
use two_servers::{TwoServers, keep_their_promises};

/// A place for a folder of sessions, which is not there yet.
fn fresh_folder() -> (TempDir, PathBuf) {
    let around = TempDir::new().expect("a folder for the folder");
    let folder = around.path().join("sessions");
    (around, folder)
}

async fn open(folder: &Path) -> FileStore {
    FileStore::open(folder).await.expect("the store opens")
}

fn record(car: &str) -> Record {
    Record {
        id: Id::default(),
        data: [("my_car".to_owned(), car.into())].into(),
        expiry_date: OffsetDateTime::now_utc() + Duration::hours(1),
    }
}

fn expired() -> Record {
    Record { expiry_date: OffsetDateTime::now_utc() - Duration::MINUTE, ..record("a wreck") }
}

/// A record in the store, with its version.
async fn stored(store: &FileStore, car: &str) -> (Record, Version) {
    let mut record = record(car);
    store.create(&mut record).await.expect("it is stored");
    let found = store.load_versioned(&record.id).await.expect("the store answers");
    found.expect("a record")
}

/// The folder's files, without the locks.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder");
    let paths = entries.map(|entry| entry.expect("its file").path());
    paths.filter(|path| !path.display().to_string().contains("/.lock-")).collect()
}

fn the_file(folder: &Path) -> PathBuf {
    let [file] = files(folder).try_into().expect("one file");
    file
}

/// What the store says, without the folder around its own, so that a test can tell it whole.
#[track_caller]
fn message<T>(refused: session_store::Result<T>, folder: &Path) -> String {
    let Err(Error::Backend(message)) = refused else { panic!("it must fail in the backend") };
    assert_eq!(message.lines().count(), 1, "{message}");
    let around = format!("{}/", folder.parent().expect("a folder in another").display());
    message.replace(&around, "")
}

#[tokio::test]
async fn the_file_store_meets_every_requirement() {
    let around = TempDir::new().expect("a folder for the folders");
    let store = async || open(&around.path().join(Id::default().to_string())).await;
    check(store, Expired::Cleared).await;
}

#[tokio::test]
async fn a_session_survives_a_restart() {
    let (_around, folder) = fresh_folder();
    let mut visitor = Browser::open(garage(open(&folder).await));
    visitor.post("/car", &[("my_car", "mini")]).await;
    let cookie = format!("sessionid={}", visitor.cookie("sessionid").expect("a session cookie"));
    drop(visitor);

    let mut visitor = Browser::open(garage(open(&folder).await));
    let page = visitor.get_with("/", &[("cookie", cookie.as_bytes())]).await;
    assert_eq!(page.body(), "mini");
}

#[tokio::test]
async fn visitors_who_only_read_leave_no_file() {
    let (_around, folder) = fresh_folder();
    let mut visitor = Browser::open(garage(open(&folder).await));
    visitor.get("/").await;
    visitor.get_with("/", &[("cookie", b"sessionid=AAAAAAAAAAAAAAAAAAAAAA")]).await;
    assert_eq!(files(&folder), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn two_servers_over_one_folder_keep_their_promises() {
    keep_their_promises(async || {
        let (around, folder) = fresh_folder();
        let [here, there, store] = [open(&folder).await, open(&folder).await, open(&folder).await];
        TwoServers::over(here, there, store, around).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_move_at_once_over_two_servers_do_not_wait_for_each_other_in_a_circle() {
    let (_around, folder) = fresh_folder();
    let stores = [open(&folder).await, open(&folder).await];
    let mut moves = JoinSet::new();
    for n in 0..400 {
        let store = stores[n % 2].clone();
        moves.spawn(async move {
            let (old, seen) = stored(&store, "mini").await;
            let mut new = record("beetle");
            let replaced = store.replace(&old.id, seen, &mut new).await;
            assert_eq!(replaced.expect("it moves"), Replaced::Done(Version(1)));
        });
    }
    moves.join_all().await;
    assert_eq!(files(&folder).len(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_while_another_writes_reads_a_whole_record() {
    let (_around, folder) = fresh_folder();
    let store = open(&folder).await;
    let (first, mut seen) = stored(&store, &"a".repeat(60_000)).await;
    let id = first.id;
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for car in ["b", "c", "d"].iter().cycle().take(150) {
                let mut new = Record { id, ..record(&car.repeat(60_000)) };
                match store.replace(&id, seen, &mut new).await.expect("it is written") {
                    Replaced::Done(version) => seen = version,
                    other => panic!("nobody else writes, yet {other:?}"),
                }
            }
        }
    });
    while !writer.is_finished() {
        let record = store.load(&id).await.expect("no half of a record").expect("a record");
        let car = record.data["my_car"].as_str().expect("a text");
        assert_eq!(car.len(), 60_000);
        assert_eq!(car.bytes().collect::<HashSet<_>>().len(), 1, "of one write, not of two");
    }
    writer.await.expect("no panic");
}

/// What one server does while another holds the lock of a session: waiting shows in the system's
/// list of locks.
#[cfg(target_os = "linux")]
mod another_server {
    use std::{
        os::unix::fs::MetadataExt,
        time::{Duration, Instant},
    };

    use super::*;

    fn lock_of(session: &Path) -> PathBuf {
        let name = session.file_name().expect("a name").display().to_string();
        let group = u8::from_str_radix(&name[..2], 16).expect("hexadecimal") % 64;
        session.with_file_name(format!(".lock-{group:02}"))
    }

    /// As another server does, while it writes this session.
    fn lock(session: &Path) -> File {
        let file = File::options().write(true).open(lock_of(session));
        let file = file.expect("the lock was used before");
        file.lock().expect("the lock is free");
        file
    }

    async fn somebody_waits_for(lock: &File) {
        let inode = format!(":{} ", lock.metadata().expect("its metadata").ino());
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let locks = fs::read_to_string("/proc/locks").expect("the list of locks");
            if locks.lines().any(|line| line.contains("->") && line.contains(&inode)) {
                return;
            }
            assert!(Instant::now() < patience, "nobody waits for the lock");
            tokio::task::yield_now().await;
        }
    }

    /// The stored JSON, changed by hand.
    fn edit(file: &Path, from: &str, to: &str) {
        let json = fs::read_to_string(file).expect("a record");
        assert!(json.contains(from), "{json}");
        fs::write(file, json.replace(from, to)).expect("it is written");
    }

    #[tokio::test]
    async fn a_write_waits_for_it_and_then_sees_what_it_has_written() {
        let (_around, folder) = fresh_folder();
        let store = open(&folder).await;
        let (record, seen) = stored(&store, "mini").await;
        let theirs = lock(&the_file(&folder));

        let writing = tokio::spawn({
            let (store, mut new) = (store.clone(), record.clone());
            async move { store.replace(&record.id, seen, &mut new).await }
        });
        somebody_waits_for(&theirs).await;
        edit(&the_file(&folder), "\"version\":1", "\"version\":2");
        drop(theirs);

        let replaced = writing.await.expect("no panic").expect("the store answers");
        assert_eq!(replaced, Replaced::Changed);
    }

    #[tokio::test]
    async fn a_move_to_an_id_that_it_takes_gets_another() {
        let (_around, folder) = fresh_folder();
        let store = open(&folder).await;
        let (taken, _) = stored(&store, "rover").await;
        let file = the_file(&folder);
        // One that another lock guards: the other lock is the one that is meant here.
        let (old, seen) = loop {
            let (old, seen) = stored(&store, "mini").await;
            let files = files(&folder);
            let its_file = files.iter().find(|it| **it != file).expect("a second file");
            if lock_of(its_file) != lock_of(&file) {
                break (old, seen);
            }
            store.delete(&old.id).await.expect("it is deleted");
        };
        let theirs = lock(&file);
        let record_of_theirs = fs::read(&file).expect("a record");
        fs::remove_file(&file).expect("they have not stored it yet");

        let moving = tokio::spawn({
            let (store, id) = (store.clone(), taken.id);
            let mut new = Record { id, ..record("beetle") };
            async move { store.replace(&old.id, seen, &mut new).await.map(|it| (it, new)) }
        });
        somebody_waits_for(&theirs).await;
        fs::write(&file, record_of_theirs).expect("now they have");
        drop(theirs);

        let (replaced, new) = moving.await.expect("no panic").expect("the store answers");
        assert_eq!(replaced, Replaced::Done(Version(1)));
        assert_ne!(new.id, taken.id);
        assert_eq!(store.load(&taken.id).await.expect("the store answers"), Some(taken));
    }

    #[tokio::test]
    async fn a_session_that_it_renews_is_not_cleared() {
        let (_around, folder) = fresh_folder();
        let store = open(&folder).await;
        let mut old = expired();
        store.create(&mut old).await.expect("it is stored");
        let theirs = lock(&the_file(&folder));

        let clearing = tokio::spawn({
            let store = store.clone();
            async move { store.clear_expired(10).await }
        });
        somebody_waits_for(&theirs).await;
        let date = old.expiry_date.unix_timestamp();
        let later = (date + 3600).to_string();
        edit(&the_file(&folder), &date.to_string(), &later);
        drop(theirs);

        assert_eq!(clearing.await.expect("no panic").expect("the store clears"), 0);
        assert!(store.load(&old.id).await.expect("the store answers").is_some());
    }

    #[tokio::test]
    async fn what_it_is_about_to_store_is_not_taken_for_a_left_over() {
        let (_around, folder) = fresh_folder();
        let store = open(&folder).await;
        let (record, _) = stored(&store, "mini").await;
        let theirs = lock(&the_file(&folder));
        let file = the_file(&folder);
        let temporary = file.with_extension("a1B2c3.tmp");
        fs::copy(&file, &temporary).expect("their new record");
        edit(&temporary, "mini", "beetle");

        let clearing = tokio::spawn({
            let store = store.clone();
            async move { store.clear_expired(10).await }
        });
        somebody_waits_for(&theirs).await;
        fs::rename(&temporary, &file).expect("it is still there");
        drop(theirs);

        assert_eq!(clearing.await.expect("no panic").expect("the store clears"), 0);
        let found = store.load(&record.id).await.expect("the store answers").expect("a record");
        assert_eq!(found.data["my_car"], "beetle");
    }
}

const FOLDER: &str = "SESSIONS_TEST_FOLDER";
const ID: &str = "SESSIONS_TEST_ID";

/// This test program again, to run only the ignored test `name`.
fn child(program: impl AsRef<std::ffi::OsStr>, name: &str, folder: &Path) -> Command {
    let mut child = Command::new(program);
    child
        .args(["--ignored", "--exact", "--nocapture", name])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    child
}

fn this_program() -> PathBuf {
    env::current_exe().expect("a path to this program")
}

/// What the parent says; `None` where nobody started this as a child.
fn told(variable: &str) -> Option<String> {
    env::var(variable).ok()
}

/// The rest of what the child writes, once it has ended well.
#[track_caller]
fn ends_well(child: Child) -> String {
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

const READY: &str = "ready to count";
const PROCESSES: usize = 3;
const EACH: usize = 100;

#[tokio::test]
async fn processes_that_count_at_once_over_one_folder_lose_nothing() {
    let (_around, folder) = fresh_folder();
    let store = open(&folder).await;
    let (record, _) = stored(&store, "mini").await;

    let start = || {
        child(this_program(), "a_process_that_counts", &folder)
            .env(ID, record.id.to_string())
            .spawn()
            .expect("it starts")
    };
    let mut children: Vec<_> = (0..PROCESSES).map(|_| start()).collect();
    for child in &mut children {
        let said = BufReader::new(child.stdout.as_mut().expect("a pipe")).lines();
        let mut said = said.map(|line| line.expect("text"));
        assert!(said.any(|line| line.contains(READY)), "it ends before it is ready");
    }
    for child in &mut children {
        // The starting shot: a child waits for the end of its standard input.
        drop(child.stdin.take());
    }
    let mut counts = HashSet::new();
    for child in children {
        let said = ends_well(child);
        counts.extend(
            said.lines().filter_map(|line| line.strip_prefix("counted ")?.parse::<usize>().ok()),
        );
    }

    let all = PROCESSES * EACH;
    assert_eq!(counts, (1..=all).collect(), "no two are told the same");
    let found = store.load(&record.id).await.expect("the store answers").expect("a record");
    assert_eq!(found.data["num_visits"], all);
    assert_eq!(found.data["my_car"], "mini");
}

#[tokio::test]
#[ignore = "processes_that_count_at_once_over_one_folder_lose_nothing runs it"]
async fn a_process_that_counts() {
    let (Some(folder), Some(id)) = (told(FOLDER), told(ID)) else { return };
    let (store, id) = (open(folder.as_ref()).await, id.parse().expect("an id"));
    println!("\n{READY}");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("a pipe");
    for _ in 0..EACH {
        println!("counted {}", count(&store, &id).await);
    }
}

async fn count(store: &FileStore, id: &Id) -> u64 {
    loop {
        let found = store.load_versioned(id).await.expect("the store answers");
        let (mut record, seen) = found.expect("a record");
        let num_visits = record.data.get("num_visits").and_then(|it| it.as_u64()).unwrap_or(0) + 1;
        record.data.insert("num_visits".to_owned(), num_visits.into());
        match store.replace(id, seen, &mut record).await.expect("the store answers") {
            Replaced::Done(_) => return num_visits,
            Replaced::Changed => {}
            Replaced::Gone => panic!("nobody ends the session"),
        }
    }
}

#[tokio::test]
async fn what_was_stored_survives_the_sudden_end_of_the_server() {
    let (_around, folder) = fresh_folder();
    let store = open(&folder).await;
    let (record, _) = stored(&store, &"mini".repeat(10_000)).await;
    let mut last = 0;
    for round in 1..=5 {
        let mut child = child(this_program(), "a_process_that_counts_until_it_is_killed", &folder)
            .env(ID, record.id.to_string())
            .spawn()
            .expect("it starts");
        let said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut counts = said.filter_map(|line| line.ok()?.strip_prefix("counted ")?.parse().ok());
        last = counts.nth(10 * round).expect("it counts until it is killed");
        child.kill().expect("it is killed");
        // Lines may be on their way, of visits that were stored too.
        last = counts.last().unwrap_or(last);
        child.wait().expect("it ends");

        let found = store.load(&record.id).await.expect("a whole record").expect("a record");
        let stored = found.data["num_visits"].as_u64().expect("a number");
        assert!(stored == last || stored == last + 1, "{last} were told, {stored} are stored");
        assert_eq!(found.data["my_car"].as_str().map(str::len), Some(40_000));
    }
    assert!(last >= 150, "each round goes on from the one before");
    clear_expired(&store).await.expect("the store clears");
    assert_eq!(files(&folder).len(), 1, "nothing is left over");
}

#[tokio::test]
#[ignore = "what_was_stored_survives_the_sudden_end_of_the_server runs it"]
async fn a_process_that_counts_until_it_is_killed() {
    let (Some(folder), Some(id)) = (told(FOLDER), told(ID)) else { return };
    let (store, id) = (open(folder.as_ref()).await, id.parse().expect("an id"));
    println!();
    loop {
        println!("counted {}", count(&store, &id).await);
    }
}

#[tokio::test]
async fn nobody_can_read_an_id_from_the_folder() {
    let (_around, folder) = fresh_folder();
    let mut visitor = Browser::open(garage(open(&folder).await));
    visitor.post("/car", &[("my_car", "mini")]).await;
    visitor.post("/car", &[("my_car", "beetle")]).await;
    let cookie = visitor.cookie("sessionid").expect("a session cookie");
    let id: Id = cookie.parse().expect("an id");
    // As by a crash in the middle of a save.
    fs::copy(the_file(&folder), the_file(&folder).with_extension("x.tmp")).expect("a copy");

    let mut all = Vec::new();
    for entry in fs::read_dir(&folder).expect("the folder") {
        let path = entry.expect("its file").path();
        all.push(path.file_name().expect("a name").as_encoded_bytes().to_vec());
        all.push(fs::read(path).expect("its bytes"));
    }
    let is_anywhere =
        |wanted: &[u8]| all.iter().any(|bytes| bytes.windows(wanted.len()).any(|it| it == wanted));

    assert!(is_anywhere(b"\"my_car\""), "the test finds what is in a file");
    assert!(is_anywhere(b".json"), "and what is in a name");
    let hex: String = id.0.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    for (form, bytes) in [
        ("as in the cookie", cookie.as_bytes()),
        ("raw, as in the cookie", &id.0.to_le_bytes()),
        ("raw, the other way round", &id.0.to_be_bytes()),
        ("a number", id.0.to_string().as_bytes()),
        ("hexadecimal", hex.as_bytes()),
        ("HEXADECIMAL", hex.to_uppercase().as_bytes()),
        ("a part of it", &hex.as_bytes()[..16]),
    ] {
        assert!(!is_anywhere(bytes), "{form}");
    }
}

#[tokio::test]
async fn a_file_is_named_by_the_hash_of_its_id_and_is_json() {
    let (_around, folder) = fresh_folder();
    let store = open(&folder).await;
    let (mut record, seen) = stored(&store, "mini").await;
    record.id = Id(0);
    record.expiry_date = time::macros::datetime!(2099-01-01 0:00 UTC);
    store.save(&record).await.expect("it is saved");
    store.save(&record).await.expect("it is saved");
    assert_eq!(seen, Version(1));

    // printf '\0%.0s' {1..16} | sha256sum
    let name = "374708fff7719dd5979ec875d56cd2286f6d3cf7ec317a3b25632aab28ec37bb.json";
    assert_eq!(
        fs::read_to_string(folder.join(name)).expect("the file"),
        r#"{"version":2,"expiry_date":4070908800,"data":{"my_car":"mini"}}"#
    );
}

#[tokio::test]
async fn a_log_of_the_store_shows_the_folder_and_nothing_else() {
    let (_around, folder) = fresh_folder();
    let store = open(&folder).await;
    let expected = format!("FileStore {{ folder: {folder:?}, .. }}");
    assert_eq!(format!("{store:?}"), expected);
}

/// The visitor of a record that somebody spoilt starts anew, under a new id.
#[tokio::test]
async fn a_record_that_cannot_be_decoded_is_an_empty_session_and_a_warning() {
    let valid = r#"{"version":1,"expiry_date":4070908800,"data":{"my_car":"mini"}}"#;
    for spoilt in [
        b"" as &[u8],
        &valid.as_bytes()[..40],
        &[valid.as_bytes(), b"}"].concat(),
        b"\xff\xfe",
        b"[]",
        br#"{"version":1,"expiry_date":4070908800,"data":["my_car"]}"#,
        br#"{"version":-1,"expiry_date":4070908800,"data":{}}"#,
        br#"{"version":1,"expiry_date":9223372036854775807,"data":{}}"#,
        br#"{"version":1,"data":{"my_car":"mini"}}"#,
    ] {
        let (_around, folder) = fresh_folder();
        let mut visitor = Browser::open(garage(open(&folder).await));
        visitor.post("/car", &[("my_car", "mini")]).await;
        let id = visitor.cookie("sessionid").expect("a session cookie");
        fs::write(the_file(&folder), spoilt).expect("it is spoilt");
        listen();

        let of = String::from_utf8_lossy(spoilt);
        let page = visitor.get("/").await;
        assert_eq!((page.status().as_u16(), page.body()), (200, "no car"), "{of}");
        assert!(page.set_cookies()[0].starts_with("sessionid=; "), "{of}");
        let warnings = logged(Level::WARN);
        assert_eq!(warnings.len(), 1, "{of}: {warnings:?}");
        assert!(warnings[0].contains("cannot be read"), "{of}: {warnings:?}");
        assert!(!warnings[0].contains(&id), "{of}: {warnings:?}");

        visitor.post("/car", &[("my_car", "beetle")]).await;
        assert_ne!(visitor.cookie("sessionid"), Some(id), "{of}");
        assert_eq!(visitor.get("/").await.body(), "beetle", "{of}");
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_decoded_may_be_saved_anew() {
    let (_around, folder) = fresh_folder();
    let store = open(&folder).await;
    let (record, _) = stored(&store, "mini").await;
    fs::write(the_file(&folder), "{").expect("it is spoilt");

    store.save(&record).await.expect("it is saved");

    assert_eq!(store.load(&record.id).await.expect("the store answers"), Some(record));
}

#[tokio::test]
async fn a_folder_that_is_gone_is_a_503_until_it_is_back() {
    let (around, folder) = fresh_folder();
    let store = open(&folder).await;
    let mut visitor = Browser::open(garage(store.clone()));
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = visitor.cookie("sessionid").expect("a session cookie").parse().expect("an id");
    let elsewhere = around.path().join("elsewhere");

    fs::rename(&folder, &elsewhere).expect("it is moved away");
    for page in [
        visitor.get("/").await.clone(),
        visitor.post("/car", &[("my_car", "beetle")]).await.clone(),
        visitor.private_window().post("/car", &[("my_car", "beetle")]).await.clone(),
    ] {
        assert_eq!(page.status(), 503);
        assert!(page.set_cookies().is_empty(), "{:?}", page.set_cookies());
    }
    assert_eq!(
        message(store.load(&id).await, &folder),
        "cannot read a session in sessions: No such file or directory (os error 2); \
         bring the folder back, or start this program again"
    );
    assert!(store.delete(&id).await.is_err(), "a sign-out that does not hold is told");
    assert!(store.clear_expired(1).await.is_err());
    assert!(!folder.exists(), "a folder that only looks empty would hide what is wrong");

    fs::rename(&elsewhere, &folder).expect("it is brought back");
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(store.clear_expired(1).await.expect("the store clears"), 0);
}

mod clearing {
    use super::*;

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
        let store = open(&folder).await;
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
        let store = open(&folder).await;
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
        let store = open(&folder).await;
        stored(&store, "mini").await;
        let file = the_file(&folder);
        fs::write(file.with_extension("a1B2c3.tmp"), "{\"vers").expect("half a record");

        assert_eq!(store.clear_expired(10).await.expect("cleared"), 0, "it was no session");

        assert_eq!(files(&folder), [file]);
    }

    #[tokio::test]
    async fn it_leaves_alone_what_is_not_the_stores() {
        let (_around, folder) = fresh_folder();
        let store = open(&folder).await;
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
}

/// What cannot be a folder of sessions says so at the start, in one line.
mod at_the_start {
    use super::*;

    async fn refusal(folder: &Path) -> String {
        message(FileStore::open(folder).await, folder)
    }

    #[tokio::test]
    async fn a_file_in_the_place_of_the_folder() {
        let (_around, folder) = fresh_folder();
        fs::write(&folder, "Dear diary").expect("a file");
        assert_eq!(
            refusal(&folder).await,
            "sessions is not a folder, so no sessions can be kept in it; choose another place"
        );
        assert_eq!(fs::read_to_string(&folder).expect("it is still there"), "Dear diary");
    }

    #[tokio::test]
    async fn no_folder_around_it() {
        let (_around, folder) = fresh_folder();
        assert_eq!(
            refusal(&folder.join("of/my")).await.replace("sessions/of/", ""),
            "cannot make the folder my for the sessions: No such file or directory (os error 2); \
             make it yourself, or choose another place"
        );
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn a_file_around_it() {
        let (_around, folder) = fresh_folder();
        fs::write(&folder, "Dear diary").expect("a file");
        assert_eq!(
            refusal(&folder.join("my")).await,
            "cannot make the folder my for the sessions: Not a directory (os error 20); \
             make it yourself, or choose another place"
        );
    }

    #[tokio::test]
    async fn no_name_at_all() {
        let refused = FileStore::open("").await;
        let Err(Error::Backend(message)) = refused else { panic!("it must fail") };
        assert_eq!(
            message,
            "cannot make the folder  for the sessions: \
             cannot make an empty path absolute; make it yourself, or choose another place"
        );
    }

    #[tokio::test]
    async fn many_servers_may_start_on_a_fresh_folder_at_once() {
        let (_around, folder) = fresh_folder();
        let mut starts = JoinSet::new();
        for _ in 0..8 {
            starts.spawn(FileStore::open(folder.clone()));
        }
        for opened in starts.join_all().await {
            opened.expect("the store opens");
        }
        assert_eq!(files(&folder), [] as [PathBuf; 0], "no trace of a try");
    }
}

/// Permissions bind everyone but root, and a limit binds a whole process, so these stories are
/// played by a child.
#[cfg(unix)]
mod in_a_child {
    use std::os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    };

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("its metadata").permissions().mode() & 0o7777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode is set");
    }

    #[tokio::test]
    async fn only_the_servers_own_user_can_read_the_folder_and_its_files() {
        let (_around, folder) = fresh_folder();
        let store = open(&folder).await;
        let (record, _) = stored(&store, "mini").await;
        store.save(&record).await.expect("it is saved");

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
        open(&folder).await;
        assert_eq!(mode(&folder), 0o750);
    }

    /// Runs the ignored test `name` on `folder`, without root's rights.
    fn play(name: &str, folder: &Path) {
        let around = TempDir::new().expect("a folder for the program");
        set_mode(around.path(), 0o755);
        // `nobody` may not be let into the folder where cargo built this program. Another process
        // copies: were it this one, a child that another test starts meanwhile could inherit the
        // file open for writing, and what is open for writing cannot be run.
        let program = around.path().join("file");
        let copied = Command::new("cp").arg(this_program()).arg(&program).status();
        assert!(copied.expect("cp runs").success());

        let mut child = child(&program, name, folder);
        child.current_dir(around.path());
        let this_is_root = fs::metadata(around.path()).expect("its metadata").uid() == 0;
        if this_is_root {
            child.uid(65534).gid(65534);
        }
        let said = ends_well(child.spawn().expect("it starts"));
        assert!(said.contains("1 passed"), "{said}");
    }

    /// What opening `folder` is refused with, in a child that has these rights to it.
    async fn told_to_open() -> Option<String> {
        let folder = PathBuf::from(told(FOLDER)?);
        Some(message(FileStore::open(&folder).await, &folder))
    }

    #[tokio::test]
    async fn a_folder_that_may_only_be_read() {
        let (around, folder) = fresh_folder();
        set_mode(around.path(), 0o755);
        // It was in use before: the locks are there.
        stored(&open(&folder).await, "mini").await;
        for entry in fs::read_dir(&folder).expect("the folder") {
            set_mode(&entry.expect("its file").path(), 0o666);
        }
        set_mode(&folder, 0o555);
        play("in_a_child::the_folder_is_read_only", &folder);
        set_mode(&folder, 0o700);
    }

    #[tokio::test]
    #[ignore = "a_folder_that_may_only_be_read runs it"]
    async fn the_folder_is_read_only() {
        let Some(message) = told_to_open().await else { return };
        assert_eq!(
            message,
            "cannot keep sessions in sessions: Permission denied (os error 13); \
             let this program read and write there, or choose another folder"
        );
    }

    #[tokio::test]
    async fn a_folder_that_may_not_be_listed() {
        let (around, folder) = fresh_folder();
        set_mode(around.path(), 0o755);
        fs::create_dir(&folder).expect("a folder");
        // The child is its group's or anybody; a user who is not root is its owner.
        set_mode(&folder, 0o333);
        play("in_a_child::the_folder_is_read_only", &folder);
        set_mode(&folder, 0o700);
    }

    #[tokio::test]
    async fn a_folder_in_one_that_may_only_be_read() {
        let (around, folder) = fresh_folder();
        set_mode(around.path(), 0o555);
        play("in_a_child::the_folder_around_is_read_only", &folder);
        set_mode(around.path(), 0o700);
    }

    #[tokio::test]
    #[ignore = "a_folder_in_one_that_may_only_be_read runs it"]
    async fn the_folder_around_is_read_only() {
        let Some(message) = told_to_open().await else { return };
        assert_eq!(
            message,
            "cannot make the folder sessions for the sessions: Permission denied (os error 13); \
             make it yourself, or choose another place"
        );
    }

    /// Runs the ignored test `name` on `folder`, in a shell that sets a limit first.
    fn play_within(limit: &str, name: &str, folder: &Path) {
        let mut child = child("sh", name, folder);
        let args: Vec<_> = child.get_args().map(ToOwned::to_owned).collect();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{limit}; exec \"$0\" \"$@\"")).arg(this_program()).args(args);
        shell.env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::piped());
        child = shell;
        let said = ends_well(child.spawn().expect("it starts"));
        assert!(said.contains("1 passed"), "{said}");
    }

    #[tokio::test]
    async fn a_save_for_which_there_is_no_room_leaves_the_old_record() {
        let (_around, folder) = fresh_folder();
        open(&folder).await;
        // In blocks of 512 bytes. Without the trap, the signal would end the child.
        let limit = "trap '' XFSZ; ulimit -f 16";
        play_within(limit, "in_a_child::there_is_room_for_small_files_only", &folder);
    }

    #[tokio::test]
    #[ignore = "a_save_for_which_there_is_no_room_leaves_the_old_record runs it"]
    async fn there_is_room_for_small_files_only() {
        let Some(folder) = told(FOLDER).map(PathBuf::from) else { return };
        let store = open(&folder).await;
        let (old, seen) = stored(&store, "mini").await;
        let large = "a limousine ".repeat(5000);

        let mut new = Record { id: old.id, ..record(&large) };
        let mut moved = record(&large);
        for refused in [
            store.save(&new).await,
            store.replace(&old.id, seen, &mut new).await.map(drop),
            store.replace(&old.id, seen, &mut moved).await.map(drop),
            store.create(&mut record(&large)).await,
        ] {
            assert_eq!(
                message(refused, &folder),
                "cannot store a session in sessions: File too large (os error 27); \
                 raise the limit on the size of files (ulimit -f)"
            );
        }

        let found = store.load_versioned(&old.id).await.expect("the store answers");
        assert_eq!(found, Some((old.clone(), seen)));
        assert_eq!(files(&folder).len(), 1, "nothing is left over");
        let mut small = Record { id: old.id, ..record("beetle") };
        let replaced = store.replace(&old.id, seen, &mut small).await.expect("there is room");
        assert_eq!(replaced, Replaced::Done(Version(2)));
    }

    #[tokio::test]
    async fn a_save_while_too_many_files_are_open_leaves_the_old_record() {
        let (_around, folder) = fresh_folder();
        open(&folder).await;
        play_within("ulimit -n 40", "in_a_child::too_many_files_are_open", &folder);
    }

    #[tokio::test]
    #[ignore = "a_save_while_too_many_files_are_open_leaves_the_old_record runs it"]
    async fn too_many_files_are_open() {
        let Some(folder) = told(FOLDER).map(PathBuf::from) else { return };
        let store = open(&folder).await;
        let (old, seen) = stored(&store, "mini").await;
        let mut open: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
        let in_sessions = "in sessions: Too many open files (os error 24); raise the limit on open files \
             (ulimit -n)";

        assert_eq!(
            message(store.load(&old.id).await, &folder),
            format!("cannot read a session {in_sessions}")
        );
        // With each file fewer, a save comes a step farther.
        let mut steps = HashSet::new();
        let mut new = Record { id: old.id, ..record("beetle") };
        loop {
            match store.replace(&old.id, seen, &mut new).await {
                Ok(replaced) => break assert_eq!(replaced, Replaced::Done(Version(2))),
                refused => steps.insert(message(refused, &folder)),
            };
            drop(open.pop().expect("by now it has all the files that it needs"));
            let found = store.load_versioned(&old.id).await.expect("one file suffices");
            assert_eq!(found, Some((old.clone(), seen)));
        }
        let expected = ["lock", "read", "store"];
        assert_eq!(steps, expected.map(|it| format!("cannot {it} a session {in_sessions}")).into());
    }
}
