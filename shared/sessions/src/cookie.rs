//! The cookie: how it is read from the request, and written to the response.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use axum::http::{
    HeaderMap, Uri,
    header::{COOKIE, HOST},
    uri::Authority,
};
use cookie::Cookie;
use time::{Duration, OffsetDateTime};
use tower_sessions::session::{Id, Record};

use crate::{
    Store,
    config::{Config, Secure},
    session::CookieChange,
};

/// How many ids of one request are taken notice of. Browsers keep fewer cookies for a site; without
/// a limit, one request with a long header would make a sign-out delete thousands of records.
const MOST: usize = 64;

/// What the cookie holds: an id, or the session itself, encrypted.
pub(crate) trait CookieContent: fmt::Debug + Send + Sync {
    /// The store for one request, and the ids that these values name there.
    fn open(&self, values: &[String]) -> (Arc<dyn Store>, Vec<Id>);

    /// The value with which the next request finds this record.
    fn value(&self, record: &Record) -> String;

    /// Can the session be written once the response, with its cookie, is on its way?
    fn outlives_the_response(&self) -> bool;
}

/// The cookie holds an id, and the store the session.
#[derive(Debug)]
pub(crate) struct IdCookie(pub Arc<dyn Store>);

impl CookieContent for IdCookie {
    fn open(&self, values: &[String]) -> (Arc<dyn Store>, Vec<Id>) {
        // What is not an id cannot be ours: another program on this host uses the same name.
        let ids = values.iter().filter_map(|value| value.parse().ok());
        (self.0.clone(), ids.take(MOST).collect())
    }

    fn value(&self, record: &Record) -> String {
        record.id.to_string()
    }

    fn outlives_the_response(&self) -> bool {
        true
    }
}

/// As another content, with something around the store.
pub(crate) struct Mapped<F> {
    pub content: Arc<dyn CookieContent>,
    pub around: F,
}

impl<F> CookieContent for Mapped<F>
where
    F: Fn(Arc<dyn Store>) -> Arc<dyn Store> + Send + Sync,
{
    fn open(&self, values: &[String]) -> (Arc<dyn Store>, Vec<Id>) {
        let (store, ids) = self.content.open(values);
        ((self.around)(store), ids)
    }

    fn value(&self, record: &Record) -> String {
        self.content.value(record)
    }

    fn outlives_the_response(&self) -> bool {
        self.content.outlives_the_response()
    }
}

impl<F> fmt::Debug for Mapped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mapped").field(&self.content).finish()
    }
}

/// The values of all cookies of this name, in the order in which they came.
///
/// The rules are those of RFC 6265 sections 4.1.1 and 5.4: pairs are separated by semicolons, only
/// spaces and tabs stand around them, and a value may stand in double quotes. Other white space of
/// Unicode belongs to the name. If it did not, a subdomain could set a cookie that reads as
/// `__Host-sessionid` without the rules of that prefix.
pub(crate) fn values(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers
        .get_all(COOKIE)
        .iter()
        // Cookies of other programs may hold other bytes than ASCII.
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b';'))
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='))
        .filter(|(its_name, _)| trim(its_name) == name)
        .map(|(_, value)| unquote(trim(value)).to_owned())
        .collect()
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

impl Config {
    /// The cookie to send, if there is a change. `is_local` says whether the request was addressed
    /// to this machine.
    pub fn cookie(&self, change: CookieChange, is_local: bool) -> Option<Cookie<'static>> {
        match change {
            CookieChange::Leave => None,
            CookieChange::Set { value, max_age } => {
                let mut cookie = self.with_attributes(value, is_local);
                if let Some(max_age) = max_age {
                    cookie.set_max_age(max_age);
                    // For clients from before Max-Age, as Django does. Rounded up, as its seconds
                    // are cut off.
                    let now = OffsetDateTime::now_utc().saturating_add(Duration::milliseconds(999));
                    cookie.set_expires(now.saturating_add(max_age));
                }
                Some(cookie)
            }
            // It has the attributes of the cookie that it removes. Otherwise a browser may take it
            // for another cookie, or drop it.
            CookieChange::Remove => {
                let mut cookie = self.with_attributes(String::new(), is_local);
                cookie.set_max_age(Duration::ZERO);
                cookie.set_expires(OffsetDateTime::UNIX_EPOCH);
                Some(cookie)
            }
        }
    }

    fn with_attributes(&self, value: String, is_local: bool) -> Cookie<'static> {
        let secure = match self.secure {
            Secure::Always => true,
            Secure::UnlessLoopback => self.needs_secure() || !is_local,
            Secure::Never => false,
        };
        let mut cookie = Cookie::new(self.name.clone(), value);
        cookie.set_http_only(self.http_only);
        cookie.set_same_site(self.same_site);
        cookie.set_path(self.path.clone());
        // Over plain http a browser drops a cookie with Secure, and the visitor is a newcomer on
        // every page. So on this machine, where http is common, it goes without.
        cookie.set_secure(secure);
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        cookie
    }

    /// Does a browser send the cookie to this path (RFC 6265 section 5.1.4)?
    pub fn is_sent_to(&self, path: &str) -> bool {
        match path.strip_prefix(self.path.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'),
            None => false,
        }
    }
}

/// Is this server being addressed from its own machine, where plain http is common? That is what
/// the client says, or a proxy in front: no proof (see [`Secure::UnlessLoopback`]).
///
/// If the request's target has an authority, that counts and not `Host` (RFC 9112 section 3.2.2).
/// HTTP/2 has it there, too.
pub(crate) fn is_local(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = || headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    uri.authority().cloned().or_else(host).is_some_and(|authority| {
        // `x@127.0.0.1` is no host (RFC 9110 section 7.2).
        !authority.as_str().contains('@') && names_this_machine(authority.host())
    })
}

fn names_this_machine(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok_and(|it| it.is_loopback() || it.is_unspecified());
    }
    if let Ok(address) = host.parse::<IpAddr>() {
        // A client that asks for 0.0.0.0 reaches its own machine (RFC 1122 section 3.2.1.3).
        return address.is_loopback() || address.is_unspecified();
    }
    // `localhost` and all names under it, in any case, with or without the dot of the root
    // (RFC 6761 section 6.3).
    let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}
