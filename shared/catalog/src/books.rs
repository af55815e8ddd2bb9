use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow, Row};

use crate::authors::AUTHOR;
use crate::{Author, Catalog, Error, Page};

/// A title, however many copies of it there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Book {
    /// Never changes, and is never given to another book while this one is here.
    pub id: i64,
    /// Sorted as it is written: "The Time Machine" stands under T.
    pub title: String,
    /// The author of Beowulf, for example, is not known.
    pub author: Option<Author>,
    /// A few sentences. May be empty.
    pub summary: String,
    /// 13 characters, and no other book's.
    pub isbn: String,
    /// The language that it was written in, where it is known.
    pub language: Option<String>,
}

/// What a list of books goes by. Both orders are total: no book stands on two pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BookOrder {
    /// By title, then author.
    #[default]
    Title,
    /// By the author's last and first name, then title. Books without an author come last.
    Author,
}

impl BookOrder {
    fn columns(self) -> &'static str {
        match self {
            // As in the index book_by_title, so that a page is read from there unsorted.
            BookOrder::Title => "title, book.author_id, book.id",
            BookOrder::Author => {
                "author.id IS NULL, last_name, first_name, author.id, title, book.id"
            }
        }
    }
}

/// All books. LEFT JOIN, since a book may have neither author nor language.
fn select() -> String {
    format!(
        "SELECT book.id AS id, title, summary, isbn, language.name AS language, {AUTHOR}
         FROM book
         LEFT JOIN author ON author.id = book.author_id
         LEFT JOIN language ON language.id = book.language_id"
    )
}

impl FromRow<'_, SqliteRow> for Book {
    fn from_row(row: &SqliteRow) -> Result<Book, sqlx::Error> {
        let author_id: Option<i64> = row.try_get("author_id")?;
        Ok(Book {
            id: row.try_get("id")?,
            title: row.try_get("title")?,
            author: author_id.map(|_| Author::from_row(row)).transpose()?,
            summary: row.try_get("summary")?,
            isbn: row.try_get("isbn")?,
            language: row.try_get("language")?,
        })
    }
}

impl Catalog {
    /// A page of all books. `per_page` 0 counts as 1.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// use catalog::BookOrder;
    ///
    /// let page = library.books(BookOrder::Title, 10, 1).await?;
    /// assert_eq!(page.items[0].title, "A Tale of Two Cities");
    /// assert_eq!(page.of, 3);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer. A page that does not exist is none:
    /// ask [`Page::exists`].
    pub async fn books(
        &self,
        order: BookOrder,
        per_page: u32,
        number: u64,
    ) -> Result<Page<Book>, Error> {
        let list = format!("{} ORDER BY {}", select(), order.columns());
        self.page("SELECT count(*) FROM book", list, per_page, number).await
    }

    /// The book with this id, if there is one.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// assert!(library.book(1).await?.is_some());
    /// assert!(library.book(-1).await?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn book(&self, id: i64) -> Result<Option<Book>, Error> {
        // Safe, as below: all of it is this file's own, and the id is bound.
        sqlx::query_as(AssertSqlSafe(format!("{} WHERE book.id = ?", select())))
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(Error::Query)
    }

    /// The books of the author with this id, by title; none of an author who is not here.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// let austen = &library.authors(10, 1).await?.items[0];
    /// let books = library.books_of(austen.id).await?;
    /// assert_eq!(books[0].title, "Emma");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn books_of(&self, author_id: i64) -> Result<Vec<Book>, Error> {
        let list = format!("{} WHERE book.author_id = ? ORDER BY title, book.id", select());
        sqlx::query_as(AssertSqlSafe(list))
            .bind(author_id)
            .fetch_all(&self.pool)
            .await
            .map_err(Error::Query)
    }

    /// The names of the genres of the book with this id, in alphabetical order.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), catalog::Error> {
    /// # let library = catalog::Catalog::in_memory().await?;
    /// assert!(library.genres_of(-1).await?.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn genres_of(&self, book_id: i64) -> Result<Vec<String>, Error> {
        sqlx::query_scalar(
            "SELECT name FROM genre
             JOIN book_genre ON book_genre.genre_id = genre.id
             WHERE book_genre.book_id = ?
             ORDER BY name",
        )
        .bind(book_id)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::Query)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Here and not in tests/, since only here the statement can be seen.
    #[tokio::test]
    async fn a_page_of_books_by_title_is_read_without_sorting_all_of_them() {
        let library = Catalog::in_memory().await.expect("there is memory");
        let order = BookOrder::Title.columns();
        let explain =
            format!("EXPLAIN QUERY PLAN {} ORDER BY {order} LIMIT 10 OFFSET 10", select());

        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(AssertSqlSafe(explain))
            .fetch_all(&library.pool)
            .await
            .expect("the statement fits the tables");

        let steps: Vec<String> = plan.into_iter().map(|(_, _, _, step)| step).collect();
        assert_eq!(steps[0], "SCAN book USING INDEX book_by_title", "{steps:?}");
        assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
    }
}
