//! One answer to exercise 11: the browser says where a form comes from, and the page does not.

use axum::{
    Form, Router,
    extract::Request,
    http::{Method, StatusCode, header::ORIGIN},
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
    let headers = request.headers();
    let is_from_here = match (headers.get("sec-fetch-site"), headers.get(ORIGIN)) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => origin == "http://127.0.0.1:3000",
        // No browser: it has no visitor's cookies to send.
        (None, None) => true,
    };
    if request.method() == Method::GET || is_from_here {
        next.run(request).await
    } else {
        StatusCode::FORBIDDEN.into_response()
    }
}
