//! Checks your answer to exercise 5. Run: `just exercise 5`

pub mod exercise;

use std::process::ExitCode;

use anyhow::ensure;
use axum::Router;
use browser::Browser;

fn main() -> ExitCode {
    browser::exercise("the basket is given to those who can carry it.", async || {
        check(exercise::app()).await
    })
}

/// Chooses books, with a browser that refuses cookies and with one that keeps them.
pub async fn check(app: Router) -> anyhow::Result<()> {
    let mut refuser = Browser::open(app.clone()).refusing_cookies();
    refuser.get("/").await;
    let page = refuser.post("/basket", &[("book", "Emma")]).await.text();
    ensure!(
        page.contains("keeps no cookies"),
        "A browser that refuses cookies is told {page:?}, and loses it at once."
    );

    let mut keeper = Browser::open(app);
    keeper.get("/").await;
    let page = keeper.post("/basket", &[("book", "Emma")]).await.text();
    ensure!(
        page == "In your basket: Emma",
        "A browser that keeps cookies chose Emma, and is told {page:?}."
    );
    let keys = keeper.get("/keys").await.text();
    ensure!(keys == "basket", "The mark has done its work, but the session holds {keys:?}.");

    let page = keeper.post("/basket", &[("book", "Dracula")]).await.text();
    ensure!(
        page == "In your basket: Emma, Dracula",
        "A visitor with a book in the basket chose another, and is told {page:?}."
    );
    Ok(())
}
