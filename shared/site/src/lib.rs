//! How LocalLibrary's pages look, and how its server starts and stops.
//!
//! A chapter writes its own routes and hands them over twice: [`with_look`] puts the look, the
//! error pages and the security headers around them, [`ServerOptions::serve`] listens until
//! Ctrl-C. Its handlers take [`Form`], [`Path`] and [`Query`], so that a visitor whose form does
//! not fit reads a sentence for visitors. [`refuse_cross_origin`] keeps the forms of other sites
//! away. Nothing here knows what a session or a cookie is.
//!
//! A chapter's templates extend `templates/base.html`, which has the blocks `title`, `sidebar`
//! (list items), `notice` (above the content) and `content`. In `theme`, a page may write the
//! attribute `data-theme="light"` or `"dark"`.
//!
//! ```
//! use axum::{Router, routing::get};
//!
//! fn app() -> Router {
//!     site::with_look(Router::new().route("/", get(async || "Welcome")))
//! }
//! # app();
//! ```

// Templates say `site::is_watching()` and `site::lesson::current()`, and those of this crate extend the same base.
extern crate self as site;

mod connections;
mod extract;
mod look;
mod origin;
mod serve;
mod stop;
mod visit;

pub use ::inspector::{Inspector, is_watching};
pub use ::lesson;
pub use clap::Parser;
pub use extract::{Form, Path, Query, Rejection};
pub use look::{BODY_LIMIT, BODY_TIME, server_error, unavailable, with_look};
pub use origin::refuse_cross_origin;
pub use serve::{Listening, ServerOptions, exit_with};
pub use visit::IsVisit;
