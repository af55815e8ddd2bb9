//! Exercise 12: anyone may say that they come by https.
//!
//! This site has a proxy at 10.0.0.1, which speaks https with the visitors. The site sees plain http,
//! and asks `X-Forwarded-Proto` how the visitor came. But it asks every sender, so a visitor who comes
//! around the proxy can make the header up. And each health check makes a session.
//!
//! Run: `just exercise 12`

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use sessions::{Error, Session, SessionLayer, Store};

/// The only one whose word counts.
pub const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// What the check visits.
pub fn app(store: impl Store) -> Router {
    // TODO: a health check must not make a session.
    // Hint: its handler needs no session.
    Router::new().route("/", get(show)).route("/healthz", get(show)).layer(SessionLayer::new(store))
}

async fn show(
    session: Session,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Result<(StatusCode, String), Error> {
    if !is_https(peer.ip(), &headers) {
        return Ok((StatusCode::FORBIDDEN, "Please use https.".to_owned()));
    }
    let visits = session.update("visits", |visits: &mut u64| *visits += 1).await?;
    Ok((StatusCode::OK, format!("Visits: {visits}")))
}

fn is_https(peer: IpAddr, headers: &HeaderMap) -> bool {
    // TODO: believe the header only if it comes from PROXY.
    // Hint: `peer` is the other end of the connection. No header can change it.
    let _ = peer;
    headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
}
