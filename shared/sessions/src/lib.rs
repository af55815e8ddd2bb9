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
//! Where the new value depends on the old one, two requests at once could lose a change.
//! [`Session::update`] loses none, and returns what was stored:
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
//! # use sessions::{Error, Expiry, Session};
//! # use time::Duration;
//! async fn sign_in(session: Session) -> Result<(), Error> {
//!     session.cycle_id(); // whoever knew the old id stays outside
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
//! deletes them. Until then they are nobody's.
//!
//! # The settings
//!
//! Each bears the name of Django's. What no browser would keep is refused when the site starts.
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
//! A store is anything that implements [`Store`]; [`contract::check`] tests one of your own.
//!
//! | store | for | a restart | several servers |
//! |---|---|---|---|
//! | [`MemoryStore`] | tests, trying things out | forgets | no |
//! | [`SqliteStore`] | a site | remembers, also after a power cut | over one file |
//! | `PostgresStore` | a site on several servers | remembers, also after a power cut | over one database |
//! | `RedisStore` | the same, with more visits | as Redis is set; by default a crash loses minutes | over one Redis |
//! | `FileStore` | a small site; looking inside | remembers, also after a power cut | on one machine, over one folder |
//! | `SessionLayer::sealed`, and no store: the cookie holds the session | small sessions | remembers, with the same keys | yes, but of two requests at once one is lost |
//! | `Cached` in front of any of them | fewer questions to the store | as that store does | changes as that store does; what a page shows may be old |
//! | [`OneServer`] around a tower-sessions store | what you have already | as that store does | no |
//!
//! Those without a link are cargo features of this crate: `postgres`, `redis`, `file`, `sealed` and
//! `cached`. An [`AnyStore`] holds any of them, for a program that chooses when it starts.
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
//! keeps what the store behind it keeps. A sealed cookie is no store; which of these it keeps is
//! said at `SessionLayer::sealed`.
//!
//! | | promise | kept over |
//! |---|---|---|
//! | 1 | A session that was ended is not written back by a request that was still running: that one gets a 409 page and no cookie. | every store; on several servers a shared one |
//! | 2 | An id that the client made up is never adopted. | every store |
//! | 3 | What is stored after a flush goes under a new id. | every store |
//! | 4 | Cycling the id keeps the data: the new record is stored before the old one goes. | every store |
//! | 5 | A slow response from before a cycle does not set the browser back. | every store; on several servers a shared one |
//! | 6 | A chosen expiry lasts until it is changed. | every store; over restarts those that remember |
//! | 7 | `Vary: Cookie` is on every response that may differ by visitor. | every store |
//! | 8 | Reading writes nothing, and an empty session is never created. | every store |
//! | 9 | A response with status 5xx saves nothing; what [`flush`](Session::flush) and [`update`](Session::update) did holds. | every store |
//! | 10 | A record that cannot be decoded is an empty session and a warning; a value of another type is an error that names its key. | every store |
//! | 11 | The removal cookie bears the attributes of the cookie that it removes. | every store |
//! | 12 | A store out of reach is a calm 503 page, and the next request works. | every store |
//! | 13 | Two requests at once lose nothing: different keys are both kept, and `update` is exact. | every store; on several servers a shared one |
//! | 14 | Expired records are cleared in small steps, and a failed step is tried again. | SQLite, PostgreSQL, files; in Redis they go by themselves; the others say that they cannot |
//!
//! # Where to read what
//!
//! 1. [`SessionLayer`] (layer.rs) puts a ticket for the visitor's session into the request. The
//!    id comes from the cookie (cookie.rs). Nothing is loaded yet.
//! 2. A handler that takes a [`Session`] (session.rs) cashes the ticket in: the record is loaded,
//!    and from then on it is a dictionary in memory.
//! 3. After the handler, the layer saves the dictionary if it was modified, and sends the cookie.
//!
//! The model is Django's documentation page "How to use sessions".

mod any;
#[cfg(feature = "cached")]
mod cached;
mod clearing;
pub mod contract;
mod cookie;
mod error;
#[cfg(feature = "file")]
mod file;
mod layer;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod row;
#[cfg(feature = "sealed")]
mod sealed;
mod session;
mod settings;
mod sqlite;
mod store;

#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use ::cookie::SameSite;
pub use any::AnyStore;
#[cfg(feature = "cached")]
pub use cached::Cached;
pub use clearing::{Clearing, clear_expired};
pub use error::Error;
#[cfg(feature = "file")]
pub use file::FileStore;
pub use layer::SessionLayer;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "sealed")]
pub use sealed::SealingKeys;
pub use session::{Session, ValueMut};
pub use settings::{Builder, Misconfigured, Secure};
pub use sqlite::SqliteStore;
pub use store::{MemoryStore, OneServer, Replaced, Store, Version};
pub use tower_sessions::{Expiry, SessionStore, session::Id};
