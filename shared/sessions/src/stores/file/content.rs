//! What is in a session's file: a record as JSON.

use std::{borrow::Cow, collections::HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use tower_sessions::{
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::{
    Version,
    stores::record::{not_json, now, undecodable},
};

#[derive(Deserialize, Serialize)]
struct Content<'a> {
    /// One more with each write.
    version: u64,
    /// Seconds since 1970, UTC.
    expiry_date: i64,
    data: Cow<'a, HashMap<String, Value>>,
}

pub(super) fn encode(record: &Record, version: Version) -> Result<Vec<u8>> {
    let content = Content {
        version: version.0,
        expiry_date: record.expiry_date.unix_timestamp(),
        data: Cow::Borrowed(&record.data),
    };
    serde_json::to_vec(&content).map_err(|error| Error::Encode(error.to_string()))
}

/// The record of this id that such a file holds.
pub(super) fn decode(id: &Id, json: &[u8]) -> Result<(Record, Version)> {
    let Content { version, expiry_date, data } =
        serde_json::from_slice(json).map_err(|error| not_json(&error))?;
    let expiry_date = OffsetDateTime::from_unix_timestamp(expiry_date).map_err(undecodable)?;
    Ok((Record { id: *id, data: data.into_owned(), expiry_date }, Version(version)))
}

/// Whether the record in such a file has expired. One that cannot be decoded has no date: an
/// administrator may want to look at it.
pub(super) fn has_expired(json: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Date {
        expiry_date: i64,
    }
    serde_json::from_slice::<Date>(json).is_ok_and(|date| date.expiry_date <= now())
}
