//! Checks your answer to exercise 12. Run: `just exercise 12`

pub mod exercise;

use std::{net::SocketAddr, process::ExitCode};

use anyhow::ensure;
use axum::{Extension, Router, extract::ConnectInfo, http::StatusCode};
use browser::Browser;
use sessions::MemoryStore;

/// What the proxy says of a visitor who came by https.
const HTTPS: &[(&str, &[u8])] = &[("x-forwarded-proto", b"https")];

fn main() -> ExitCode {
    let solved = "only the proxy is believed, and its checks make no session.";
    browser::exercise(solved, async || check(exercise::app(MemoryStore::default())).await)
}

/// Visits by the proxy and past it, with and without the header, and checks the site's health.
pub async fn check(app: Router) -> anyhow::Result<()> {
    let by = |peer: [u8; 4]| {
        let peer = ConnectInfo(SocketAddr::from((peer, 40000)));
        // As the proxy passes it on: a browser sends the cookie over https only.
        Browser::open(app.clone().layer(Extension(peer))).at("https://library.example")
    };
    let (mut proxied, mut stranger) = (by([10, 0, 0, 1]), by([203, 0, 113, 7]));
    let page = stranger.get_with("/", HTTPS).await;
    let (status, cookies) = (page.status(), page.set_cookies().len());
    ensure!(
        status == StatusCode::FORBIDDEN && cookies == 0,
        "A visitor who came past the proxy wrote X-Forwarded-Proto: https. The site believed it, \
         and answered {status} with {cookies} cookie."
    );
    let status = proxied.get("/").await.status();
    ensure!(status == StatusCode::FORBIDDEN, "A visitor by http is answered with {status}.");
    for visits in 1..=2 {
        let page = proxied.get_with("/", HTTPS).await.text();
        ensure!(page == format!("Visits: {visits}"), "Visit {visits} by https says {page:?}.");
    }
    let mut health = by([10, 0, 0, 1]);
    for headers in [HTTPS, &[]] {
        let page = health.get_with("/healthz", headers).await;
        ensure!(page.status() == StatusCode::OK, "A health check gets {}.", page.status());
        ensure!(page.set_cookies().is_empty(), "A health check has made a session.");
    }
    Ok(())
}
