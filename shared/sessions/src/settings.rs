//! Django's settings, and which of them contradict each other.

use std::{sync::Arc, time::Duration};

use cookie::SameSite;

use crate::{SessionLayer, Store, cookie::InStore};

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
pub enum Secure {
    /// Always.
    Always,
    /// Unless the request names a loopback host (`localhost`, `127.0.0.1`, `[::1]`): the default.
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
pub(crate) struct Settings {
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

impl Default for Settings {
    fn default() -> Self {
        Settings {
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

impl Settings {
    /// `SameSite=None` and the two prefixes are worth nothing without `Secure`: a browser drops
    /// the cookie (RFC 6265bis sections 4.1.3 and 5.7).
    pub fn needs_secure(&self) -> bool {
        self.same_site == SameSite::None
            || has_prefix(&self.name, "__Host-")
            || has_prefix(&self.name, "__Secure-")
    }

    fn check(&self) -> Result<(), String> {
        let Settings { name, path, .. } = self;
        if !is_token(name) {
            return Err(format!("{name:?} cannot be a cookie's name"));
        }
        if self.age < Duration::from_secs(1) {
            return Err("a cookie age of under a second ends every session at once; for a \
                        session that ends with the browser, use expire_at_browser_close"
                .to_owned());
        }
        if self.age.as_secs() > 100 * 366 * 86_400 {
            return Err("a cookie age of over a hundred years".to_owned());
        }
        if !path.starts_with('/') || !is_attribute(path) {
            return Err(format!("the cookie path {path:?} is none: it begins with a slash"));
        }
        if let Some(domain) = &self.domain
            && !is_domain(domain)
        {
            return Err(format!(
                "the cookie domain {domain:?} is none: it is a host's name, \
                                without scheme, port or path"
            ));
        }
        if has_prefix(name, "__Host-") && (self.domain.is_some() || path != "/") {
            return Err(format!("{name} begins with __Host-, so it takes no domain and path /"));
        }
        if self.needs_secure() && self.secure == Secure::Never {
            return Err(if self.same_site == SameSite::None {
                "browsers drop a cookie with SameSite=None that is not Secure".to_owned()
            } else {
                format!(
                    "browsers drop the cookie {name}, because of its prefix, unless it is Secure"
                )
            });
        }
        if self.size_limit == 0 {
            return Err("a size limit of zero bytes leaves no room for any session".to_owned());
        }
        Ok(())
    }
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
#[derive(Clone, Debug)]
pub struct Builder<S> {
    store: S,
    pub(crate) settings: Settings,
    /// What was chosen; the default depends on where sessions are kept.
    pub(crate) size_limit: Option<usize>,
}

impl<S> Builder<S> {
    pub(crate) fn new(store: S) -> Self {
        Builder { store, settings: Settings::default(), size_limit: None }
    }

    /// What was built so far, if its settings can work.
    pub(crate) fn checked(mut self) -> Result<(S, Settings), Misconfigured> {
        if let Some(bytes) = self.size_limit {
            self.settings.size_limit = bytes;
        }
        self.settings.check().map_err(Misconfigured)?;
        Ok((self.store, self.settings))
    }

    /// What the cookie is called; default `sessionid`. Names that begin with `__Host-` or
    /// `__Secure-` make browsers check where the cookie comes from. Django:
    /// `SESSION_COOKIE_NAME`.
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
        self.settings.name = name.into();
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
        self.settings.age = age;
        self
    }

    /// The part of the site that the cookie is for; default `/`. Django: `SESSION_COOKIE_PATH`.
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
        self.settings.path = path.into();
        self
    }

    /// Sends the cookie to all hosts of this domain; default: to this host only. Django:
    /// `SESSION_COOKIE_DOMAIN`.
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
        self.settings.domain = Some(domain.into());
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
        self.settings.secure = secure;
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
        self.settings.http_only = http_only;
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
        self.settings.same_site = same_site;
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
        self.settings.expire_at_browser_close = expire;
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
        self.settings.save_every_request = save;
        self
    }

    /// The largest session, in bytes of its JSON; default 64 KiB, or what fits for a session kept
    /// in its cookie. Django has no such limit.
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
        let (store, settings) = self.checked()?;
        Ok(SessionLayer::with_settings(InStore(Arc::new(store)), settings))
    }
}
