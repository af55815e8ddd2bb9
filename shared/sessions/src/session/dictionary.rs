//! The dictionary: what a handler reads and changes. These are plain calls, and nothing is awaited.

use std::collections::BTreeMap;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tower_sessions::session::Id;

use super::{
    Session, State, ValueMut,
    changes::{entry_size, is_reserved},
    value::{from_json, to_json},
};
use crate::Error;

/// # The dictionary
impl Session {
    /// The value for `key`, or `None` if the key is missing or its value is null. It is a copy: to
    /// change it in the session, [`insert`](Session::insert) it again, or use
    /// [`update`](Session::update).
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
        self.access().value(key).map(|value| from_json(key, value)).transpose()
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
    /// [`Error::Missing`] if the key is missing (in Django a `KeyError`), and
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
    /// levels; [`Error::TooLarge`] if the session would grow beyond its limit;
    /// [`Error::ReservedKey`]; [`Error::ResponseSent`]. The session is then unchanged. JSON has no
    /// NaN and no infinity: serde_json makes them null.
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
        // All become JSON before the first is stored, so that a bad one leaves the session as it is.
        let mut added = BTreeMap::new();
        for (key, value) in values {
            let key = key.into();
            let value = to_json(&key, value)?;
            // As in Django, the last value for a key counts.
            added.insert(key, value);
        }
        let limit = self.0.config.size_limit;
        let mut state = self.access();
        if state.responded {
            return Err(Error::ResponseSent);
        }
        state.check_growth(added.iter().map(|(key, value)| (key.as_str(), value)), limit)?;
        for (key, value) in added {
            state.data.put(key, value);
        }
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
        if is_reserved(key) || self.access().data.get(key).is_none() {
            return None;
        }
        self.change().data.remove(key)
    }

    /// The value for `key`, after storing `value` there if the key was missing or null.
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

    /// Is there a value for `key`? Null is one.
    ///
    /// Django: `key in request.session`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// let has_car = session.contains_key("my_car");
    /// # }
    /// ```
    pub fn contains_key(&self, key: &str) -> bool {
        let state = self.access();
        !is_reserved(key) && state.data.get(key).is_some()
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
            .access()
            .data
            .iter()
            .filter(|(key, _)| !is_reserved(key))
            .map(|(key, value)| (key.to_owned(), value.clone()))
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
        self.change().data.clear();
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
        let state = self.access();
        state.id.is_none() && state.data.is_empty()
    }

    /// Lends the value for `key`, for changes inside it. As in Django, the session does not
    /// notice them: call [`set_modified`](Session::set_modified), or the change is lost with this
    /// request. [`update`](Session::update) needs no such call.
    ///
    /// The change is in the session once the loan is dropped. If the value was changed in another
    /// way meanwhile, by a second loan or by an `update`, both changes are kept, field by field; of
    /// two changes to one field the loan that is dropped last wins.
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
        if is_reserved(key) {
            return None;
        }
        // A copy, which is laid over the session when the loan ends: a reference would lock the
        // session for as long.
        let value = self.access().data.get(key)?.clone();
        Some(ValueMut::new(self, key, value))
    }

    /// Says whether the session is to be saved after this request. A new id that was asked for by
    /// [`cycle_id`](Session::cycle_id) is stored in any case.
    ///
    /// Django: `request.session.modified = True`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// session.set_modified(true);
    /// # }
    /// ```
    pub fn set_modified(&self, modified: bool) {
        self.change().modified = modified;
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

    /// Did the handler look at the session during this request?
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
    /// the store does not know. [`save`](Session::save) gives a session its id at once. A request
    /// that sends this id has the session: do not log it.
    ///
    /// Django: `request.session.session_key`.
    ///
    /// ```
    /// # fn handler(session: sessions::Session) {
    /// let is_stored = session.id().is_some();
    /// # }
    /// ```
    pub fn id(&self) -> Option<Id> {
        let state = self.access();
        state.id.filter(|_| !state.cycle)
    }
}

impl State {
    /// The visitor's value for this key; null counts as missing.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.data.get(key).filter(|value| !is_reserved(key) && !value.is_null())
    }

    /// Refuses reserved keys, and what would make the session grow beyond its limit. A session that
    /// is larger already, from before the limit was lowered, may shrink or stay as it is.
    pub(super) fn check_growth<'a>(
        &mut self,
        added: impl IntoIterator<Item = (&'a str, &'a Value)>,
        limit: usize,
    ) -> Result<(), Error> {
        let (stored, mut size) = self.data.sizes();
        let before = size;
        for (key, value) in added {
            if is_reserved(key) {
                return Err(Error::ReservedKey { key: key.to_owned() });
            }
            let old = self.data.get(key).map_or(0, |old| entry_size(key, old));
            size = size + entry_size(key, value) - old;
        }
        match size > limit && size > stored.max(before) {
            true => Err(Error::TooLarge { size, limit }),
            false => Ok(()),
        }
    }
}
