//! Which cookies a browser keeps, and with which requests it sends them.

mod mirror;

use axum::{
    Router,
    http::header::SET_COOKIE,
    routing::{any, get},
};
use browser::Browser;
use mirror::mirror;

const PLAIN: &str = "http://library.example";
const SECURE: &str = "https://library.example";

/// What `/` gets to see after `/set` has handed out these cookies.
async fn sent_back<const N: usize>(origin: &str, set_cookies: [&'static str; N]) -> String {
    let mut visitor = Browser::open(mirror(set_cookies)).at(origin);
    visitor.get("/set").await;
    visitor.get("/").await.text()
}

#[tokio::test]
async fn a_cookie_comes_back() {
    assert_eq!(sent_back(PLAIN, ["car=mini; Path=/"]).await, "car=mini");
}

#[tokio::test]
async fn a_path_covers_what_is_beneath_it_and_no_longer_word() {
    let mut visitor = Browser::open(mirror(["my_car=mini; Path=/car"]));
    visitor.get("/set").await;

    assert_eq!(visitor.get("/car").await.text(), "my_car=mini");
    assert_eq!(visitor.get("/car/wheels").await.text(), "my_car=mini");
    assert_eq!(visitor.get("/car?wheels=alloy").await.text(), "my_car=mini");
    assert_eq!(visitor.get("/cars").await.text(), "no cookies");
    assert_eq!(visitor.get("/").await.text(), "no cookies");
}

#[tokio::test]
async fn a_cookie_without_a_path_stays_where_it_was_set() {
    let mut visitor = Browser::open(mirror(["a=1"]));
    visitor.get("/more/set").await;

    assert_eq!(visitor.get("/more/pages").await.text(), "a=1");
    assert_eq!(visitor.get("/").await.text(), "no cookies");
}

#[tokio::test]
async fn longer_paths_are_sent_first_and_then_the_older_cookie() {
    let set = ["z=1; Path=/", "deep=2; Path=/a/b", "m=3; Path=/", "a=4; Path=/"];
    let mut visitor = Browser::open(mirror(set));
    visitor.get("/set").await;

    let sent = visitor.get("/a/b/c").await.text();

    assert_eq!(sent, "deep=2; z=1; m=3; a=4");
}

#[tokio::test]
async fn a_cookie_that_was_removed_and_set_again_is_the_youngest() {
    let set = ["a=1; Path=/", "b=2; Path=/", "a=; Path=/; Max-Age=0", "a=3; Path=/"];
    assert_eq!(sent_back(PLAIN, set).await, "b=2; a=3");
}

#[tokio::test]
async fn several_cookies_of_one_response_are_all_kept() {
    let set = ["a=1; Path=/", "b=2; Path=/", "a=3; Path=/"];
    assert_eq!(sent_back(PLAIN, set).await, "a=3; b=2");
}

#[tokio::test]
async fn a_domain_opens_a_cookie_to_the_hosts_beneath_it() {
    let set = ["wide=1; Path=/; Domain=library.example", "own=2; Path=/"];
    let mut visitor = Browser::open(mirror(set)).at(PLAIN);
    visitor.get("/set").await;

    let mut branch = visitor.second_tab().at("http://branch.library.example");
    assert_eq!(branch.get("/").await.text(), "wide=1");

    let mut stranger = visitor.second_tab().at("http://otherlibrary.example");
    assert_eq!(stranger.get("/").await.text(), "no cookies");
}

#[tokio::test]
async fn a_cookie_for_a_foreign_domain_is_dropped() {
    let set = ["a=1; Path=/; Domain=elsewhere.example"];
    assert_eq!(sent_back(PLAIN, set).await, "no cookies");
}

#[tokio::test]
async fn max_age_is_believed_before_expires() {
    let lives = "a=1; Path=/; Max-Age=60; Expires=Thu, 01 Jan 2015 00:00:00 GMT";
    assert_eq!(sent_back(PLAIN, [lives]).await, "a=1");

    let dies = "a=1; Path=/; Max-Age=0; Expires=Fri, 01 Jan 2100 00:00:00 GMT";
    assert_eq!(sent_back(PLAIN, [dies]).await, "no cookies");
}

#[tokio::test]
async fn a_cookie_is_removed_by_a_max_age_of_zero() {
    let set = ["a=1; Path=/", "a=; Path=/; Max-Age=0"];
    assert_eq!(sent_back(PLAIN, set).await, "no cookies");
}

#[tokio::test]
async fn a_cookie_is_removed_by_a_date_in_the_past() {
    let set = ["a=1; Path=/", "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"];
    assert_eq!(sent_back(PLAIN, set).await, "no cookies");
}

#[tokio::test]
async fn a_removal_with_another_path_removes_nothing() {
    let set = ["a=1; Path=/", "a=; Path=/car; Max-Age=0"];
    assert_eq!(sent_back(PLAIN, set).await, "a=1");
}

#[tokio::test]
async fn an_http_only_cookie_is_sent_like_any_other() {
    assert_eq!(sent_back(PLAIN, ["a=1; Path=/; HttpOnly"]).await, "a=1");
}

#[tokio::test]
async fn a_secure_cookie_travels_over_https_and_never_over_plain_http() {
    let mut visitor = Browser::open(mirror(["a=1; Path=/; Secure"])).at(SECURE);
    visitor.get("/set").await;

    assert_eq!(visitor.get("/").await.text(), "a=1");
    assert_eq!(visitor.second_tab().at(PLAIN).get("/").await.text(), "no cookies");
}

#[tokio::test]
async fn a_secure_cookie_set_over_plain_http_is_dropped() {
    let mut visitor = Browser::open(mirror(["a=1; Path=/; Secure"])).at(PLAIN);
    visitor.get("/set").await;

    assert_eq!(visitor.second_tab().at(SECURE).get("/").await.text(), "no cookies");
}

#[tokio::test]
async fn http_to_this_machine_counts_as_secure() {
    for origin in ["http://127.0.0.1:3000", "http://localhost:3000"] {
        assert_eq!(sent_back(origin, ["a=1; Path=/; Secure"]).await, "a=1");
    }
}

#[tokio::test]
async fn plain_http_cannot_replace_a_secure_cookie() {
    let app = Router::new()
        .route("/signed-in", get(async || [(SET_COOKIE, "a=true; Path=/; Secure")]))
        .route("/forged", get(async || [(SET_COOKIE, "a=forged; Path=/")]));
    let mut visitor = Browser::open(app).at(SECURE);
    visitor.get("/signed-in").await;

    visitor.second_tab().at(PLAIN).get("/forged").await;

    assert_eq!(visitor.cookie("a").as_deref(), Some("true"));
}

#[tokio::test]
async fn a_navigation_begun_at_another_site_brings_what_same_site_allows() {
    let set = [
        "strict=1; Path=/; SameSite=Strict",
        "lax=2; Path=/; SameSite=Lax",
        "unsaid=3; Path=/",
        "none=4; Path=/; SameSite=None; Secure",
    ];
    let mut visitor = Browser::open(mirror(set));
    visitor.get("/set").await;

    let own_link = visitor.get("/").await.text();
    assert_eq!(own_link, "strict=1; lax=2; unsaid=3; none=4");
    let own_form = visitor.post("/", &[]).await.text();
    assert_eq!(own_form, "strict=1; lax=2; unsaid=3; none=4");

    let link = visitor.get_from_another_site("/").await.text();
    assert_eq!(link, "lax=2; unsaid=3; none=4");
    let form = visitor.post_from_another_site("/", &[]).await.text();
    assert_eq!(form, "none=4");
}

#[tokio::test]
async fn a_cookie_set_by_a_navigation_from_another_site_is_kept() {
    let mut visitor = Browser::open(mirror(["a=1; Path=/; SameSite=Strict"]));

    visitor.get_from_another_site("/set").await;

    assert_eq!(visitor.get("/").await.text(), "a=1");
}

#[tokio::test]
async fn same_site_none_without_secure_is_dropped() {
    assert_eq!(sent_back(SECURE, ["a=1; Path=/; SameSite=None"]).await, "no cookies");
}

#[tokio::test]
async fn the_secure_prefix_demands_secure() {
    assert_eq!(sent_back(SECURE, ["__Secure-a=1; Path=/; Secure"]).await, "__Secure-a=1");
    assert_eq!(sent_back(SECURE, ["__Secure-a=1; Path=/"]).await, "no cookies");
    assert_eq!(sent_back(SECURE, ["__SECURE-a=1; Path=/"]).await, "no cookies");
}

#[tokio::test]
async fn the_host_prefix_demands_secure_the_root_path_and_no_domain() {
    let good = "__Host-a=1; Path=/; Secure";
    assert_eq!(sent_back(SECURE, [good]).await, "__Host-a=1");

    for bad in [
        "__Host-a=1; Path=/",
        "__Host-a=1; Secure",
        "__Host-a=1; Path=/car; Secure",
        "__Host-a=1; Path=/; Secure; Domain=library.example",
        "__host-a=1; Path=/",
    ] {
        let mut visitor = Browser::open(mirror([bad])).at(SECURE);
        visitor.get("/set").await;
        assert_eq!(visitor.get("/car").await.text(), "no cookies", "{bad}");
    }
}

#[tokio::test]
async fn a_cookie_over_4096_bytes_is_dropped_without_a_word() {
    let full: &'static str = format!("name={}; Path=/", "x".repeat(4092)).leak();
    assert_eq!(sent_back(PLAIN, [full]).await.len(), "name=".len() + 4092);

    let over: &'static str = format!("name={}; Path=/", "x".repeat(4093)).leak();
    assert_eq!(sent_back(PLAIN, [over]).await, "no cookies");
}

#[tokio::test]
async fn a_browser_that_refuses_cookies_keeps_and_sends_none() {
    let mut visitor = Browser::open(mirror(["a=1; Path=/"])).refusing_cookies();
    visitor.get("/set").await;

    assert_eq!(visitor.cookie("a"), None);
    assert_eq!(visitor.get("/").await.text(), "no cookies");
    assert_eq!(visitor.second_tab().get("/").await.text(), "no cookies");

    let mut private = visitor.private_window();
    private.get("/set").await;
    assert_eq!(private.cookie("a"), None);
}

#[tokio::test]
async fn cookies_turned_off_later_stay_home() {
    let mut visitor = Browser::open(mirror(["a=1; Path=/"]));
    visitor.get("/set").await;

    let mut visitor = visitor.refusing_cookies();

    assert_eq!(visitor.get("/").await.text(), "no cookies");
}

#[tokio::test]
async fn a_restart_drops_session_cookies_and_keeps_the_rest() {
    let set = [
        "until_closed=1; Path=/",
        "for_a_minute=2; Path=/; Max-Age=60",
        "until_2100=3; Path=/; Expires=Fri, 01 Jan 2100 00:00:00 GMT",
    ];
    let mut visitor = Browser::open(mirror(set));
    visitor.get("/set").await;

    visitor.restart();

    assert_eq!(visitor.get("/").await.text(), "for_a_minute=2; until_2100=3");
}

#[tokio::test]
async fn an_edited_cookie_keeps_its_path_its_age_and_its_flags() {
    let set = ["visits=1; HttpOnly; SameSite=Strict; Max-Age=60", "gone=1"];
    let mut visitor = Browser::open(mirror(set));
    visitor.get("/more/set").await;

    visitor.get("/").await;
    visitor.edit_cookie("visits", "1000000");

    assert_eq!(visitor.cookie("visits").as_deref(), Some("1000000"));
    assert_eq!(visitor.get("/").await.text(), "no cookies");
    visitor.restart();
    assert_eq!(visitor.get("/more/pages").await.text(), "visits=1000000");
    assert_eq!(visitor.get_from_another_site("/more/pages").await.text(), "no cookies");
}

#[tokio::test]
#[should_panic(expected = "there is no cookie \"visits\" to edit")]
async fn a_cookie_that_is_not_there_cannot_be_edited() {
    Browser::open(mirror([])).edit_cookie("visits", "1000000");
}

#[tokio::test]
async fn a_value_that_is_not_ascii_comes_back_as_it_was() {
    assert_eq!(sent_back(PLAIN, ["car=Citroën; Path=/"]).await, "car=Citroën");
}

#[tokio::test]
async fn the_host_is_sent() {
    let app = Router::new().fallback(any(async |headers: axum::http::HeaderMap| {
        headers["host"].to_str().map(str::to_owned).unwrap_or_default()
    }));
    let mut visitor = Browser::open(app);
    assert_eq!(visitor.get("/").await.text(), "127.0.0.1:3000");
    assert_eq!(visitor.at(SECURE).get("/").await.text(), "library.example");
}
