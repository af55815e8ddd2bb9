//! A test client that behaves as a web browser does, and writes down what went over the wire.
//!
//! It drives an axum [`Router`](axum::Router) in process, so no port is opened. It keeps cookies
//! by the rules of RFC 6265bis, opens second tabs and private windows, and follows a redirect only
//! when asked. It knows nothing about the application: no address, no cookie's name, no session.
//!
//! ```
//! use axum::{Router, http::header::SET_COOKIE, response::Html, routing::get};
//! use browser::Browser;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let app = Router::new().route(
//!     "/",
//!     get(async || ([(SET_COOKIE, "visits=1; Path=/")], Html("<main><p>Welcome.</p></main>"))),
//! );
//!
//! let mut visitor = Browser::open(app);
//! visitor.get("/").await;
//! assert_eq!(visitor.page().text(), "Welcome.");
//!
//! visitor.take_transcript();
//! visitor.get("/").await;
//! assert_eq!(
//!     visitor.transcript(),
//!     "GET / HTTP/1.1\n\
//!      Cookie: visits=1\n\
//!      \n\
//!      HTTP/1.1 200 OK\n\
//!      Set-Cookie: visits=1; Path=/\n\
//!      \n\
//!      Welcome."
//! );
//! # }
//! ```
//!
//! # The map
//!
//! | file | its noun |
//! |---|---|
//! | `browser.rs` | [`Browser`]: a tab; sends requests, shares its cookies with the other tabs |
//! | `jar.rs` | the cookies kept, and the rules for keeping and sending them |
//! | `elsewhere.rs` | [`Elsewhere`]: a page of another origin, and what it sends |
//! | `page.rs` | [`Page`]: one response |
//! | `sheet.rs` | the text that a visitor sees, drawn from HTML |
//! | `transcript.rs` | the exchanges, as a reader of the docs sees them |
//! | `names.rs` | session-1, session-2: what random ids are called in a transcript |
//! | `dates.rs` | `<in 14 days>`: what dates are called there |
//! | `exercise.rs` | whether a reader has solved an exercise, in one line |

mod browser;
mod dates;
mod elsewhere;
mod exercise;
mod jar;
mod names;
mod page;
mod sheet;
mod transcript;

pub use browser::Browser;
pub use elsewhere::Elsewhere;
pub use exercise::exercise;
pub use page::Page;
