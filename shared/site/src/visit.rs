//! Is there a visitor who looks at the page that this request asks for?

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderName, Method, request::Parts},
};

/// The second is what Chromium sent before the first was agreed on, and still sends for some links.
const PURPOSE: [HeaderName; 2] =
    [HeaderName::from_static("sec-purpose"), HeaderName::from_static("purpose")];

/// Is this request a visit: a GET for a visitor who looks at the page? Take it to count visits.
///
/// - HEAD asks how a page is without asking for the page (RFC 9110 section 9.3.2), and axum sends
///   it to the handler of GET.
/// - A browser that expects a click asks for the page ahead of it, and says so: `Sec-Purpose:
///   prefetch` (Fetch standard, "`Sec-Purpose` header"), or `prefetch;prerender` if it also draws
///   the page out of sight (WICG, "Prerendering Revamped").
///
/// If the click follows, the browser shows what it has and does not ask again. So a count by this
/// is rather too low than too high.
///
/// ```
/// use site::IsVisit;
///
/// async fn show_home(IsVisit(is_visit): IsVisit) -> &'static str {
///     if is_visit { "One more." } else { "As many as before." }
/// }
/// # axum::routing::get::<_, _, ()>(show_home);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct IsVisit(pub bool);

impl<S: Sync> FromRequestParts<S> for IsVisit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<IsVisit, Infallible> {
        let is_ahead = PURPOSE.iter().flat_map(|name| parts.headers.get_all(name)).any(|purpose| {
            purpose.to_str().is_ok_and(|purpose| {
                purpose
                    .split([';', ','])
                    .any(|word| matches!(word.trim(), "prefetch" | "prerender"))
            })
        });
        Ok(IsVisit(parts.method == Method::GET && !is_ahead))
    }
}
