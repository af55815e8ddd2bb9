//! What to watch: how often the session store is asked, what it answers, and how long it takes.

use std::{sync::Arc, time::Instant};

use async_trait::async_trait;
use axum::{
    Router, extract::State, http::header::CONTENT_TYPE, response::IntoResponse, routing::get,
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use sessions::{Id, Outcome, Record, Store, StoreError, Version};

/// Upper bounds in seconds: from a session in memory to a store that is about to give up.
const BUCKETS: [f64; 9] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 3.0];

/// Counts and times for Prometheus. Clones are the same ones.
///
/// One histogram has it all, since each of its series counts, too: a session was made if `create`
/// answered `stored`, and two requests met if `compare_and_swap` answered `conflict`.
#[derive(Clone, Debug)]
pub struct Metrics {
    calls: Family<Labels, Histogram, fn() -> Histogram>,
    registry: Arc<Registry>,
}

/// No id and no key of a visitor: Prometheus keeps a series for each combination that it has seen.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Labels {
    call: &'static str,
    answer: &'static str,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let calls = Family::new_with_constructor(histogram);
        let mut registry = Registry::default();
        let help = "How long the session store took to answer";
        registry.register_with_unit("session_store", help, Unit::Seconds, calls.clone());
        Metrics { calls, registry: Arc::new(registry) }
    }
}

impl Metrics {
    /// Serves them at `/metrics`. Not on the site's port: they are not for visitors.
    pub fn app(&self) -> Router {
        Router::new().route("/metrics", get(show)).with_state(self.clone())
    }

    /// The same store, counted and timed.
    pub(crate) fn store<S: Store>(&self, store: S) -> Measured<S> {
        Measured { store, metrics: self.clone() }
    }

    async fn time<T>(
        &self,
        call: &'static str,
        asked: impl Future<Output = Result<T>>,
        name: fn(&T) -> &'static str,
    ) -> Result<T> {
        let start = Instant::now();
        let answered = asked.await;
        let answer = answered.as_ref().map_or("failed", name);
        let took = start.elapsed().as_secs_f64();
        self.calls.get_or_create(&Labels { call, answer }).observe(took);
        answered
    }
}

async fn show(State(metrics): State<Metrics>) -> impl IntoResponse {
    let mut text = String::new();
    encode(&mut text, &metrics.registry).expect("a text takes all that is written to it");
    let open_metrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(CONTENT_TYPE, open_metrics)], text)
}

/// A store around a store: each question goes on to the one within, and its answer is counted.
#[derive(Clone, Debug)]
pub(crate) struct Measured<S> {
    store: S,
    metrics: Metrics,
}

type Result<T> = std::result::Result<T, StoreError>;

#[async_trait]
impl<S: Store> Store for Measured<S> {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        self.metrics.time("load", self.store.load(id), found).await
    }

    async fn load_uncached(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        self.metrics.time("load_uncached", self.store.load_uncached(id), found).await
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        self.metrics.time("create", self.store.create(record), written).await
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        let swapping = self.store.compare_and_swap(expected, new);
        self.metrics.time("compare_and_swap", swapping, written).await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        self.metrics.time("delete", self.store.delete(id), found).await
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        self.metrics.time("clear_expired", self.store.clear_expired(limit), |_| "cleared").await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

fn found<T>(found: &Option<T>) -> &'static str {
    if found.is_some() { "found" } else { "missing" }
}

fn written(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Stored(_) => "stored",
        Outcome::Conflict => "conflict",
        Outcome::Missing => "missing",
        Outcome::IdTaken => "id_taken",
    }
}
