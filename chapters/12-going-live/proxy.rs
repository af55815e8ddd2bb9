//! What a proxy says of a visitor, and whether it may be believed.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The addresses of the proxies in front of this server. If there are any, visitors come by them
/// and over https, and in no other way.
///
/// Django: `SECURE_PROXY_SSL_HEADER`, which believes the header of every sender.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Arc<[IpAddr]>);

impl FromIterator<IpAddr> for Proxies {
    fn from_iter<T: IntoIterator<Item = IpAddr>>(addresses: T) -> Proxies {
        Proxies(addresses.into_iter().map(|address| address.to_canonical()).collect())
    }
}

impl Proxies {
    /// Is there a proxy at all?
    pub fn are_there(&self) -> bool {
        !self.0.is_empty()
    }

    fn include(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// The visitor's address. Each proxy adds at the end the address that it was asked from. So read
    /// from the end, and stop at the first address that is not a proxy of ours: what stands before
    /// it is what the visitor has sent, and may be made up.
    fn visitor(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let lines = headers.get_all(FORWARDED_FOR).iter();
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or_default()).collect();
        for hop in lines.join(",").rsplit(',') {
            let address: IpAddr = hop.trim().parse().ok()?;
            if !self.include(address) {
                return Some(address);
            }
        }
        None
    }
}

/// Believes `X-Forwarded-For` and `X-Forwarded-Proto` of a trusted proxy, and of no other sender.
pub async fn read_forwarded(
    State(proxies): State<Proxies>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0);
    let is_trusted = peer.is_some_and(|peer| proxies.include(peer.ip()));
    let headers = request.headers_mut();
    let visitor = proxies.visitor(headers).filter(|_| is_trusted);
    let is_https = is_trusted && headers.get(FORWARDED_PROTO).is_some_and(|it| it == "https");
    // From here on no handler can believe them by mistake.
    for name in [FORWARDED, FORWARDED_FOR, FORWARDED_PROTO] {
        headers.remove(name);
    }
    if let Some(address) = visitor {
        // The limit on attempts to sign in counts by this address. The port is not known.
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address, 0)));
    }
    if proxies.are_there() && !is_https {
        // A browser would drop the cookie, and the visitor would wonder.
        let words = "This site is served over https only, by its proxy.";
        return (StatusCode::FORBIDDEN, words).into_response();
    }
    next.run(request).await
}
