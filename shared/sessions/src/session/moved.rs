//! The note that a session leaves under its old id when it moves to a new one.
//!
//! Two requests of one visitor may run at the same time, and one of them may give the session a
//! new id. The other one then finds its record gone: was the session ended, or has it moved? The
//! note answers that. A request that had loaded the session before it moved follows the note. A
//! request that *comes* with the old id does not: it is a stranger with an old id, and it gets no
//! session (session fixation is what the move is against).

use std::collections::HashMap;

use serde_json::Value;
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime};
use tower_sessions::session::{Id, Record};

/// The note's key. No visitor's key may have this name.
pub(crate) const MOVED: &str = "_session_moved";

/// How long the note stays: as long as a request that was running may still want to follow it.
const STAYS: Duration = Duration::minutes(1);

/// The record that takes the place of the one under `old`.
pub(crate) fn note(old: &Id, new: &Id) -> Record {
    let data = HashMap::from([(MOVED.to_owned(), Value::from(mask(old, new).to_string()))]);
    Record { id: *old, data, expiry_date: OffsetDateTime::now_utc() + STAYS }
}

/// The id that the session has moved to, if this record is a note.
pub(crate) fn to(record: &Record) -> Option<Id> {
    let masked = record.data.get(MOVED)?.as_str()?.parse().ok()?;
    Some(mask(&record.id, &masked))
}

/// Stores hold hashes, so that a copy of one shows no id. In the note, the new id is masked with
/// bytes that only somebody who has the old id can compute. Masking twice gives the id back.
fn mask(old: &Id, new: &Id) -> Id {
    let hash = Sha256::new().chain_update(MOVED).chain_update(old.0.to_le_bytes()).finalize();
    let (bytes, _) = hash.split_first_chunk().expect("SHA-256 has 32 bytes");
    Id(new.0 ^ i128::from_le_bytes(*bytes))
}
