//! The file, before SQLite opens it: is it one?

use std::fs;
use std::path::Path;

use crate::Problem;

/// What is wrong with the name, or with what has that name already.
pub(crate) fn check(path: &Path) -> Result<(), Problem> {
    let Some(name) = path.to_str() else { return Err(Problem::NotUtf8) };
    // SQLite knows names that are none: the first two are a library in memory, one more with each
    // connection, and what follows "file:" is a URI.
    if name.is_empty() || name == ":memory:" || name.starts_with("file:") {
        return Err(Problem::NotAFile);
    }
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => Err(Problem::NotAFile),
        // If there is nothing yet, or nothing that can be looked at, SQLite finds out.
        Ok(_) | Err(_) => Ok(()),
    }
}
