//! A record as the stores write it down: the hash of its id, text and numbers.

use std::ops::Range;

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tower_sessions::{
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::Version;

/// What is stored instead of an id: its SHA-256 hash.
///
/// A copy of the database shows hashes, and a hash cannot be turned back into an id. So a copy does
/// not let its reader take a session over (session hijacking; OWASP Session Management Cheat
/// Sheet). A password needs a salt and a slow hash, because people choose passwords that can be
/// guessed. An id has 128 random bits, too many to go through, so a plain hash will do.
pub(crate) type IdHash = Vec<u8>;

/// The hash of this id, 32 bytes.
pub(crate) fn hash(id: &Id) -> IdHash {
    Sha256::digest(id.0.to_le_bytes()).to_vec()
}

/// A record as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub id_hash: IdHash,
    /// A JSON object.
    pub data: String,
    /// Seconds since 1970, UTC.
    pub expiry_date: i64,
}

impl Row {
    pub fn encode(record: &Record) -> Result<Row> {
        Ok(Row {
            id_hash: hash(&record.id),
            data: serde_json::to_string(&record.data)
                .map_err(|error| Error::Encode(error.to_string()))?,
            expiry_date: record.expiry_date.unix_timestamp(),
        })
    }
}

/// A record as it is read: data, expiry date, version.
pub(crate) type Columns = (String, i64, i64);

/// The record of this id that such a row holds.
pub(crate) fn decode(id: &Id, (data, expiry_date, version): Columns) -> Result<(Record, Version)> {
    let record = Record {
        id: *id,
        data: serde_json::from_str(&data).map_err(|error| not_json(&error))?,
        expiry_date: OffsetDateTime::from_unix_timestamp(expiry_date).map_err(undecodable)?,
    };
    match VERSIONS.contains(&version) {
        true => Ok((record, Version(version as u64))),
        false => Err(Error::Decode(format!("its version is {version}"))),
    }
}

/// Versions begin at 1. The largest number has no next one, so no write over it could succeed.
const VERSIONS: Range<i64> = 1..i64::MAX;

/// The version as it is written, or `None` if no record that can be read has it.
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) fn column(version: Version) -> Option<i64> {
    i64::try_from(version.0).ok().filter(|version| VERSIONS.contains(version))
}

/// Says where the text stops to make sense, and not what stands there: serde_json quotes it, and a
/// visitor's data have no place in a log.
pub(crate) fn not_json(error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    Error::Decode(format!("it is not a session in JSON (line {line}, column {column})"))
}

pub(crate) fn undecodable(error: impl ToString) -> Error {
    Error::Decode(error.to_string())
}

/// Seconds since 1970, UTC. A record is valid while its expiry date is later.
pub(crate) fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}
