//! The data of a session: what the store has, and what this request has changed of it.

use std::collections::HashMap;

use serde_json::Value;

use super::{moved::MOVED, size::json_size};

pub(crate) type Data = HashMap<String, Value>;

/// Where a chosen expiry is kept: in the data, so that it lasts as long as the session. The key
/// is Django's.
pub(crate) const EXPIRY: &str = "_session_expiry";

/// Keys of the framework's own. Handlers neither see nor write them, and they do not count towards
/// the size of the session.
pub(crate) fn is_reserved(key: &str) -> bool {
    [EXPIRY, MOVED].contains(&key)
}

/// A new value, or `None` for a key that was removed.
pub(crate) type Change = Option<Value>;

/// The changes lie over what is stored, so that both can be told apart until the commit: if another
/// request stores something in the meantime, the changes of this one are laid over that.
#[derive(Default)]
pub(crate) struct Changes {
    /// As it was last seen in the store.
    stored: Data,
    changes: HashMap<String, Change>,
    /// Bytes of JSON, of `stored` alone and with the changes; `None` until they are asked for.
    stored_size: Option<usize>,
    size: Option<usize>,
}

impl Changes {
    /// Takes over what the store has now. The changes of this request stay on top.
    pub fn set_stored(&mut self, stored: Data) {
        self.stored = stored;
        (self.stored_size, self.size) = (None, None);
    }

    /// The changes are stored, and `data` is what the store has now. A change that a clone of the
    /// session has made meanwhile is not among them, and waits.
    pub fn set_saved(&mut self, data: Data) {
        self.changes.retain(|key, change| data.get(key) != change.as_ref());
        self.set_stored(data);
    }

    /// One change is stored, and `data` is what the store has now. The others wait, and so does a
    /// change of the same key that came after `before`.
    pub fn set_updated(&mut self, key: &str, before: Option<&Change>, data: Data) {
        if self.changes.get(key) == before {
            self.changes.remove(key);
        }
        self.set_stored(data);
    }

    /// What this request has made of a key, if it has changed it.
    pub fn change(&self, key: &str) -> Option<&Change> {
        self.changes.get(key)
    }

    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    pub fn stored(&self) -> &Data {
        &self.stored
    }

    pub fn get(&self, key: &str) -> Option<&Value> {
        match self.changes.get(key) {
            Some(changed) => changed.as_ref(),
            None => self.stored.get(key),
        }
    }

    pub fn put(&mut self, key: String, value: Value) {
        self.count(&key, Some(&value));
        self.changes.insert(key, Some(value));
    }

    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let removed = self.get(key)?.clone();
        self.count(key, None);
        self.changes.insert(key.to_owned(), None);
        Some(removed)
    }

    pub fn clear(&mut self) {
        // Key by key, so that a key which another request adds meanwhile is not among them.
        let keys: Vec<_> = self.iter().map(|(key, _)| key.to_owned()).collect();
        for key in keys {
            self.remove(&key);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        let stored = self.stored.iter().filter(|(key, _)| !self.changes.contains_key(*key));
        let changed = self.changes.iter().filter_map(|(key, it)| Some((key, it.as_ref()?)));
        stored.chain(changed).map(|(key, value)| (key.as_str(), value))
    }

    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The changed values that are there, without those that were removed.
    pub fn changed(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.changes.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)))
    }

    /// What a commit stores: the changes laid over what is stored.
    pub fn to_data(&self) -> Data {
        self.iter().map(|(key, value)| (key.to_owned(), value.clone())).collect()
    }

    /// What an update of one key stores: that key, and none of the other changes.
    pub fn stored_with(&self, key: &str, value: Value) -> Data {
        let mut data = self.stored.clone();
        data.insert(key.to_owned(), value);
        data
    }

    /// Bytes of JSON that the session takes in the store, and would take with the changes.
    pub fn sizes(&mut self) -> (usize, usize) {
        let stored = *self.stored_size.get_or_insert_with(|| data_size(&self.stored));
        if self.size.is_none() {
            let entries: usize = self.iter().map(|(key, value)| entry_size(key, value)).sum();
            self.size = Some(BRACES + entries);
        }
        (stored, self.size.unwrap_or(stored))
    }

    /// Keeps the size up to date, so that a change costs what its value costs, however large the
    /// session is.
    fn count(&mut self, key: &str, new: Option<&Value>) {
        // Before the first insert the size is unknown, and is worked out when it is asked for.
        let Some(size) = self.size else { return };
        let old = self.get(key).map_or(0, |old| entry_size(key, old));
        self.size = Some(size - old + new.map_or(0, |new| entry_size(key, new)));
    }
}

/// Bytes of JSON of such data, without the framework's own keys.
pub(crate) fn data_size(data: &Data) -> usize {
    BRACES + data.iter().map(|(key, value)| entry_size(key, value)).sum::<usize>()
}

/// Two braces, and no comma after the last entry.
const BRACES: usize = 1;

/// With the colon and the comma.
pub(crate) fn entry_size(key: &str, value: &Value) -> usize {
    if is_reserved(key) { 0 } else { json_size(&key) + json_size(value) + 2 }
}
