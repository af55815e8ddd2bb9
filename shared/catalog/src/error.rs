use std::fmt;
use std::path::{Path, PathBuf};

use sqlx::migrate::MigrateError;

/// What can go wrong with the library.
///
/// Displayed, each is one line for the person at the keyboard. Its `source` is for the log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file could not be opened, or not made into a library.
    #[error("{} {problem}", path.display())]
    Open {
        /// The file, as it was given to [`Catalog::open`](crate::Catalog::open).
        path: PathBuf,
        /// What is the matter with it, and what to do.
        problem: Problem,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The library was open and then did not answer.
    #[error("The library's database did not answer.")]
    Query(#[source] sqlx::Error),
}

/// Why a file could not be opened as a library.
///
/// Displayed, it goes on after the file's name: what happened, then what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It has tables that this program does not know.
    Newer,
    /// Its tables were made by a migration that reads differently now.
    Changed,
    /// It is something else than a SQLite database, or was one.
    Damaged,
    /// It can be read but not written.
    ReadOnly,
    /// Another program has held it for longer than 5 seconds.
    Locked,
    /// It cannot be opened or made: no such folder, no permission, or a folder itself.
    OutOfReach,
    /// There is no room left for it.
    DiskFull,
    /// Anything else; the source says what.
    Other,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::Newer => {
                "was made by a newer version of this program. \
                 Update the program, or move the file away to start with a fresh one."
            }
            Problem::Changed => {
                "was made by a migration that was edited since. \
                 Undo the edit, or move the file away to start with a fresh one."
            }
            Problem::Damaged => {
                "is not a SQLite database or is damaged. \
                 Move it away to start with a fresh one, or restore a copy."
            }
            Problem::ReadOnly => {
                "can be read but not written. \
                 Allow writing to the file and its folder, or choose another place."
            }
            Problem::Locked => "is locked by another program. Close that program, then try again.",
            Problem::OutOfReach => {
                "cannot be opened or created. \
                 Check that it is a file, that its folder exists, and that you may write there."
            }
            Problem::DiskFull => {
                "cannot grow, because the disk is full. Free some space, then try again."
            }
            Problem::Other => {
                "could not be made ready as a library. \
                 See the cause, or move the file away to start with a fresh one."
            }
        })
    }
}

impl Error {
    pub(crate) fn open(path: &Path, source: sqlx::Error) -> Error {
        Error::Open { path: path.to_owned(), problem: Problem::of(&source), source }
    }
}

// SQLite's result codes: https://www.sqlite.org/rescode.html
pub(crate) const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const READONLY: i32 = 8;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

impl Problem {
    fn of(error: &sqlx::Error) -> Problem {
        if let sqlx::Error::Migrate(error) = error {
            match **error {
                MigrateError::VersionMissing(_) => return Problem::Newer,
                MigrateError::VersionMismatch(_) => return Problem::Changed,
                _ => {}
            }
        }
        match primary_code(error) {
            Some(BUSY | LOCKED) => Problem::Locked,
            Some(READONLY) => Problem::ReadOnly,
            Some(CORRUPT | NOTADB) => Problem::Damaged,
            Some(FULL) => Problem::DiskFull,
            Some(CANTOPEN) => Problem::OutOfReach,
            _ => Problem::Other,
        }
    }
}

/// What SQLite answered, if it was SQLite that failed.
pub(crate) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    match error {
        sqlx::Error::Database(error) => {
            // sqlx has the extended code, as text: the low byte is the code, the rest is detail.
            let extended: i32 = error.code()?.parse().ok()?;
            Some(extended & 0xff)
        }
        sqlx::Error::Migrate(error) => match &**error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                primary_code(error)
            }
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_detail_in_an_extended_code_is_left_out() {
        let library = crate::Catalog::in_memory().await.expect("there is memory");

        let error = sqlx::raw_sql("UPDATE book_instance SET status = 'x'")
            .execute(library.pool())
            .await
            .expect_err("there is no such state");

        // 275 is SQLITE_CONSTRAINT_CHECK, 19 is SQLITE_CONSTRAINT.
        let extended = error.as_database_error().and_then(|error| error.code());
        assert_eq!(extended.as_deref(), Some("275"));
        assert_eq!(primary_code(&error), Some(19));
    }
}
