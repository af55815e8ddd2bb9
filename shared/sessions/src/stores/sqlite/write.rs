//! What a request wants written, and the answer to it.

use tower_sessions::session_store::Result;

use crate::stores::{
    Outcome, Version,
    record::{Columns, IdHash, Row},
};

#[derive(Debug)]
pub(super) enum Write {
    Create(Row),
    CompareAndSwap(Version, Row),
    Delete(IdHash),
    /// Those of these rows that have expired.
    Clear(Vec<i64>),
}

impl Write {
    /// An upsert: the row, the version that it gets, and whether it is new.
    pub fn as_upsert(&self) -> Option<(&Row, Version, bool)> {
        match self {
            Write::Create(row) => Some((row, Version(1), true)),
            Write::CompareAndSwap(expected, row) => Some((row, expected.next(), false)),
            Write::Delete(_) | Write::Clear(_) => None,
        }
    }
}

/// The answer to a [`Write`].
#[derive(Debug)]
pub(super) enum Written {
    Outcome(Outcome),
    Deleted(Option<Columns>),
    Cleared(u64),
}

impl Written {
    pub fn stored(version: Version) -> Written {
        Written::Outcome(Outcome::Stored(version))
    }

    pub fn outcome(self) -> Result<Outcome> {
        match self {
            Written::Outcome(outcome) => Ok(outcome),
            other => unreachable!("a row that is written has an outcome, and not {other:?}"),
        }
    }

    pub fn deleted(self) -> Option<Columns> {
        match self {
            Written::Deleted(deleted) => deleted,
            other => unreachable!("a deletion has a row or none, and not {other:?}"),
        }
    }

    pub fn cleared(self) -> u64 {
        match self {
            Written::Cleared(cleared) => cleared,
            other => unreachable!("clearing has a number, and not {other:?}"),
        }
    }
}
