//! Loading: which of the cookies names a session, and how long to wait for the answer.

use std::sync::{Arc, atomic::Ordering};

use time::OffsetDateTime;
use tokio::time::{Duration, Instant, timeout};
use tower_sessions::{session::Id, session_store};

use super::{Session, moved};
use crate::{Error, Store};

/// How long one request waits for its store, all its questions together.
pub(crate) const REQUEST_PATIENCE: Duration = Duration::from_secs(5);

/// How many cookies of the session's name are looked up at most. A browser sends several if they
/// were set for different paths or domains.
pub(super) const CLAIMS: usize = 4;

/// # Asking the store
impl Session {
    /// Loads the session, unless that has been done. The extractor calls this; middleware that
    /// takes the session out of the request's extensions has to call it.
    ///
    /// ```
    /// # async fn middleware(session: sessions::Session) -> Result<(), sessions::Error> {
    /// session.load().await?;
    /// let is_newcomer = session.is_empty();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if the store cannot be reached.
    pub async fn load(&self) -> Result<(), Error> {
        self.0.asked_for.store(true, Ordering::Relaxed);
        self.0.loaded.get_or_try_init(|| self.find()).await.map(drop)
    }

    /// Looks for the session that one of the cookies names.
    async fn find(&self) -> Result<(), Error> {
        // Each value is a claim. Which of them is true, only the store knows: the first one may be
        // left over from before a change of the cookie's path, or another program's.
        for id in self.claims().iter().take(CLAIMS) {
            let (record, version) = match self.ask(self.store().load(id)).await {
                Ok(Some(found)) => found,
                Ok(None) => continue,
                Err(session_store::Error::Decode(cause)) => {
                    tracing::warn!(cause, "a stored session cannot be read; it counts as empty");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            // A store may be late in clearing what has expired. And the id that a session has
            // moved away from is good for nothing: an attacker may have planted it.
            let is_expired = record.expiry_date <= OffsetDateTime::now_utc();
            if is_expired || moved::to(&record).is_some() {
                continue;
            }
            // What a handler may have changed before the load stays on top.
            let mut state = self.0.state.lock();
            (state.id, state.version) = (Some(record.id), version);
            state.data.set_stored(record.data);
            tracing::debug!("session loaded");
            return Ok(());
        }
        // An id that the store does not know is never adopted. If it were, an attacker who planted
        // it would share the session that the visitor is about to fill (session fixation).
        tracing::debug!(claims = self.claims().len(), "no session found");
        Ok(())
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.opened().0
    }

    /// The ids that the cookies name.
    pub(super) fn claims(&self) -> &[Id] {
        &self.opened().1
    }

    fn opened(&self) -> &(Arc<dyn Store>, Vec<Id>) {
        self.0.claims.get_or_init(|| self.0.content.open(&self.0.cookies))
    }

    /// Asks the store, and waits no longer than this request may wait in all.
    pub(super) async fn ask<T>(
        &self,
        question: impl Future<Output = session_store::Result<T>>,
    ) -> session_store::Result<T> {
        // What is left of the patience, and not all of it for each question: a page that asks twice
        // must not take twice as long.
        let (left, start) = (*self.0.patience.lock(), Instant::now());
        let answer = timeout(left, question).await;
        let mut patience = self.0.patience.lock();
        *patience = patience.saturating_sub(start.elapsed());
        answer.unwrap_or_else(|_| {
            let seconds = REQUEST_PATIENCE.as_secs();
            Err(session_store::Error::Backend(format!("no answer within {seconds} seconds")))
        })
    }
}
