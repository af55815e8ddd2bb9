//! Checks your answer to exercise 10. Run: `just exercise 10`

pub mod exercise;

use std::process::ExitCode;

use anyhow::ensure;
use axum::Router;
use browser::Browser;

const COOKIE: &str = "sessionid";

fn main() -> ExitCode {
    browser::exercise("the planted id opens nothing.", async || check(exercise::app()).await)
}

/// Plants an id, lets the visitor sign in with it, and looks what it opens. Then lets a second reader
/// sign in at the same browser.
pub async fn check(app: Router) -> anyhow::Result<()> {
    let mut attacker = Browser::open(app);
    attacker.post("/basket", &[("book", "Dracula")]).await;
    let planted = attacker.cookie(COOKIE).unwrap_or_default();

    let mut visitor = attacker.private_window();
    visitor.post("/basket", &[("book", "Persuasion")]).await;
    visitor.edit_cookie(COOKIE, &planted);
    visitor.post("/basket", &[("book", "Emma")]).await;
    visitor.post("/sign-in", &[("name", "ada")]).await;
    visitor.post("/note", &[("note", "My diary is behind Middlemarch")]).await;

    let page = attacker.get("/").await.text();
    ensure!(
        page.starts_with("You are a stranger."),
        "An attacker planted an id. The visitor signed in, and now the attacker reads: {page:?}"
    );
    let page = visitor.get("/").await.text();
    ensure!(page.starts_with("You are ada."), "Ada signed in, and her page says {page:?}");
    ensure!(page.contains("Basket: Emma."), "Ada's basket held Emma, and her page says {page:?}");

    visitor.post("/sign-in", &[("name", "ada")]).await;
    let page = visitor.get("/").await.text();
    ensure!(page.contains("diary"), "Ada signed in twice, and her page says {page:?}");

    visitor.post("/sign-in", &[("name", "ben")]).await;
    let page = visitor.get("/").await.text();
    ensure!(page.starts_with("You are ben."), "Ben signed in, and his page says {page:?}");
    ensure!(
        !page.contains("diary"),
        "Ben signed in at the same browser after Ada, and he reads: {page:?}"
    );
    Ok(())
}
