//! A record as a row: what the SQL stores have in common.

use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use tower_sessions::{
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::Version;

/// What is stored instead of an id. Whoever gets hold of a copy of the database cannot turn a hash
/// back into an id, and so cannot take a session over (OWASP Session Management Cheat Sheet). An id
/// has 128 random bits, so a plain hash needs no salt.
pub(crate) type Hash = Vec<u8>;

/// SHA-256.
pub(crate) fn hash(id: &Id) -> Hash {
    Sha256::digest(id.0.to_le_bytes()).to_vec()
}

/// What is written.
#[derive(Debug)]
pub(crate) struct Row {
    pub id_hash: Hash,
    /// A JSON object.
    pub data: String,
    /// Seconds since 1970, UTC.
    pub expiry_date: i64,
}

impl Row {
    pub fn of(record: &Record) -> Result<Row> {
        Ok(Row {
            id_hash: hash(&record.id),
            data: serde_json::to_string(&record.data)
                .map_err(|error| Error::Encode(error.to_string()))?,
            expiry_date: record.expiry_date.unix_timestamp(),
        })
    }
}

/// What is read: data, expiry date, version.
pub(crate) type Stored = (String, i64, i64);

/// The record of this id that such a row holds.
pub(crate) fn record(id: &Id, (data, expiry_date, version): Stored) -> Result<(Record, Version)> {
    let record = Record {
        id: *id,
        data: serde_json::from_str(&data).map_err(decode)?,
        expiry_date: OffsetDateTime::from_unix_timestamp(expiry_date).map_err(decode)?,
    };
    Ok((record, Version(version as u64)))
}

pub(crate) fn decode(error: impl std::error::Error) -> Error {
    Error::Decode(error.to_string())
}
