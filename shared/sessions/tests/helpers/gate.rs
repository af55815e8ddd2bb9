//! Where a call waits, so that a test has one order of events and no other.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use browser::{Browser, Page};
use tokio::sync::Notify;

/// Where a call waits until it is let through. Either side may come first.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    shut: Arc<AtomicBool>,
    reached: Arc<Notify>,
    opened: Arc<Notify>,
}

impl Gate {
    /// Waits, once for each [`open`](Gate::open).
    pub async fn wait(&self) {
        self.reached.notify_one();
        self.opened.notified().await;
    }

    /// Waits if the gate was shut for this call, and goes on at once if it was not.
    pub async fn pass(&self) {
        if self.shut.swap(false, Relaxed) {
            self.wait().await;
        }
    }

    /// For the next call that passes; those after it go through.
    pub fn shut(&self) {
        self.shut.store(true, Relaxed);
    }

    /// Comes back once a call is waiting.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    /// Lets the call go on.
    pub fn open(&self) {
        self.opened.notify_one();
    }
}

/// Sends `path` from a second tab, and lets `meanwhile` happen while its handler, or its store,
/// waits at the gate.
pub async fn during(
    visitor: &mut Browser,
    gate: &Gate,
    path: &str,
    meanwhile: impl AsyncFnOnce(&mut Browser),
) -> Page {
    let mut second_tab = visitor.second_tab();
    let (page, ()) = tokio::join!(second_tab.post(path, &[]), async {
        gate.reached().await;
        meanwhile(visitor).await;
        gate.open();
    });
    page.clone()
}
