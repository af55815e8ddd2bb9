//! The middleware: before the handler a ticket, after it a save and a cookie.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use ::cookie::Cookie;
use axum::{
    extract::Request,
    http::{
        HeaderMap, HeaderValue,
        header::{SET_COOKIE, VARY},
    },
    response::{IntoResponse, Response},
};
use tower::{Layer, Service};

use crate::{
    Error, Store,
    cookie::{InStore, Place},
    session::{Outcome, Ticket},
    settings::{Builder, Settings},
};

/// Gives every request to the routes within it a [`Session`](crate::Session).
///
/// By default the cookie is called `sessionid`; it is `HttpOnly`, `SameSite=Lax`, lasts two weeks
/// from the last change, and is `Secure` unless the server is addressed on a loopback name or
/// address. [`SessionLayer::builder`] has all settings.
///
/// After the handler:
///
/// - a response with status 5xx saves nothing and sends no cookie;
/// - a session that was modified is saved, and its cookie sent; an empty one is not created;
/// - a cookie whose session is not in the store is removed.
///
/// A response whose handler looked at the session bears `Vary: Cookie`, so that no cache shows it
/// to another visitor.
///
/// tower-sessions has a layer of its own. This one is here because that one saves whole records,
/// so that of two requests at once one is lost and a deleted session comes back; because a chosen
/// expiry is forgotten with the request; and because it sends no `Vary`.
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
    place: Arc<dyn Place>,
    settings: Arc<Settings>,
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
        SessionLayer::with_settings(InStore(Arc::new(store)), Settings::default())
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

    pub(crate) fn with_settings(place: impl Place + 'static, settings: Settings) -> Self {
        SessionLayer { place: Arc::new(place), settings: Arc::new(settings) }
    }

    async fn after(&self, request: &HeaderMap, ticket: &Ticket, response: Response) -> Response {
        let saved = match response.status().is_server_error() {
            true => Ok(self.ended(request, ticket).await),
            false => self.save(request, ticket).await,
        };
        let differs = ticket.was_looked_at() || !matches!(saved, Ok(None));
        let (mut response, cookie) = match saved {
            Ok(cookie) => (response, cookie),
            Err(error) => (error.into_response(), self.ended(request, ticket).await),
        };
        if let Some(cookie) = cookie {
            set_cookie(response.headers_mut(), &cookie);
        }
        if differs {
            vary_by_cookie(response.headers_mut());
        }
        response
    }

    /// Where nothing is saved, a session that was ended stays ended.
    async fn ended(&self, request: &HeaderMap, ticket: &Ticket) -> Option<Cookie<'static>> {
        let must_go = self.place.must_go(ticket.claimed(), ticket.store()).await;
        must_go.then(|| self.settings.remove(request))
    }

    /// Saves what is to be saved, and returns the cookie that is to be sent.
    async fn save(
        &self,
        request: &HeaderMap,
        ticket: &Ticket,
    ) -> Result<Option<Cookie<'static>>, Error> {
        if self.settings.save_every_request && ticket.claimed().is_some() {
            ticket.cash_in().await?;
        }
        let Some(session) = ticket.session() else { return Ok(None) };
        let came = self.settings.cookie_value(request).is_some();
        Ok(match session.finish().await? {
            Outcome::Keep(id, lasts) => {
                Some(match self.place.cookie_value(id, ticket.store()).await? {
                    Some(value) => self.settings.keep(value, lasts, request),
                    None => self.settings.remove(request),
                })
            }
            Outcome::NoSession if came => Some(self.settings.remove(request)),
            Outcome::NoSession | Outcome::Nothing => None,
        })
    }
}

fn set_cookie(headers: &mut HeaderMap, cookie: &Cookie) {
    let value = HeaderValue::try_from(cookie.to_string()).expect("a cookie of ASCII characters");
    headers.append(SET_COOKIE, value);
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

impl<S> Service<Request> for SessionService<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        // The service that was polled ready is the one to call; its clone waits for the next.
        let waiting = self.inner.clone();
        let mut ready = std::mem::replace(&mut self.inner, waiting);
        let layer = self.layer.clone();
        Box::pin(async move {
            let headers = request.headers().clone();
            let cookie = layer.settings.cookie_value(&headers);
            let (store, claimed) = layer.place.open(cookie).await;
            let ticket = Ticket::new(store, layer.settings.clone(), claimed);
            request.extensions_mut().insert(ticket.clone());
            let response = ready.call(request).await?;
            Ok(layer.after(&headers, &ticket, response).await)
        })
    }
}

type BoxFuture<T> = std::pin::Pin<Box<dyn Future<Output = T> + Send>>;
