//! A browser that keeps no cookies is told so, and the rest of the site works for it.
//!
//! Run: `just run chapter-5`
//! Try: open the counter; forbid cookies for this site; open the counter again.

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    http::Method,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use sessions::{Error, Session, SessionLayer, Store};
use site::IsVisit;

const NUM_VISITS: &str = "num_visits";

/// The whole chapter: a counter that first finds out whether it can count.
pub fn app(store: impl Store) -> Router {
    let sessions = SessionLayer::builder(store)
        .cookie_name("chapter5")
        .build()
        .expect("a cookie may have this name");

    let routes = Router::new()
        .route("/", get(async || Home))
        .route("/hours", get(async || Hours))
        .route("/counter", get(count_visit))
        .route("/counter/check", get(check_cookies))
        .layer(sessions);
    site::with_look(routes)
}

async fn count_visit(
    method: Method,
    IsVisit(is_visit): IsVisit,
    session: Session,
) -> Result<Response, Error> {
    // A stranger, or a browser that keeps no cookies? One request cannot tell them apart. So
    // leave a mark, and let the next request look for it.
    let Some(num_visits) = session.get::<u64>(NUM_VISITS)? else {
        // HEAD asks for no page, so it leaves none. A page that is fetched ahead of a click leaves
        // one: the check comes next, and would tell that visitor that cookies are missing.
        if method != Method::HEAD {
            session.set_test_cookie()?;
        }
        return Ok(Redirect::to("/counter/check").into_response());
    };

    let num_visits = num_visits + u64::from(is_visit);
    if is_visit {
        session.insert(NUM_VISITS, num_visits)?;
    }
    Ok(Counter { num_visits }.into_response())
}

async fn check_cookies(session: Session) -> Result<Response, Error> {
    if session.test_cookie_worked() {
        // The mark has done its work. From now on the count itself says that cookies are kept.
        session.delete_test_cookie()?;
        session.insert(NUM_VISITS, 0)?;
    }

    if session.contains_key(NUM_VISITS) {
        Ok(Redirect::to("/counter").into_response())
    } else {
        // A page, not a redirect: back at the counter, this browser would be sent here again.
        Ok(NoCookies.into_response())
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
struct Home;

#[derive(Template, WebTemplate)]
#[template(path = "hours.html")]
struct Hours;

#[derive(Template, WebTemplate)]
#[template(path = "counter.html")]
struct Counter {
    num_visits: u64,
}

#[derive(Template, WebTemplate)]
#[template(path = "no_cookies.html")]
struct NoCookies;
