use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, FromRow};

use crate::{Catalog, Error};

/// One page of a list, and where in the list it stands. Pages count from 1.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), catalog::Error> {
/// use catalog::Catalog;
///
/// let library = Catalog::in_memory().await?;
/// let page = library.authors(10, 2).await?;
///
/// assert_eq!((page.number, page.of, page.total), (2, 2, 18));
/// assert_eq!(page.items.len(), 8);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What stands on this page, in the list's order; nothing on a page that does not exist.
    pub items: Vec<T>,
    /// The page that was asked for, whether it exists or not.
    pub number: u64,
    /// How many pages there are. An empty list is one empty page.
    pub of: u64,
    /// How many items all pages have together.
    pub total: u64,
}

impl<T> Page<T> {
    /// Is there such a page? Not if it is page 0, or one after the last.
    pub fn exists(&self) -> bool {
        (1..=self.of).contains(&self.number)
    }
}

impl Catalog {
    /// Page `number` of what `list` selects and `count` counts. `list` ends with its order: this
    /// adds the limits.
    pub(crate) async fn page<T>(
        &self,
        count: &'static str,
        list: String,
        per_page: u32,
        number: u64,
    ) -> Result<Page<T>, Error>
    where
        T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let per_page = u64::from(per_page.max(1));
        // Both queries see the library as it is now: a book that comes in between them would
        // make the pages more than the page says.
        let mut moment = self.pool.begin().await.map_err(Error::Query)?;
        let total: i64 =
            sqlx::query_scalar(count).fetch_one(&mut *moment).await.map_err(Error::Query)?;
        let total = total.unsigned_abs();

        let of = total.div_ceil(per_page).max(1);
        let mut page = Page { items: Vec::new(), number, of, total };
        if page.exists() {
            // It exists, so its offset is below `total` and nothing overflows.
            let offset = (number - 1) * per_page;
            // Safe, since `list` is made of this crate's own constants; numbers are bound.
            page.items = sqlx::query_as(AssertSqlSafe(format!("{list} LIMIT ? OFFSET ?")))
                .bind(per_page.cast_signed())
                .bind(offset.cast_signed())
                .fetch_all(&mut *moment)
                .await
                .map_err(Error::Query)?;
        }
        Ok(page)
    }
}
