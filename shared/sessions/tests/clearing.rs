//! Expired sessions are cleared: by a call, and in the background.

mod logs;

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use logs::{listen, logged};
use sessions::{
    Clearing, Id, MemoryStore, Replaced, SessionStore, SqliteStore, Store, Version, clear_expired,
};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use time::OffsetDateTime;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tower_sessions::{session::Record, session_store};
use tracing::Level;

/// What a store answers to one step.
#[derive(Debug)]
enum Step {
    Deletes(u64),
    Fails,
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
impl SessionStore for Scripted {
    async fn save(&self, _: &Record) -> session_store::Result<()> {
        unreachable!("clearing saves nothing")
    }

    async fn load(&self, _: &Id) -> session_store::Result<Option<Record>> {
        unreachable!("clearing loads nothing")
    }

    async fn delete(&self, _: &Id) -> session_store::Result<()> {
        unreachable!("clearing deletes nothing by its id")
    }
}

#[async_trait]
impl Store for Scripted {
    async fn load_versioned(&self, _: &Id) -> session_store::Result<Option<(Record, Version)>> {
        unreachable!("clearing loads nothing")
    }

    async fn replace(&self, _: &Id, _: Version, _: &mut Record) -> session_store::Result<Replaced> {
        unreachable!("clearing replaces nothing")
    }

    async fn clear_expired(&self, limit: u32) -> session_store::Result<u64> {
        self.asked.send(limit).expect("the test listens");
        let step = self.steps.lock().expect("no test panics here").pop_front();
        match step.unwrap_or(Step::Deletes(0)) {
            Step::Deletes(deleted) => Ok(deleted),
            Step::Fails => Err(session_store::Error::Backend("the cable is out".to_owned())),
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
    let refused = clear_expired(&MemoryStore::default()).await.expect_err("it cannot");
    assert!(refused.to_string().contains("cannot clear"), "{refused}");
}

/// Adds as many records, which end so long from now.
async fn add_records(store: &SqliteStore, number: usize, lasts: time::Duration) {
    let mut running = JoinSet::new();
    for _ in 0..number {
        let store = store.clone();
        let expiry_date = OffsetDateTime::now_utc() + lasts;
        let mut record = Record { id: Id::default(), data: Default::default(), expiry_date };
        running.spawn(async move { store.create(&mut record).await });
    }
    for created in running.join_all().await {
        created.expect("it is stored");
    }
}

async fn rows(file: &Path) -> i64 {
    let address = format!("sqlite://{}", file.display());
    let mut database = SqliteConnection::connect(&address).await.expect("the file opens");
    let counted = sqlx::query_scalar("SELECT count(*) FROM session").fetch_one(&mut database);
    counted.await.expect("the table")
}

#[tokio::test]
async fn expired_rows_go_and_live_ones_stay() {
    let folder = TempDir::new().expect("a folder for the database");
    let file = folder.path().join("garage.sqlite");
    let store = SqliteStore::open(&file).await.expect("a store");
    add_records(&store, 1201, -time::Duration::MINUTE).await;
    add_records(&store, 3, time::Duration::HOUR).await;

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
    Clearing::start(MemoryStore::default(), Duration::ZERO);
}
