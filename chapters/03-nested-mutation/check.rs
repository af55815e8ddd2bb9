//! Checks your answer to exercise 3. Run: `just exercise 3`

pub mod exercise;

use std::process::ExitCode;

use anyhow::ensure;
use axum::Router;
use browser::Browser;

fn main() -> ExitCode {
    browser::exercise("the paint stays.", async || check(exercise::app()).await)
}

/// Paints the car and looks at it on the next request.
pub async fn check(app: Router) -> anyhow::Result<()> {
    let mut visitor = Browser::open(app);
    visitor.get("/").await;
    ensure!(
        visitor.page().set_cookies().is_empty(),
        "Looking at the car saved it: only a change may do that."
    );
    visitor.post("/paint", &[]).await;
    let colour = visitor.get("/").await.text();
    ensure!(
        colour == "green",
        "The car was painted green, and on the next request it is {colour}."
    );
    ensure!(
        visitor.page().set_cookies().is_empty(),
        "Looking at the painted car saved it once more: only a change may do that."
    );
    Ok(())
}
