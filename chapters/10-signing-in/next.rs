//! Where a visitor goes after the form: to the page that they wanted, and never to another site.

use axum::{
    http::request::Parts,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use url::{Position, Url};

/// Stands for this site. Its name does not matter, since only paths are kept.
const HERE: &str = "http://this-site.invalid/";

#[derive(Deserialize)]
pub struct Next {
    #[serde(default)]
    pub next: String,
}

/// To a form that leads on to `next`.
pub fn redirect(form: &str, next: &str) -> Response {
    let mut address = Url::parse(HERE).expect("a URL");
    address.set_path(form);
    address.query_pairs_mut().append_pair("next", next);
    Redirect::to(&address[Position::BeforePath..]).into_response()
}

/// Where a visitor wanted to go. What was sent there by a form cannot be sent again.
pub fn address_to_return_to(parts: &Parts) -> String {
    let address = parts.uri.path_and_query().filter(|_| parts.method.is_safe());
    address.map_or("/".to_owned(), |address| address.to_string())
}

/// The address in `next` if it is one of this site, otherwise the home page. Anyone can send a
/// reader a link to the form.
pub fn within_this_site(next: &str) -> String {
    // Read as a browser will read it. To look for slashes is not enough: to a browser `/\evil` and
    // `/<tab>/evil` are another site, too.
    let here = Url::parse(HERE).expect("a URL");
    let path = here.join(next).ok().filter(|url| url.origin() == here.origin());
    let path = path.map(|url| url[Position::BeforePath..Position::AfterQuery].to_owned());
    // `/.//evil` has the path `//evil`, which by itself would be another site.
    path.filter(|path| !path.starts_with("//")).unwrap_or_else(|| "/".to_owned())
}
