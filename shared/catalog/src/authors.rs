use std::fmt;

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use crate::{Catalog, Error, Page};

/// What `Author::from_row` reads, from the table `author`.
pub(crate) const AUTHOR: &str = "author.id AS author_id, first_name, last_name,
     date_of_birth, date_of_death";

/// Somebody who wrote a book, or may have.
///
/// Displayed, it is `Austen, Jane`, as in the Django tutorial, part 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Never changes, and is never given to another author while this one is here.
    pub id: i64,
    /// All that comes before the last name.
    pub first_name: String,
    /// What authors are sorted by.
    pub last_name: String,
    /// YYYY-MM-DD, where it is known.
    pub date_of_birth: Option<String>,
    /// YYYY-MM-DD, where it is known.
    pub date_of_death: Option<String>,
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.last_name, self.first_name)
    }
}

impl FromRow<'_, SqliteRow> for Author {
    fn from_row(row: &SqliteRow) -> Result<Author, sqlx::Error> {
        Ok(Author {
            id: row.try_get("author_id")?,
            first_name: row.try_get("first_name")?,
            last_name: row.try_get("last_name")?,
            date_of_birth: row.try_get("date_of_birth")?,
            date_of_death: row.try_get("date_of_death")?,
        })
    }
}

impl Catalog {
    /// A page of all authors, by last name, first name and id. `per_page` 0 counts as 1.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// let page = library.authors(10, 1).await?;
    /// assert_eq!(page.items[0].to_string(), "Austen, Jane");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer. A page that does not exist is none:
    /// ask [`Page::exists`].
    pub async fn authors(&self, per_page: u32, number: u64) -> Result<Page<Author>, Error> {
        let list = format!("SELECT {AUTHOR} FROM author ORDER BY last_name, first_name, author.id");
        self.page("SELECT count(*) FROM author", list, per_page, number).await
    }

    /// The author with this id, if there is one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// assert!(library.author(1).await?.is_some());
    /// assert!(library.author(-1).await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn author(&self, id: i64) -> Result<Option<Author>, Error> {
        // Safe: `AUTHOR` is a constant above, and the id is bound.
        sqlx::query_as(AssertSqlSafe(format!("SELECT {AUTHOR} FROM author WHERE author.id = ?")))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::Query)
    }
}
