//! What can go wrong, and what the visitor is told.

use axum::{
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use tower_sessions::session_store;

/// Why a session could not be used.
///
/// As a response, it tells the visitor what to do in one plain sentence and keeps the cause for
/// the log: 503 if the store did not answer, 409 if the session ended meanwhile, 422 if it is full,
/// 500 if the program is at fault.
///
/// ```
/// use axum::response::IntoResponse;
/// use sessions::Error;
///
/// async fn show(session: sessions::Session) -> Result<String, Error> {
///     // If the key is missing, the visitor sees an error page and the log names the key.
///     session.require("my_car")
/// }
///
/// assert_eq!(Error::Interrupted.into_response().status(), 409);
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The session has no such key. Django: `KeyError`.
    #[error("the session has no `{key}`")]
    Missing {
        /// The key.
        key: String,
    },
    /// The session holds a value of another type than was asked for. It stays where it is. The
    /// message leaves the value out, since it goes to the log.
    #[error("the session's value for `{key}` is not of the type {expected}")]
    WrongType {
        /// The key whose value it is.
        key: String,
        /// The type that was asked for.
        expected: &'static str,
        /// What does not fit. It may quote the value.
        source: serde_json::Error,
    },
    /// JSON cannot hold the value, for example a map whose keys are not strings.
    #[error("the value for `{key}` cannot be stored in a session: {source}")]
    NotStorable {
        /// The key it was meant for.
        key: String,
        /// Why JSON cannot hold it.
        source: serde_json::Error,
    },
    /// The session would grow beyond its limit. What was stored before is unchanged.
    #[error("the session would take {size} bytes, and {limit} is its limit")]
    TooLarge {
        /// Bytes of JSON that it would take.
        size: usize,
        /// Bytes of JSON that it may take.
        limit: usize,
    },
    /// The framework keeps something of its own under this key.
    #[error("`{key}` is a key of the framework's own: choose another one")]
    ReservedKey {
        /// The key.
        key: String,
    },
    /// Another request deleted the session while this one ran. Nothing was stored. Django:
    /// `SessionInterrupted`.
    #[error("the session was ended by another request")]
    Interrupted,
    /// The response is out, so nothing would store the change, and no cookie can follow it. For a
    /// session that was stored before, [`Session::update`](crate::Session::update) still works.
    #[error("the session was changed after its response was sent: nothing is stored")]
    ResponseSent,
    /// The page lies outside [`Builder::cookie_path`](crate::Builder::cookie_path), so no browser
    /// sends the cookie to it.
    #[error(
        "this route lies outside the session cookie's path {path}, so nothing can be stored here"
    )]
    OutsideCookiePath {
        /// The cookie's path.
        path: String,
    },
    /// The store failed, or is out of reach.
    #[error("the session store failed: {0}")]
    Store(#[from] session_store::Error),
    /// The handler's route has no [`SessionLayer`](crate::SessionLayer) around it.
    #[error(
        "this route has no SessionLayer: a layer wraps only the routes that were added before it"
    )]
    NoLayer {
        /// Was the request addressed to this machine? Then its answer tells the developer what is
        /// wrong. Any other visitor gets a bare 500, and only the log tells.
        is_local: bool,
    },
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        match self {
            // Visitors cause these two, not the server.
            Error::Interrupted => {
                tracing::info!("{self}");
                let words = "Your session has ended in the meantime, perhaps because you signed \
                             out in another window. Nothing was changed. Go back and start again.";
                (StatusCode::CONFLICT, words).into_response()
            }
            Error::TooLarge { .. } => {
                tracing::warn!("{self}");
                let words = "That is more than this site can remember about you. What it knew \
                             before is unchanged.";
                (StatusCode::UNPROCESSABLE_ENTITY, words).into_response()
            }
            Error::Store(_) => {
                tracing::error!("{self}");
                let words = "We cannot look up your session at the moment. Nothing is lost: \
                             please try again in a few seconds.";
                (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")], words).into_response()
            }
            Error::NoLayer { is_local: true } => {
                tracing::error!("{self}");
                let words = format!("For the developer: {self}. Put `.layer(…)` after the routes.");
                (StatusCode::INTERNAL_SERVER_ERROR, words).into_response()
            }
            Error::Missing { .. }
            | Error::WrongType { .. }
            | Error::NotStorable { .. }
            | Error::ReservedKey { .. }
            | Error::ResponseSent
            | Error::OutsideCookiePath { .. }
            | Error::NoLayer { is_local: false } => {
                tracing::error!("{self}");
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}
