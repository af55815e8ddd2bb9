//! One answer to exercise 1: each cookie gets a `Set-Cookie` header of its own.

use axum::{
    Router,
    http::{HeaderMap, header::SET_COOKIE},
    response::{AppendHeaders, IntoResponse, Redirect},
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
    // Set-Cookie is the one header that cannot be folded into a single line with commas
    // (RFC 6265 section 3), so it has to stand twice.
    let cookies = [(SET_COOKIE, "theme=dark; Path=/"), (SET_COOKIE, "visits=0; Path=/")];
    (AppendHeaders(cookies), Redirect::to("/"))
}
