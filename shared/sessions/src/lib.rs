//! Django's session framework for axum.
//!
//! A session is a dictionary that belongs to one visitor. It stays on the server; the visitor's
//! browser keeps a cookie with a random id, and nothing else.
//!
//! ```
//! use axum::{Router, routing::get};
//! use sessions::{MemoryStore, Session, SessionLayer};
//!
//! async fn count(session: Session) -> Result<String, sessions::Error> {
//!     let num_visits = session.get("num_visits")?.unwrap_or(0) + 1;
//!     session.insert("num_visits", num_visits)?;
//!     Ok(format!("Visits: {num_visits}"))
//! }
//!
//! fn app() -> Router {
//!     Router::new().route("/", get(count)).layer(SessionLayer::new(MemoryStore::default()))
//! }
//!
//! # #[tokio::main]
//! # async fn main() {
//! let mut visitor = browser::Browser::open(app());
//! visitor.get("/").await;
//! visitor.get("/").await;
//! assert_eq!(visitor.page().body(), "Visits: 2");
//! # }
//! ```
//!
//! # The dictionary
//!
//! A handler that takes a [`Session`] has it in memory: these are plain calls, and nothing is
//! awaited. What they change is saved after the handler.
//!
//! ```
//! # use sessions::{Error, Session};
//! async fn garage(session: Session) -> Result<(), Error> {
//!     session.insert("my_car", "mini")?;
//!     let my_car: Option<String> = session.get("my_car")?;
//!     let colour = session.get_or_insert("colour", "red".to_owned())?;
//!     session.extend([("wheels", 4), ("doors", 2)])?;
//!     for (key, value) in session.iter() {
//!         println!("{key}: {value}");
//!     }
//!     session.remove("doors");
//!     Ok(())
//! }
//! ```
//!
//! If the new value depends on the old one, two requests at once could lose a change (a *lost
//! update*). [`Session::update`] loses none, and returns what was stored:
//!
//! ```
//! # use sessions::{Error, Session};
//! async fn count(session: Session) -> Result<String, Error> {
//!     let num_visits = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
//!     Ok(format!("Visits: {num_visits}"))
//! }
//! ```
//!
//! # Its life
//!
//! ```
//! # use sessions::{Error, Expiry, Session, time::Duration};
//! async fn sign_in(session: Session) -> Result<(), Error> {
//!     session.cycle_id(); // an attacker who knew the old id has nothing now
//!     session.set_expiry(Some(Expiry::OnInactivity(Duration::hours(1))));
//!     session.insert("user", "toad")
//! }
//!
//! async fn sign_out(session: Session) -> Result<(), Error> {
//!     session.flush().await // the record goes now, the cookie with the response
//! }
//! ```
//!
//! Expired records stay in the store until [`clear_expired`] or, in the background, [`Clearing`]
//! deletes them. Until then no request finds them.
//!
//! # The settings
//!
//! Each has the name of Django's. What no browser would keep is refused when the site starts.
//!
//! ```
//! use std::time::Duration;
//! use sessions::{MemoryStore, Secure, SessionLayer};
//!
//! # fn main() -> Result<(), sessions::Misconfigured> {
//! let layer = SessionLayer::builder(MemoryStore::default())
//!     .cookie_name("__Host-sessionid")
//!     .cookie_age(Duration::from_secs(60 * 60))
//!     .cookie_secure(Secure::Always)
//!     .build()?;
//! # Ok(()) }
//! ```
//!
//! # The stores
//!
//! A store is anything that implements [`Store`]; [`testing::check`] tests one of your own.
//!
//! | store | for | a restart | several servers |
//! |---|---|---|---|
//! | [`MemoryStore`] | tests, trying things out | forgets | no |
//! | [`SqliteStore`] | a site | remembers, also after a power cut | over one file |
//! | `PostgresStore` | a site on several servers | remembers, also after a power cut | over one database |
//! | `RedisStore` | the same, with more visits | as Redis is set; by default a crash loses minutes | over one Redis, or over a cluster of it (feature `redis-cluster`) |
//! | `FileStore` | a small site; looking inside | remembers, also after a power cut | on one machine, over one folder |
//! | `SessionLayer::encrypted_cookie`, and no store: the cookie holds the session | small sessions | remembers, with the same keys | yes, but of two requests at once one is lost |
//! | `Cached` in front of any of them | fewer questions to the store | as that store does | changes as that store does; what a page shows may be stale |
//! | [`OneServer`] around a tower-sessions store | what you have already | as that store does | no |
//!
//! Most are cargo features of this crate: `sqlite`, which is on by default, and `postgres`, `redis`,
//! `file`, `encrypted-cookie` and `cached`. An `Arc<dyn Store>` holds any of them, for a program that
//! chooses when it starts. [`ForTowerSessions`] takes any of them to tower-sessions' own layer.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use sessions::{SessionLayer, SqliteStore};
//!
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("library.sqlite");
//! let layer = SessionLayer::new(SqliteStore::open(file).await?);
//! # Ok(()) }
//! ```
//!
//! # What it promises
//!
//! "A shared store" is one that several servers can use: SQLite, PostgreSQL, Redis, files. `Cached`
//! keeps what the store behind it keeps. An encrypted cookie is not a store; which of these it
//! keeps is said at `SessionLayer::encrypted_cookie`.
//!
//! | | promise | kept over |
//! |---|---|---|
//! | 1 | A session that was ended is not written back by a request that was still running: that one gets a 409 page and no cookie. | every store; on several servers a shared one |
//! | 2 | An id that the client made up is never adopted. | every store |
//! | 3 | What is stored after a flush goes under a new id. | every store |
//! | 4 | Cycling the id keeps the data: the new record is stored before the old one goes. | every store |
//! | 5 | A request that commits after a cycle does not set the browser back to the old id. | every store; on several servers a shared one |
//! | 6 | A chosen expiry lasts until it is changed. | every store; over restarts those that remember |
//! | 7 | `Vary: Cookie`, and `Cache-Control: private, no-cache`, are on every response that may differ by visitor. | every store |
//! | 8 | Reading writes nothing, and an empty session is never created. | every store |
//! | 9 | A response with status 5xx saves nothing; what [`flush`](Session::flush), [`save`](Session::save) and, for a session that was stored before, [`update`](Session::update) did holds. | every store |
//! | 10 | A record that cannot be decoded is an empty session and a warning; a value of another type is an error that names its key. | every store |
//! | 11 | The removal cookie has the attributes of the cookie that it removes. | every store |
//! | 12 | A store out of reach is a calm 503 page, and the next request works. | every store |
//! | 13 | Two requests at once lose nothing: different keys are both kept, and `update` is exact. | every store; on several servers a shared one |
//! | 14 | Expired records are cleared in small steps, and a failed step is tried again. | memory, SQLite, PostgreSQL, files; in Redis they go by themselves; `OneServer` says that it cannot |
//! | 15 | Of several cookies of one name (the first four that can be ids), the one that the store knows counts. Only a cookie of ours is removed. | every store |
//! | 16 | What cannot work is said at the start, in one line with the remedy. | SQLite, PostgreSQL, Redis, files |
//! | 17 | After a clean stop one file holds everything. | SQLite |
//! | 18 | A session that outlives its response stores what it says it stores, or returns an error. | every store |
//! | 19 | A session that has moved to a new id is not ended: requests that were running go on with it, and a flush follows it. | every store; on several servers a shared one |
//! | 20 | A session never ends before its time. | every store |
//! | 21 | An insert costs what its value costs, however large the session is. | every store |
//! | 22 | `localhost` and all names under it are this machine, and the authority of the request counts before its `Host`. | every store |
//!
//! # Follow a request
//!
//! 1. `layer.rs` reads the cookie's value (`cookie.rs`) and puts a [`Session`] into the request. It
//!    is not loaded yet.
//! 2. A handler that takes a [`Session`] has it loaded: `session/load.rs` asks the store for the
//!    record. From then on it is a dictionary in memory (`session/dictionary.rs`).
//! 3. After the handler, the layer commits the session: `session/commit.rs` writes the record if it
//!    was changed, and says what becomes of the cookie. That file is the one to read twice.
//! 4. The store (`stores/`, for example `stores/sqlite/mod.rs`) loads records and compares versions
//!    before it writes.
//!
//! The model is Django's documentation page "How to use sessions".

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(missing_docs)]

mod builder;
mod clearing;
mod config;
mod cookie;
mod error;
mod layer;
mod session;
mod stores;
pub mod testing;

pub use ::cookie::SameSite;
pub use async_trait::async_trait;
pub use builder::Builder;
pub use clearing::{Clearing, clear_expired};
pub use config::{Misconfigured, Secure};
pub use error::Error;
pub use layer::{SessionLayer, SessionService};
pub use serde_json::Value;
pub use session::{Session, ValueMut, moved::to as moved_to};
#[cfg(feature = "cached")]
pub use stores::Cached;
#[cfg(feature = "file")]
pub use stores::FileStore;
#[cfg(feature = "postgres")]
pub use stores::PostgresStore;
#[cfg(feature = "redis")]
pub use stores::RedisStore;
#[cfg(feature = "sqlite")]
pub use stores::SqliteStore;
#[cfg(feature = "encrypted-cookie")]
pub use stores::encrypted_cookie::EncryptionKeys;
pub use stores::{ForTowerSessions, MemoryStore, OneServer, Outcome, Store, Version};
pub use tower_sessions::{
    Expiry, SessionStore,
    session::{Id, Record},
    session_store::Error as StoreError,
};

/// What records and expiries are dated with: parts of the crate [`time`](::time).
///
/// The settings and [`Clearing`] take its `Duration` and that of the standard library.
pub mod time {
    pub use ::time::{Duration, OffsetDateTime};
}
