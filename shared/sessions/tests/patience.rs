//! One request waits for its store no longer than five seconds, all its questions together. The
//! clock of these tests is paused, and jumps to what is due next.

mod helpers;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use helpers::{assert_no_cookie, garage, listen, logged, with_a_mini};
use parking_lot::Mutex;
use sessions::{
    Error, Id, MemoryStore, Outcome, Record, Session, SessionLayer, Store, StoreError, Version,
};
use tokio::time::{Instant, sleep};
use tracing::Level;

/// A store that takes so long for each answer.
#[derive(Clone, Debug, Default)]
struct Slow {
    store: MemoryStore,
    takes: Arc<Mutex<Duration>>,
}

impl Slow {
    async fn wait(&self) {
        let takes = *self.takes.lock();
        sleep(takes).await;
    }
}

#[async_trait]
impl Store for Slow {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>, StoreError> {
        self.wait().await;
        self.store.load(id).await
    }

    async fn create(&self, record: &Record) -> Result<Outcome, StoreError> {
        self.wait().await;
        self.store.create(record).await
    }

    async fn compare_and_swap(&self, seen: Version, new: &Record) -> Result<Outcome, StoreError> {
        self.wait().await;
        self.store.compare_and_swap(seen, new).await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>, StoreError> {
        self.wait().await;
        self.store.delete(id).await
    }
}

/// The garage, with more that asks the store.
fn site(store: Slow) -> Router {
    let more = Router::new()
        .route("/cycle", post(async |session: Session| session.cycle_id()))
        .route("/sign-out", post(async |session: Session| session.flush().await))
        .route(
            "/count",
            get(async |session: Session| -> Result<String, Error> {
                for _ in 0..20 {
                    session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
                }
                Ok("counted".to_owned())
            }),
        )
        .layer(SessionLayer::new(store.clone()));
    garage(store).merge(more)
}

#[tokio::test(start_paused = true)]
async fn all_questions_of_one_request_share_one_wait() {
    let store = Slow::default();
    let (mut visitor, _) = with_a_mini(site(store.clone())).await;
    // Each of them asks twice or more often.
    for (takes, path) in [(3, "/car"), (3, "/sign-out"), (2, "/cycle")] {
        *store.takes.lock() = Duration::from_secs(takes);
        listen();
        let start = Instant::now();

        let page = visitor.post(path, &[("my_car", "beetle")]).await;

        assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE, "at {path}");
        assert_no_cookie(page, path);
        // The paused clock has jumped exactly so far.
        assert_eq!(start.elapsed().as_secs(), 5, "at {path}");
        let causes = logged(Level::ERROR);
        assert!(causes.len() == 1 && causes[0].contains("within 5 seconds"), "{causes:?}");
    }

    *store.takes.lock() = Duration::ZERO;
    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_asks_often_waits_no_longer_either() {
    let store = Slow::default();
    let (mut visitor, _) = with_a_mini(site(store.clone())).await;
    *store.takes.lock() = Duration::from_secs(1);
    let start = Instant::now();

    assert_eq!(visitor.get("/count").await.status(), StatusCode::SERVICE_UNAVAILABLE);

    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_the_handler_takes_for_itself_does_not_count() {
    let store = Slow::default();
    let slow = post(async |session: Session| {
        sleep(Duration::from_secs(60)).await;
        session.insert("my_car", "beetle")
    });
    let slow = Router::new().route("/slow", slow).layer(SessionLayer::new(store.clone()));
    let (mut visitor, _) = with_a_mini(site(store.clone()).merge(slow)).await;
    *store.takes.lock() = Duration::from_secs(2);

    assert_eq!(visitor.post("/slow", &[]).await.status(), StatusCode::OK);

    assert_eq!(visitor.get("/").await.body(), "beetle");
}

#[tokio::test(start_paused = true)]
async fn every_request_has_a_wait_of_its_own() {
    let store = Slow::default();
    let (mut visitor, _) = with_a_mini(site(store.clone())).await;
    *store.takes.lock() = Duration::from_secs(2);
    for _ in 0..5 {
        assert_eq!(visitor.get("/").await.body(), "mini");
    }
}
