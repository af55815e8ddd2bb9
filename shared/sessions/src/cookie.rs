//! The cookie: what it says, and how it is read from the request and written to the response.

use std::{fmt, net::IpAddr, sync::Arc};

use async_trait::async_trait;
use axum::http::{
    HeaderMap,
    header::{COOKIE, HOST},
    uri::Authority,
};
use cookie::Cookie;
use time::{Duration, OffsetDateTime};
use tower_sessions::session::Id;

use crate::{
    Error, Store,
    settings::{Secure, Settings},
};

/// Where sessions are kept, which decides what their cookie says.
#[async_trait]
pub(crate) trait Place: fmt::Debug + Send + Sync {
    /// A store for one request, and the id that its cookie claims there.
    async fn open(&self, cookie: Option<&str>) -> (Arc<dyn Store>, Option<Id>);

    /// What the cookie is to say so that the next request finds the session `id` of this store;
    /// `None` if there is nothing to find any more.
    async fn cookie_value(&self, id: Id, store: &dyn Store) -> Result<Option<String>, Error>;

    /// Must the cookie go although nothing is saved? It must where the handler has ended the
    /// session, and the cookie alone still has it.
    async fn must_go(&self, claimed: Option<Id>, store: &dyn Store) -> bool;
}

/// On the server: the cookie holds the id and nothing else.
#[derive(Debug)]
pub(crate) struct InStore(pub Arc<dyn Store>);

#[async_trait]
impl Place for InStore {
    async fn open(&self, cookie: Option<&str>) -> (Arc<dyn Store>, Option<Id>) {
        (self.0.clone(), cookie.and_then(|value| value.parse().ok()))
    }

    async fn cookie_value(&self, id: Id, _: &dyn Store) -> Result<Option<String>, Error> {
        Ok(Some(id.to_string()))
    }

    async fn must_go(&self, _: Option<Id>, _: &dyn Store) -> bool {
        false
    }
}

impl Settings {
    /// What the request's session cookie says, be it ours or not.
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

    /// Tells the browser to keep this value, for so long or until it closes.
    pub fn keep(
        &self,
        value: String,
        lasts: Option<Duration>,
        request: &HeaderMap,
    ) -> Cookie<'static> {
        let mut cookie = self.with_attributes(value, request);
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
