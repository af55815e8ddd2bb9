//! Names for session ids, and what may be shown of a cookie.

use std::{
    collections::{BTreeSet, VecDeque},
    hash::{BuildHasher, RandomState},
};

/// How many ids have a name at once. The one that got its name first loses it first.
const MOST: usize = 1000;

/// Longer values than this, in characters, may be a secret even in a cookie of this program.
const SHORT: usize = 20;

/// A session id is 128 random bits in base64: so many characters.
const ID: usize = 22;

/// Which ids and which cookies were seen. It keeps no id: a hash tells one from another.
#[derive(Debug, Default)]
pub(crate) struct Names {
    hashes: RandomState,
    ids: VecDeque<(u64, u64)>,
    seen: u64,
    /// The names of the cookies that this program has set.
    ours: BTreeSet<String>,
}

impl Names {
    /// For example `session-2 (k3Jd…)`.
    pub fn session(&mut self, id: &str) -> String {
        let hash = self.hashes.hash_one(id);
        let number = match self.ids.iter().find(|(known, _)| *known == hash) {
            Some((_, number)) => *number,
            None => {
                self.seen += 1;
                if self.ids.len() == MOST {
                    self.ids.pop_front();
                }
                self.ids.push_back((hash, self.seen));
                self.seen
            }
        };
        format!("session-{number} ({}…)", first_four(id))
    }

    /// This program has set a cookie of this name.
    pub fn set(&mut self, name: &str) {
        if self.ours.len() < MOST {
            self.ours.insert(name.to_owned());
        }
    }

    /// What may be shown of a cookie's value.
    pub fn value(&mut self, name: &str, value: &str) -> String {
        let length = value.chars().count();
        let is_known = self.ids.iter().any(|(known, _)| *known == self.hashes.hash_one(value));
        let is_ours = self.ours.contains(name);
        match () {
            () if is_known || (is_ours && is_id(value)) => self.session(value),
            () if is_ours && length <= SHORT => value.to_owned(),
            // So short that its first four characters would be the whole.
            () if length <= 4 => format!("… ({length} characters)"),
            () => format!("{}… ({length} characters)", first_four(value)),
        }
    }
}

fn first_four(text: &str) -> String {
    text.chars().take(4).collect()
}

fn is_id(value: &str) -> bool {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    value.len() == ID && value.bytes().all(is_base64)
}
