//! Checks your answer to exercise 8. Run: `just exercise 8`

pub mod exercise;

use std::process::ExitCode;

use anyhow::ensure;
use axum::Router;
use browser::Browser;

fn main() -> ExitCode {
    browser::exercise("no visitor has to choose twice.", async || check(exercise::app()).await)
}

/// Lets visitors of three programs come back today, and one whose value no program can read.
pub async fn check(app: Router) -> anyhow::Result<()> {
    let page = Browser::open(app.clone()).get("/").await.text();
    ensure!(page == "10 results per page, by title", "To a newcomer, the page says {page:?}.");

    for (day, stored, expected) in [
        ("Wednesday", r#"{"per_page": 20, "order": "author"}"#, "20 results per page, by author"),
        ("Tuesday", r#"{"per_page": 20}"#, "20 results per page, by title"),
        ("Monday", "20", "20 results per page, by title"),
    ] {
        let page = come_back(app.clone(), stored).await;
        ensure!(
            page == expected,
            "{day}'s visitor chose {stored}, and now the page says {page:?}."
        );
    }

    for stored in [r#""twenty""#, "-20", r#"{"per_page": "many"}"#, "null"] {
        let page = come_back(app.clone(), stored).await;
        ensure!(
            page == "10 results per page, by title",
            "No program can read {stored}, and instead of the defaults the page says {page:?}."
        );
    }
    Ok(())
}

async fn come_back(app: Router, stored: &str) -> String {
    let mut visitor = Browser::open(app);
    visitor.post("/older-program", &[("json", stored)]).await;
    visitor.get("/").await.text()
}
