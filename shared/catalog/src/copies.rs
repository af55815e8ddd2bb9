use std::fmt;

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row};

use crate::{Catalog, Error};

/// One copy of a book: what stands on the shelf, or should. The Django tutorial calls it
/// `BookInstance`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookCopy {
    /// A UUID of 36 characters.
    pub id: String,
    /// The edition: publisher and year.
    pub imprint: String,
    /// YYYY-MM-DD, where it is on loan or reserved.
    pub due_back: Option<String>,
    /// Where it is.
    pub status: Status,
}

/// Where a copy is. Displayed, it is the tutorial's word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Being repaired, or not yet ready to be lent.
    Maintenance,
    /// With a reader.
    OnLoan,
    /// On the shelf.
    Available,
    /// On the shelf, for somebody who asked for it.
    Reserved,
}

impl Status {
    fn from_code(code: &str) -> Option<Status> {
        Some(match code {
            "d" => Status::Maintenance,
            "o" => Status::OnLoan,
            "a" => Status::Available,
            "r" => Status::Reserved,
            _ => return None,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Maintenance => "Maintenance",
            Status::OnLoan => "On loan",
            Status::Available => "Available",
            Status::Reserved => "Reserved",
        })
    }
}

impl FromRow<'_, SqliteRow> for BookCopy {
    fn from_row(row: &SqliteRow) -> Result<BookCopy, sqlx::Error> {
        let code: String = row.try_get("status")?;
        // The table allows these four only, so this is a table that a newer program has changed.
        let status = Status::from_code(&code).ok_or_else(|| sqlx::Error::ColumnDecode {
            index: "status".to_owned(),
            source: format!("there is no status {code:?}").into(),
        })?;
        Ok(BookCopy {
            id: row.try_get("id")?,
            imprint: row.try_get("imprint")?,
            due_back: row.try_get("due_back")?,
            status,
        })
    }
}

impl Catalog {
    /// The copies of the book with this id: those that are not out first, then by the day they
    /// are due back.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// use catalog::Status;
    ///
    /// let copies = library.copies_of(1).await?;
    /// assert_eq!(copies[0].status, Status::Available);
    /// assert_eq!(copies[0].due_back, None);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn copies_of(&self, book_id: i64) -> Result<Vec<BookCopy>, Error> {
        // SQLite sorts NULL before every date.
        sqlx::query_as(
            "SELECT id, imprint, due_back, status FROM book_instance
             WHERE book_id = ?
             ORDER BY due_back, status, imprint, id",
        )
        .bind(book_id)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::Query)
    }
}
