//! Checks your answer to exercise 4. Run: `just exercise 4`

pub mod exercise;

use std::process::ExitCode;

use anyhow::ensure;
use axum::Router;
use browser::Browser;
use catalog::Catalog;

fn main() -> ExitCode {
    browser::exercise("the visitor hears of the new books.", async || check(exercise::app).await)
}

/// Visits, adds two books to the library, and visits again.
pub async fn check(app: impl FnOnce(Catalog) -> Router) -> anyhow::Result<()> {
    let library = Catalog::in_memory().await?;
    let mut visitor = Browser::open(app(library.clone()));

    let page = visitor.get("/").await.text();
    ensure!(page.ends_with(": 0"), "To a newcomer nothing is new, but the page says {page:?}.");

    sqlx::query(
        "INSERT INTO book (title, summary, isbn) VALUES
             ('Kidnapped', 'A boy is sent to sea.', '9780141441795'),
             ('Cranford', 'A small town and its ladies.', '9780141439884')",
    )
    .execute(library.pool())
    .await?;

    let page = visitor.get("/").await.text();
    ensure!(page.ends_with(": 2"), "Two books came in, but the page says {page:?}.");
    let page = visitor.get("/").await.text();
    ensure!(page.ends_with(": 0"), "None came in since, but the page says {page:?}.");
    Ok(())
}
