//! The settings of a site, each named after Django's.

use std::{sync::Arc, time::Duration};

use cookie::SameSite;

use crate::{
    Misconfigured, SessionLayer, Store,
    config::{Config, Secure},
    cookie::IdCookie,
};

/// Settings for a [`SessionLayer`]; each method has the name of Django's setting.
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

    /// How long a session lasts after it was last changed: the idle timeout of the site; default
    /// two weeks. Django: `SESSION_COOKIE_AGE`.
    ///
    /// The duration may be the standard library's or [`time`](crate::time)'s.
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
    pub fn cookie_age(mut self, age: impl TryInto<Duration>) -> Self {
        // A negative one is refused as zero is.
        self.config.age = age.try_into().unwrap_or(Duration::ZERO);
        self
    }

    /// The part of the site that the cookie is for; default `/`. Django: `SESSION_COOKIE_PATH`.
    ///
    /// A page outside that part finds no session. If its handler stores something all the same, the
    /// response is an error and not a cookie, which would take the place of the session inside.
    ///
    /// After a change of the path, a browser that was here before sends two cookies of one name.
    /// The session is found under either of them, in any order.
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

    /// Whether the page's scripts are kept from reading the cookie; default true. A script that an
    /// attacker has brought into a page (cross-site scripting, XSS) can then not carry the session
    /// off. Django: `SESSION_COOKIE_HTTPONLY`.
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
    /// not, which keeps most cross-site request forgery (CSRF) away. Django:
    /// `SESSION_COOKIE_SAMESITE`.
    ///
    /// Rust's `None`, unlike `SameSite::None`, leaves the attribute out, as Django's `False` does.
    /// What that means differs from browser to browser (RFC 6265bis section 5.6.7).
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
    pub fn cookie_same_site(mut self, same_site: impl Into<Option<SameSite>>) -> Self {
        self.config.same_site = same_site.into();
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
