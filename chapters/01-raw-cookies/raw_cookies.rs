//! A visit count kept in the visitor's own cookie, read and written by hand.
//!
//! Run: `just run chapter-1`
//! Try: reload the page, then send `curl -i --cookie visits=999999 http://127.0.0.1:3000`

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    http::{
        HeaderMap,
        header::{CACHE_CONTROL, COOKIE, SET_COOKIE, VARY},
    },
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use site::IsVisit;

const VISITS: &str = "visits";

/// The whole chapter: one page, and a button that forgets the visitor.
pub fn app() -> Router {
    site::with_look(
        Router::new().route("/", get(count_visit)).route("/forget", post(forget_visitor)),
    )
}

async fn count_visit(IsVisit(is_visit): IsVisit, headers: HeaderMap) -> Response {
    // Count first, so a newcomer reads "1 time", not "0 times". A browser that fetches a page ahead
    // of a click, or asks for its headers only (HEAD), is not a visit.
    let visits = visits_so_far(&headers).saturating_add(u32::from(is_visit));
    let set_cookie = set_visits(visits);
    let page = Home { visits, sent: cookie_lines(&headers), told: &set_cookie };
    // Without these, a cache between here and there may show one visitor's page to another.
    let for_caches = [(VARY, "Cookie"), (CACHE_CONTROL, "private, no-cache")];
    ([(SET_COOKIE, set_cookie.as_str())], for_caches, page).into_response()
}

async fn forget_visitor() -> impl IntoResponse {
    // Set-Cookie has no word for "delete": a cookie that has outlived its age is dropped. The
    // browser finds it by name, domain and path, so the Path must be the one it was set with
    // (RFC 6265 section 5.3).
    let removal = format!("{VISITS}=; Max-Age=0; Path=/");
    ([(SET_COOKIE, removal)], Redirect::to("/"))
}

/// What the browser is told to keep, and when to send it back (RFC 6265 section 4.1;
/// `SameSite` is in its revision, RFC 6265bis).
fn set_visits(visits: u32) -> String {
    [
        &format!("{VISITS}={visits}"),
        // For every address of this host. Without it: for the folder of the page that set it.
        "Path=/",
        // Seconds to keep it, here a year. Without it, the cookie goes when the browser closes.
        "Max-Age=31536000",
        // Scripts in the page cannot read it, so injected ones cannot carry it off.
        "HttpOnly",
        // A form that posts from another site does not send it; a link from there does.
        "SameSite=Lax",
        // `Secure` is missing: it means "over https only", and this server speaks plain http.
        // Some browsers make an exception for localhost, others would drop the cookie.
    ]
    .join("; ")
}

/// The count that the cookie claims, and 0 for a newcomer or for what is not a count.
fn visits_so_far(headers: &HeaderMap) -> u32 {
    // Several cookies may have this name, from other paths and other programs. The first that is
    // a number counts.
    cookies(headers, VISITS).find_map(|value| value.parse().ok()).unwrap_or(0)
}

/// The values of the cookies of this name, from headers like `Cookie: a=1; visits=2`.
///
/// The header lists every cookie that fits this host, other programs' cookies among them: ports
/// do not keep cookies apart (RFC 6265 section 8.5). A pair that makes no sense is passed over.
pub fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        // Bytes, not text: one cookie with odd bytes must not hide the others in its header.
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b';'))
        .filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='))
        .filter(move |(key, _)| trim(key) == name)
        .map(|(_, value)| unquote(trim(value)))
}

/// Only spaces and tabs separate pairs (RFC 6265 section 5.4). `str::trim` takes more away, and
/// would read another cookie's name as ours.
fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A value may stand in double quotes (RFC 6265 section 4.1.1).
fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}

/// The `Cookie` headers as they came, for the reader to look at: the beginning of each, since a
/// client may send a very long one.
fn cookie_lines(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(COOKIE).iter().take(10);
    let shown = |line: &[u8]| String::from_utf8_lossy(&line[..line.len().min(1000)]).into_owned();
    lines.map(|line| shown(line.as_bytes())).collect()
}

#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
struct Home<'a> {
    visits: u32,
    sent: Vec<String>,
    told: &'a str,
}
