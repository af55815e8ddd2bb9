//! LocalLibrary's data: its books, copies, authors, genres, languages, readers and loans, in one
//! SQLite file.
//!
//! [`Catalog::open`] makes the file if there is none, brings an older one up to date, and puts
//! sample books and readers into a new one. Nothing has to be installed or configured first.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), catalog::Error> {
//! use catalog::Catalog;
//!
//! let library = Catalog::in_memory().await?;
//! let counts = library.counts().await?;
//!
//! assert_eq!(counts.books, 29);
//! assert!(counts.copies_available < counts.copies);
//! # Ok(())
//! # }
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `migrations/` | the tables, one file a change |
//! | `sample.sql` | what a new library holds |
//! | `readers.sql` | its first readers, and what they have borrowed |
//! | `counts.rs` | the numbers of the home page |
//! | `books.rs` | a book; lists of books |
//! | `authors.rs` | an author; the list of authors |
//! | `copies.rs` | the copies of a book, and where they are |
//! | `readers.rs` | who may sign in, and as what |
//! | `loans.rs` | who has borrowed which copy |
//! | `page.rs` | one page of a list |
//! | `file.rs` | the file, before SQLite opens it |
//! | `setup.rs` | how a file becomes a library, once, however many programs start |
//! | `error.rs` | what can go wrong, in words for the person at the keyboard |

mod authors;
mod books;
mod copies;
mod counts;
mod error;
mod file;
mod loans;
mod page;
mod readers;
mod setup;

use std::path::Path;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};

pub use authors::Author;
pub use books::{Book, BookOrder};
pub use copies::{BookCopy, Status};
pub use counts::Counts;
pub use error::{Error, Problem};
pub use loans::Loan;
pub use page::Page;
pub use readers::{Credentials, Reader};

use error::Refusal;

/// How long a statement waits for another program's write to end.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The library, open. Clones share its connections, so hand one to each handler.
#[derive(Clone, Debug)]
pub struct Catalog {
    pool: SqlitePool,
}

impl Catalog {
    /// Opens the library at `path`, which is made if it is missing; its folder is not.
    ///
    /// A new library gets the sample books and readers. A library that was there keeps what it has:
    /// one whose books were all deleted stays empty. One from before there were readers gets the
    /// sample readers, once. Several programs may open the same new file at once. Of
    /// the copies that are out, three are late on the day that a library is made, and the others
    /// are due back in three weeks or later.
    ///
    /// Only its owner may read and write a new file. A file that was there keeps its mode.
    ///
    /// The file is in WAL mode with `synchronous = FULL`, so what was committed outlives a power
    /// cut. Foreign keys are enforced. A statement waits up to 5 seconds for a lock.
    ///
    /// # Errors
    ///
    /// [`Error::Open`], whose [`Problem`] says what the matter is with the file. The file is then
    /// as it was before, or empty if there was none.
    pub async fn open(path: impl AsRef<Path>) -> Result<Catalog, Error> {
        Catalog::open_within(path.as_ref(), BUSY_TIMEOUT).await
    }

    /// Opens a library of sample books that lives in memory, for tests: every call makes a new one,
    /// and it is gone with its last clone.
    ///
    /// Its copies are due back on the same days in every run, as if it had been made on 21 December
    /// 2026.
    ///
    /// It has one connection. Who holds that and asks for another waits for 30 seconds and fails.
    ///
    /// # Errors
    ///
    /// [`Error::Open`], when there is no memory left.
    pub async fn in_memory() -> Result<Catalog, Error> {
        let options = SqliteConnectOptions::new().foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            // Each connection to ":memory:" would be another library, and closing it the end of it.
            .max_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options);
        setup::prepare(&pool, BUSY_TIMEOUT, setup::SAMPLE_DAY)
            .await
            .map_err(|refusal| Error::open(Path::new(":memory:"), refusal))?;
        Ok(Catalog { pool })
    }

    /// The connections, for queries that this crate does not have.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Waits for the queries that are under way, and closes all connections. From then on every
    /// query is an [`Error::Query`].
    ///
    /// Call it when the server has stopped. The last connection to the file moves the write-ahead
    /// log into it and deletes the log: then the file alone holds everything, and can be copied. So
    /// close a session store over the same file, too; in which order does not matter.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let file = folder.path().join("library.sqlite");
    /// let library = catalog::Catalog::open(file).await?;
    /// // … serve visitors, and when the server ends:
    /// library.close().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn open_within(path: &Path, busy_timeout: Duration) -> Result<Catalog, Error> {
        let refuse = |refusal: Refusal| Error::open(path, refusal);
        file::check(path).map_err(|problem| refuse(problem.into()))?;
        file::make(path);
        // No journal_mode here: each new connection would try to switch, and setup does it once.
        // And no create_if_missing: if the file is moved away while the server runs, a new
        // connection would go on with an empty one.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(busy_timeout);
        let pool = SqlitePoolOptions::new()
            // A file on this machine does not hang up, so no connection is asked whether it is alive.
            .test_before_acquire(false)
            .acquire_timeout(busy_timeout.max(BUSY_TIMEOUT))
            .connect_lazy_with(options);
        setup::prepare(&pool, busy_timeout, setup::TODAY).await.map_err(refuse)?;
        Ok(Catalog { pool })
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;

    // Here and not in tests/, since only here the wait can be cut short.
    #[tokio::test]
    async fn a_library_locked_by_another_program_says_so() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("library.sqlite");
        let other = Catalog::open(&path).await.expect("a new library opens");
        let mut other = other.pool.acquire().await.expect("it has a connection");
        let _lock = other.begin_with("BEGIN EXCLUSIVE").await.expect("the lock is free");

        let refused = Catalog::open_within(&path, Duration::ZERO).await;

        let error = refused.expect_err("the other program still holds the lock");
        assert_eq!(
            error.to_string(),
            format!(
                "{} is locked by another program. Close that program, then try again.",
                path.display()
            )
        );
    }
}
