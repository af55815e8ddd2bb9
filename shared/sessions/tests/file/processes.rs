//! Several processes over one folder, and one that is killed.

use std::{
    collections::HashSet,
    env,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::Child,
};

use sessions::{FileStore, Id, Outcome, Store as _, clear_expired};

use crate::helpers::{
    child::{child, ends_well, this_program, told},
    files, fresh_folder, load, open_folder, stored,
};

const ID: &str = "SESSIONS_TEST_ID";
const READY: &str = "ready to count";
const PROCESSES: usize = 3;
const EACH: usize = 100;

/// This program again, to run only the ignored test `name` on this session.
fn start(name: &str, folder: &Path, id: &Id) -> Child {
    let name = format!("processes::{name}");
    child(this_program(), &name, folder).env(ID, id.to_string()).spawn().expect("it starts")
}

/// The store and the id; `None` if no parent has started this program.
async fn told_to_count() -> Option<(FileStore, Id)> {
    let id = env::var(ID).ok()?.parse().expect("an id");
    Some((open_folder(&told()?).await, id))
}

async fn count(store: &FileStore, id: &Id) -> u64 {
    loop {
        let found = store.load(id).await.expect("the store answers");
        let (mut record, seen) = found.expect("a record");
        let num_visits = record.data.get("num_visits").and_then(|it| it.as_u64()).unwrap_or(0) + 1;
        record.data.insert("num_visits".to_owned(), num_visits.into());
        match store.compare_and_swap(seen, &record).await.expect("the store answers") {
            Outcome::Stored(_) => return num_visits,
            Outcome::Conflict => {}
            other => panic!("no request ends the session, yet {other:?}"),
        }
    }
}

#[tokio::test]
async fn processes_that_count_at_once_over_one_folder_lose_nothing() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let (record, _) = stored(&store, "mini").await;

    let start = |_| start("a_process_that_counts", &folder, &record.id);
    let mut children: Vec<_> = (0..PROCESSES).map(start).collect();
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
    let found = load(&store, &record.id).await.expect("a record");
    assert_eq!(found.data["num_visits"], all);
    assert_eq!(found.data["my_car"], "mini");
}

#[tokio::test]
#[ignore = "processes_that_count_at_once_over_one_folder_lose_nothing runs it"]
async fn a_process_that_counts() {
    let Some((store, id)) = told_to_count().await else { return };
    println!("\n{READY}");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("a pipe");
    for _ in 0..EACH {
        println!("counted {}", count(&store, &id).await);
    }
}

#[tokio::test]
async fn what_was_stored_survives_the_sudden_end_of_the_server() {
    let (_around, folder) = fresh_folder();
    let store = open_folder(&folder).await;
    let (record, _) = stored(&store, &"mini".repeat(10_000)).await;
    let mut last = 0;
    for round in 1..=5 {
        let mut child = start("a_process_that_counts_until_it_is_killed", &folder, &record.id);
        let said = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut counts = said.filter_map(|line| line.ok()?.strip_prefix("counted ")?.parse().ok());
        last = counts.nth(10 * round).expect("it counts until it is killed");
        child.kill().expect("it is killed");
        // Lines may be on their way, of visits that were stored too.
        last = counts.last().unwrap_or(last);
        child.wait().expect("it ends");

        let found = load(&store, &record.id).await.expect("a record");
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
    let Some((store, id)) = told_to_count().await else { return };
    println!();
    loop {
        println!("counted {}", count(&store, &id).await);
    }
}
