//! The middleware: before the handler a session that is not loaded yet, after it a commit and a
//! cookie.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use ::cookie::Cookie;
use axum::{
    BoxError,
    body::{Body, Bytes, HttpBody},
    extract::OriginalUri,
    http::{
        HeaderMap, HeaderValue, Request, Response,
        header::{CACHE_CONTROL, SET_COOKIE, VARY},
    },
    response::IntoResponse,
};
use tower::{Layer, Service};
use tower_sessions::session::Id;

use crate::{
    Session, Store,
    builder::Builder,
    config::Config,
    cookie::{self, CookieContent, IdCookie, Mapped},
};

/// Gives every request to the routes within it a [`Session`].
///
/// By default the cookie is called `sessionid`; it is `HttpOnly`, `SameSite=Lax`, lasts two weeks
/// from the last change, and is `Secure` unless the server is addressed on a loopback name or
/// address. [`SessionLayer::builder`] has all settings.
///
/// After the handler:
///
/// - a response with status 5xx saves nothing and sets no cookie;
/// - a session that was modified is saved, and its cookie sent; an empty one is not created;
/// - a cookie that names a session of ours which is gone is removed.
///
/// A response whose handler looked at the session has `Vary: Cookie` and, unless the handler says
/// otherwise, `Cache-Control: private, no-cache`, so that no cache shows it to another visitor.
///
/// It may stand in a `tower::ServiceBuilder` with layers that change the type of the body. If it is
/// applied twice with one cookie name, the inner one leaves the session to the outer one.
///
/// This layer exists because tower-sessions' own saves whole records, so that of two requests at once
/// one is lost and a deleted session comes back; because that one forgets a chosen expiry with the
/// request; and because it sends no `Vary`.
///
/// ```
/// use axum::{Router, routing::get};
/// use sessions::{MemoryStore, Session, SessionLayer};
///
/// async fn show(session: Session) -> String {
///     session.keys().join(", ")
/// }
///
/// // It wraps the routes that were added before it.
/// let app: Router = Router::new()
///     .route("/", get(show))
///     .layer(SessionLayer::new(MemoryStore::default()));
/// ```
#[derive(Clone, Debug)]
pub struct SessionLayer {
    content: Arc<dyn CookieContent>,
    config: Arc<Config>,
}

impl SessionLayer {
    /// A layer with the default settings, whose sessions live in `store`.
    ///
    /// ```
    /// use sessions::{MemoryStore, SessionLayer};
    ///
    /// let layer = SessionLayer::new(MemoryStore::default());
    /// ```
    pub fn new(store: impl Store) -> Self {
        SessionLayer::with_config(IdCookie(Arc::new(store)), Config::default())
    }

    /// A layer with settings of your own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sessions::{MemoryStore, Secure, SessionLayer};
    ///
    /// # fn main() -> Result<(), sessions::Misconfigured> {
    /// let layer = SessionLayer::builder(MemoryStore::default())
    ///     .cookie_name("__Host-sessionid")
    ///     .cookie_age(Duration::from_secs(60 * 60))
    ///     .cookie_secure(Secure::Always)
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn builder<S: Store>(store: S) -> Builder<S> {
        Builder::new(store)
    }

    pub(crate) fn with_config(content: impl CookieContent + 'static, config: Config) -> Self {
        SessionLayer { content: Arc::new(content), config: Arc::new(config) }
    }

    /// The same layer, with something around its store: for example a store that counts what it is
    /// asked, and asks the one within.
    ///
    /// An encrypted cookie counts as a store that holds one session, for one request.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use sessions::{MemoryStore, SessionLayer, Store};
    ///
    /// // Put your own store around `store` here.
    /// let around = |store: Arc<dyn Store>| store;
    /// let layer = SessionLayer::new(MemoryStore::default()).map_store(around);
    /// ```
    #[must_use]
    pub fn map_store(
        self,
        around: impl Fn(Arc<dyn Store>) -> Arc<dyn Store> + Send + Sync + 'static,
    ) -> Self {
        let content = Arc::new(Mapped { content: self.content, around });
        SessionLayer { content, config: self.config }
    }

    /// A session outside of a request, for a command or a background job: the one under this id,
    /// or a new one. [`Session::save`] stores what was changed.
    ///
    /// An encrypted cookie is only in its browser. There the session is always a new one, and to
    /// change it is [`Error::ResponseSent`](crate::Error::ResponseSent).
    ///
    /// Django: `SessionStore(session_key=id)`.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), sessions::Error> {
    /// use sessions::{MemoryStore, SessionLayer};
    ///
    /// let layer = SessionLayer::new(MemoryStore::default());
    /// let session = layer.session(None);
    /// session.load().await?;
    /// session.insert("my_car", "mini")?;
    /// let id = session.save().await?;
    ///
    /// let again = layer.session(Some(id));
    /// again.load().await?;
    /// assert_eq!(again.require::<String>("my_car")?, "mini");
    /// # Ok(()) }
    /// ```
    pub fn session(&self, id: Option<Id>) -> Session {
        let cookies = id.iter().map(Id::to_string).collect();
        let session = Session::new(self.config.clone(), self.content.clone(), cookies, true);
        if !self.content.outlives_the_response() {
            // There is no response, so no cookie will carry what is changed.
            session.respond();
        }
        session
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SessionService { layer: self.clone(), inner }
    }
}

/// The service that [`SessionLayer`] makes of the routes within it.
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    layer: SessionLayer,
    inner: S,
}

/// Generic over the body of the request and over that of the response, which other layers may have
/// changed.
impl<S, Req, Res> Service<Request<Req>> for SessionService<S>
where
    S: Service<Request<Req>, Response = Response<Res>> + Clone + Send + 'static,
    S::Future: Send,
    Req: Send + 'static,
    Res: HttpBody<Data = Bytes> + Send + 'static,
    Res::Error: Into<BoxError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Req>) -> Self::Future {
        // The service that was polled ready is the one to call; its clone waits for the next.
        let waiting = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, waiting);
        let SessionLayer { content, config } = self.layer.clone();

        // A layer further out has put a session of the same name there. Two sessions of one cookie
        // would overwrite each other.
        let outer = request.extensions().get::<Session>();
        if outer.is_some_and(|session| session.cookie_name() == config.name) {
            let response = ready.call(request);
            return Box::pin(async move { Ok(response.await?.map(Body::new)) });
        }

        // What is needed of the request after the handler, which takes the request away.
        let is_local = cookie::is_local(request.uri(), request.headers());
        let cookies = cookie::values(request.headers(), &config.name);
        let keeps_cookie = config.is_sent_to(path(&request));
        let session = Session::new(config.clone(), content, cookies, keeps_cookie);
        request.extensions_mut().insert(session.clone());
        Box::pin(async move {
            let response = ready.call(request).await?.map(Body::new);
            Ok(finish(session, response, |change| config.cookie(change, is_local)).await)
        })
    }
}

/// The path as the browser sees it: axum takes the beginning off for nested routers.
fn path<B>(request: &Request<B>) -> &str {
    match request.extensions().get::<OriginalUri>() {
        Some(OriginalUri(uri)) => uri.path(),
        None => request.uri().path(),
    }
}

/// Commits the session, and tells the browser and the caches about it.
async fn finish(
    session: Session,
    response: Response<Body>,
    cookie: impl Fn(crate::session::CookieChange) -> Option<Cookie<'static>>,
) -> Response<Body> {
    // A clone may live on in a task or in the body. From here on it has to save its own changes:
    // what it inserts while the commit waits for the store would be lost without a word.
    session.respond();
    session.log_state();
    let committed = match response.status().is_server_error() {
        true => Ok(session.abandon()),
        false => session.commit().await,
    };
    let (mut response, cookie) = match committed {
        Ok(change) => (response, cookie(change)),
        // The page must not claim that something was stored.
        Err(error) => (error.into_response(), cookie(session.abandon())),
    };
    let headers = response.headers_mut();
    if session.may_differ_by_visitor() || cookie.is_some() {
        vary_by_cookie(headers);
        headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    }
    if let Some(cookie) = cookie {
        let cookie = HeaderValue::try_from(cookie.to_string());
        headers.append(SET_COOKIE, cookie.expect("a cookie of ASCII characters"));
    }
    response
}

/// Adds `Cookie` to `Vary`, keeping what is there (RFC 9110 section 12.5.5).
fn vary_by_cookie(headers: &mut HeaderMap) {
    let says_so = headers
        .get_all(VARY)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .any(|name| name.trim() == "*" || name.trim().eq_ignore_ascii_case("cookie"));
    if !says_so {
        headers.append(VARY, HeaderValue::from_static("Cookie"));
    }
}
