//! The session, as a handler has it.
//!
//! | file | what it holds |
//! |---|---|
//! | `dictionary.rs` | get, insert, remove and the rest |
//! | `life.rs` | flush, cycle, expiry, test cookie |
//! | `load.rs` | load, and how long to wait for the store |
//! | `commit.rs` | save, and the merge after a conflict |
//! | `update.rs` | one change, stored at once and exactly |
//! | `changes.rs` | the data, and what this request has changed of it |
//! | `value.rs` | a value on loan, and values as JSON |
//! | `moved.rs` | what stays under the id of a session that has moved to another |
//! | `size.rs` | how large a value is |

mod changes;
mod commit;
mod dictionary;
mod life;
mod load;
pub(crate) mod moved;
pub(crate) mod size;
mod update;
mod value;

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::request::Parts,
};
use parking_lot::{Mutex, MutexGuard};
use time::OffsetDateTime;
use tokio::{sync::OnceCell, time::Duration};
use tower_sessions::session::Id;

use crate::{
    Error, Store, Version,
    config::Config,
    cookie::{self, CookieContent},
};
use changes::Changes;
pub(crate) use commit::CookieChange;
pub use value::ValueMut;

/// The visitor's session: a dictionary of JSON values, loaded from the store when a handler
/// takes it as an argument, and saved after the handler if it was modified.
///
/// Clones share the same dictionary.
///
/// There are three ways to change a value inside:
///
/// | | saved | exact when two requests do it at once |
/// |---|---|---|
/// | [`get`](Session::get), change the copy, [`insert`](Session::insert) it | yes | no, the last one wins |
/// | [`get_mut`](Session::get_mut) and change it | if you call [`set_modified`](Session::set_modified) | no |
/// | [`update`](Session::update) with a closure | yes | yes |
///
/// Reach for `update` if the new value depends on the old one: otherwise two requests at once are a
/// race, and one of the two changes is a lost update. Changes to *different* keys are all
/// kept, whichever way you choose.
///
/// # Until when it may be changed
///
/// Until the response is made: then the layer saves what was changed. A clone that lives longer,
/// in a spawned task or in a streaming body, can still read. [`update`](Session::update),
/// [`save`](Session::save) and [`flush`](Session::flush) still work there if the session has been
/// stored by then; for a visitor who got no cookie they return [`Error::ResponseSent`], and so
/// does every [`insert`](Session::insert).
///
/// # In middleware
///
/// The request's extensions hold the session, not loaded yet. Call [`load`](Session::load) first:
///
/// ```
/// use axum::{extract::Request, middleware::Next, response::Response};
/// use sessions::{Error, Session};
///
/// async fn greet(request: Request, next: Next) -> Result<Response, Error> {
///     if let Some(session) = request.extensions().get::<Session>().cloned() {
///         session.load().await?;
///         println!("{:?}", session.get::<String>("user")?);
///     }
///     Ok(next.run(request).await)
/// }
/// ```
///
/// # In a handler
///
/// ```
/// use sessions::Session;
///
/// async fn park(session: Session) -> Result<String, sessions::Error> {
///     session.insert("my_car", "mini")?;
///     session.require("my_car")
/// }
/// ```
///
/// # Errors
///
/// As an extractor: [`Error::Store`] if the store cannot be reached, and [`Error::NoLayer`].
/// `Option<Session>` is `None` on a route without the layer.
#[derive(Clone)]
pub struct Session(Arc<Inner>);

/// Neither id nor data: they have no place in a log.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

struct Inner {
    config: Arc<Config>,
    content: Arc<dyn CookieContent>,
    /// The values of the session's cookies, as they came with the request: claims, until the store
    /// knows one of them.
    cookies: Vec<String>,
    /// Will the browser send a cookie that is set here? Not if the page lies outside its path.
    keeps_cookie: bool,
    /// The store for this request, and the ids that its cookies name there.
    claims: OnceLock<(Arc<dyn Store>, Vec<Id>)>,
    /// When the request came.
    began: OffsetDateTime,
    loaded: OnceCell<()>,
    /// Was it to be loaded? Then the response varies by cookie, even if the load failed.
    asked_for: AtomicBool,
    /// How long this request may still wait for the store, in all.
    patience: Mutex<Duration>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The id of the stored record; `None` until there is one.
    id: Option<Id>,
    /// The version of the record that was last seen.
    version: Version,
    data: Changes,
    /// Did the handler look at the session? Then the response varies by cookie.
    accessed: bool,
    /// Is it to be saved after this request?
    modified: bool,
    /// Is it to move to a new id?
    cycle: bool,
    /// Was it stored during this request? Then the cookie is to be renewed.
    stored: bool,
    /// Has this request stored the session under an id that the browser does not have?
    is_new_id: bool,
    /// Another request has moved the session to a new id, and has the cookie for it.
    moved: bool,
    /// How often this request has ended a session. What began before a flush must not write after
    /// it.
    flushes: u32,
    /// The response is on its way: nothing is saved any more by itself.
    responded: bool,
}

impl Session {
    pub(crate) fn new(
        config: Arc<Config>,
        content: Arc<dyn CookieContent>,
        cookies: Vec<String>,
        keeps_cookie: bool,
    ) -> Self {
        Session(Arc::new(Inner {
            config,
            content,
            cookies,
            keeps_cookie,
            claims: OnceLock::new(),
            began: OffsetDateTime::now_utc(),
            loaded: OnceCell::new(),
            asked_for: AtomicBool::new(false),
            patience: Mutex::new(load::REQUEST_PATIENCE),
            state: Mutex::default(),
        }))
    }

    pub(crate) fn cookie_name(&self) -> &str {
        &self.0.config.name
    }

    /// May the response differ from visitor to visitor? It may if the handler has looked, if the
    /// session could not be loaded, and if a clone is still held: by a body that is being streamed.
    pub(crate) fn may_differ_by_visitor(&self) -> bool {
        let is_kept = Arc::strong_count(&self.0) > 1;
        let is_loaded = self.0.loaded.initialized();
        let asked_for = self.0.asked_for.load(Ordering::Relaxed);
        self.is_accessed() || (asked_for && !is_loaded) || (asked_for && is_kept)
    }

    fn access(&self) -> MutexGuard<'_, State> {
        if !self.0.loaded.initialized() && !self.0.cookies.is_empty() {
            tracing::error!("a session was used before `load`: it looks empty until then");
        }
        let mut state = self.0.state.lock();
        state.accessed = true;
        state
    }

    fn change(&self) -> MutexGuard<'_, State> {
        let mut state = self.access();
        if state.responded {
            tracing::error!(
                "a session was changed after its response: that is stored if `save` is called"
            );
        }
        state.modified = true;
        state
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let Some(session) = parts.extensions.get::<Session>().cloned() else {
            return Err(Error::NoLayer { is_local: cookie::is_local(&parts.uri, &parts.headers) });
        };
        session.load().await?;
        Ok(session)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        let Some(session) = parts.extensions.get::<Session>().cloned() else { return Ok(None) };
        session.load().await?;
        Ok(Some(session))
    }
}
