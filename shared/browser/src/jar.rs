//! The cookies that a profile keeps, and the rules for keeping and sending them.
//!
//! The `cookie_store` crate matches domain and path, prefers Max-Age to Expires, forgets what has
//! expired, and withholds `Secure` cookies from plain http. This file adds what browsers do beyond
//! that, each with its section of RFC 6265bis (draft-ietf-httpbis-rfc6265bis).

use std::cmp::Reverse;

use axum::http::Method;
use cookie::{Cookie as RawCookie, SameSite};
use cookie_store::{Cookie, CookieDomain, CookieStore};
use url::{Host, Url};

/// Where a request was begun (section 5.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begun {
    /// The visitor typed the address, or used a link or form of the application itself.
    Here,
    /// A page of the application's own origin, which the browser says.
    AtThisOrigin,
    /// A page of another origin of the same site: another port, or another host of one domain.
    AtThisSite,
    /// A link or form of another site led to the application.
    AtAnotherSite,
    /// A page of another site loads something from the application, and stays where it is.
    WithinAnotherSite,
}

impl Begun {
    /// What the browser says of it, in `Sec-Fetch-Site`.
    pub(crate) fn sec_fetch_site(self) -> Option<&'static str> {
        match self {
            Begun::Here => None,
            Begun::AtThisOrigin => Some("same-origin"),
            Begun::AtThisSite => Some("same-site"),
            Begun::AtAnotherSite | Begun::WithinAnotherSite => Some("cross-site"),
        }
    }
}

/// The cookies of one profile.
#[derive(Default)]
pub(crate) struct Jar {
    store: CookieStore,
}

impl Jar {
    /// Takes one `Set-Cookie` header that came from `url`. As in a browser, a cookie that breaks
    /// a rule is dropped without a word.
    pub(crate) fn keep(&mut self, set_cookie: &str, url: &Url) {
        let Ok(raw) = RawCookie::parse(set_cookie.to_owned()) else {
            return;
        };
        // An error is a cookie for a domain that is not this host's.
        let Ok(cookie) = Cookie::try_from_raw_cookie(&raw, url) else {
            return;
        };
        if !is_acceptable(&cookie, url) || self.would_hide_a_secure_cookie(&cookie, url) {
            return;
        }
        // An error is a cookie that had expired on arrival, with none to replace.
        let _ = self.store.insert(cookie, url);
        // The store only marks what expired. Removing it lets a cookie of the same name, set
        // later, take its place at the end of the row.
        self.retain(|cookie| !cookie.is_expired());
    }

    /// The `Cookie` header for a request to `url`, if there is a cookie to send (section 5.8.3).
    pub(crate) fn cookies_for(&self, url: &Url, method: &Method, begun: Begun) -> Option<String> {
        let mut cookies = self.store.matches(url);
        cookies.retain(|cookie| is_allowed(cookie, method, begun));
        // Longer paths first; the sort is stable, so among equals the older comes first.
        cookies.sort_by_key(|cookie| Reverse(cookie.path.len()));

        let pairs: Vec<String> =
            cookies.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// The value of the cookie `name` at the host of `url`; of several, the one sent first.
    pub(crate) fn value(&self, name: &str, url: &Url) -> Option<String> {
        self.named(name, url)
            .min_by_key(|cookie| Reverse(cookie.path.len()))
            .map(|cookie| cookie.value().to_owned())
    }

    /// Changes the value of every cookie `name` at the host of `url`, and nothing else about it.
    /// Says whether there was one.
    pub(crate) fn edit(&mut self, name: &str, value: &str, url: &Url) -> bool {
        let kept: Vec<Cookie<'static>> = self.named(name, url).cloned().collect();
        for old in &kept {
            let mut raw: RawCookie<'static> = (**old).clone();
            raw.set_value(value.to_owned());
            let mut new = Cookie::try_from_raw_cookie(&raw, url)
                .expect("a cookie that was kept for this host is valid there");
            // Without this a Path taken from the first request, and the age, would start again.
            new.path = old.path.clone();
            new.domain = old.domain.clone();
            new.expires = old.expires.clone();
            self.store
                .insert(new, url)
                .expect("a cookie that was kept for this host can be kept again");
        }
        !kept.is_empty()
    }

    /// Forgets every cookie that has neither Max-Age nor Expires (section 5.7, "session cookies").
    pub(crate) fn close(&mut self) {
        self.retain(Cookie::is_persistent);
    }

    fn named(&self, name: &str, url: &Url) -> impl Iterator<Item = &Cookie<'static>> {
        self.store
            .iter_unexpired()
            .filter(move |cookie| cookie.name() == name && cookie.domain.matches(url))
    }

    /// Section 5.7: plain http cannot put a cookie over, or in front of, one that is Secure.
    fn would_hide_a_secure_cookie(&self, new: &Cookie<'_>, url: &Url) -> bool {
        let mut place = url.clone();
        place.set_path(&new.path);
        !is_trustworthy(url)
            && self
                .named(new.name(), url)
                .any(|kept| kept.secure() == Some(true) && kept.path.matches(&place))
    }

    fn retain(&mut self, wanted: impl Fn(&Cookie<'static>) -> bool) {
        let unwanted: Vec<_> = self
            .store
            .iter_any()
            .filter(|cookie| !wanted(cookie))
            .map(|cookie| {
                let domain = match &cookie.domain {
                    CookieDomain::HostOnly(domain) | CookieDomain::Suffix(domain) => domain.clone(),
                    CookieDomain::NotPresent | CookieDomain::Empty => String::new(),
                };
                (domain, String::from(&cookie.path), cookie.name().to_owned())
            })
            .collect();
        for (domain, path, name) in unwanted {
            self.store.remove(&domain, &path, &name);
        }
    }
}

/// The rules for keeping a cookie that look at nothing but the cookie and where it came from.
fn is_acceptable(cookie: &RawCookie<'_>, url: &Url) -> bool {
    let secure = cookie.secure() == Some(true);

    // Section 5.6: name and value together, in bytes.
    if cookie.name().len() + cookie.value().len() > 4096 {
        return false;
    }
    // Section 5.7: only a secure origin may set a Secure cookie.
    if secure && !is_trustworthy(url) {
        return false;
    }
    // Section 5.7: SameSite=None has to be Secure.
    if cookie.same_site() == Some(SameSite::None) && !secure {
        return false;
    }
    // Section 5.4: the two prefixes, in any case of letters.
    let name = cookie.name().to_ascii_lowercase();
    if name.starts_with("__secure-") {
        return secure;
    }
    if name.starts_with("__host-") {
        return secure && cookie.path() == Some("/") && cookie.domain().is_none();
    }
    true
}

/// Whether a cookie goes with a request that was begun there (section 5.6.7.1).
///
/// A cookie that says nothing is treated as Lax. Chrome's grace of two minutes for such a cookie
/// ("Lax-allowing-unsafe", section 5.6.7.2) is left out, and so is its setting that keeps the
/// cookies of other sites, `SameSite=None` as well, out of what a page loads.
fn is_allowed(cookie: &RawCookie<'_>, method: &Method, begun: Begun) -> bool {
    let is_navigation = match begun {
        Begun::Here | Begun::AtThisOrigin | Begun::AtThisSite => return true,
        Begun::AtAnotherSite => true,
        Begun::WithinAnotherSite => false,
    };
    match cookie.same_site() {
        Some(SameSite::Strict) => false,
        Some(SameSite::None) => true,
        Some(SameSite::Lax) | None => is_navigation && method.is_safe(),
    }
}

/// Whether `Secure` cookies may travel: over https, and over http to this very machine, which
/// Chrome and Firefox trust as well. The same hosts as `cookie_store` goes by when it sends.
fn is_trustworthy(url: &Url) -> bool {
    url.scheme() == "https"
        || match url.host() {
            Some(Host::Domain(domain)) => domain == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}
