//! What just happened: each request of an axum program, and what it asked the session store.
//!
//! Two lines in a program, in development:
//!
//! ```
//! use axum::{Router, routing::get};
//! use inspector::Inspector;
//!
//! fn app(inspector: &Inspector) -> Router {
//!     let routes = Router::new().route("/", get(async || "Welcome"));
//!     inspector.watch(routes)
//! }
//! # app(&Inspector::new());
//! ```
//!
//! and, with the feature `sessions` or `tower-sessions`, `inspector.store(store)` in place of the
//! store. Then open `/inspector`. It lists the latest 200 requests, newest first, and draws one of
//! them: the browser, the middleware, the handler, the store.
//!
//! # What it shows
//!
//! - method, path, status and how long it took;
//! - the cookies that came and went. Session ids are named session-1, session-2 in the order seen,
//!   with their first four characters; a cookie that this program has not set is shown with its
//!   first four characters, too;
//! - each question to the store, its answer, its versions and its time;
//! - the record before and after;
//! - what the libraries log meanwhile ([`events`]), for example whether the session was modified.
//!
//! # Not in production
//!
//! It shows what visitors keep in their sessions. So it answers on a loopback address only, to a
//! client on this machine: [`Inspector::watch`] says how it knows. It keeps everything in memory and
//! forgets it with the program. Leave it out of what you deploy.
//!
//! # How it is made
//!
//! | file | what it holds |
//! |---|---|
//! | `watch.rs` | the layer that notes a request and its response |
//! | `store.rs` | the store that notes what it is asked |
//! | `events.rs` | what libraries log about a request |
//! | `notes.rs` | what was noted, and how much of it is kept |
//! | `names.rs` | names for session ids, and what may be shown of a cookie |
//! | `story.rs` | one request, or several at once, as a drawing |
//! | `drawing.rs` | a drawing as a picture, as text and as sentences |
//! | `pages.rs` | the pages |

mod drawing;
mod events;
mod names;
mod notes;
mod pages;
#[cfg(any(feature = "sessions", feature = "tower-sessions"))]
mod store;
mod story;
mod watch;

pub use drawing::{Drawing, Row, Sentence, Tone};
pub use events::{Events, events};
pub use notes::Inspector;
#[cfg(any(feature = "sessions", feature = "tower-sessions"))]
pub use store::Watched;
pub use watch::is_watching;
