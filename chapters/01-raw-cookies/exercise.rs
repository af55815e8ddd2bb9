//! Exercise 1: two cookies in one response.
//!
//! The dark button sets a theme and starts the count again, so its response tells the browser to
//! keep two cookies. Only one arrives. Make it two.
//!
//! Run: `just exercise 1`

use axum::{
    Router,
    http::{HeaderMap, header::SET_COOKIE},
    response::{IntoResponse, Redirect},
    routing::{get, post},
};
use chapter_1::cookies;

/// What the check visits.
pub fn app() -> Router {
    Router::new().route("/", get(count_visit)).route("/dark", post(go_dark))
}

async fn count_visit(headers: HeaderMap) -> impl IntoResponse {
    let theme = cookies(&headers, "theme").next().unwrap_or("light");
    let visits: u32 = cookies(&headers, "visits").find_map(|it| it.parse().ok()).unwrap_or(0);
    let visits = visits.saturating_add(1);
    let page = format!("Theme: {theme}. Visits: {visits}.");
    ([(SET_COOKIE, format!("visits={visits}; Path=/"))], page)
}

async fn go_dark() -> impl IntoResponse {
    // TODO: send both. As it is, the second replaces the first: an array of headers keeps one
    // value for each name.
    // Hint: look at `axum::response::AppendHeaders`.
    let cookies = [(SET_COOKIE, "theme=dark; Path=/"), (SET_COOKIE, "visits=0; Path=/")];
    (cookies, Redirect::to("/"))
}
