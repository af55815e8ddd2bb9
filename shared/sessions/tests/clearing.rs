//! Expired sessions are cleared: by a call, and in the background.

mod helpers;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use async_trait::async_trait;
use helpers::{expired, fresh_file, listen, logged, open_sqlite, record, rows};
use parking_lot::Mutex;
use sessions::{
    Clearing, Id, MemoryStore, OneServer, Outcome, Record, SqliteStore, Store, StoreError, Version,
    clear_expired,
};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tracing::Level;

type Result<T> = std::result::Result<T, StoreError>;

/// What a store answers to one step.
#[derive(Debug)]
enum Step {
    Deletes(u64),
    Fails,
    Panics,
    NeverEnds,
}

/// A store whose steps follow a script, and then have nothing to delete. It sends the limit of
/// each step that it is asked for.
#[derive(Clone, Debug)]
struct Scripted {
    steps: Arc<Mutex<VecDeque<Step>>>,
    asked: mpsc::UnboundedSender<u32>,
}

impl Scripted {
    fn new(steps: impl IntoIterator<Item = Step>) -> (Scripted, mpsc::UnboundedReceiver<u32>) {
        let (asked, limits) = mpsc::unbounded_channel();
        (Scripted { steps: Arc::new(Mutex::new(steps.into_iter().collect())), asked }, limits)
    }
}

#[async_trait]
impl Store for Scripted {
    async fn load(&self, _: &Id) -> Result<Option<(Record, Version)>> {
        unreachable!("clearing loads nothing")
    }

    async fn create(&self, _: &Record) -> Result<Outcome> {
        unreachable!("clearing creates nothing")
    }

    async fn compare_and_swap(&self, _: Version, _: &Record) -> Result<Outcome> {
        unreachable!("clearing writes nothing")
    }

    async fn delete(&self, _: &Id) -> Result<Option<Record>> {
        unreachable!("clearing deletes nothing by its id")
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        self.asked.send(limit).expect("the test listens");
        let step = self.steps.lock().pop_front();
        match step.unwrap_or(Step::Deletes(0)) {
            Step::Deletes(deleted) => Ok(deleted),
            Step::Fails => Err(StoreError::Backend("the cable is out".to_owned())),
            Step::Panics => panic!("the store has a bug"),
            Step::NeverEnds => std::future::pending().await,
        }
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test]
async fn clearing_goes_in_small_steps_until_nothing_is_left() {
    let (store, mut limits) = Scripted::new([500, 500, 7].map(Step::Deletes));

    assert_eq!(clear_expired(&store).await.expect("no step fails"), 1007);

    drop(store);
    for _ in 0..3 {
        assert_eq!(limits.recv().await, Some(500));
    }
    assert_eq!(limits.recv().await, None, "the third step was not full, so it was the last");
}

#[tokio::test]
async fn a_step_that_fails_ends_the_call_and_says_why() {
    let (store, _limits) = Scripted::new([Step::Deletes(500), Step::Fails]);

    let refused = clear_expired(&store).await.expect_err("the second step fails");

    assert!(refused.to_string().contains("the cable is out"), "{refused}");
}

#[tokio::test]
async fn a_store_that_cannot_clear_says_so() {
    let store = OneServer::new(tower_sessions::MemoryStore::default());
    let refused = clear_expired(&store).await.expect_err("it cannot");
    assert!(refused.to_string().contains("cannot clear its expired sessions"), "{refused}");
}

/// Adds as many records.
async fn add_records(store: &SqliteStore, number: usize, record: fn(&str) -> Record) {
    let mut running = JoinSet::new();
    for _ in 0..number {
        let store = store.clone();
        running.spawn(async move { helpers::create(&store, &record("mini")).await });
    }
    running.join_all().await;
}

#[tokio::test]
async fn expired_rows_go_and_live_ones_stay() {
    let (_folder, file) = fresh_file();
    let store = open_sqlite(&file).await;
    add_records(&store, 1201, expired).await;
    add_records(&store, 3, record).await;

    assert_eq!(store.clear_expired(10).await.expect("a step"), 10);
    assert_eq!(rows(&file).await, 1194, "a step deletes no more than it is told");
    assert_eq!(clear_expired(&store).await.expect("all steps"), 1191);
    assert_eq!(rows(&file).await, 3);
    assert_eq!(clear_expired(&store).await.expect("all steps"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_background_task_clears_at_once_and_then_in_every_period() {
    let (store, mut limits) = Scripted::new([500, 7].map(Step::Deletes));
    listen();
    let start = Instant::now();
    let clearing = Clearing::start(store, HOUR);

    assert_eq!(limits.recv().await, Some(500));
    assert_eq!(limits.recv().await, Some(500));
    assert_eq!(start.elapsed(), Duration::ZERO, "two steps at the start");
    // tokio moves the paused clock to the next thing that is due.
    assert!(limits.recv().await.is_some());
    assert!(start.elapsed() >= HOUR && start.elapsed() < 2 * HOUR, "{:?}", start.elapsed());
    assert!(limits.recv().await.is_some());
    assert!(start.elapsed() >= 2 * HOUR, "{:?}", start.elapsed());

    clearing.stop().await;
    let told = logged(Level::INFO);
    assert!(told.len() == 1 && told[0].contains("cleared=507"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_fails_is_logged_and_tried_again_in_the_next_period() {
    let (store, mut limits) = Scripted::new([Step::Fails, Step::Fails, Step::Deletes(1)]);
    listen();
    let clearing = Clearing::start(store, HOUR);

    for _ in 0..4 {
        assert!(limits.recv().await.is_some());
    }
    clearing.stop().await;

    let failures = logged(Level::ERROR);
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert!(failures[0].contains("the cable is out"), "{failures:?}");
    let told = logged(Level::INFO);
    assert!(told.len() == 1 && told[0].contains("cleared=1"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_panics_is_logged_and_does_not_end_the_clearing() {
    let (store, mut limits) = Scripted::new([Step::Panics, Step::Deletes(1)]);
    listen();
    let clearing = Clearing::start(store, HOUR);

    for _ in 0..3 {
        assert!(limits.recv().await.is_some());
    }
    clearing.stop().await;

    assert_eq!(logged(Level::ERROR).len(), 1, "{:?}", logged(Level::ERROR));
    assert_eq!(logged(Level::INFO).len(), 1, "{:?}", logged(Level::INFO));
}

#[tokio::test(start_paused = true)]
async fn stop_ends_the_background_task() {
    let (store, mut limits) = Scripted::new([]);
    let clearing = Clearing::start(store, HOUR);
    assert!(limits.recv().await.is_some());

    clearing.stop().await;

    assert_eq!(limits.recv().await, None, "the task has dropped its store");
}

#[tokio::test(start_paused = true)]
async fn stop_does_not_wait_for_a_step_that_never_ends() {
    let (store, mut limits) = Scripted::new([Step::NeverEnds]);
    let clearing = Clearing::start(store, HOUR);
    assert!(limits.recv().await.is_some());

    clearing.stop().await;

    assert_eq!(limits.recv().await, None);
}

#[tokio::test(start_paused = true)]
async fn to_drop_it_ends_the_background_task_as_well() {
    let (store, mut limits) = Scripted::new([]);
    let clearing = Clearing::start(store, HOUR);
    assert!(limits.recv().await.is_some());

    drop(clearing);

    assert_eq!(limits.recv().await, None);
}

#[tokio::test]
#[should_panic(expected = "a period of zero")]
async fn a_period_of_zero_is_refused_at_the_start() {
    let _refused = Clearing::start(MemoryStore::default(), Duration::ZERO);
}
