//! What the inspector's pages promise, over an app without sessions.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::connect_info::MockConnectInfo,
    http::{StatusCode, header::SET_COOKIE},
    routing::get,
};
use browser::Browser;
use inspector::Inspector;

const HERE: &str = "127.0.0.1:50000";
const ELSEWHERE: &str = "192.0.2.7:50000";

/// A site with one cookie, seen by a client at this address.
fn site(inspector: &Inspector, client: &str) -> Router {
    let client: SocketAddr = client.parse().expect("an address");
    let routes = Router::new()
        .route("/", get(async || "Welcome"))
        .route("/cookie", get(async || ([(SET_COOKIE, "theme=dark; Path=/")], "Dark")))
        .route("/link", get(async || inspector::is_watching().to_string()));
    inspector.watch(routes).layer(MockConnectInfo(client))
}

fn open(inspector: &Inspector) -> Browser {
    Browser::open(site(inspector, HERE))
}

#[tokio::test]
async fn the_newest_request_is_opened_and_comes_first() {
    let mut visitor = open(&Inspector::new());
    visitor.get("/").await;
    visitor.get("/nowhere").await;

    let page = visitor.get("/inspector").await;
    assert_eq!(page.texts("h1"), ["GET /nowhere"]);
    assert_eq!(page.texts("nav .what"), ["2 GET /nowhere", "1 GET /"]);
    let page = visitor.get("/inspector/1").await;
    assert_eq!(page.texts("h1"), ["GET /"]);
}

#[tokio::test]
async fn the_picture_and_the_list_tell_the_same() {
    let inspector = Inspector::new();
    let mut visitor = open(&inspector);
    visitor.get("/cookie").await;

    let drawing = inspector.drawings().remove(0);
    let sentences: Vec<_> = drawing.sentences().into_iter().map(|it| it.text).collect();
    assert_eq!(
        sentences,
        [
            "browser to program: GET /cookie",
            "program to browser: 200 OK, Set-Cookie: theme=dark; Path=/",
        ]
    );
    let page = visitor.get("/inspector").await;
    assert_eq!(page.texts(".story li"), sentences);
    let drawn = page.texts("svg text.label").join(" ");
    assert_eq!(drawn, "GET /cookie 200 OK Set-Cookie: theme=dark; Path=/");
}

#[tokio::test]
async fn a_request_that_is_not_kept_is_a_page_that_says_so() {
    let mut visitor = open(&Inspector::new());
    visitor.get("/").await;
    for path in ["/inspector/7", "/inspector/0", "/inspector/soon"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status(), StatusCode::NOT_FOUND);
        assert!(page.text().contains("not kept any more"), "{}", page.text());
    }
}

#[tokio::test]
async fn it_can_be_emptied_and_not_by_another_site() {
    let mut visitor = open(&Inspector::new());
    visitor.get("/").await;

    visitor.post_from_another_site("/inspector/empty", &[]).await;
    assert_eq!(visitor.page().status(), StatusCode::FORBIDDEN);
    assert_eq!(visitor.get("/inspector").await.texts("nav .what").len(), 1);

    visitor.post("/inspector/empty", &[]).await;
    visitor.follow().await;
    assert!(visitor.page().text().contains("Nothing yet"), "{}", visitor.page().text());
}

#[tokio::test]
async fn other_machines_and_other_names_are_refused() {
    let inspector = Inspector::new();
    let mut far = Browser::open(site(&inspector, ELSEWHERE));
    assert_eq!(far.get("/").await.status(), StatusCode::OK);
    let page = far.get("/inspector").await;
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    assert!(page.body().contains("on this machine only"), "{}", page.body());

    // A name of another site that leads here (DNS rebinding).
    for path in ["/inspector", "/inspector/1", "/inspector/news", "/inspector/style.css"] {
        let mut rebound = open(&inspector).at("http://evil.example");
        assert_eq!(rebound.get(path).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    for origin in ["http://localhost:3000", "http://[::1]:3000", "http://a.localhost"] {
        let mut near = open(&inspector).at(origin);
        assert_eq!(near.get("/inspector").await.status(), StatusCode::OK, "{origin}");
    }
}

#[tokio::test]
async fn without_the_clients_address_it_says_what_to_do() {
    let mut visitor = Browser::open(Inspector::new().watch(Router::new()));
    let page = visitor.get("/inspector").await;
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    assert!(page.body().contains("into_make_service_with_connect_info"), "{}", page.body());
}

#[tokio::test]
async fn switched_off_it_is_not_there() {
    let mut visitor = open(&Inspector::off());
    assert_eq!(visitor.get("/link").await.body(), "false");
    assert_eq!(visitor.get("/inspector").await.status(), StatusCode::NOT_FOUND);
    let mut visitor = open(&Inspector::new());
    assert_eq!(visitor.get("/link").await.body(), "true");
}

#[tokio::test]
async fn what_a_visitor_sends_is_escaped() {
    let mut visitor = open(&Inspector::new());
    let hostile = "/%3Cscript%3E?q=<script>alert(1)</script>\"'><img src=x>";
    visitor.get(hostile).await;
    visitor.get("/cookie").await;
    visitor.edit_cookie("theme", "<script>\"'&");
    visitor.get("/").await;

    for path in ["/inspector", "/inspector/1", "/inspector/3"] {
        let page = visitor.get(path).await;
        // One script of ours, and the pictures are of ours, too.
        assert_eq!(page.body().matches("<script").count(), 1, "{}", page.body());
        assert!(!page.has("img"), "{}", page.body());
    }
    let page = visitor.get("/inspector/3").await;
    assert!(page.texts(".story li")[0].contains("theme=<script>\"'&"), "{}", page.body());
    assert!(page.texts("svg text").iter().any(|text| text.contains("<script>\"'&")));
}

#[tokio::test]
async fn other_programs_cookies_are_not_shown_whole() {
    let inspector = Inspector::new();
    let mut visitor = open(&inspector);
    visitor.get("/cookie").await;
    // A browser sends the cookies of a host to each of its ports.
    let others = "other=their-secret-value; pin=1234; theme=dark";
    visitor.private_window().get_with("/", &[("cookie", others.as_bytes())]).await;

    let page = visitor.get("/inspector/2").await;
    assert!(!page.body().contains("their-secret-value") && !page.body().contains("1234"));
    let came = &page.texts(".story li")[0];
    assert_eq!(
        came,
        "browser to program: GET /, Cookie: other=thei… (18 characters), Cookie: pin=… (4 \
         characters), Cookie: theme=dark"
    );
}

#[tokio::test]
async fn ten_thousand_requests_leave_two_hundred() {
    let inspector = Inspector::new();
    let mut visitor = open(&inspector);
    for number in 1..=9_800 {
        visitor.get(&format!("/{number}")).await;
    }
    let long = "x".repeat(10_000);
    for number in 9_801..=10_000 {
        visitor.get(&format!("/{number}?{long}")).await;
    }
    let page = visitor.get("/inspector").await;
    let kept = page.texts("nav .what");
    assert_eq!(kept.len(), 200);
    assert!(kept[0].starts_with("10000 GET /10000?x"), "{}", kept[0]);
    assert!(kept.iter().all(|line| line.len() < 400), "{}", kept[0].len());
}

#[tokio::test]
async fn the_page_allows_no_script_but_its_own() {
    let mut visitor = open(&Inspector::new());
    let page = visitor.get("/inspector").await;
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"));
    assert!(!policy.contains("unsafe") && !policy.contains("nonce"), "{policy}");
    assert!(!page.body().contains("style=") && !page.body().contains("<style"));
    for path in ["/inspector/style.css", "/inspector/script.js", "/inspector/icon.svg"] {
        assert_eq!(visitor.get(path).await.status(), StatusCode::OK, "{path}");
    }
}
