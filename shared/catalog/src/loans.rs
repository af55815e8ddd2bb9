use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use crate::{Catalog, Error};

/// What `Loan::from_row` reads. A copy without a book cannot be on loan, but may be in the table.
const LOAN: &str = "SELECT book_instance.id AS copy_id, coalesce(title, 'Unknown book') AS title,
        due_back, reader.name AS borrower
    FROM book_instance
    JOIN reader ON reader.id = book_instance.borrower_id
    LEFT JOIN book ON book.id = book_instance.book_id
    WHERE status = 'o'";

/// A copy that a reader has borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loan {
    /// The copy: a UUID of 36 characters.
    pub copy_id: String,
    /// The book's title.
    pub title: String,
    /// YYYY-MM-DD, if a day was agreed on.
    pub due_back: Option<String>,
    /// The name of the reader who has it.
    pub borrower: String,
}

impl FromRow<'_, SqliteRow> for Loan {
    fn from_row(row: &SqliteRow) -> Result<Loan, sqlx::Error> {
        Ok(Loan {
            copy_id: row.try_get("copy_id")?,
            title: row.try_get("title")?,
            due_back: row.try_get("due_back")?,
            borrower: row.try_get("borrower")?,
        })
    }
}

impl Catalog {
    /// What the reader with this id has borrowed, by the day it is due back.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// let loans = library.loans_of(1).await?;
    /// assert_eq!(loans[0].title, "Anna Karenina");
    /// assert_eq!(loans[0].borrower, "ada");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn loans_of(&self, reader_id: i64) -> Result<Vec<Loan>, Error> {
        // Safe, as below: all of it is this file's own, and the id is bound.
        let list = format!("{LOAN} AND borrower_id = ? ORDER BY due_back, title, copy_id");
        sqlx::query_as(AssertSqlSafe(list))
            .bind(reader_id)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::Query)
    }

    /// What all readers have borrowed, by the day it is due back. Copies that were lent before the
    /// library knew its readers are not among them.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// assert_eq!(library.loans().await?.len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn loans(&self) -> Result<Vec<Loan>, Error> {
        let list = format!("{LOAN} ORDER BY due_back, title, copy_id");
        sqlx::query_as(AssertSqlSafe(list)).fetch_all(&self.pool).await.map_err(Error::Query)
    }

    /// Puts a borrowed copy back on the shelf. Says whether it was borrowed: of two librarians who
    /// mark the same copy at once, one is told yes.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// let loan = &library.loans().await?[0];
    /// assert!(library.return_copy(&loan.copy_id).await?);
    /// assert!(!library.return_copy(&loan.copy_id).await?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn return_copy(&self, copy_id: &str) -> Result<bool, Error> {
        let returned = sqlx::query(
            "UPDATE book_instance SET status = 'a', due_back = NULL, borrower_id = NULL
             WHERE id = ? AND status = 'o' AND borrower_id IS NOT NULL",
        )
        .bind(copy_id)
        .execute(&self.pool)
        .await
        .map_err(Error::Query)?;
        Ok(returned.rows_affected() > 0)
    }
}
