//! Django's settings, their defaults, and which of them contradict each other.

use std::time::Duration;

use cookie::SameSite;

/// When the session cookie has `Secure`, which keeps it from travelling over plain http.
///
/// ```
/// # use sessions::{MemoryStore, SessionLayer};
/// use sessions::Secure;
/// # fn main() -> Result<(), sessions::Misconfigured> {
/// let layer = SessionLayer::builder(MemoryStore::default()).cookie_secure(Secure::Always).build()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Secure {
    /// Always.
    Always,
    /// Unless the request names this machine: `localhost` and names under it, such as
    /// `app.localhost`, and the addresses `127.0.0.1`, `[::1]` and `0.0.0.0`. The default.
    ///
    /// Behind a proxy on the same machine that passes its own `Host` header on, every request
    /// seems to be one: choose [`Secure::Always`] there.
    UnlessLoopback,
    /// Never. Anyone who can listen on the way can then take the session over (session hijacking).
    Never,
}

/// A setting that cannot work, in words for the person who wrote it.
///
/// ```
/// use sessions::{MemoryStore, SessionLayer};
///
/// let settings = SessionLayer::builder(MemoryStore::default()).cookie_path("garage");
/// let refused = settings.build().expect_err("a path begins with a slash");
/// println!("{refused}");
/// ```
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the session settings cannot work: {0}")]
pub struct Misconfigured(pub(crate) String);

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub name: String,
    pub age: Duration,
    pub path: String,
    pub domain: Option<String>,
    pub secure: Secure,
    pub http_only: bool,
    pub same_site: Option<SameSite>,
    pub expire_at_browser_close: bool,
    pub save_every_request: bool,
    pub size_limit: usize,
}

/// Browsers drop a cookie whose name and value are longer together (RFC 6265bis section 5.6).
pub(crate) const LARGEST_COOKIE: usize = 4096;

/// An id takes 22 bytes.
const LONGEST_NAME: usize = LARGEST_COOKIE - 22;

/// Browsers ignore an attribute that is longer (RFC 6265bis section 5.6).
const LONGEST_ATTRIBUTE: usize = 1024;

impl Default for Config {
    fn default() -> Self {
        Config {
            name: "sessionid".to_owned(),
            age: Duration::from_secs(14 * 24 * 60 * 60),
            path: "/".to_owned(),
            domain: None,
            secure: Secure::UnlessLoopback,
            http_only: true,
            same_site: Some(SameSite::Lax),
            expire_at_browser_close: false,
            save_every_request: false,
            size_limit: 64 * 1024,
        }
    }
}

impl Config {
    /// `SameSite=None` and the two prefixes are worth nothing without `Secure`: a browser drops
    /// the cookie (RFC 6265bis sections 4.1.3 and 5.7).
    pub fn needs_secure(&self) -> bool {
        self.same_site == Some(SameSite::None)
            || has_prefix(&self.name, "__Host-")
            || has_prefix(&self.name, "__Secure-")
    }

    /// # Errors
    ///
    /// What cannot work, in words.
    pub fn check(&self) -> Result<(), String> {
        self.check_cookie()?;
        if self.age < Duration::from_secs(1) {
            return Err("a cookie age of under a second ends every session at once; for a \
                        session that ends with the browser, use expire_at_browser_close"
                .to_owned());
        }
        if self.age.as_secs() > 100 * 366 * 86_400 {
            return Err("a cookie age of over a hundred years".to_owned());
        }
        if self.size_limit == 0 {
            return Err("a size limit of zero bytes leaves no room for any session".to_owned());
        }
        Ok(())
    }

    fn check_cookie(&self) -> Result<(), String> {
        let Config { name, path, .. } = self;
        if !is_token(name) {
            return Err(format!(
                "{name:?} cannot be a cookie's name: use ASCII letters, digits, - and _"
            ));
        }
        if name.len() > LONGEST_NAME {
            return Err(format!(
                "a cookie name of {} bytes: browsers drop a cookie of over {LARGEST_COOKIE} bytes, so \
                 choose a shorter name",
                name.len()
            ));
        }
        check_path(path)?;
        self.domain.as_deref().map_or(Ok(()), check_domain)?;
        if has_prefix(name, "__Host-") && (self.domain.is_some() || path != "/") {
            return Err(format!("{name} begins with __Host-, so it takes no domain and path /"));
        }
        match self.needs_secure() && self.secure == Secure::Never {
            true if self.same_site == Some(SameSite::None) => {
                Err("browsers drop a cookie with SameSite=None that is not Secure".to_owned())
            }
            true => Err(format!(
                "browsers drop the cookie {name}, because of its prefix, unless it is Secure"
            )),
            false => Ok(()),
        }
    }
}

fn check_domain(domain: &str) -> Result<(), String> {
    if !domain.is_ascii() {
        return Err(format!(
            "the cookie domain {domain:?} has letters other than ASCII: write it as xn--… (punycode)"
        ));
    }
    match is_domain(domain) {
        true => Ok(()),
        false => Err(format!(
            "the cookie domain {domain:?} is not the name of a host: write it without scheme, port \
             and path"
        )),
    }
}

fn check_path(path: &str) -> Result<(), String> {
    if !path.starts_with('/') {
        return Err(format!("the cookie path {path:?} does not begin with a slash"));
    }
    if !is_attribute(path) {
        return Err(format!(
            "the cookie path {path:?} has characters that a cookie cannot hold: write letters \
             other than ASCII, and semicolons, percent-encoded"
        ));
    }
    if path.len() > LONGEST_ATTRIBUTE {
        return Err(format!(
            "a cookie path of {} bytes: browsers ignore one of over {LONGEST_ATTRIBUTE}",
            path.len()
        ));
    }
    Ok(())
}

/// RFC 9110 section 5.6.2, which a cookie's name has to be.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Browsers tell the prefixes in any case of letters (RFC 6265bis section 5.7).
fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// A leading dot is allowed, and ignored by browsers (RFC 6265 section 4.1.2.3).
fn is_domain(domain: &str) -> bool {
    let name = domain.strip_prefix('.').unwrap_or(domain);
    name.split('.').all(|label| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

/// RFC 6265 section 4.1.1: what can stand after `Path=`.
fn is_attribute(value: &str) -> bool {
    value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b';')
}
