//! An update: one change, stored at once and exactly.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tower_sessions::session::Record;

use super::{Session, changes::Change, value::to_json};
use crate::{Error, Outcome, Version};

/// What an update stores.
struct Draft {
    /// The version that was seen, over which it is written.
    version: Version,
    record: Record,
    /// What the handler had made of the key before.
    before: Option<Change>,
}

/// # Exactly
impl Session {
    /// Changes the value for `key` with a closure, so that nothing is lost however many requests
    /// do the same at once, on this server or another over the same database. Returns the value
    /// that was stored. A missing key, or null, starts as the type's default.
    ///
    /// ```
    /// # async fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// let num_visits = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The change is stored when this returns, before the handler ends: that is what makes it
    /// exact. So it also holds if the response turns out to be an error with status 5xx, which
    /// saves nothing else. A visitor who has no session yet has no second request that could write
    /// to it, so there the change waits for the end of the request as an
    /// [`insert`](Session::insert) does.
    ///
    /// The closure runs again after each conflict with another request, so let it do nothing but
    /// change the value.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`], [`Error::NotStorable`], [`Error::TooLarge`] and
    /// [`Error::ReservedKey`], which change nothing; [`Error::Interrupted`] if another request has
    /// ended the session; [`Error::Store`]; [`Error::ResponseSent`].
    pub async fn update<T>(
        &self,
        key: &str,
        mut change: impl FnMut(&mut T) + Send,
    ) -> Result<T, Error>
    where
        T: DeserializeOwned + Serialize + Default + Send,
    {
        // If a clone of this session is flushed while this waits for the store, the change must not
        // end up in the session that comes after.
        let flushes = self.access().flushes;
        loop {
            // Without a lock: the closure is the handler's, and may look at the session.
            let mut value: T = self.get(key)?.unwrap_or_default();
            change(&mut value);
            let json = to_json(key, &value)?;

            let Some(Draft { version, record, before }) = self.draft_update(flushes, key, &json)?
            else {
                // A newcomer. No second request can have this session yet.
                self.insert(key, json)?;
                return Ok(value);
            };
            match self.ask(self.store().compare_and_swap(version, &record)).await? {
                Outcome::Stored(version) => {
                    tracing::debug!("session updated");
                    let mut state = self.still_in(flushes)?;
                    // The other changes stay on top of what is stored now.
                    state.data.set_updated(key, before.as_ref(), record.data);
                    (state.version, state.stored) = (version, true);
                    return Ok(value);
                }
                // Another request was faster. The closure runs again, on what that one has stored.
                Outcome::Conflict => self.reload(flushes).await?,
                Outcome::Missing | Outcome::IdTaken => return Err(Error::Interrupted),
            }
        }
    }

    /// What an update stores; `None` if nothing is stored yet.
    fn draft_update(&self, flushes: u32, key: &str, json: &Value) -> Result<Option<Draft>, Error> {
        let mut state = self.still_in(flushes)?;
        self.check_outlives(&state)?;
        state.check_growth([(key, json)], self.0.config.size_limit)?;
        let Some(id) = state.id else { return Ok(None) };
        let before = state.data.change(key).cloned();
        // Only this key is written: the handler's other changes wait for its end.
        let data = state.data.stored_with(key, json.clone());
        Ok(Some(Draft { version: state.version, record: self.record(id, data), before }))
    }
}
