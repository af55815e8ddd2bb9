//! Checks your answer to exercise 9. Run: `just exercise 9`

pub mod exercise;

use std::{process::ExitCode, sync::Arc};

use anyhow::ensure;
use axum::{Router, http::StatusCode};
use browser::Browser;
use chapter_9::Pause;
use tokio::sync::Barrier;

#[tokio::main]
async fn main() -> ExitCode {
    match check(exercise::app).await {
        Ok(()) => println!("Solved: the fourth book stays on the shelf."),
        Err(hint) => {
            println!("Not yet. {hint}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Has one place left, and two tabs that want it at the same time.
pub async fn check(app: impl FnOnce(Pause) -> Router) -> anyhow::Result<()> {
    let both = Arc::new(Barrier::new(2));
    let pause: Pause = Arc::new(move || {
        let both = both.clone();
        Box::pin(async move {
            both.wait().await;
        })
    });
    let mut one = Browser::open(app(pause));
    one.post("/start", &[]).await;
    let mut other = one.second_tab();
    tokio::join!(one.post("/add", &[]), other.post("/add", &[]));

    let mut answers = [one.page().status(), other.page().status()];
    answers.sort();
    let books = one.get("/").await.text();
    ensure!(books == "3", "Two tabs went for the third place, and the basket holds {books} books.");
    ensure!(
        answers == [StatusCode::OK, StatusCode::CONFLICT],
        "One tab gets the place (200) and the other is refused (409), not {answers:?}."
    );
    Ok(())
}
