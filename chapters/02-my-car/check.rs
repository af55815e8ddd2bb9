//! Checks your answer to exercise 2. Run: `just exercise 2`

pub mod exercise;

use std::process::ExitCode;

use anyhow::ensure;
use axum::{Router, http::StatusCode};
use browser::Browser;

fn main() -> ExitCode {
    browser::exercise("the old car comes back.", async || check(exercise::app()).await)
}

/// Sets two cars, and takes the second one back.
pub async fn check(app: Router) -> anyhow::Result<()> {
    let mut visitor = Browser::open(app);
    visitor.post("/car", &[("my_car", "mini")]).await;
    let status = visitor.post("/undo", &[]).await.status();
    ensure!(
        status == StatusCode::NOT_FOUND,
        "After the first car there is nothing to undo: 404 is right, not {status}."
    );

    visitor.post("/car", &[("my_car", "mini")]).await;
    visitor.post("/car", &[("my_car", "beetle")]).await;
    let page = visitor.post("/undo", &[]).await;
    ensure!(
        page.status().is_success(),
        "After mini and then beetle, undo answers {}: {}",
        page.status(),
        page.text()
    );

    let page = visitor.get("/car").await.text();
    ensure!(page == "mini", "After mini, beetle and undo, the car is {page:?}, not \"mini\".");
    Ok(())
}
