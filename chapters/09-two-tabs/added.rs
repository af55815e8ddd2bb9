//! How many books a basket should have: what the lesson compares the session with.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use sessions::Id;

/// Forgotten when there are more, so that visitors cannot fill the memory.
const MOST: usize = 1_000;

/// For each session, the books that the visitor was told were added. It is kept in the memory of this
/// program, next to the sessions, because the sessions are what it is to check.
#[derive(Clone, Default)]
pub struct Added(Arc<Mutex<HashMap<Id, u32>>>);

impl Added {
    /// Counts one more book. `before` is how many the basket had: where the count begins, if this
    /// program has not seen the session before.
    pub fn count(&self, session: Option<Id>, before: u32) {
        let Some(session) = session else { return };
        let mut added = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if added.len() >= MOST {
            added.clear();
        }
        *added.entry(session).or_insert(before) += 1;
    }

    /// How many there should be; `None` if no book was added in this session.
    pub fn of(&self, session: Option<Id>) -> Option<u32> {
        let added = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        added.get(&session?).copied()
    }
}
