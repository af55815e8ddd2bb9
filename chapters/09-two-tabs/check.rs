//! Checks your answer to exercise 9. Run: `just exercise 9`

pub mod exercise;

use std::{process::ExitCode, sync::Arc};

use anyhow::ensure;
use async_trait::async_trait;
use axum::{Router, http::StatusCode};
use browser::Browser;
use sessions::{Id, MemoryStore, Outcome, Record, Store, StoreError, Version};
use tokio::sync::watch;

fn main() -> ExitCode {
    browser::exercise("the fourth book stays on the shelf.", async || check(exercise::app).await)
}

/// Has one place left, and two tabs that want it at the same time.
pub async fn check(app: impl FnOnce(Meeting) -> Router) -> anyhow::Result<()> {
    let meeting = Meeting::new();
    let mut one = Browser::open(app(meeting.clone()));
    one.post("/start", &[]).await;
    let mut other = one.second_tab();
    meeting.begin();
    tokio::join!(
        async {
            one.post("/add", &[]).await;
            meeting.arrive();
        },
        async {
            other.post("/add", &[]).await;
            meeting.arrive();
        },
    );

    let mut answers = [one.page().status(), other.page().status()];
    answers.sort();
    let books = one.get("/").await.text();
    ensure!(books == "3", "Two tabs went for the third place, and the basket holds {books} books.");
    ensure!(
        answers == [StatusCode::OK, StatusCode::CONFLICT],
        "One tab gets the place (200) and the other is refused (409), not {answers:?}."
    );
    Ok(())
}

/// A store in which two requests meet: both have loaded the session before either goes on. So what
/// a handler finds in it is old, in every run, by the time that it writes.
#[derive(Clone, Debug)]
pub struct Meeting {
    store: MemoryStore,
    /// How many have loaded the session, or have ended without a look at it.
    arrived: Arc<watch::Sender<u32>>,
}

impl Meeting {
    /// No request waits until it [begins](Meeting::begin).
    fn new() -> Meeting {
        Meeting { store: MemoryStore::default(), arrived: Arc::new(watch::Sender::new(2)) }
    }

    fn begin(&self) {
        self.arrived.send_replace(0);
    }

    fn arrive(&self) {
        self.arrived.send_modify(|arrived| *arrived += 1);
    }

    async fn wait_for_both(&self) {
        let both = self.arrived.subscribe().wait_for(|arrived| *arrived >= 2).await.map(drop);
        both.expect("the sender is in this store");
    }
}

#[async_trait]
impl Store for Meeting {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>, StoreError> {
        let found = self.store.load(id).await;
        self.arrive();
        self.wait_for_both().await;
        found
    }

    async fn create(&self, record: &Record) -> Result<Outcome, StoreError> {
        self.store.create(record).await
    }

    async fn compare_and_swap(&self, seen: Version, new: &Record) -> Result<Outcome, StoreError> {
        self.store.compare_and_swap(seen, new).await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>, StoreError> {
        self.store.delete(id).await
    }
}
