//! One answer to exercise 12: the header counts if the proxy has sent it, and a health check takes no
//! session.

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
    Router::new()
        .route("/", get(show))
        .route("/healthz", get(async || "alive"))
        .layer(SessionLayer::new(store))
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
    peer == PROXY && headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https")
}
