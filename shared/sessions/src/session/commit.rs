//! The commit: save, and the merge after a conflict.
//!
//! Two requests of one visitor may have the session at the same time, on one server or on two. No
//! request waits for the other; instead each write is checked (*optimistic locking*):
//!
//! ```text
//!   load ──────► record, version 7
//!   handler ───► changes: { my_car: "mini" }        the record itself is not touched
//!   commit:
//!     ┌─► record ⊕ changes ──► compare_and_swap(version 7)      a new session: create
//!     │        stored as version 8 ──────────────────► done, the cookie goes out
//!     │        conflict: another request was faster
//!     │            └─► load again: record, version 8 ──┐
//!     └─────────── merge: the changes lie over it ◄────┘
//!              missing: another request has ended the session ──► Interrupted, 409
//! ```
//!
//! A session that gets a new id is written in two steps: `create` under the new id, then
//! `compare_and_swap` of a short note over the old one. The second step is the one that is checked.
//!
//! Changes are kept apart from what is stored (`changes.rs`). That is what makes the merge a
//! matter of one line: the same changes are laid over the newer record.

use time::Duration;
use tower_sessions::session::{Id, Record};

use super::{Session, State, changes::Data, load::CLAIMS, moved, value::check_depth};
use crate::{Error, Outcome, Version};

/// What becomes of the browser's cookie.
#[derive(Debug)]
pub(crate) enum CookieChange {
    /// Leave it as it is, if there is one.
    Leave,
    /// Set it to this value, for this long; without `max_age`, until the browser closes.
    Set { value: String, max_age: Option<Duration> },
    /// Remove it.
    Remove,
}

/// # Storing it during the request
impl Session {
    /// Stores the session now, with all changes so far, and returns its id. The cookie goes out
    /// with the response.
    ///
    /// There is no need to call it, since the session is saved after the handler. It is for a
    /// handler that needs the id of a newcomer, or an answer to whether saving works, before it
    /// responds. What it stores stays stored, even if the response has status 5xx.
    ///
    /// Django: `request.session.save()`, and `create()` for a session that is new.
    ///
    /// ```
    /// # async fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// session.insert("my_car", "mini")?;
    /// let id = session.save().await?;
    /// assert_eq!(session.id(), Some(id));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Interrupted`] if another request has ended the session, [`Error::Store`],
    /// [`Error::TooLarge`] and [`Error::NotStorable`] for changes through
    /// [`get_mut`](Session::get_mut), and [`Error::ResponseSent`] if the response is out and the
    /// browser got no cookie with it.
    pub async fn save(&self) -> Result<Id, Error> {
        {
            let state = self.access();
            self.check_outlives(&state)?;
            // No cookie can follow, so no browser would find a session that is new.
            if state.responded && state.id.is_none() {
                return Err(Error::ResponseSent);
            }
        }
        let record = self.write().await?;
        Ok(record.id)
    }
}

/// # After the handler
impl Session {
    /// Saves what is to be saved, and says what becomes of the cookie.
    pub(crate) async fn commit(&self) -> Result<CookieChange, Error> {
        // Also for a handler that has no use for the session: its visitor is active.
        if self.0.config.save_every_request && !self.claims().is_empty() {
            self.load().await?;
        }
        let (is_empty, was_stored, is_changed, has_moved) = {
            let state = self.0.state.lock();
            let is_empty = state.id.is_none() && state.data.is_empty();
            (is_empty, state.stored, state.modified || state.cycle, state.moved)
        };
        if is_empty {
            // Neither a session nor data: an empty session is not created.
            return Ok(self.removal());
        }
        if is_changed || self.0.config.save_every_request {
            return match self.write().await {
                Ok(record) => Ok(self.renewal(&record)),
                // The handler only read, and has its page. The session ended in the meantime, and
                // what becomes of the cookie is told by the request that ended it.
                Err(Error::Interrupted) if !is_changed => Ok(CookieChange::Leave),
                Err(error) => Err(error),
            };
        }
        // Nothing is left to be written. But was something written during the request?
        if was_stored && !has_moved {
            return self.renewal_after_update().await;
        }
        Ok(CookieChange::Leave)
    }

    /// For a response with status 5xx, which saves nothing. What was flushed is gone all the same,
    /// so its cookie goes too. And if `save` has given the session a new id, the browser needs it:
    /// the old one opens nothing any more.
    pub(crate) fn abandon(&self) -> CookieChange {
        let state = self.0.state.lock();
        let was_flushed = state.flushes > 0;
        let is_unknown = state.is_new_id && self.0.content.outlives_the_response();
        let unknown = state.id.filter(|_| is_unknown);
        let saved = unknown.map(|id| self.record(id, state.data.stored().clone()));
        drop(state);
        match saved {
            Some(saved) => self.renewal(&saved),
            None if was_flushed => self.removal(),
            None => CookieChange::Leave,
        }
    }

    /// A session in an encrypted cookie ends with the response that carries the cookie.
    pub(super) fn check_outlives(&self, state: &State) -> Result<(), Error> {
        match state.responded && !self.0.content.outlives_the_response() {
            true => Err(Error::ResponseSent),
            false => Ok(()),
        }
    }

    /// What the handler has left: was the session looked at, is it to be saved, is it another one
    /// than was loaded? A change through `get_mut` without the flag is `changed` and not `modified`.
    pub(crate) fn log_state(&self) {
        let state = self.0.state.lock();
        tracing::debug!(
            accessed = state.accessed,
            modified = state.modified || state.cycle,
            changed = state.data.has_changes(),
            always_save = self.0.config.save_every_request,
            "handler done"
        );
    }

    /// From now on, nothing is saved by itself.
    pub(crate) fn respond(&self) {
        self.0.state.lock().responded = true;
    }

    /// Only a cookie that names a session of ours goes, and only if the handler looked at it:
    /// another program on this host may use the same name.
    fn removal(&self) -> CookieChange {
        // If the store did not answer, the cookie may be good.
        // And if there are more ids than are looked up, one of the others may be good.
        let was_looked_up = self.0.loaded.initialized() && self.claims().len() <= CLAIMS;
        let was_flushed = self.0.state.lock().flushes > 0;
        match (was_looked_up || was_flushed) && !self.claims().is_empty() {
            true => CookieChange::Remove,
            false => CookieChange::Leave,
        }
    }

    fn renewal(&self, record: &Record) -> CookieChange {
        // The request that moved the session has sent the cookie for it. This browser may be
        // another one, with an old id: it does not get the new one (session fixation).
        if self.0.state.lock().moved {
            return CookieChange::Leave;
        }
        CookieChange::Set {
            value: self.0.content.value(record),
            max_age: self.max_age(&record.data),
        }
    }

    /// `update` has stored its change during the request, so the cookie is to be renewed. If the
    /// session was ended or moved since, the browser must not be set back to this id.
    async fn renewal_after_update(&self) -> Result<CookieChange, Error> {
        let id = self.0.state.lock().id;
        let Some(id) = id else { return Ok(CookieChange::Leave) };
        Ok(match self.ask(self.store().load_uncached(&id)).await {
            Ok(Some((record, _))) if moved::to(&record).is_none() => self.renewal(&record),
            // Ended, moved, or the store does not answer. The page itself is right in any case.
            _ => CookieChange::Leave,
        })
    }

    /// Stores the session with its changes, also while other requests write to it, and
    /// returns the record that is in the store now.
    async fn write(&self) -> Result<Record, Error> {
        let flushes = self.access().flushes;
        loop {
            // 1. The record as it would be: what is stored, with the changes on top.
            let (old, version, record) = self.draft(flushes)?;
            let store = self.store();

            // 2. Write it, if the record in the store is still in the version that was seen.
            let outcome = match old {
                None => self.ask(store.create(&record)).await?,
                Some(old) if old == record.id => {
                    self.ask(store.compare_and_swap(version, &record)).await?
                }
                Some(old) => self.move_from(&old, version, &record).await?,
            };
            match outcome {
                Outcome::Stored(version) => {
                    tracing::debug!(is_new = old != Some(record.id), "session saved");
                    return self.accept(record, version, flushes).await;
                }
                // 3. Another request was faster: take over what it has stored. The changes stay on
                //    top, and the next round writes both.
                Outcome::Conflict => self.reload(flushes).await?,
                // 4. The session was ended. To write it back would undo a sign-out.
                Outcome::Missing => return Err(Error::Interrupted),
                // 5. The next draft draws another id.
                Outcome::IdTaken => {}
            }
        }
    }

    /// The id under which the session is stored, the version that was seen, and what is to be
    /// stored.
    fn draft(&self, flushes: u32) -> Result<(Option<Id>, Version, Record), Error> {
        let mut state = self.still_in(flushes)?;
        // A cookie that is set here would take the place of the one for the inner path.
        if state.id.is_none() && !self.0.keeps_cookie {
            return Err(Error::OutsideCookiePath { path: self.0.config.path.clone() });
        }
        // Changes through `get_mut` come here unchecked.
        state.data.changed().try_for_each(|(key, value)| check_depth(key, value))?;
        let (stored, size) = state.data.sizes();
        let limit = self.0.config.size_limit;
        if size > limit && size > stored {
            return Err(Error::TooLarge { size, limit });
        }
        // The default of an id is a random one.
        let id = state.id.filter(|_| !state.cycle).unwrap_or_default();
        Ok((state.id, state.version, self.record(id, state.data.to_data())))
    }

    /// Gives the session a new id, in two steps. The new record is stored before the old one goes,
    /// so no crash can lose the data; and until the second step no other request knows the new id.
    async fn move_from(
        &self,
        old: &Id,
        version: Version,
        record: &Record,
    ) -> Result<Outcome, Error> {
        let store = self.store();
        // First step: the data is there twice, and the visitor still has the old id.
        let created = self.ask(store.create(record)).await?;
        let Outcome::Stored(_) = created else { return Ok(created) };

        // Second step: the old id leads to a note that says where the session is. This decides
        // between two requests that both want to move it: the version fits for one of them only.
        let note = moved::note(old, &record.id);
        let swapped = self.ask(store.compare_and_swap(version, &note)).await?;
        let Outcome::Stored(_) = swapped else {
            // Another request wrote or deleted the old record first. So this is not the session.
            self.ask(store.delete(&record.id)).await?;
            return Ok(swapped);
        };
        Ok(created)
    }

    /// Takes note of what is in the store now.
    async fn accept(
        &self,
        record: Record,
        version: Version,
        flushes: u32,
    ) -> Result<Record, Error> {
        let is_current = {
            let mut state = self.0.state.lock();
            let is_current = state.flushes == flushes;
            if is_current {
                // Written back, so that a session which outlives its response can still be saved.
                state.is_new_id |= state.id != Some(record.id);
                (state.id, state.version) = (Some(record.id), version);
                state.data.set_saved(record.data.clone());
                (state.cycle, state.stored) = (false, true);
                // What a clone has changed while the record was on its way.
                state.modified = state.data.has_changes();
            }
            is_current
        };
        if !is_current {
            // A clone of this session was flushed while the record was on its way.
            self.ask(self.store().delete(&record.id)).await?;
            return Err(Error::Interrupted);
        }
        Ok(record)
    }

    /// Takes over what another request has stored, and lays the changes of this one over it. If the
    /// session has moved to another id, goes on there.
    pub(super) async fn reload(&self, flushes: u32) -> Result<(), Error> {
        let id = self.still_in(flushes)?.id;
        let Some(mut id) = id else { return Err(Error::Interrupted) };
        let mut has_moved = false;
        let (record, version) = loop {
            let found = self.ask(self.store().load_uncached(&id)).await?;
            // Gone: another request has ended the session, or its time has come.
            let (record, version) = found.ok_or(Error::Interrupted)?;
            if moved::to(&record).is_none() {
                break (record, version);
            }
            // It has moved. A request from before may follow. One that came after it, and found
            // the session in a cache that is stale, is a stranger with an old id.
            let next = moved::since(self.0.began, &record).ok_or(Error::Interrupted)?;
            (id, has_moved) = (next, true);
        };
        tracing::debug!(has_moved, "another request has written the session: merging");
        // It was flushed while this request waited for the store? Then this is another session.
        let mut state = self.still_in(flushes)?;
        (state.id, state.version) = (Some(id), version);
        state.data.set_stored(record.data);
        if has_moved {
            // It has a new id already, and one move is enough.
            (state.moved, state.cycle) = (true, false);
        }
        Ok(())
    }

    /// The state, if the session was not flushed since then.
    pub(super) fn still_in(
        &self,
        flushes: u32,
    ) -> Result<parking_lot::MutexGuard<'_, State>, Error> {
        let state = self.access();
        if state.flushes == flushes { Ok(state) } else { Err(Error::Interrupted) }
    }

    pub(super) fn record(&self, id: Id, data: Data) -> Record {
        let expiry_date = self.stored_expiry_date(&data);
        Record { id, data, expiry_date }
    }
}
