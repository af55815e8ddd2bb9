//! The cookie that carries the id: read from the request, written to the response.

use std::net::IpAddr;

use axum::http::{
    HeaderMap,
    header::{COOKIE, HOST},
    uri::Authority,
};
use cookie::Cookie;
use time::{Duration, OffsetDateTime};
use tower_sessions::session::Id;

use crate::settings::{Secure, Settings};

impl Settings {
    /// What the request's session cookie says, be it an id or not.
    pub fn cookie_value<'a>(&self, request: &'a HeaderMap) -> Option<&'a str> {
        request
            .get_all(COOKIE)
            .iter()
            // Cookies of other programs may hold other bytes than ASCII.
            .flat_map(|line| line.as_bytes().split(|&byte| byte == b';'))
            .filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='))
            .find(|(name, _)| name.trim() == self.name)
            .map(|(_, value)| value.trim())
    }

    /// The id that the browser's cookie claims; `None` also where it cannot be an id.
    pub fn claimed_id(&self, request: &HeaderMap) -> Option<Id> {
        self.cookie_value(request)?.parse().ok()
    }

    /// Tells the browser to keep this id, for so long or until it closes.
    pub fn keep(&self, id: Id, lasts: Option<Duration>, request: &HeaderMap) -> Cookie<'static> {
        let mut cookie = self.with_attributes(id.to_string(), request);
        if let Some(lasts) = lasts {
            cookie.set_max_age(lasts);
            // For clients from before Max-Age, as Django does.
            cookie.set_expires(OffsetDateTime::now_utc().saturating_add(lasts));
        }
        cookie
    }

    /// Tells the browser to drop the cookie. It has the attributes of the cookie that it removes,
    /// since a browser may not recognise it otherwise.
    pub fn remove(&self, request: &HeaderMap) -> Cookie<'static> {
        let mut cookie = self.with_attributes(String::new(), request);
        cookie.set_max_age(Duration::ZERO);
        cookie.set_expires(OffsetDateTime::UNIX_EPOCH);
        cookie
    }

    fn with_attributes(&self, value: String, request: &HeaderMap) -> Cookie<'static> {
        let secure = match self.secure {
            Secure::Always => true,
            Secure::UnlessLoopback => self.needs_secure() || !is_loopback(request),
            Secure::Never => false,
        };
        let mut cookie = Cookie::new(self.name.clone(), value);
        cookie.set_http_only(self.http_only);
        cookie.set_same_site(self.same_site);
        cookie.set_path(self.path.clone());
        cookie.set_secure(secure);
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        cookie
    }
}

/// Is this server being addressed from its own machine, where plain http is common? That is what
/// the client says, or a proxy in front: no proof (see [`Secure::UnlessLoopback`]).
fn is_loopback(request: &HeaderMap) -> bool {
    let host = request.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    host.is_some_and(|authority| {
        let name = authority.host().trim_matches(['[', ']']);
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}
