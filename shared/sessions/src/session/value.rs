//! A value on loan, and values as JSON.

use std::ops::{Deref, DerefMut};

use serde::{Serialize, de::DeserializeOwned, ser::Error as _};
use serde_json::Value;

use super::Session;
use crate::Error;

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
    /// As it was lent; `None` until the loan is written to. A loan that is only read must not undo
    /// what was stored in the meantime.
    lent: Option<Value>,
}

impl<'a> ValueMut<'a> {
    pub(super) fn new(session: &'a Session, key: &str, value: Value) -> Self {
        ValueMut { session, key: key.to_owned(), value, lent: None }
    }
}

impl Deref for ValueMut<'_> {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

impl DerefMut for ValueMut<'_> {
    fn deref_mut(&mut self) -> &mut Value {
        if self.lent.is_none() {
            self.lent = Some(self.value.clone());
        }
        &mut self.value
    }
}

impl Drop for ValueMut<'_> {
    fn drop(&mut self) {
        let Some(lent) = self.lent.take() else { return };
        let mut state = self.session.access();
        // A key that was removed meanwhile, or a session that was ended, does not come back.
        if let Some(current) = state.data.get(&self.key) {
            let merged = merge(&lent, self.value.take(), current);
            state.data.put(self.key.clone(), merged);
        }
    }
}

/// A three-way merge: what was lent, what the loan made of it, and what is there now.
fn merge(lent: &Value, mine: Value, current: &Value) -> Value {
    match (lent, mine, current) {
        (Value::Object(lent), Value::Object(mut mine), Value::Object(current)) => {
            let mut merged = current.clone();
            // A field that the loan has removed goes. One that came in meanwhile stays.
            merged.retain(|field, _| mine.contains_key(field) || !lent.contains_key(field));
            for (field, before) in lent {
                match (mine.remove(field), current.get(field)) {
                    // Not touched by this loan.
                    (Some(value), _) if value == *before => {}
                    (Some(value), Some(now)) => {
                        merged.insert(field.clone(), merge(before, value, now));
                    }
                    (Some(value), None) => drop(merged.insert(field.clone(), value)),
                    (None, _) => {}
                }
            }
            // What is left are the fields that the loan has added.
            merged.extend(mine);
            Value::Object(merged)
        }
        // Not an object on all three sides: the loan that is dropped last wins.
        (_, mine, _) => mine,
    }
}

pub(super) fn from_json<T: DeserializeOwned>(key: &str, value: &Value) -> Result<T, Error> {
    T::deserialize(value).map_err(|source| Error::WrongType {
        key: key.to_owned(),
        expected: std::any::type_name::<T>(),
        source,
    })
}

/// serde_json writes any depth, and reads no more than 127 levels (the session has one itself).
const MAX_DEPTH: usize = 100;

pub(super) fn to_json(key: &str, value: impl Serialize) -> Result<Value, Error> {
    let value = serde_json::to_value(value)
        .map_err(|source| Error::NotStorable { key: key.to_owned(), source })?;
    check_depth(key, &value)?;
    Ok(value)
}

pub(super) fn check_depth(key: &str, value: &Value) -> Result<(), Error> {
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
