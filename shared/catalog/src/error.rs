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
    #[error("{}", one_line(path, *problem, source.as_ref()))]
    Open {
        /// The file, as it was given to [`Catalog::open`](crate::Catalog::open).
        path: PathBuf,
        /// What is the matter with it, and what to do.
        problem: Problem,
        /// What SQLite said, if it was asked.
        source: Option<sqlx::Error>,
    },
    /// The library was open and then did not answer. See [`is_temporary`](Error::is_temporary).
    #[error("The library's database did not answer.")]
    Query(#[source] sqlx::Error),
}

/// Why a file could not be opened as a library.
///
/// Displayed, it goes on after the file's name: what happened, then what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It is a folder or a device, or the name stands for no file at all: an empty one, `:memory:`,
    /// or a URI.
    NotAFile,
    /// SQLite takes names in UTF-8 only.
    NotUtf8,
    /// Another program has a table or a view of this name in it.
    Taken(&'static str),
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
    /// It cannot be opened or made: no such folder, or no permission.
    OutOfReach,
    /// There is no room left for it.
    DiskFull,
    /// Anything else. The error's line ends with the cause.
    Other,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Problem::NotAFile => {
                "is not a file. Name one that is there or can be made. \
                 A library in memory is Catalog::in_memory()."
            }
            Problem::NotUtf8 => {
                "has a name that is not UTF-8, which SQLite cannot open. \
                 Rename the file or its folder."
            }
            Problem::Taken(name) => {
                return write!(
                    f,
                    "has a table or a view `{name}` of another program's. Choose another file."
                );
            }
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
                 Choose another place, or move the file away to start with a fresh one."
            }
        })
    }
}

/// What the person at the keyboard reads.
fn one_line(path: &Path, problem: Problem, source: Option<&sqlx::Error>) -> String {
    let name = if path.as_os_str().is_empty() { "\"\"".into() } else { path.to_string_lossy() };
    match (problem, source) {
        (Problem::Other, Some(source)) => {
            let cause = match source {
                sqlx::Error::Io(error) => error.to_string(),
                // SQLite's sentence, without sqlx's frame and the number of the error.
                sqlx::Error::Database(error) => error.message().to_owned(),
                error => error.to_string(),
            };
            format!("{name} {problem} The cause: {}", cause.replace('\n', " "))
        }
        _ => format!("{name} {problem}"),
    }
}

/// Why a file was not opened: an [`Error::Open`] that does not know the file's name.
#[derive(Debug)]
pub(crate) struct Refusal {
    problem: Problem,
    source: Option<sqlx::Error>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal { problem, source: None }
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(source: sqlx::Error) -> Refusal {
        Refusal { problem: Problem::of(&source), source: Some(source) }
    }
}

impl Error {
    pub(crate) fn open(path: &Path, Refusal { problem, source }: Refusal) -> Error {
        Error::Open { path: path.to_owned(), problem, source }
    }

    /// Is it worth trying again in a moment? Then a visitor can be asked to; otherwise the program
    /// or the tables are at fault, and a person has to mend them.
    ///
    /// It is if another program holds the file for too long, if the process has no file descriptor
    /// left, if the disk is full or out of reach, and if the library was closed because the server
    /// is stopping. It never is for an [`Error::Open`], which ends the program that gets it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// let library = catalog::Catalog::in_memory().await?;
    /// library.close().await;
    ///
    /// let error = library.counts().await.expect_err("it is closed");
    /// assert!(error.is_temporary());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_temporary(&self) -> bool {
        match self {
            Error::Open { .. } => false,
            Error::Query(
                sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Io(_),
            ) => true,
            Error::Query(error) => {
                primary_code(error).is_some_and(|code| TEMPORARY.contains(&code))
            }
        }
    }
}

// SQLite's result codes: https://www.sqlite.org/rescode.html
pub(crate) const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const NOMEM: i32 = 7;
const READONLY: i32 = 8;
const INTERRUPT: i32 = 9;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const PROTOCOL: i32 = 15;
const NOTADB: i32 = 26;

/// What may be over at the next try.
const TEMPORARY: [i32; 8] = [BUSY, LOCKED, NOMEM, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL];

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
