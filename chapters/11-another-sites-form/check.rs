//! Checks your answer to exercise 11. Run: `just exercise 11`

pub mod exercise;

use std::process::ExitCode;

use anyhow::ensure;
use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, header::CONTENT_TYPE},
};
use browser::Browser;

const HERE: &str = "http://127.0.0.1:3000";
const ADAS: &[(&str, &str)] = &[("address", "ada@library.example")];
const MALLORYS: &[(&str, &str)] = &[("address", "mallory@evil.example")];

fn main() -> ExitCode {
    let solved = "the forms of other sites are refused, and those of this site are not.";
    browser::exercise(solved, async || check(exercise::app()).await)
}

/// Sends a form from here, from elsewhere, from an old browser, and without a browser.
pub async fn check(app: Router) -> anyhow::Result<()> {
    let mut visitor = Browser::open(app);
    let status = visitor.page_at(HERE).submit("/", ADAS).await.status();
    ensure!(status == StatusCode::OK, "This site's own form is answered with {status}.");

    for elsewhere in ["http://localhost:3001", "http://127.0.0.1:3001"] {
        let status = visitor.page_at(elsewhere).submit("/", MALLORYS).await.status();
        let address = visitor.get("/").await.text();
        ensure!(
            address == "ada@library.example",
            "A form of {elsewhere}, without a Referer, has changed the address to {address}."
        );
        ensure!(status == StatusCode::FORBIDDEN, "A form of {elsewhere} gets {status}, not 403.");
    }
    let status = visitor.page_at("http://localhost:3001").follow_link("/").await.status();
    ensure!(status == StatusCode::OK, "A link of another site is answered with {status}.");

    let form = Request::post("/")
        .header("origin", "null")
        .header("sec-fetch-site", "same-origin")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from("address=ada%40library.example"))?;
    let status = visitor.send(form).await.status();
    ensure!(
        status == StatusCode::OK,
        "This site's own form, from a page with Referrer-Policy: no-referrer, says Origin: null and \
         Sec-Fetch-Site: same-origin. It gets {status}."
    );

    for (origin, expected) in [
        (HERE, StatusCode::OK),
        ("http://127.0.0.1:3000.evil.example", StatusCode::FORBIDDEN),
        ("null", StatusCode::FORBIDDEN),
    ] {
        let form = Request::post("/")
            .header("origin", origin)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from("address=ada%40library.example"))?;
        let status = visitor.send(form).await.status();
        ensure!(
            status == expected,
            "An old browser says only Origin: {origin}. It gets {status}, not {expected}."
        );
    }
    let status = visitor.post("/", ADAS).await.status();
    ensure!(status == StatusCode::OK, "A program like curl, no browser, gets {status}.");
    Ok(())
}
