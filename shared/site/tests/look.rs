//! The stylesheet, the icon, and a page that everybody can read.

use axum::{Router, http::StatusCode};
use browser::Browser;

fn open() -> Browser {
    Browser::open(site::with_look(Router::new()))
}

#[tokio::test]
async fn the_stylesheet_and_the_icon_are_served_as_what_they_are() {
    let mut visitor = open();

    let page = visitor.get("/static/style.css").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.header("content-type"), Some("text/css"));
    assert_eq!(page.body(), include_str!("../src/style.css"));

    let page = visitor.get("/static/icon.svg").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.header("content-type"), Some("image/svg+xml"));
    assert_eq!(page.body(), include_str!("../src/icon.svg"));
}

#[tokio::test]
async fn an_edit_of_the_stylesheet_shows_at_the_next_reload() {
    let mut visitor = open();
    for path in ["/static/style.css", "/static/icon.svg"] {
        assert_eq!(visitor.get(path).await.header("cache-control"), Some("no-cache"));
    }
}

#[test]
fn a_stylesheet_without_a_charset_is_plain_ascii() {
    assert!(include_str!("../src/style.css").is_ascii());
    assert!(include_str!("../src/icon.svg").is_ascii());
}

#[tokio::test]
async fn the_colours_follow_the_visitors_choice_of_dark_or_light() {
    let mut visitor = open();

    let stylesheet = visitor.get("/static/style.css").await.body();

    assert!(stylesheet.contains("color-scheme: light dark"));
    // A colour outside the pairs would be right in one of the two only.
    for line in stylesheet.lines().filter(|line| line.contains('#')) {
        assert!(line.contains("light-dark(#"), "{line}");
    }
}

#[tokio::test]
async fn a_page_may_ask_for_dark_or_light_itself() {
    let mut visitor = open();

    let stylesheet = visitor.get("/static/style.css").await.body();

    for theme in ["light", "dark"] {
        let rule = format!(":root[data-theme={theme}] {{ color-scheme: {theme}; }}");
        assert!(stylesheet.contains(&rule), "{rule}");
    }
}

#[tokio::test]
async fn a_page_has_a_language_a_title_and_fits_a_small_screen() {
    let mut visitor = open();

    let page = visitor.get("/no/such/page").await;

    assert!(page.body().starts_with("<!doctype html>"));
    assert!(page.has("html[lang=en]"));
    assert!(page.has("head meta[charset=utf-8]"));
    assert_eq!(
        page.attributes("meta[name=viewport]", "content"),
        ["width=device-width, initial-scale=1"]
    );
    assert_eq!(page.texts("h1").len(), 1);
    assert_eq!(page.texts("head title"), ["Not Found · Local Library"]);
}

#[tokio::test]
async fn a_keyboard_or_a_screen_reader_finds_its_way() {
    let mut visitor = open();

    let page = visitor.get("/no/such/page").await;

    assert!(page.has("nav[aria-label]"));
    assert!(page.has("main#content[tabindex='-1']"), "the skip link moves the focus");
    assert!(page.has("body > a.skip[href='#content']:first-child"));
    assert!(!page.has("img:not([alt])"));
    assert!(!page.has("a:empty, button:empty"));
    assert!(visitor.get("/static/style.css").await.body().contains(":focus-visible"));
}
