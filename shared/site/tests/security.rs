//! What every response tells the browser, and that no page needs an exception from it.

use axum::{
    Form, Router,
    body::Body,
    http::{
        Request, StatusCode,
        header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
    },
    response::{Html, Redirect},
    routing::{get, post},
};
use browser::{Browser, Page};

fn open() -> Browser {
    let routes = Router::new()
        .route("/", get(async || Html("<p>Welcome</p>")))
        .route("/car", post(async |Form(car): Form<Vec<(String, String)>>| car.len().to_string()))
        .route("/old", get(async || Redirect::to("/")))
        .route("/panic", get(async || -> &'static str { panic!("on purpose") }))
        .route("/mine", get(async || (StatusCode::IM_A_TEAPOT, Html("<p>My own page</p>"))));
    Browser::open(site::with_look(routes))
}

fn all(page: &Page, name: &str) -> Vec<String> {
    let values = page.headers().get_all(name).iter();
    values.map(|value| value.to_str().expect("ASCII").to_owned()).collect()
}

/// What this directive of the page's policy allows.
fn allows(page: &Page, directive: &str) -> Option<String> {
    let policy = all(page, "content-security-policy").concat();
    let found = policy.split(';').find_map(|it| it.trim().strip_prefix(directive));
    found.filter(|rest| rest.starts_with(' ')).map(|rest| rest.trim().to_owned())
}

#[track_caller]
fn assert_guarded(page: &Page) {
    let policy = all(page, "content-security-policy");
    assert_eq!(policy.len(), 1, "{policy:?}");
    assert!(!policy[0].contains("unsafe-"), "{policy:?}");
    assert!(!policy[0].contains('*'), "{policy:?}");
    assert_eq!(allows(page, "default-src").as_deref(), Some("'none'"));
    assert_eq!(allows(page, "script-src"), None, "there is no script, so the default holds");
    assert_eq!(allows(page, "style-src").as_deref(), Some("'self'"));
    assert_eq!(allows(page, "img-src").as_deref(), Some("'self'"));
    // These three do not fall back to default-src.
    assert_eq!(allows(page, "frame-ancestors").as_deref(), Some("'none'"));
    assert_eq!(allows(page, "form-action").as_deref(), Some("'self'"));
    assert_eq!(allows(page, "base-uri").as_deref(), Some("'none'"));
    assert_eq!(all(page, "x-content-type-options"), ["nosniff"]);
    assert_eq!(all(page, "referrer-policy"), ["same-origin"]);
}

#[tokio::test]
async fn every_response_is_guarded() {
    let mut visitor = open();
    for (path, status) in [
        ("/", StatusCode::OK),
        ("/old", StatusCode::SEE_OTHER),
        ("/no/such/page", StatusCode::NOT_FOUND),
        ("/car", StatusCode::METHOD_NOT_ALLOWED),
        ("/mine", StatusCode::IM_A_TEAPOT),
        ("/panic", StatusCode::INTERNAL_SERVER_ERROR),
        ("/static/style.css", StatusCode::OK),
        ("/static/icon.svg", StatusCode::OK),
    ] {
        let page = visitor.get(path).await;
        assert_eq!(page.status(), status, "for {path}");
        assert_guarded(page);
    }

    let car = "a".repeat(site::BODY_LIMIT);
    let page = visitor.post("/car", &[("my_car", &car)]).await;
    assert_eq!(page.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_guarded(page);

    let head = Request::head("/").body(Body::empty()).expect("a valid request");
    assert_guarded(visitor.send(head).await);
}

#[tokio::test]
async fn a_handlers_own_policy_is_kept_also_on_an_error() {
    let own = [
        (CONTENT_SECURITY_POLICY, "default-src https:"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let routes = Router::new()
        .route("/", get(async move || (own.clone(), "Mine")))
        .route("/only", get(async || ([(CONTENT_SECURITY_POLICY, "sandbox")], "Mine")))
        .route("/bad", get(async || (StatusCode::CONFLICT, [(REFERRER_POLICY, "origin")])));
    let mut visitor = Browser::open(site::with_look(routes));

    let page = visitor.get("/").await;
    assert_eq!(all(page, "content-security-policy"), ["default-src https:"]);
    assert_eq!(all(page, "referrer-policy"), ["no-referrer"]);
    assert_eq!(all(page, "x-content-type-options"), ["nosniff"]);

    let page = visitor.get("/only").await;
    assert_eq!(all(page, "content-security-policy"), ["sandbox"]);
    assert_eq!(all(page, "referrer-policy"), ["same-origin"]);

    let page = visitor.get("/bad").await;
    assert_eq!(all(page, "referrer-policy"), ["origin"]);
    assert_eq!(allows(page, "frame-ancestors").as_deref(), Some("'none'"));
}

#[tokio::test]
async fn all_that_a_page_asks_for_comes_from_this_site() {
    let mut visitor = open();
    let page = visitor.get("/no/such/page").await.clone();

    let asked: Vec<String> = ["href", "src", "action", "srcset", "data"]
        .iter()
        .flat_map(|name| page.attributes(&format!("[{name}]"), name))
        .collect();
    assert!(asked.len() > 3, "{asked:?}");
    for address in &asked {
        let is_here = address.starts_with('/') && !address.starts_with("//");
        assert!(is_here || address.starts_with('#'), "{address}");
    }
    for address in page.attributes("link", "href") {
        assert_eq!(visitor.get(&address).await.status(), StatusCode::OK, "{address}");
    }
}

#[test]
fn no_file_of_the_look_needs_an_exception_from_the_policy() {
    let templates =
        [include_str!("../templates/base.html"), include_str!("../templates/error.html")];
    let stylesheet = include_str!("../src/style.css");
    let icon = include_str!("../src/icon.svg");

    for source in templates {
        let source = source.to_ascii_lowercase();
        for banned in ["<style", "style=", "<script", "javascript:", "<iframe", "|safe", "data:"] {
            assert!(!source.contains(banned), "{banned}");
        }
        let scripts = source
            .split_ascii_whitespace()
            .find(|it| it.split_once('=').is_some_and(|(name, _)| name.starts_with("on")));
        assert_eq!(scripts, None);
        assert!(!source.contains("//"), "an address elsewhere");
    }
    for banned in ["//", "@import", "url(", "data:"] {
        assert!(!stylesheet.contains(banned), "{banned}");
    }
    // The icon is a page, too, for those who open its address.
    for banned in ["<script", "style", "href", "onload"] {
        assert!(!icon.contains(banned), "{banned}");
    }
}
