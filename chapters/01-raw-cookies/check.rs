//! Checks your answer to exercise 1. Run: `just exercise 1`

pub mod exercise;

use std::process::ExitCode;

use anyhow::ensure;
use axum::Router;
use browser::Browser;

fn main() -> ExitCode {
    browser::exercise("two cookies, two headers.", async || check(exercise::app()).await)
}

/// Presses the dark button and looks at what the browser kept.
pub async fn check(app: Router) -> anyhow::Result<()> {
    let mut visitor = Browser::open(app);
    visitor.get("/").await;
    visitor.get("/").await;

    let told = visitor.post("/dark", &[]).await.set_cookies().len();
    ensure!(
        told == 2,
        "The dark button's response has {told} Set-Cookie header, and 2 are needed."
    );

    let page = visitor.get("/").await.text();
    ensure!(
        page == "Theme: dark. Visits: 1.",
        "After the dark button, the page says {page:?} instead of \"Theme: dark. Visits: 1.\""
    );
    Ok(())
}
