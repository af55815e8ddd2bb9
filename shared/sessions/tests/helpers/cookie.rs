//! What a response says about its cookie, and requests with a cookie of one's own.

use axum::http::Request;
use browser::{Browser, Page};
use cookie::Cookie;
use sessions::Id;

/// An id that no store has.
pub const MADE_UP: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// The one cookie that this page sets.
#[track_caller]
pub fn the_cookie(page: &Page) -> Cookie<'static> {
    let set = page.set_cookies();
    assert_eq!(set.len(), 1, "{set:?}");
    Cookie::parse(set[0].to_owned()).expect("a cookie")
}

#[track_caller]
pub fn assert_no_cookie(page: &Page, when: &str) {
    assert!(page.set_cookies().is_empty(), "{when}: {:?}", page.set_cookies());
}

/// The page lets the browser drop its session cookie.
#[track_caller]
pub fn assert_removed(page: &Page, when: &str) {
    let set = page.set_cookies();
    assert!(set.len() == 1 && set[0].starts_with("sessionid=; "), "{when}: {set:?}");
}

/// The id in this browser's session cookie.
#[track_caller]
pub fn id_of(visitor: &Browser) -> Id {
    visitor.cookie("sessionid").expect("a session cookie").parse().expect("an id")
}

/// The `Cookie` header of this browser.
#[track_caller]
pub fn cookie_of(visitor: &Browser) -> String {
    format!("sessionid={}", visitor.cookie("sessionid").expect("a session cookie"))
}

/// A GET with this `Cookie` header, and not the cookies that the browser keeps.
pub async fn get_with_cookie<'a>(visitor: &'a mut Browser, path: &str, cookie: &str) -> &'a Page {
    visitor.get_with(path, &[("cookie", cookie.as_bytes())]).await
}

/// A POST with this `Cookie` header, and not the cookies that the browser keeps. A cookie that it sets is kept.
pub async fn post_with_cookie<'a>(
    visitor: &'a mut Browser,
    path: &str,
    cookie: &str,
    form: &str,
) -> &'a Page {
    let request = Request::post(path)
        .header("cookie", cookie)
        .header("content-type", "application/x-www-form-urlencoded");
    visitor.send(request.body(form.to_owned().into()).expect("a valid request")).await
}
