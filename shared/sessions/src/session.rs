//! The dictionary, and its life: update, flush, cycle, expiry.

use std::{
    collections::HashMap,
    fmt,
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{extract::FromRequestParts, http::request::Parts};
use parking_lot::{Mutex, MutexGuard};
use serde::{Serialize, de::DeserializeOwned, ser::Error as _};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use tokio::sync::OnceCell;
use tower_sessions::{
    Expiry,
    session::{Id, Record},
    session_store,
};

use crate::{
    Error,
    settings::Settings,
    store::{Replaced, Store, Version},
};

type Data = HashMap<String, Value>;

/// Where a chosen expiry is kept: in the data, so that it lasts as long as the session. The key
/// is Django's, and is left out when the keys are listed.
const EXPIRY: &str = "_session_expiry";

/// Django's `TEST_COOKIE_NAME` and `TEST_COOKIE_VALUE`.
const TEST_COOKIE: (&str, &str) = ("testcookie", "worked");

/// The visitor's session: a dictionary of JSON values, loaded from the store when a handler
/// takes it as an argument, and saved after the handler if it was modified.
///
/// Clones share the same dictionary.
///
/// There are three ways to change a value inside:
///
/// | | saved | exact when two requests do it at once |
/// |---|---|---|
/// | [`get`](Session::get), change the copy, [`insert`](Session::insert) it | yes | no, the last one wins |
/// | [`get_mut`](Session::get_mut) and change it | if you call [`set_modified`](Session::set_modified) | no |
/// | [`update`](Session::update) with a closure | yes | yes |
///
/// Reach for `update` wherever the new value depends on the old one. Changes to *different* keys
/// are all kept, whichever way you choose.
///
/// ```
/// use sessions::Session;
///
/// async fn park(session: Session) -> Result<String, sessions::Error> {
///     session.insert("my_car", "mini")?;
///     session.require("my_car")
/// }
/// ```
///
/// # Errors
///
/// As an extractor: [`Error::Store`] where the store cannot be reached, and [`Error::NoLayer`].
#[derive(Clone)]
pub struct Session(Arc<Shared>);

/// Neither id nor data: they have no place in a log.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

struct Shared {
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The id of the stored record; `None` until there is one.
    id: Option<Id>,
    /// The record's data as it was last seen in the store, and its version.
    stored: Data,
    version: Version,
    /// What the handlers see.
    data: Data,
    /// Did anybody look at the session? Then the response varies by cookie.
    accessed: bool,
    /// Is it to be saved after this request?
    modified: bool,
    /// Was it written during the request? Then the cookie is to be renewed.
    written: bool,
    /// Is it to move to a new id?
    cycle: bool,
}

/// # The dictionary
impl Session {
    /// The value for `key`, or `None` where the key is missing. It is a copy: to change it in
    /// the session, [`insert`](Session::insert) it again, or use [`update`](Session::update).
    ///
    /// Django: `request.session.get(key)`. For a default, add `.unwrap_or(…)`; like Django's, it
    /// is not stored.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// let my_car = session.get("my_car")?.unwrap_or("mini".to_owned());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`] if the stored value is not a `T`; it stays in the session.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        self.look().data.get(key).map(|value| from_json(key, value)).transpose()
    }

    /// The value for `key`.
    ///
    /// Django: `request.session[key]`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// let my_car: String = session.require("my_car")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Missing`] where the key is missing (in Django a `KeyError`), and
    /// [`Error::WrongType`] as for [`get`](Session::get).
    pub fn require<T: DeserializeOwned>(&self, key: &str) -> Result<T, Error> {
        self.get(key)?.ok_or_else(|| Error::Missing { key: key.to_owned() })
    }

    /// Stores `value` under `key`, and marks the session as modified even if the same value was
    /// there before.
    ///
    /// Django: `request.session[key] = value`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// session.insert("my_car", "mini")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NotStorable`] if JSON cannot hold the value, or if it nests deeper than 100
    /// levels; [`Error::TooLarge`] if the session would grow beyond its limit. It is then
    /// unchanged. JSON has no NaN and no infinity: serde_json makes them null.
    pub fn insert(&self, key: &str, value: impl Serialize) -> Result<(), Error> {
        self.extend([(key, value)])
    }

    /// Stores several values, or none of them.
    ///
    /// Django: `request.session.update({…})`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// session.extend([("my_car", "mini"), ("colour", "red")])?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`insert`](Session::insert); the session is then unchanged.
    pub fn extend<K: Into<String>, V: Serialize>(
        &self,
        values: impl IntoIterator<Item = (K, V)>,
    ) -> Result<(), Error> {
        let mut added = Vec::new();
        for (key, value) in values {
            let key = key.into();
            let value = to_json(&key, value)?;
            added.push((key, value));
        }
        let mut state = self.look();
        let mut data = state.data.clone();
        data.extend(added);
        self.check_size(&data)?;
        state.data = data;
        state.modified = true;
        Ok(())
    }

    /// Takes `key` out and returns its value. Only a key that was there marks the session as
    /// modified.
    ///
    /// Django: `request.session.pop(key, None)` and `del request.session[key]`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// if let Some(my_car) = session.remove("my_car") {
    ///     println!("{my_car} has left the garage");
    /// }
    /// # }
    /// ```
    pub fn remove(&self, key: &str) -> Option<Value> {
        let mut state = self.look();
        let removed = state.data.remove(key)?;
        state.modified = true;
        Some(removed)
    }

    /// The value for `key`, after storing `value` there if the key was missing.
    ///
    /// Django: `request.session.setdefault(key, value)`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// let my_car = session.get_or_insert("my_car", "mini".to_owned())?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`get`](Session::get) and [`insert`](Session::insert).
    pub fn get_or_insert<T: DeserializeOwned + Serialize>(
        &self,
        key: &str,
        value: T,
    ) -> Result<T, Error> {
        match self.get(key)? {
            Some(stored) => Ok(stored),
            None => {
                self.insert(key, &value)?;
                Ok(value)
            }
        }
    }

    /// Is there a value for `key`?
    ///
    /// Django: `key in request.session`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// let has_car = session.contains_key("my_car");
    /// # }
    /// ```
    pub fn contains_key(&self, key: &str) -> bool {
        self.look().data.contains_key(key)
    }

    /// The visitor's keys, in alphabetical order.
    ///
    /// Django: `request.session.keys()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// let what_we_know_of_you = session.keys().join(", ");
    /// # }
    /// ```
    pub fn keys(&self) -> Vec<String> {
        self.iter().map(|(key, _)| key).collect()
    }

    /// The visitor's values, in the order of their keys.
    ///
    /// Django: `request.session.values()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// let texts = session.values().iter().filter(|value| value.is_string()).count();
    /// # }
    /// ```
    pub fn values(&self) -> Vec<Value> {
        self.iter().map(|(_, value)| value).collect()
    }

    /// The visitor's keys and copies of their values, as they are now, in the order of the keys.
    ///
    /// Django: `request.session.items()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// for (key, value) in session.iter() {
    ///     println!("{key}: {value}");
    /// }
    /// # }
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (String, Value)> + use<> {
        let mut entries: Vec<_> = self
            .look()
            .data
            .iter()
            .filter(|(key, _)| *key != EXPIRY)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        entries.sort_by(|(one, _), (other, _)| one.cmp(other));
        entries.into_iter()
    }

    /// Empties the session, a chosen expiry included. Its id and its cookie stay; to end those too,
    /// use [`flush`](Session::flush). A key that another request adds meanwhile stays as well.
    ///
    /// Django: `request.session.clear()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// session.clear();
    /// assert!(session.keys().is_empty());
    /// # }
    /// ```
    pub fn clear(&self) {
        let mut state = self.look();
        state.data.clear();
        state.modified = true;
    }

    /// Is there neither a stored record nor any data?
    ///
    /// Django: `request.session.is_empty()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// let is_newcomer = session.is_empty();
    /// # }
    /// ```
    pub fn is_empty(&self) -> bool {
        let state = self.look();
        state.id.is_none() && state.data.is_empty()
    }

    /// Lends the value for `key`, for changes inside it. As in Django, the session does not
    /// notice them: call [`set_modified`](Session::set_modified), or the change is lost with this
    /// request. [`update`](Session::update) needs no such call.
    ///
    /// The change is in the session once the loan is dropped.
    ///
    /// Django: `request.session["my_car"]["wheels"] = "alloy"`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// if let Some(mut my_car) = session.get_mut("my_car") {
    ///     my_car["wheels"] = "alloy".into();
    ///     session.set_modified(true);
    /// }
    /// # }
    /// ```
    pub fn get_mut(&self, key: &str) -> Option<ValueMut<'_>> {
        let value = self.look().data.get(key)?.clone();
        Some(ValueMut { session: self, key: key.to_owned(), value, changed: false })
    }

    /// Says whether the session is to be saved after this request.
    ///
    /// Django: `request.session.modified = True`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// session.set_modified(true);
    /// # }
    /// ```
    pub fn set_modified(&self, modified: bool) {
        self.look().modified = modified;
    }

    /// Is the session to be saved after this request?
    ///
    /// Django: `request.session.modified`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// session.clear();
    /// assert!(session.is_modified());
    /// # }
    /// ```
    pub fn is_modified(&self) -> bool {
        self.0.state.lock().modified
    }

    /// Did anybody look at the session during this request?
    ///
    /// Django: `request.session.accessed`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// session.contains_key("my_car");
    /// assert!(session.is_accessed());
    /// # }
    /// ```
    pub fn is_accessed(&self) -> bool {
        self.0.state.lock().accessed
    }

    /// The id of the stored record; `None` before the first save, after
    /// [`flush`](Session::flush) and [`cycle_id`](Session::cycle_id), and for a visitor whose id
    /// the store does not know. Whoever has it has the session: do not log it.
    ///
    /// Django: `request.session.session_key`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// let is_stored = session.id().is_some();
    /// # }
    /// ```
    pub fn id(&self) -> Option<Id> {
        let state = self.look();
        state.id.filter(|_| !state.cycle)
    }
}

/// # Its life
impl Session {
    /// Changes the value for `key` with a closure, so that nothing is lost however many requests
    /// do the same at once, on this server or another over the same database. Returns the value
    /// that was stored. A missing key starts as the type's default.
    ///
    /// ```
    /// # async fn handler(session: sessions::Session) -> Result<(), sessions::Error> {
    /// let num_visits = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// The change is stored when this returns, before the handler ends: that is what makes it
    /// exact. So it also holds if the response turns out to be an error with status 5xx, which
    /// saves nothing else. For a visitor who has no session yet, nobody else can write to it, and
    /// the change waits for the end of the request as an [`insert`](Session::insert) does.
    ///
    /// The closure runs again whenever another request was faster, so let it do nothing but
    /// change the value.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`], [`Error::NotStorable`] and [`Error::TooLarge`], which change nothing;
    /// [`Error::Interrupted`] if another request has deleted the session; [`Error::Store`].
    pub async fn update<T>(
        &self,
        key: &str,
        mut change: impl FnMut(&mut T) + Send,
    ) -> Result<T, Error>
    where
        T: DeserializeOwned + Serialize + Default + Send,
    {
        loop {
            let mut value: T = self.get(key)?.unwrap_or_default();
            change(&mut value);
            let json = to_json(key, &value)?;

            let Some(id) = self.look().id else {
                self.insert(key, json)?;
                return Ok(value);
            };
            let (seen, mut record) = {
                let state = self.look();
                // Only this key: the handler's other changes wait for its end.
                let mut data = state.stored.clone();
                data.insert(key.to_owned(), json.clone());
                self.check_size(&data)?;
                (state.version, self.record(id, data))
            };
            match self.0.store.replace(&id, seen, &mut record).await? {
                Replaced::Done(version) => {
                    let mut state = self.look();
                    state.data.insert(key.to_owned(), json);
                    (state.stored, state.version) = (record.data, version);
                    state.written = true;
                    return Ok(value);
                }
                Replaced::Changed => self.catch_up(&id).await?,
                Replaced::Gone => return Err(Error::Interrupted),
            }
        }
    }

    /// Ends the session: deletes the record at once, empties the dictionary and lets the browser
    /// drop its cookie. What is stored afterwards goes into a new session under a new id.
    ///
    /// Use it to sign somebody out. It holds even if the response is an error.
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
    /// [`Error::Store`] if the record could not be deleted; the session is then as it was.
    pub async fn flush(&self) -> Result<(), Error> {
        let id = self.look().id;
        if let Some(id) = id {
            self.0.store.delete(&id).await?;
        }
        *self.look() = State { accessed: true, ..State::default() };
        Ok(())
    }

    /// Gives the session a new id and keeps its data. The new record is stored with the response,
    /// and the old one deleted with it; if the handler fails, the old session is as it was.
    ///
    /// Use it when a visitor signs in: whoever knew the old id is then left outside (session
    /// fixation, see the OWASP Session Management Cheat Sheet).
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
        let mut state = self.look();
        state.cycle = true;
        state.modified = true;
    }

    /// Chooses when this session ends. The choice lasts until it is changed.
    ///
    /// - `OnInactivity(duration)`: so long after the last change; reading does not count.
    /// - `AtDateTime(moment)`: then, whatever happens until then.
    /// - `OnSessionEnd`: when the browser closes; the record is kept for the site's cookie age.
    /// - `None`: as the site's settings say.
    ///
    /// Django: `request.session.set_expiry(…)`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// use sessions::Expiry;
    /// use time::Duration;
    ///
    /// session.set_expiry(Some(Expiry::OnInactivity(Duration::hours(1))));
    /// session.set_expiry(Some(Expiry::OnSessionEnd));
    /// session.set_expiry(None);
    /// # }
    /// ```
    pub fn set_expiry(&self, expiry: Option<Expiry>) {
        let mut state = self.look();
        match expiry {
            Some(expiry) => {
                let chosen = serde_json::to_value(expiry).expect("an expiry is plain data");
                state.data.insert(EXPIRY.to_owned(), chosen);
            }
            None => {
                state.data.remove(EXPIRY);
            }
        }
        state.modified = true;
    }

    /// How long the session would last if it were changed now. Where nothing was chosen, or the
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
        let chosen = chosen_expiry(&self.look().data);
        self.lasts(chosen)
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
        let chosen = chosen_expiry(&self.look().data);
        self.expires(chosen, OffsetDateTime::now_utc())
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
        let chosen = chosen_expiry(&self.look().data);
        self.ends_with_browser(chosen)
    }

    /// Leaves a mark in the session. If the next request finds it, the visitor's browser keeps
    /// cookies.
    ///
    /// Django: `request.session.set_test_cookie()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// // Where the form is shown:
    /// session.set_test_cookie();
    /// # }
    /// ```
    pub fn set_test_cookie(&self) {
        let (key, value) = TEST_COOKIE;
        let mut state = self.look();
        state.data.insert(key.to_owned(), value.into());
        state.modified = true;
    }

    /// Is the mark there that an earlier request has left?
    ///
    /// Django: `request.session.test_cookie_worked()`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// // Where the form is sent to:
    /// let keeps_cookies = session.test_cookie_worked();
    /// # }
    /// ```
    pub fn test_cookie_worked(&self) -> bool {
        let (key, value) = TEST_COOKIE;
        self.look().data.get(key).is_some_and(|found| found == value)
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
    /// [`Error::Missing`] if there is none.
    pub fn delete_test_cookie(&self) -> Result<(), Error> {
        let (key, _) = TEST_COOKIE;
        self.remove(key).map(drop).ok_or_else(|| Error::Missing { key: key.to_owned() })
    }
}

/// What the response has to tell the browser.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Nothing: its cookie, if it has one, stays as it is.
    Nothing,
    /// To keep this id: for so long, or until it closes.
    Keep(Id, Option<Duration>),
    /// The visitor has no session, so a cookie that claims one is to go.
    NoSession,
}

/// # After the handler
impl Session {
    /// Saves what is to be saved.
    pub(crate) async fn finish(&self) -> Result<Outcome, Error> {
        let (id, empty, wanted, written) = {
            let state = self.0.state.lock();
            let wanted = state.modified || self.0.settings.save_every_request;
            (state.id, state.data.is_empty(), wanted, state.written)
        };
        match id {
            None if empty => Ok(Outcome::NoSession),
            _ if wanted => self.save().await,
            // `update` has stored its change. If the session was ended or moved to another id
            // since, the browser must not be sent back to this one.
            Some(id) if written => match self.0.store.load(&id).await {
                Ok(Some(_)) => Ok(self.keep(id)),
                _ => Ok(Outcome::Nothing),
            },
            _ => Ok(Outcome::Nothing),
        }
    }

    async fn save(&self) -> Result<Outcome, Error> {
        loop {
            let (id, seen, mut record) = {
                let state = self.0.state.lock();
                // Changes through `get_mut` come here unchecked.
                self.check_size(&state.data)?;
                state.data.iter().try_for_each(|(key, value)| check_depth(key, value))?;
                let new_id = state.id.filter(|_| !state.cycle).unwrap_or_default();
                (state.id, state.version, self.record(new_id, state.data.clone()))
            };
            let Some(id) = id else {
                self.0.store.create(&mut record).await?;
                return Ok(self.keep(record.id));
            };
            match self.0.store.replace(&id, seen, &mut record).await? {
                Replaced::Done(_) => return Ok(self.keep(record.id)),
                Replaced::Changed => self.catch_up(&id).await?,
                Replaced::Gone => return Err(Error::Interrupted),
            }
        }
    }

    /// Takes over what another request has stored meanwhile, and keeps what this one changed.
    async fn catch_up(&self, id: &Id) -> Result<(), Error> {
        let Some((theirs, version)) = self.0.store.load_versioned(id).await? else {
            return Err(Error::Interrupted);
        };
        let mut state = self.0.state.lock();
        let before = std::mem::replace(&mut state.stored, theirs.data.clone());
        let mine = std::mem::replace(&mut state.data, theirs.data);
        for key in before.keys().filter(|&key| !mine.contains_key(key)) {
            state.data.remove(key);
        }
        let changed = mine.into_iter().filter(|(key, value)| before.get(key) != Some(value));
        state.data.extend(changed);
        state.version = version;
        Ok(())
    }

    fn keep(&self, id: Id) -> Outcome {
        let chosen = chosen_expiry(&self.0.state.lock().data);
        let lasts = self.lasts(chosen);
        // The clock has moved on a little since a handler chose a moment; nobody chose that
        // fraction.
        let lasts = Duration::seconds(lasts.as_seconds_f64().round() as i64);
        Outcome::Keep(id, (!self.ends_with_browser(chosen)).then_some(lasts))
    }

    fn record(&self, id: Id, data: Data) -> Record {
        let expiry_date = self.expires(chosen_expiry(&data), OffsetDateTime::now_utc());
        Record { id, data, expiry_date }
    }

    fn lasts(&self, chosen: Option<Expiry>) -> Duration {
        let now = OffsetDateTime::now_utc();
        (self.expires(chosen, now) - now).max(Duration::ZERO)
    }

    fn expires(&self, chosen: Option<Expiry>, now: OffsetDateTime) -> OffsetDateTime {
        match chosen {
            Some(Expiry::OnInactivity(idle)) => now.saturating_add(idle),
            Some(Expiry::AtDateTime(moment)) => moment,
            Some(Expiry::OnSessionEnd) | None => now + self.0.settings.age,
        }
    }

    fn ends_with_browser(&self, chosen: Option<Expiry>) -> bool {
        match chosen {
            Some(Expiry::OnSessionEnd) => true,
            Some(_) => false,
            None => self.0.settings.expire_at_browser_close,
        }
    }

    fn check_size(&self, data: &Data) -> Result<(), Error> {
        let limit = self.0.settings.size_limit;
        let size = serde_json::to_vec(data).expect("JSON values are JSON").len();
        if size > limit { Err(Error::TooLarge { size, limit }) } else { Ok(()) }
    }

    fn look(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.state.lock();
        state.accessed = true;
        state
    }
}

fn chosen_expiry(data: &Data) -> Option<Expiry> {
    serde_json::from_value(data.get(EXPIRY)?.clone()).ok()
}

fn from_json<T: DeserializeOwned>(key: &str, value: &Value) -> Result<T, Error> {
    T::deserialize(value).map_err(|source| Error::WrongType { key: key.to_owned(), source })
}

/// serde_json writes any depth, and reads no more than 127 levels (the session has one itself).
const MAX_DEPTH: usize = 100;

fn to_json(key: &str, value: impl Serialize) -> Result<Value, Error> {
    let value = serde_json::to_value(value)
        .map_err(|source| Error::NotStorable { key: key.to_owned(), source })?;
    check_depth(key, &value)?;
    Ok(value)
}

fn check_depth(key: &str, value: &Value) -> Result<(), Error> {
    if depth(value) <= MAX_DEPTH {
        return Ok(());
    }
    let source = serde_json::Error::custom("it nests deeper than 100 levels");
    Err(Error::NotStorable { key: key.to_owned(), source })
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(values) => 1 + values.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// A value on loan from a session: see [`Session::get_mut`].
///
/// ```
/// # fn handler(session: sessions::Session) {
/// if let Some(mut my_car) = session.get_mut("my_car") {
///     let wheels = my_car["wheels"].take();
///     my_car["spare_wheels"] = wheels;
/// }
/// session.set_modified(true);
/// # }
/// ```
#[derive(Debug)]
pub struct ValueMut<'a> {
    session: &'a Session,
    key: String,
    value: Value,
    /// A loan that was only read must not undo what was stored in the meantime.
    changed: bool,
}

impl Deref for ValueMut<'_> {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

impl DerefMut for ValueMut<'_> {
    fn deref_mut(&mut self) -> &mut Value {
        self.changed = true;
        &mut self.value
    }
}

impl Drop for ValueMut<'_> {
    fn drop(&mut self) {
        if self.changed
            && let Some(place) = self.session.look().data.get_mut(&self.key)
        {
            *place = self.value.take();
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let ticket = parts.extensions.get::<Ticket>().cloned().ok_or(Error::NoLayer)?;
        ticket.cash_in().await
    }
}

/// What the layer puts into a request: how to get the session, once somebody asks for it.
#[derive(Clone, Debug)]
pub(crate) struct Ticket(Arc<Promise>);

#[derive(Debug)]
struct Promise {
    store: Arc<dyn Store>,
    settings: Arc<Settings>,
    /// What the cookie claims. Not to be trusted before the store knew it.
    claimed: Option<Id>,
    asked_for: AtomicBool,
    session: OnceCell<Session>,
}

impl Ticket {
    pub fn new(store: Arc<dyn Store>, settings: Arc<Settings>, claimed: Option<Id>) -> Self {
        let (asked_for, session) = (AtomicBool::new(false), OnceCell::new());
        Ticket(Arc::new(Promise { store, settings, claimed, asked_for, session }))
    }

    /// The session, if it was asked for and could be loaded.
    pub fn session(&self) -> Option<&Session> {
        self.0.session.get()
    }

    /// May the response differ from visitor to visitor? Also if the session could not be loaded.
    pub fn was_looked_at(&self) -> bool {
        match self.session() {
            Some(session) => session.is_accessed(),
            None => self.0.asked_for.load(Ordering::Relaxed),
        }
    }

    /// The session that the browser claims to have.
    pub fn claimed(&self) -> Option<Id> {
        self.0.claimed
    }

    /// Where the session is looked for, and saved.
    pub fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    pub async fn cash_in(&self) -> Result<Session, Error> {
        self.0.asked_for.store(true, Ordering::Relaxed);
        self.0.session.get_or_try_init(|| self.load()).await.cloned()
    }

    async fn load(&self) -> Result<Session, Error> {
        let Promise { store, settings, claimed, .. } = &*self.0;
        let found = match claimed {
            Some(id) => store.load_versioned(id).await,
            None => Ok(None),
        };
        let now = OffsetDateTime::now_utc();
        let found = match found {
            // A store may be late in clearing what has expired.
            Ok(found) => found.filter(|(record, _)| record.expiry_date > now),
            Err(session_store::Error::Decode(cause)) => {
                tracing::warn!(cause, "a stored session cannot be read; the visitor starts anew");
                None
            }
            Err(error) => return Err(error.into()),
        };
        // An id that the store does not know is not adopted: whoever planted it would share the
        // session that the visitor is about to fill (session fixation).
        let state = match found {
            Some((record, version)) => State {
                id: Some(record.id),
                stored: record.data.clone(),
                version,
                data: record.data,
                ..State::default()
            },
            None => State::default(),
        };
        let (store, settings) = (store.clone(), settings.clone());
        Ok(Session(Arc::new(Shared { store, settings, state: Mutex::new(state) })))
    }
}
