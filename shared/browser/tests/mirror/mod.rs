//! An application that hands out cookies and shows which ones come back.

use axum::{
    Router,
    http::{HeaderMap, header::SET_COOKIE},
    response::AppendHeaders,
    routing::any,
};

/// `/set` answers with these `Set-Cookie` headers, `/more/set` too; every other path answers with
/// the `Cookie` header that it got, or with "no cookies".
pub fn mirror<const N: usize>(set_cookies: [&'static str; N]) -> Router {
    let set = any(async move || AppendHeaders(set_cookies.map(|cookie| (SET_COOKIE, cookie))));
    Router::new().route("/set", set.clone()).route("/more/set", set).fallback(
        async |headers: HeaderMap| match headers.get("cookie") {
            Some(cookies) => String::from_utf8_lossy(cookies.as_bytes()).into_owned(),
            None => "no cookies".to_owned(),
        },
    )
}
