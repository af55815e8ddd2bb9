//! Django's settings, and which of them contradict each other.

use std::{sync::Arc, time::Duration};

use cookie::SameSite;

use crate::{SessionLayer, Store, cookie::IdCookie};

/// When the session cookie bears `Secure`, which keeps it from travelling over plain http.
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
    /// Never. Whoever can listen on the way can then take the session over.
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
    pub same_site: SameSite,
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
            same_site: SameSite::Lax,
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
        self.same_site == SameSite::None
            || has_prefix(&self.name, "__Host-")
            || has_prefix(&self.name, "__Secure-")
    }

    /// # Errors
    ///
    /// What cannot work, in words.
    fn check(&self) -> Result<(), String> {
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
            return Err(format!("{name:?} cannot be a cookie's name"));
        }
        if name.len() > LONGEST_NAME {
            return Err(format!(
                "a cookie name of {} bytes: browsers drop a cookie of over {LARGEST_COOKIE} bytes",
                name.len()
            ));
        }
        check_path(path)?;
        if let Some(domain) = &self.domain
            && !is_domain(domain)
        {
            return Err(format!(
                "the cookie domain {domain:?} is not the name of a host: write it without scheme, \
                 port and path"
            ));
        }
        if has_prefix(name, "__Host-") && (self.domain.is_some() || path != "/") {
            return Err(format!("{name} begins with __Host-, so it takes no domain and path /"));
        }
        match self.needs_secure() && self.secure == Secure::Never {
            true if self.same_site == SameSite::None => {
                Err("browsers drop a cookie with SameSite=None that is not Secure".to_owned())
            }
            true => Err(format!(
                "browsers drop the cookie {name}, because of its prefix, unless it is Secure"
            )),
            false => Ok(()),
        }
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

/// Settings for a [`SessionLayer`]; each method bears the name of Django's setting.
///
/// ```
/// use sessions::{MemoryStore, SameSite, SessionLayer};
///
/// # fn main() -> Result<(), sessions::Misconfigured> {
/// let layer = SessionLayer::builder(MemoryStore::default())
///     .cookie_same_site(SameSite::Strict)
///     .save_every_request(true)
///     .build()?;
/// # Ok(()) }
/// ```
#[must_use = "nothing happens until `build` is called"]
#[derive(Clone, Debug)]
pub struct Builder<S> {
    store: S,
    pub(crate) config: Config,
    /// What was chosen; the default depends on where sessions are kept.
    pub(crate) size_limit: Option<usize>,
}

impl<S> Builder<S> {
    pub(crate) fn new(store: S) -> Self {
        Builder { store, config: Config::default(), size_limit: None }
    }

    /// What was built so far, if its settings can work.
    pub(crate) fn checked(mut self) -> Result<(S, Config), Misconfigured> {
        if let Some(bytes) = self.size_limit {
            self.config.size_limit = bytes;
        }
        self.config.check().map_err(Misconfigured)?;
        Ok((self.store, self.config))
    }

    /// What the cookie is called; default `sessionid`. Names that begin with `__Host-` or
    /// `__Secure-` make browsers check where the cookie comes from. Django:
    /// `SESSION_COOKIE_NAME`.
    ///
    /// After a change of the name, all visitors are newcomers. Their old cookies are left alone,
    /// and go when their time has come.
    ///
    /// ```
    /// # use sessions::{MemoryStore, SessionLayer};
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default())
    ///     .cookie_name("garage")
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// How long a session lasts after it was last changed; default two weeks. Django:
    /// `SESSION_COOKIE_AGE`.
    ///
    /// ```
    /// # use sessions::{MemoryStore, SessionLayer};
    /// use std::time::Duration;
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default())
    ///     .cookie_age(Duration::from_secs(60 * 60))
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn cookie_age(mut self, age: Duration) -> Self {
        self.config.age = age;
        self
    }

    /// The part of the site that the cookie is for; default `/`. Django: `SESSION_COOKIE_PATH`.
    ///
    /// A page outside that part finds no session. If its handler stores something all the same, the
    /// response is an error and not a cookie, which would take the place of the session inside.
    ///
    /// After a change of the path, a browser that was here before sends two cookies of one name.
    /// The session is found under either of them, whatever their order.
    ///
    /// ```
    /// # use sessions::{MemoryStore, SessionLayer};
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default())
    ///     .cookie_path("/garage")
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn cookie_path(mut self, path: impl Into<String>) -> Self {
        self.config.path = path.into();
        self
    }

    /// Sends the cookie to all hosts of this domain; default: to this host only. Django:
    /// `SESSION_COOKIE_DOMAIN`.
    ///
    /// After a change of the domain, a browser that was here before sends two cookies of one name.
    /// The session is found under either of them, and a flush ends both.
    ///
    /// ```
    /// # use sessions::{MemoryStore, SessionLayer};
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default())
    ///     .cookie_domain("library.example")
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn cookie_domain(mut self, domain: impl Into<String>) -> Self {
        self.config.domain = Some(domain.into());
        self
    }

    /// Whether the cookie may travel over plain http; default [`Secure::UnlessLoopback`].
    /// Django: `SESSION_COOKIE_SECURE`, whose default is `False`.
    ///
    /// ```
    /// # use sessions::{MemoryStore, SessionLayer};
    /// use sessions::Secure;
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default())
    ///     .cookie_secure(Secure::Always)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn cookie_secure(mut self, secure: Secure) -> Self {
        self.config.secure = secure;
        self
    }

    /// Whether the page's scripts are kept from reading the cookie; default true. Django:
    /// `SESSION_COOKIE_HTTPONLY`.
    ///
    /// ```
    /// # use sessions::{MemoryStore, SessionLayer};
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default())
    ///     .cookie_http_only(false)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn cookie_http_only(mut self, http_only: bool) -> Self {
        self.config.http_only = http_only;
        self
    }

    /// Which requests that other sites begin carry the cookie; default `Lax`: links do, forms do
    /// not. Django: `SESSION_COOKIE_SAMESITE`.
    ///
    /// ```
    /// # use sessions::{MemoryStore, SessionLayer};
    /// use sessions::SameSite;
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default())
    ///     .cookie_same_site(SameSite::Strict)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn cookie_same_site(mut self, same_site: SameSite) -> Self {
        self.config.same_site = same_site;
        self
    }

    /// Whether sessions end with the browser unless [`set_expiry`](crate::Session::set_expiry)
    /// says otherwise; default false. Django: `SESSION_EXPIRE_AT_BROWSER_CLOSE`.
    ///
    /// ```
    /// # use sessions::{MemoryStore, SessionLayer};
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default())
    ///     .expire_at_browser_close(true)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn expire_at_browser_close(mut self, expire: bool) -> Self {
        self.config.expire_at_browser_close = expire;
        self
    }

    /// Whether every request of a visitor who has a session saves it and renews its cookie;
    /// default false. Django: `SESSION_SAVE_EVERY_REQUEST`.
    ///
    /// ```
    /// # use sessions::{MemoryStore, SessionLayer};
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default())
    ///     .save_every_request(true)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn save_every_request(mut self, save: bool) -> Self {
        self.config.save_every_request = save;
        self
    }

    /// The largest session, in bytes of its JSON; default 64 KiB, or what fits if the cookie holds
    /// the session. A session that is larger already may shrink, and may not grow. Django has no
    /// such limit.
    ///
    /// ```
    /// # use sessions::{MemoryStore, SessionLayer};
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default())
    ///     .size_limit(4 * 1024)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn size_limit(mut self, bytes: usize) -> Self {
        self.size_limit = Some(bytes);
        self
    }
}

impl<S: Store> Builder<S> {
    /// The layer with these settings.
    ///
    /// ```
    /// # use sessions::{MemoryStore, SessionLayer};
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default()).build()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Misconfigured`], in words, for settings with which no browser would keep the cookie, or
    /// no session would last.
    pub fn build(self) -> Result<SessionLayer, Misconfigured> {
        let (store, config) = self.checked()?;
        Ok(SessionLayer::with_config(IdCookie(Arc::new(store)), config))
    }
}
