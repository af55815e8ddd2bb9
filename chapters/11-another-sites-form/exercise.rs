//! Exercise 11: a check that another site can avoid.
//!
//! The site refuses a form whose Referer is another site. And yet a form of another site gets
//! through, because its page sends no Referer.
//!
//! Run: `just exercise 11`

use axum::{
    Form, Router,
    extract::Request,
    http::{Method, StatusCode, header::REFERER},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use sessions::{Error, MemoryStore, SameSite, Session, SessionLayer};

const ADDRESS: &str = "address";

/// What the check visits, at http://127.0.0.1:3000.
pub fn app() -> Router {
    // This cookie goes along with the forms of all sites, so the check has to refuse them.
    let sessions = SessionLayer::builder(MemoryStore::default())
        .cookie_same_site(SameSite::None)
        .build()
        .expect("good settings");
    Router::new()
        .route("/", get(show_address).post(change_address))
        .layer(sessions)
        .layer(middleware::from_fn(refuse_other_sites))
}

async fn show_address(session: Session) -> Result<String, Error> {
    Ok(session.get(ADDRESS)?.unwrap_or_default())
}

async fn change_address(
    session: Session,
    Form(form): Form<Vec<(String, String)>>,
) -> Result<(), Error> {
    session.extend(form)
}

async fn refuse_other_sites(request: Request, next: Next) -> Response {
    // TODO: a page chooses whether its forms have a Referer. It cannot choose what the browser
    // says in Sec-Fetch-Site, or, if that is missing, in Origin.
    // Hint: let GET pass, and what has neither of the two headers. Compare the Origin whole:
    // http://127.0.0.1:3000.evil.example is another site.
    let referer = request.headers().get(REFERER).and_then(|referer| referer.to_str().ok());
    let is_elsewhere = referer.is_some_and(|page| !page.starts_with("http://127.0.0.1:3000"));
    if request.method() == Method::POST && is_elsewhere {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}
