//! Checks your answer to exercise 6. Run: `just exercise 6`

pub mod exercise;

use std::process::ExitCode;

use anyhow::ensure;
use axum::Router;
use browser::Browser;

fn main() -> ExitCode {
    browser::exercise("the box decides who is remembered.", async || check(exercise::app()).await)
}

const COOKIE: &str = "sessionid";
const EMPTY: &[(&str, &str)] = &[("name", "Ada")];
const TICKED: &[(&str, &str)] = &[("name", "Ada"), ("remember", "on")];

/// Signs in with and without the box, and closes the browser in between. Then looks whether a sign-in
/// changes the id.
pub async fn check(app: Router) -> anyhow::Result<()> {
    let greeting = after_closing(app.clone(), &[EMPTY]).await;
    ensure!(
        greeting == "Hello, stranger.",
        "The box was empty and the browser was closed, yet the site says {greeting:?}"
    );
    let greeting = after_closing(app.clone(), &[TICKED]).await;
    ensure!(
        greeting == "Hello, Ada.",
        "The box was ticked and the browser was closed, and the site says {greeting:?}"
    );
    let greeting = after_closing(app.clone(), &[EMPTY, TICKED]).await;
    ensure!(
        greeting == "Hello, Ada.",
        "The box was ticked the second time, and the site says {greeting:?}"
    );
    let greeting = after_closing(app.clone(), &[TICKED, EMPTY]).await;
    ensure!(
        greeting == "Hello, stranger.",
        "The box was empty the second time, yet the site says {greeting:?}"
    );

    let mut visitor = Browser::open(app);
    visitor.post("/sign-in", TICKED).await;
    let before = visitor.cookie(COOKIE);
    visitor.post("/sign-in", TICKED).await;
    ensure!(
        before.is_some() && visitor.cookie(COOKIE) != before,
        "The visitor signed in again, and the session kept its id. An attacker who knew it before is \
         signed in as well"
    );
    Ok(())
}

async fn after_closing(app: Router, forms: &[&[(&str, &str)]]) -> String {
    let mut visitor = Browser::open(app);
    for form in forms {
        visitor.post("/sign-in", form).await;
    }
    visitor.restart();
    visitor.get("/").await.text()
}
