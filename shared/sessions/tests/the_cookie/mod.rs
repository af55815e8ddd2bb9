//! What a response says about its cookie.

use browser::Page;
use cookie::Cookie;

/// The one cookie that this page sets.
#[track_caller]
pub fn the_cookie(page: &Page) -> Cookie<'static> {
    let set = page.set_cookies();
    assert_eq!(set.len(), 1, "{set:?}");
    Cookie::parse(set[0].to_owned()).expect("a cookie")
}
