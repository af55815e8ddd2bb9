use std::fmt;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use crate::{Catalog, Error};

/// What `Reader::from_row` reads, from the table `reader`.
const READER: &str = "id, name, is_librarian, epoch";

/// A person who may sign in and borrow. In the Django tutorial this is a `User`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Never changes, and is never given to another reader.
    pub id: i64,
    /// What they sign in with. In a search, the case of A to Z does not count.
    pub name: String,
    /// May they see what others have borrowed, and take copies back?
    pub is_librarian: bool,
    /// A number that grows by one when all that was issued to this reader before is to end: with
    /// [`set_password`](Catalog::set_password) and [`next_epoch`](Catalog::next_epoch). 0 at first.
    pub epoch: i64,
}

/// A reader, and what their password is compared with.
#[derive(Clone)]
pub struct Credentials {
    /// Who it is, as they were when the hash was read.
    pub reader: Reader,
    /// A PHC string: `$argon2id$…`.
    pub password_hash: String,
}

/// Without the hash: it has no place in a log.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("reader", &self.reader).finish_non_exhaustive()
    }
}

impl FromRow<'_, SqliteRow> for Reader {
    fn from_row(row: &SqliteRow) -> Result<Reader, sqlx::Error> {
        Ok(Reader {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            is_librarian: row.try_get("is_librarian")?,
            epoch: row.try_get("epoch")?,
        })
    }
}

impl FromRow<'_, SqliteRow> for Credentials {
    fn from_row(row: &SqliteRow) -> Result<Credentials, sqlx::Error> {
        let reader = Reader::from_row(row)?;
        Ok(Credentials { reader, password_hash: row.try_get("password_hash")? })
    }
}

impl Catalog {
    /// The reader with this id, if there is one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// let ada = library.reader(1).await?.expect("the sample has her");
    /// assert_eq!(ada.name, "ada");
    /// assert!(library.reader(-1).await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn reader(&self, id: i64) -> Result<Option<Reader>, Error> {
        // Safe, as below: `READER` is a constant above, and the id is bound.
        sqlx::query_as(AssertSqlSafe(format!("SELECT {READER} FROM reader WHERE id = ?")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::Query)
    }

    /// The reader of this name with the hash of their password, if there is one. `Ada` is `ada`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// let found = library.credentials("Ada").await?.expect("the sample has her");
    /// assert_eq!(found.reader.name, "ada");
    /// assert!(found.password_hash.starts_with("$argon2id$"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn credentials(&self, name: &str) -> Result<Option<Credentials>, Error> {
        // Both in one query. A hash from before a change of the password must not come with the
        // epoch from after it.
        let query = format!("SELECT {READER}, password_hash FROM reader WHERE name = ?");
        sqlx::query_as(AssertSqlSafe(query))
            .bind(name)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::Query)
    }

    /// Stores the hash of another password, a PHC string, and returns the reader's new epoch, or
    /// `None` if there is no such reader. Both happen or neither.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// assert_eq!(library.set_password(1, "$argon2id$…").await?, Some(1));
    /// assert_eq!(library.set_password(-1, "$argon2id$…").await?, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn set_password(&self, id: i64, password_hash: &str) -> Result<Option<i64>, Error> {
        sqlx::query_scalar(
            "UPDATE reader SET password_hash = ?, epoch = epoch + 1 WHERE id = ? RETURNING epoch",
        )
        .bind(password_hash)
        .bind(id)
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::Query)
    }

    /// Begins the reader's next epoch, and returns it, or `None` if there is no such reader.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// assert_eq!(library.next_epoch(1).await?, Some(1));
    /// assert_eq!(library.next_epoch(1).await?, Some(2));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn next_epoch(&self, id: i64) -> Result<Option<i64>, Error> {
        sqlx::query_scalar("UPDATE reader SET epoch = epoch + 1 WHERE id = ? RETURNING epoch")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::Query)
    }
}
