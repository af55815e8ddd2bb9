//! Clearing expired sessions, in steps so small that visitors do not notice.

use std::{sync::Arc, time::Duration};

use tokio::{
    task::{JoinHandle, JoinSet},
    time,
};
use tokio_util::sync::CancellationToken;
use tower_sessions::session_store;

use crate::Store;

/// How many records one step deletes at most. Between two steps, waiting visitors are served.
const STEP: u32 = 500;

/// Deletes all expired records, step by step, and says how many there were.
///
/// Django: `manage.py clearsessions`.
///
/// ```
/// # async fn command() -> Result<(), Box<dyn std::error::Error>> {
/// let store = sessions::SqliteStore::open("library.sqlite").await?;
/// let cleared = sessions::clear_expired(&store).await?;
/// println!("{cleared} expired sessions cleared");
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// The store's own, at the first step that fails; the steps before it hold.
pub async fn clear_expired(store: &impl Store) -> Result<u64, session_store::Error> {
    let mut cleared = 0;
    loop {
        let step = store.clear_expired(STEP).await?;
        cleared += step;
        // Fewer than it was allowed: there are no more.
        if step < u64::from(STEP) {
            return Ok(cleared);
        }
    }
}

/// A background task that clears expired sessions until it is stopped or dropped.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::time::Duration;
/// use sessions::{Clearing, SqliteStore};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let file = folder.path().join("library.sqlite");
/// let store = SqliteStore::open(file).await.expect("the store opens");
/// let clearing = Clearing::start(store.clone(), Duration::from_secs(60 * 60));
/// // … serve visitors, and when the server ends:
/// clearing.stop().await;
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropped, it ends at once"]
pub struct Clearing {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Clearing {
    /// Clears `store` now, and again each time that `period` has passed. A step that fails is
    /// logged, and tried again the next time.
    ///
    /// The period may be a duration of the standard library or of [`time`](crate::time).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// # use std::time::Duration;
    /// # use sessions::{Clearing, MemoryStore};
    /// let every_hour = Clearing::start(MemoryStore::default(), Duration::from_secs(60 * 60));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If `period` is zero or negative, and outside a tokio runtime.
    pub fn start(store: impl Store, period: impl TryInto<Duration>) -> Clearing {
        let period = period.try_into().unwrap_or(Duration::ZERO);
        assert!(!period.is_zero(), "a period of zero would clear without a pause");
        let stop = CancellationToken::new();
        let clearing = stop.clone().run_until_cancelled_owned(clear_for_ever(store, period));
        let task = tokio::spawn(async move {
            clearing.await;
        });
        Clearing { stop, task }
    }

    /// Ends the task; a step that is running is finished by the store.
    ///
    /// ```
    /// # async fn end(clearing: sessions::Clearing) {
    /// clearing.stop().await;
    /// # }
    /// ```
    pub async fn stop(mut self) {
        self.stop.cancel();
        // An error would be a panic in the task, which has been reported already.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Clearing {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn clear_for_ever(store: impl Store, period: Duration) {
    let store = Arc::new(store);
    let mut due = time::interval(period);
    // After a long step, the next one waits for a whole period again.
    due.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        // The first tick comes at once: a server that is often restarted still clears.
        due.tick().await;
        let store = store.clone();
        // In a task of its own, so that a store which panics does not end the clearing for good.
        let mut clearing = JoinSet::new();
        clearing.spawn(async move { clear_expired(&store).await });
        match clearing.join_next().await {
            Some(Ok(Ok(0))) | None => {}
            Some(Ok(Ok(cleared))) => tracing::info!(cleared, "expired sessions cleared"),
            Some(Ok(Err(error))) => tracing::error!("clearing expired sessions failed: {error}"),
            Some(Err(panic)) => tracing::error!("clearing expired sessions failed: {panic}"),
        }
    }
}
