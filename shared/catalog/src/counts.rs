use crate::{Catalog, Error};

/// How much the library holds, all counted at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Titles, however many copies of them there are.
    pub books: i64,
    /// Copies in every state.
    pub copies: i64,
    /// Copies on the shelf: not on loan, not reserved, not in maintenance.
    pub copies_available: i64,
    /// Authors, with or without a book.
    pub authors: i64,
}

impl Catalog {
    /// Counts the library's records.
    ///
    /// # Errors
    ///
    /// [`Error::Query`], when the database does not answer.
    pub async fn counts(&self) -> Result<Counts, Error> {
        // One statement sees one state of the library. Four would let a loan slip in between, and
        // the page could show more copies available than there are copies.
        let (books, copies, copies_available, authors) = sqlx::query_as(
            "SELECT
                 (SELECT count(*) FROM book),
                 (SELECT count(*) FROM book_instance),
                 (SELECT count(*) FROM book_instance WHERE status = 'a'),
                 (SELECT count(*) FROM author)",
        )
        .fetch_one(&self.pool)
        .await
        .map_err(Error::Query)?;
        Ok(Counts { books, copies, copies_available, authors })
    }
}
