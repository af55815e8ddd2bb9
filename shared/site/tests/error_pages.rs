//! Whatever goes wrong, the visitor gets a page of this site, and nothing that is not for them.

use std::collections::HashMap;

use axum::{
    Form, Router,
    body::Body,
    http::{HeaderName, Method, Request, StatusCode, header},
    response::{AppendHeaders, Html, IntoResponse, Response},
    routing::{get, post},
};
use browser::{Browser, Page};

const HOSTILE: &str = "<script>alert(1)</script>";

fn open(routes: Router) -> Browser {
    Browser::open(site::with_look(routes))
}

/// The page that a visitor gets whose request a handler answers with this.
async fn answered_with<R>(answer: R) -> Page
where
    R: IntoResponse + Clone + Send + Sync + 'static,
{
    let routes = Router::new().route("/", get(async move || answer));
    open(routes).get("/").await.clone()
}

fn request(method: Method, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).expect("a valid request")
}

/// An error in the site's look: its heading, its words, and a way back.
#[track_caller]
fn assert_looks_like_the_site(page: &Page) {
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    assert!(page.has("link[rel=stylesheet][href='/static/style.css']"));
    assert!(page.has("nav a[href='/']"));
    assert!(page.has("main a[href='/']"), "there is a way back");
    let reason = page.status().canonical_reason().expect("a well-known status");
    assert_eq!(page.texts("main h1"), [reason]);
    assert_eq!(page.texts("title"), [format!("{reason} · Local Library")]);
}

fn words(page: &Page) -> String {
    page.texts("h1 + p").concat()
}

#[tokio::test]
async fn an_unknown_address_is_a_404_page() {
    let mut visitor = open(Router::new().route("/", get(async || "Welcome")));

    let page = visitor.get("/no/such/page").await;

    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert_looks_like_the_site(page);
    assert_eq!(words(page), "There is no page at this address.");
}

#[tokio::test]
async fn an_unknown_static_file_is_a_404_page() {
    let mut visitor = open(Router::new());
    for path in ["/static/", "/static/style", "/static/../Cargo.toml", "/static/%2e%2e/style.css"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status(), StatusCode::NOT_FOUND, "for {path}");
        assert_looks_like_the_site(page);
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_405_page_that_says_which_would_do() {
    let mut visitor = open(Router::new().route("/car", post(async || "Set")));

    let page = visitor.get("/car").await;

    assert_eq!(page.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(page.header("allow"), Some("POST"));
    assert_looks_like_the_site(page);
    assert_eq!(words(page), "This address does not answer to GET.");

    let mut visitor = open(Router::new().route("/", get(async || "Welcome")));
    let page = visitor.send(request(Method::DELETE, "/")).await;

    assert_eq!(page.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(page.header("allow"), Some("GET,HEAD"));
    assert_eq!(words(page), "This address does not answer to DELETE.");
}

#[tokio::test]
async fn head_answers_what_get_would_without_the_page() {
    let routes = Router::new()
        .route("/", get(async || Html("<p>Welcome</p>")))
        .route("/broken", get(async || (StatusCode::BAD_GATEWAY, "The library is closed.")))
        .route("/car", post(async || "Set"));
    for path in ["/", "/broken", "/no/such/page", "/static/style.css", "/static/icon.svg"] {
        let mut visitor = open(routes.clone());
        let full = visitor.get(path).await.clone();
        let head = visitor.send(request(Method::HEAD, path)).await;

        assert_eq!(head.status(), full.status(), "for {path}");
        assert_eq!(head.headers(), full.headers(), "for {path}");
        assert_eq!(head.body(), "", "for {path}");
        assert_ne!(full.body(), "", "for {path}");
    }

    let mut visitor = open(routes);
    let head = visitor.send(request(Method::HEAD, "/car")).await;
    assert_eq!(head.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(head.header("allow"), Some("POST"));
}

#[tokio::test]
async fn a_form_may_fill_the_limit_and_not_one_byte_more() {
    async fn set(Form(form): Form<HashMap<String, String>>) -> String {
        format!("{} bytes", form["my_car"].len())
    }
    let mut visitor = open(Router::new().route("/car", post(set)));
    let around = "my_car=".len();

    for length in [site::BODY_LIMIT - 1, site::BODY_LIMIT] {
        let car = "a".repeat(length - around);
        let page = visitor.post("/car", &[("my_car", &car)]).await;
        assert_eq!(page.status(), StatusCode::OK, "for {length} bytes");
        assert_eq!(page.body(), format!("{} bytes", car.len()));
    }

    let car = "a".repeat(site::BODY_LIMIT + 1 - around);
    let page = visitor.post("/car", &[("my_car", &car)]).await;

    assert_eq!(page.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_looks_like_the_site(page);
    assert_eq!(words(page), "That is more than this site takes: 64 KB at most.");
}

#[tokio::test]
async fn a_handlers_plain_text_keeps_its_words() {
    let page = answered_with((StatusCode::CONFLICT, "  Ce livre est déjà prêté.\n")).await;

    assert_eq!(page.status(), StatusCode::CONFLICT);
    assert_looks_like_the_site(&page);
    assert_eq!(words(&page), "Ce livre est déjà prêté.");
}

#[tokio::test]
async fn hostile_words_are_shown_and_not_obeyed() {
    let text = format!("There is no car called {HOSTILE}&lt;\"'");
    let page = answered_with((StatusCode::BAD_REQUEST, text.clone())).await;

    assert!(!page.has("script"));
    assert!(!page.body().contains("<script"));
    assert_eq!(words(&page), text);
}

#[tokio::test]
async fn a_method_of_the_visitors_invention_is_shown_and_not_obeyed() {
    let mut visitor = open(Router::new().route("/", get(async || "Welcome")));
    let method = Method::from_bytes(b"'&x`!").expect("a token, as RFC 9110 has it");

    let page = visitor.send(request(method, "/")).await;

    assert_eq!(page.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(words(page), "This address does not answer to '&x`!.");
}

#[tokio::test]
async fn an_error_that_has_its_own_page_is_left_alone() {
    for status in [StatusCode::NOT_FOUND, StatusCode::INTERNAL_SERVER_ERROR] {
        let page = answered_with((status, Html("<h1>My own page</h1>"))).await;
        assert_eq!(page.status(), status);
        assert_eq!(page.body(), "<h1>My own page</h1>");
    }
}

#[tokio::test]
async fn a_page_is_a_page_in_any_case_of_letters() {
    // RFC 9110 section 8.3.1: the name of a media type has no case.
    let shouted = [(header::CONTENT_TYPE, "Text/HTML")];
    let page = answered_with((StatusCode::NOT_FOUND, shouted, "<h1>My own page</h1>")).await;
    assert_eq!(page.body(), "<h1>My own page</h1>");
}

#[tokio::test]
async fn what_is_no_error_is_left_alone() {
    let page = answered_with("Plain <b>words</b>").await;
    assert_eq!(page.body(), "Plain <b>words</b>");
    assert_eq!(page.header("content-type"), Some("text/plain; charset=utf-8"));

    for status in [StatusCode::NO_CONTENT, StatusCode::SEE_OTHER, StatusCode::NOT_MODIFIED] {
        let page = answered_with(status).await;
        assert_eq!(page.status(), status);
        assert_eq!(page.body(), "");
    }
}

#[tokio::test]
async fn what_a_bare_error_said_in_its_headers_still_holds() {
    let said: [(HeaderName, &str); 7] = [
        (header::SET_COOKIE, "a=1; Path=/"),
        (header::SET_COOKIE, "b=; Path=/; Max-Age=0"),
        (header::RETRY_AFTER, "10"),
        (header::VARY, "Cookie"),
        (header::VARY, "Accept-Language"),
        (header::ALLOW, "PURGE"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let page =
        answered_with((StatusCode::SERVICE_UNAVAILABLE, AppendHeaders(said.clone()), "Closed."))
            .await;

    assert_looks_like_the_site(&page);
    assert_eq!(words(&page), "Closed.");
    for (name, _) in &said {
        let kept: Vec<_> = page.headers().get_all(name).iter().collect();
        let expected: Vec<_> =
            said.iter().filter(|(other, _)| other == name).map(|(_, value)| value).collect();
        assert_eq!(kept, expected, "{name}");
    }
}

#[tokio::test]
async fn the_headers_that_describe_the_body_describe_the_page() {
    let described = [(header::CONTENT_TYPE, "application/json"), (header::CONTENT_LENGTH, "2")];
    for page in [
        answered_with((StatusCode::BAD_REQUEST, "Nein, größer!")).await,
        answered_with((StatusCode::BAD_REQUEST, described, "{}")).await,
    ] {
        let lengths: Vec<_> = page.headers().get_all(header::CONTENT_LENGTH).iter().collect();
        assert_eq!(lengths, [&page.body().len().to_string()]);
        let kinds: Vec<_> = page.headers().get_all(header::CONTENT_TYPE).iter().collect();
        assert_eq!(kinds, ["text/html; charset=utf-8"]);
    }
}

#[tokio::test]
async fn a_panic_is_a_500_page_that_shows_nothing_of_it() {
    async fn panics() -> &'static str {
        let shelf = "secret shelf";
        panic!("the {shelf} fell over")
    }
    let mut visitor =
        open(Router::new().route("/", get(panics)).route("/well", get(async || "Well")));

    let page = visitor.get("/").await;

    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_looks_like_the_site(page);
    for trace in ["shelf", "panic", ".rs"] {
        assert!(!page.body().contains(trace), "{trace:?} in {}", page.body());
    }
    assert_eq!(visitor.get("/well").await.body(), "Well");
}

#[tokio::test]
async fn a_failure_tells_the_visitor_nothing_of_its_cause() {
    fn failed() -> Response {
        site::server_error(std::io::Error::other("the secret shelf fell over"))
    }
    let mut visitor = open(Router::new().route("/", get(async || failed())));

    let page = visitor.get("/").await;

    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_looks_like_the_site(page);
    assert!(!page.body().contains("shelf"));
}

#[tokio::test]
async fn an_error_without_words_gets_calm_ones() {
    let ours = "That is our fault, not yours. The cause is in the server's log.";
    let theirs = "The server could not make sense of that request.";
    for (status, expected) in [
        (StatusCode::INTERNAL_SERVER_ERROR, ours),
        (StatusCode::SERVICE_UNAVAILABLE, ours),
        (StatusCode::BAD_REQUEST, theirs),
        (StatusCode::CONFLICT, theirs),
        (StatusCode::NOT_FOUND, "There is no page at this address."),
    ] {
        for blank in ["", " \n\t"] {
            let page = answered_with((status, blank)).await;
            assert_looks_like_the_site(&page);
            assert_eq!(words(&page), expected, "for {status} with {blank:?}");
        }
    }
}

#[tokio::test]
async fn an_explanation_too_long_for_a_visitor_is_not_shown() {
    let calm = "That is our fault, not yours. The cause is in the server's log.";

    let long = "s".repeat(2 * 1024);
    let page = answered_with((StatusCode::INTERNAL_SERVER_ERROR, long.clone())).await;
    assert_eq!(words(&page), long);

    let page = answered_with((StatusCode::INTERNAL_SERVER_ERROR, long + "s")).await;
    assert_eq!(words(&page), calm);
    assert!(!page.body().contains("ssss"));
}

#[tokio::test]
async fn an_explanation_that_is_no_text_is_not_shown() {
    let page = answered_with((StatusCode::INTERNAL_SERVER_ERROR, b"abc\xff\xfe".as_slice())).await;

    assert_looks_like_the_site(&page);
    assert_eq!(words(&page), "That is our fault, not yours. The cause is in the server's log.");
    assert!(!page.body().contains("abc"));
}
