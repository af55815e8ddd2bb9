//! The origin check: a form of another site is refused.

use axum::{
    extract::{MatchedPath, Request},
    http::{
        HeaderName, HeaderValue, Method, StatusCode,
        header::{HOST, ORIGIN},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request that a page of another origin makes a visitor's browser send: the origin
/// check against cross-site request forgery (CSRF). The visitor gets a 403 page, the log a line.
///
/// | the request | what happens |
/// |---|---|
/// | has the method GET, HEAD or OPTIONS | it passes: these are safe, they ask for no change (RFC 9110 section 9.2.1) |
/// | says `Sec-Fetch-Site: same-origin` or `none` | it passes: a page of this origin sent it, or no page did |
/// | says any other `Sec-Fetch-Site` | it is refused |
/// | has no `Sec-Fetch-Site`, and no `Origin` | it passes: browsers send at least one of the two with a form of another origin, and no other program adds a visitor's cookies |
/// | has an `Origin` whose host is the host that it asks for | it passes |
/// | has any other `Origin`, `null` too | it is refused |
///
/// The first row that fits decides. A page's script cannot set these headers: the browser does
/// (Fetch Metadata Request Headers, "`Sec-Fetch-Site`"; Fetch standard, "`Origin` header"). The
/// rules are those of `CrossOriginProtection` in Go's net/http, without its list of trusted
/// origins.
///
/// `same-site` is refused too: another port, or a subdomain that others have a say in, is not this
/// site. A browser leaves `Sec-Fetch-Site` out over plain http, except to this machine; there, and
/// in browsers from before 2023, `Origin` decides, which does not tell http from https on one host.
///
/// Add it after the routes and their sessions, so that a refused request never reaches them, and
/// before [`with_look`](crate::with_look), which makes a page of the refusal.
///
/// ```
/// use axum::{Router, middleware, routing::post};
///
/// fn app() -> Router {
///     let routes = Router::new()
///         .route("/car", post(async || "Set"))
///         .layer(middleware::from_fn(site::refuse_cross_origin));
///     site::with_look(routes)
/// }
/// # app();
/// ```
pub async fn refuse_cross_origin(request: Request, next: Next) -> Response {
    if is_safe(request.method()) || is_from_this_origin(&request) {
        return next.run(request).await;
    }
    log_refusal(&request);
    let words = "A page of another site sent this form, so nothing was changed. If that is what \
                 you want to do, open our home page and do it from there.";
    (StatusCode::FORBIDDEN, words).into_response()
}

fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

fn is_from_this_origin(request: &Request) -> bool {
    let headers = request.headers();
    // 1. The browser says where the page is that sent the request.
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return site == "same-origin" || site == "none";
    }
    // 2. An older browser says at least which origin that page has.
    match headers.get(ORIGIN) {
        Some(origin) => is_same_host(origin, request),
        // 3. Neither of them: this is a program such as curl. The check protects visitors, whose
        //    browsers add cookies that the sender does not know. Such a program does not.
        None => true,
    }
}

/// Compares `http://library.example:3000` with the host and port that were asked for.
fn is_same_host(origin: &HeaderValue, request: &Request) -> bool {
    // `null`, the origin of a page in a sandbox and of a local file, has no host.
    let Some((_scheme, sender)) = origin.to_str().ok().and_then(|it| it.split_once("://")) else {
        return false;
    };
    // The authority of the request counts before its Host header (RFC 9112 section 3.2.2).
    let asked_for = match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => request.headers().get(HOST).and_then(|host| host.to_str().ok()),
    };
    asked_for.is_some_and(|host| host.eq_ignore_ascii_case(sender))
}

/// Not the cookie, not the form, and the route instead of the address: `/reset/{token}` holds no
/// token.
fn log_refusal(request: &Request) {
    let headers = request.headers();
    let said = |name| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    // With `?`, what the sender says cannot start a line of its own in the log.
    tracing::warn!(
        method = %request.method(),
        route = route.unwrap_or_default(),
        sec_fetch_site = ?said(SEC_FETCH_SITE),
        origin = ?said(ORIGIN),
        "refused a request from another origin"
    );
}
