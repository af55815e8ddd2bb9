//! The session's life: it ends, it gets a new id, it expires.

use time::{Duration, OffsetDateTime, UtcOffset, macros::datetime};
use tower_sessions::{Expiry, session::Id, session_store};

use super::{
    Session, State,
    changes::{Data, EXPIRY},
    moved,
};
use crate::Error;

/// Django's `TEST_COOKIE_NAME` and `TEST_COOKIE_VALUE`.
const TEST_COOKIE: (&str, &str) = ("testcookie", "worked");

/// The last date that every store can write down and read again.
const LAST_DATE: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);

/// # Its life
impl Session {
    /// Ends the session: deletes the record at once, empties the dictionary and lets the browser
    /// drop its cookie. What is stored afterwards goes into a new session under a new id.
    ///
    /// Use it to sign a visitor out: it is the revocation of this one session. It holds even if the
    /// response is an error, and against a request that is still running. If another request has given
    /// the session a new id within the last minute, it is ended there too, also for a request that
    /// comes with the old id.
    ///
    /// Django: `request.session.flush()`.
    ///
    /// ```
    /// # async fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// session.flush().await?;
    /// assert!(session.is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Store`] if a record could not be deleted: call it again. Of several cookies, those
    /// whose records were deleted before stay ended. [`Error::ResponseSent`] if the session was in
    /// an encrypted cookie and the response is on its way.
    pub async fn flush(&self) -> Result<(), Error> {
        self.check_outlives(&self.0.state.lock())?;
        // The store first. If it does not answer, the visitor is still signed in, and is told so.
        let id = self.access().id;
        if let Some(id) = id {
            self.end(id).await?;
        }
        // A browser may hold several cookies of this name, for different paths. A sign-out that
        // ended one of their sessions only would leave the visitor signed in with the next request.
        // So would one that does not follow a session whose new id is still on its way.
        for claim in self.claims().iter().filter(|&claim| Some(*claim) != id) {
            self.end(*claim).await?;
        }
        tracing::debug!("session flushed");
        // A new and empty session. The number of flushes tells requests to the store that are under
        // way that they belong to the old one.
        let mut state = self.access();
        let (flushes, responded) = (state.flushes + 1, state.responded);
        *state = State { accessed: true, flushes, responded, ..State::default() };
        Ok(())
    }

    /// Deletes the session under this id, and wherever it has moved from there.
    async fn end(&self, mut id: Id) -> Result<(), Error> {
        // The store deletes and answers in one step, so no other request can move the session
        // between a look and a deletion: what is deleted says whether it was the session or a note.
        while let Some(deleted) = self.delete(&id).await? {
            match moved::to(&deleted) {
                Some(next) => id = next,
                None => break,
            }
        }
        Ok(())
    }

    async fn delete(&self, id: &Id) -> Result<Option<tower_sessions::session::Record>, Error> {
        match self.ask(self.store().delete(id)).await {
            // It could not be read, and it is gone.
            Err(session_store::Error::Decode(_)) => Ok(None),
            deleted => Ok(deleted?),
        }
    }

    /// Gives the session a new id and keeps its data. The new record is stored with the response,
    /// before the old one is deleted; if the handler fails, the old session is as it was.
    ///
    /// Use it when a visitor signs in: an attacker who knew the old id then has nothing (session
    /// fixation, see the OWASP Session Management Cheat Sheet).
    ///
    /// A second request that began before goes on with the moved session, for up to a minute, and its
    /// response sends no cookie. That holds for a request of an attacker too, who knew the old id and
    /// kept a request open: to leave nothing to it, [`flush`](Session::flush) and store what must
    /// stay. If the browser never gets the response that has the new id, the
    /// visitor has to sign in again.
    ///
    /// Django: `request.session.cycle_key()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// session.cycle_id();
    /// session.insert("user", "toad")?;
    /// # Ok(()) }
    /// ```
    pub fn cycle_id(&self) {
        self.change().cycle = true;
    }

    /// Chooses when this session ends. The choice lasts until it is changed.
    ///
    /// - `OnInactivity(duration)`: an idle timeout, this long after the last change; reading does not
    ///   count.
    /// - `AtDateTime(moment)`: an absolute timeout, at that moment, however active the visitor is.
    /// - `OnSessionEnd`: when the browser closes; the record is kept for the site's cookie age.
    /// - `None`: as the site's settings say.
    ///
    /// A session never ends before its time; it may last until the end of the second. Dates after
    /// the year 9999 count as its last second.
    ///
    /// Django: `request.session.set_expiry(…)`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// use sessions::Expiry;
    /// use sessions::time::Duration;
    ///
    /// session.set_expiry(Some(Expiry::OnInactivity(Duration::hours(1))));
    /// session.set_expiry(Some(Expiry::OnSessionEnd));
    /// session.set_expiry(None);
    /// # }
    /// ```
    pub fn set_expiry(&self, expiry: Option<Expiry>) {
        let mut state = self.change();
        match expiry {
            Some(expiry) => {
                let chosen =
                    serde_json::to_value(clamped(expiry)).expect("an expiry is plain data");
                state.data.put(EXPIRY.to_owned(), chosen);
            }
            None => drop(state.data.remove(EXPIRY)),
        }
    }

    /// How long the session would last if it were changed now. If nothing was chosen, or the
    /// browser's closing, this is the site's cookie age; a moment that is past gives zero.
    ///
    /// Django: `request.session.get_expiry_age()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// let minutes = session.expiry_age().whole_minutes();
    /// # }
    /// ```
    pub fn expiry_age(&self) -> Duration {
        let chosen = self.access().chosen_expiry();
        let now = OffsetDateTime::now_utc();
        (self.ends(chosen, now) - now).max(Duration::ZERO)
    }

    /// The moment at which the session would end if it were changed now.
    ///
    /// Django: `request.session.get_expiry_date()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// let year = session.expiry_date().year();
    /// # }
    /// ```
    pub fn expiry_date(&self) -> OffsetDateTime {
        let chosen = self.access().chosen_expiry();
        self.ends(chosen, OffsetDateTime::now_utc())
    }

    /// Does the cookie end when the browser closes?
    ///
    /// Django: `request.session.get_expire_at_browser_close()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// let is_remembered = !session.expires_at_browser_close();
    /// # }
    /// ```
    pub fn expires_at_browser_close(&self) -> bool {
        let chosen = self.access().chosen_expiry();
        self.ends_with_browser(chosen)
    }

    /// Leaves a mark in the session. If the next request finds it, the visitor's browser keeps
    /// cookies.
    ///
    /// Django: `request.session.set_test_cookie()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// // On the page with the form:
    /// session.set_test_cookie()
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`insert`](Session::insert): the session may be full.
    pub fn set_test_cookie(&self) -> Result<(), Error> {
        let (key, value) = TEST_COOKIE;
        self.insert(key, value)
    }

    /// Is the mark there that an earlier request has left?
    ///
    /// Django: `request.session.test_cookie_worked()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// // In the handler that the form is sent to:
    /// let keeps_cookies = session.test_cookie_worked();
    /// # }
    /// ```
    pub fn test_cookie_worked(&self) -> bool {
        let (key, value) = TEST_COOKIE;
        self.access().data.get(key).is_some_and(|found| found == value)
    }

    /// Removes the mark.
    ///
    /// Django: `request.session.delete_test_cookie()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// if session.test_cookie_worked() {
    ///     session.delete_test_cookie()?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] if the mark is not there.
    pub fn delete_test_cookie(&self) -> Result<(), Error> {
        let (key, _) = TEST_COOKIE;
        self.remove(key).map(drop).ok_or_else(|| Error::Missing { key: key.to_owned() })
    }
}

/// # When it ends
impl Session {
    /// The date that is stored. Stores keep whole seconds, so it is rounded up: a session must not
    /// end before the time that was promised. What has ended already is rounded down, so that it
    /// ends at once.
    pub(super) fn stored_expiry_date(&self, data: &Data) -> OffsetDateTime {
        let now = OffsetDateTime::now_utc();
        let ends = self.ends(chosen_expiry(data), now).min(LAST_DATE);
        let second = ends.truncate_to_second();
        if ends > now && ends > second { second + Duration::SECOND } else { second }
    }

    /// How long the browser is to keep the cookie, in whole seconds; `None` until it closes.
    pub(super) fn max_age(&self, data: &Data) -> Option<Duration> {
        let chosen = chosen_expiry(data);
        if self.ends_with_browser(chosen) {
            return None;
        }
        let now = OffsetDateTime::now_utc();
        let age = (self.ends(chosen, now) - now).max(Duration::ZERO);
        let part = i64::from(age.subsec_nanoseconds() > 0);
        Some(Duration::seconds(age.whole_seconds() + part))
    }

    fn ends(&self, chosen: Option<Expiry>, now: OffsetDateTime) -> OffsetDateTime {
        match chosen {
            Some(Expiry::OnInactivity(idle)) => now.saturating_add(idle),
            Some(Expiry::AtDateTime(moment)) => moment,
            Some(Expiry::OnSessionEnd) | None => now + self.0.config.age,
        }
    }

    fn ends_with_browser(&self, chosen: Option<Expiry>) -> bool {
        match chosen {
            Some(Expiry::OnSessionEnd) => true,
            Some(_) => false,
            None => self.0.config.expire_at_browser_close,
        }
    }
}

impl State {
    fn chosen_expiry(&self) -> Option<Expiry> {
        serde_json::from_value(self.data.get(EXPIRY)?.clone()).ok()
    }
}

fn chosen_expiry(data: &Data) -> Option<Expiry> {
    serde_json::from_value(data.get(EXPIRY)?.clone()).ok()
}

/// In UTC, and no later than a store can read again: the last hours of 9999 in the west are the
/// year 10000 in UTC.
fn clamped(expiry: Expiry) -> Expiry {
    match expiry {
        Expiry::AtDateTime(moment) => {
            let moment = moment.checked_to_offset(UtcOffset::UTC).unwrap_or(LAST_DATE);
            Expiry::AtDateTime(moment.min(LAST_DATE))
        }
        other => other,
    }
}
