//! The note that a session leaves under its old id when it moves to a new one. Databases call such
//! a record a tombstone.
//!
//! Two requests of one visitor may run at the same time, and one of them may give the session a
//! new id. The other one then finds its record gone: was the session ended, or has it moved? The
//! note answers that. A request that began before the move follows the note. A request that *comes*
//! with the old id does not: it is a stranger with an old id, and it gets no session (session
//! fixation is what the move is against). That holds too for a stranger who finds the session in a
//! cache that is stale: the note says when the session moved.

use std::collections::HashMap;

use serde_json::json;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use tower_sessions::session::{Id, Record};

/// The note's key. No visitor's key may have this name.
pub(crate) const MOVED: &str = "_session_moved";

/// How long the note stays: as long as a request that was running may still want to follow it.
const STAYS: Duration = Duration::minutes(1);

/// The record that takes the place of the one under `old`.
pub(crate) fn note(old: &Id, new: &Id) -> Record {
    let now = OffsetDateTime::now_utc();
    let note = json!({ "to": mask(old, new).to_string(), "at": milliseconds(now) });
    let data = HashMap::from([(MOVED.to_owned(), note)]);
    Record { id: *old, data, expiry_date: now + STAYS }
}

/// The id that the session has moved to, if this record is the note that it left under its old id.
///
/// For tools that look into a store. The framework follows the note by itself.
///
/// ```
/// use sessions::{Id, Record, moved_to};
/// use time::OffsetDateTime;
///
/// let (id, expiry_date) = (Id::default(), OffsetDateTime::now_utc());
/// let record = Record { id, data: Default::default(), expiry_date };
/// assert_eq!(moved_to(&record), None);
/// ```
pub fn to(record: &Record) -> Option<Id> {
    let masked = record.data.get(MOVED)?["to"].as_str()?.parse().ok()?;
    Some(mask(&record.id, &masked))
}

/// The id that the session has moved to, if it did so after this moment.
pub(crate) fn since(began: OffsetDateTime, record: &Record) -> Option<Id> {
    let at = record.data.get(MOVED)?["at"].as_i64()?;
    to(record).filter(|_| at >= milliseconds(began))
}

/// Since 1970. The clocks of several servers should be in step (NTP).
fn milliseconds(moment: OffsetDateTime) -> i64 {
    (moment.unix_timestamp_nanos() / 1_000_000) as i64
}

/// Stores hold hashes, so that a copy of one shows no id. In the note, the new id is masked with
/// bytes that take the old id to compute. Masking twice gives the id back.
fn mask(old: &Id, new: &Id) -> Id {
    let hash = Sha256::new().chain_update(MOVED).chain_update(old.0.to_le_bytes()).finalize();
    let (bytes, _) = hash.split_first_chunk().expect("SHA-256 has 32 bytes");
    Id(new.0 ^ i128::from_le_bytes(*bytes))
}
