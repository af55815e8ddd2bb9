//! The file, before SQLite opens it: is it one, and who may read it?

use std::fs::{self, OpenOptions};
use std::mem;
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

/// Makes an empty file if the file is missing, which SQLite takes for a new database. Only its owner may
/// read and write it, since the site keeps its visitors' sessions there too. SQLite gives its
/// `-wal` and `-shm` files the same mode.
pub(crate) fn make(path: &Path) {
    if path.exists() {
        return;
    }
    let mut options = OpenOptions::new();
    // Not `create_new`: another program may be making the file at this moment, and that is fine.
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // If it cannot be made, SQLite cannot open it, and says why.
    if let Ok(file) = options.open(path) {
        // It stays open as long as the process lives. SQLite's locks belong to the process, and
        // closing any handle of the file would end them, also those of a library that another
        // thread has opened meanwhile. See https://www.sqlite.org/howtocorrupt.html, section 2.2.
        mem::forget(file);
    }
}
