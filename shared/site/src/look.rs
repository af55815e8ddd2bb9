//! The look: a stylesheet, error pages, security headers.

use std::time::Duration;

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{DefaultBodyLimit, Request},
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
            RETRY_AFTER, X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tower_http::{
    catch_panic::CatchPanicLayer, set_header::SetResponseHeaderLayer,
    timeout::RequestBodyDeadlineLayer, trace::TraceLayer,
};

/// The largest request body that a form may send, in bytes. More is answered with 413.
pub const BODY_LIMIT: usize = 64 * 1024;

/// How long a request's body may take to arrive. A form that takes longer is answered with 408.
///
/// It is enough for [`BODY_LIMIT`] bytes over a line of 18 kbit/s.
pub const BODY_TIME: Duration = Duration::from_secs(30);

/// Longer explanations than this, in bytes, are not meant for a visitor.
const MESSAGE_LIMIT: usize = 2 * 1024;

/// Everything comes from this server, and there is no script at all; frame-ancestors keeps the
/// page, with its buttons, out of other sites' frames.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Puts LocalLibrary's look around a chapter's routes.
///
/// - serves `/static/style.css` and `/static/icon.svg` from the binary;
/// - turns every error that has no page yet into one: an unknown address (404), a wrong method
///   (405), a form over [`BODY_LIMIT`] (413) or later than [`BODY_TIME`] (408), all that
///   [`Form`](crate::Form), [`Path`](crate::Path) and [`Query`](crate::Query) turn away, and a
///   handler's plain-text error;
/// - a panic in a handler becomes a 500 page, and its cause goes to the log;
/// - sets `Content-Security-Policy`, `X-Content-Type-Options` and `Referrer-Policy` (see the
///   OWASP HTTP Headers Cheat Sheet) where a handler has not.
///
/// Call it last: a layer wraps what was added before it. A fallback of the chapter's own is
/// replaced.
pub fn with_look(routes: Router) -> Router {
    routes
        .route("/static/style.css", get(async || asset("text/css", include_str!("style.css"))))
        .route("/static/icon.svg", get(async || asset("image/svg+xml", include_str!("icon.svg"))))
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(RequestBodyDeadlineLayer::new(BODY_TIME))
        .layer(CatchPanicLayer::custom(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()))
        .layer(middleware::from_fn(add_error_page))
        .layer(default_header(CONTENT_SECURITY_POLICY, POLICY))
        .layer(default_header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(default_header(REFERRER_POLICY, "same-origin"))
        .layer(TraceLayer::new_for_http())
}

/// A 500 page for a failure that the visitor can do nothing about, with its cause in the log.
pub fn server_error(cause: impl std::error::Error) -> Response {
    tracing::error!(%cause, source = ?cause.source(), "a request failed");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// A 503 page for a failure that passes, such as a database that does not answer, with its cause in
/// the log. It asks clients to come back in ten seconds (`Retry-After`, RFC 9110 section 10.2.3).
pub fn unavailable(cause: impl std::error::Error) -> Response {
    tracing::error!(%cause, source = ?cause.source(), "a request failed for the moment");
    let words = "The library does not answer at the moment. Please try again in a few seconds.";
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "10")], words).into_response()
}

/// Editing the stylesheet shows at the next reload, since nothing may keep an old copy.
fn asset(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-cache")], text)
}

fn default_header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

async fn add_error_page(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let response = next.run(request).await;
    if is_bare_error(&response) { error_page(method, response).await } else { response }
}

fn is_bare_error(response: &Response) -> bool {
    let status = response.status();
    let content_type = text_of(response.headers(), CONTENT_TYPE).to_ascii_lowercase();
    let is_html = content_type.starts_with("text/html");
    (status.is_client_error() || status.is_server_error()) && !is_html
}

fn text_of(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[derive(Template, WebTemplate)]
#[template(path = "error.html")]
struct ErrorPage {
    heading: &'static str,
    message: String,
}

async fn error_page(method: Method, bare: Response) -> Response {
    let (head, body) = bare.into_parts();
    let page = ErrorPage {
        heading: head.status.canonical_reason().unwrap_or("Something went wrong"),
        message: message(&method, head.status, body).await,
    };

    let mut response = (head.status, page).into_response();
    // What the bare response said (Allow, Set-Cookie, Retry-After) still holds; what described
    // its body does not.
    for (name, value) in &head.headers {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            response.headers_mut().append(name, value.clone());
        }
    }
    response
}

/// The response's own words, if it has any, otherwise ours.
async fn message(method: &Method, status: StatusCode, body: Body) -> String {
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            return format!("This address does not answer to {method}.");
        }
        // axum's own words for it are for developers.
        StatusCode::PAYLOAD_TOO_LARGE => {
            return format!("That is more than this site takes: {} KB at most.", BODY_LIMIT / 1024);
        }
        _ => {}
    }
    let own_words = to_bytes(body, MESSAGE_LIMIT).await.unwrap_or_default();
    match std::str::from_utf8(&own_words) {
        Ok(text) if !text.trim().is_empty() => text.trim().to_owned(),
        _ => calm_words(status).to_owned(),
    }
}

fn calm_words(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is no page at this address.",
        StatusCode::REQUEST_TIMEOUT => {
            "Your form did not arrive in time. Check your connection, go back, and send it again."
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "This site takes forms as a browser sends them, and this was something else."
        }
        StatusCode::UNPROCESSABLE_ENTITY => {
            "A field of the form is missing, or what it says does not fit. Go back, reload the \
             page, and fill it in again."
        }
        _ if status.is_server_error() => {
            "That is our fault, not yours. The cause is in the server's log."
        }
        _ => "The server could not make sense of that request.",
    }
}
