//! The transcript: what it shows, what it leaves out, and what it calls ids and dates.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    http::{
        HeaderMap, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE, VARY},
    },
    response::{AppendHeaders, Html, IntoResponse, Redirect},
    routing::{get, post},
};
use browser::Browser;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc2822};

const IDS: [&str; 3] =
    ["Hq3vN0sX7d_pUu-2eLw8Ag", "0Zk9bYw6TjQxR1mCvD5fGa", "pL8sKd2HnV7cXr4WmJ3tEz"];

/// Every visit to `/new` gets the next id; `/show` writes the cookies into the page.
fn ids() -> Router {
    let given = Arc::new(AtomicUsize::new(0));
    let new = get(async move || {
        let id = IDS[given.fetch_add(1, Ordering::SeqCst)];
        ([(SET_COOKIE, format!("id={id}; Path=/"))], Html(format!("<main>{id}</main>")))
    });
    let show = get(async |headers: HeaderMap| format!("{:?}", headers.get("cookie")));
    Router::new().route("/new", new).route("/show", show)
}

#[tokio::test]
async fn an_exchange_reads_like_http() {
    let app = Router::new()
        .route(
            "/car",
            post(async || {
                let cookie = "my_car=mini; HttpOnly; SameSite=Lax; Path=/";
                ([(SET_COOKIE, cookie), (CACHE_CONTROL, "no-store")], Redirect::to("/"))
            }),
        )
        .route(
            "/",
            get(async || {
                let page = "<html><body><h1>Library</h1><main><p>Your car is a mini.</p>\
                            <form><button>Forget me</button></form></main></body></html>";
                ([(VARY, "Cookie"), (CACHE_CONTROL, "no-store")], Html(page))
            }),
        );
    let mut visitor = Browser::open(app);
    visitor.post("/car", &[("my_car", "mini")]).await;
    visitor.follow().await;

    assert_eq!(
        visitor.transcript(),
        "\
POST /car HTTP/1.1

my_car=mini

HTTP/1.1 303 See Other
Location: /
Set-Cookie: my_car=mini; HttpOnly; SameSite=Lax; Path=/

###

GET / HTTP/1.1
Cookie: my_car=mini

HTTP/1.1 200 OK
Vary: Cookie

Your car is a mini.

[ Forget me ]"
    );
}

#[tokio::test]
async fn the_headers_that_matter_stand_in_one_order() {
    let busy = async || {
        let headers = AppendHeaders([
            (VARY, "Cookie"),
            (SET_COOKIE, "b=1"),
            (SET_COOKIE, "a=2"),
            (RETRY_AFTER, "5"),
            (ALLOW, "GET"),
        ]);
        (StatusCode::SERVICE_UNAVAILABLE, headers)
    };
    let mut visitor = Browser::open(Router::new().route("/", get(busy)));
    visitor.get("/").await;

    assert_eq!(
        visitor.transcript(),
        "\
GET / HTTP/1.1

HTTP/1.1 503 Service Unavailable
Allow: GET
Retry-After: 5
Set-Cookie: b=1
Set-Cookie: a=2
Vary: Cookie"
    );
}

#[tokio::test]
async fn a_request_begun_at_another_site_says_so() {
    let echo = async |headers: HeaderMap| format!("{:?}", headers.get("sec-fetch-site"));
    let mut visitor = Browser::open(Router::new().route("/", get(echo).post(echo)));

    visitor.get_from_another_site("/").await;
    assert_eq!(visitor.page().text(), r#"Some("cross-site")"#);
    assert!(
        visitor.take_transcript().starts_with("GET / HTTP/1.1\nSec-Fetch-Site: cross-site\n\n")
    );

    visitor.post_from_another_site("/", &[("a", "1")]).await;
    assert!(
        visitor
            .take_transcript()
            .starts_with("POST / HTTP/1.1\nSec-Fetch-Site: cross-site\n\na=1\n\n")
    );

    visitor.get("/").await;
    assert_eq!(visitor.page().text(), "None");
}

#[tokio::test]
async fn raw_header_lines_are_sent_byte_for_byte_and_shown() {
    let echo = async |headers: HeaderMap| {
        let cookies: Vec<&[u8]> = headers.get_all("cookie").iter().map(|c| c.as_bytes()).collect();
        format!("{cookies:?} {:?}", headers.get("x-car").map(|car| car.as_bytes()))
    };
    let mut visitor = Browser::open(Router::new().route("/", get(echo)));

    let page = visitor
        .get_with("/", &[("Cookie", b"a=\xff"), ("cookie", b"b=2"), ("x-car", b"\xc3\xa4")])
        .await;

    assert_eq!(page.text(), "[[97, 61, 255], [98, 61, 50]] Some([195, 164])");
    assert!(
        visitor
            .transcript()
            .starts_with("GET / HTTP/1.1\nCookie: a=\u{fffd}\nCookie: b=2\nX-Car: ä\n\n")
    );
}

#[tokio::test]
async fn kept_cookies_go_with_raw_headers_unless_a_cookie_is_among_them() {
    let mut visitor = Browser::open(ids());
    visitor.get("/new").await;

    let page = visitor.get_with("/show", &[("accept", b"text/html")]).await;
    assert!(page.text().contains(IDS[0]));

    let page = visitor.get_with("/show", &[("cookie", b"id=mine")]).await;
    assert_eq!(page.text(), r#"Some("id=mine")"#);
}

#[tokio::test]
async fn ids_are_named_in_the_order_seen_and_a_rotation_shows() {
    let mut visitor = Browser::open(ids());
    visitor.get("/new").await;
    visitor.get("/new").await;

    assert_eq!(
        visitor.transcript(),
        "\
GET /new HTTP/1.1

HTTP/1.1 200 OK
Set-Cookie: id=session-1; Path=/

session-1

###

GET /new HTTP/1.1
Cookie: id=session-1

HTTP/1.1 200 OK
Set-Cookie: id=session-2; Path=/

session-2"
    );
}

#[tokio::test]
async fn a_strangers_id_has_another_name_in_every_window() {
    let mut visitor = Browser::open(ids());
    let mut stranger = visitor.private_window();
    let mut tab = visitor.second_tab();
    visitor.get("/new").await;
    stranger.get("/new").await;
    tab.get("/show").await;

    assert!(stranger.transcript().contains("Set-Cookie: id=session-2"));
    assert!(tab.transcript().contains("Cookie: id=session-1"));
    assert_eq!(visitor.named(IDS[1]), "session-2");
    assert_eq!(visitor.named(visitor.page().html()), "session-1");
}

#[tokio::test]
async fn an_id_that_a_client_makes_up_is_named_and_ordinary_values_are_not() {
    let mut visitor = Browser::open(ids());
    let cookies = format!("id={}; visits=1000000; word=antidisestablishmentarianism", IDS[2]);
    visitor.get_with("/show", &[("cookie", cookies.as_bytes())]).await;

    assert!(
        visitor
            .transcript()
            .contains("Cookie: id=session-1; visits=1000000; word=antidisestablishmentarianism")
    );
}

#[tokio::test]
async fn a_long_path_is_not_an_id() {
    let set = get(async || [(SET_COOKIE, "a=1; Path=/Library/books/number/2026")]);
    let mut visitor = Browser::open(Router::new().route("/", set));
    visitor.get("/").await;

    assert!(visitor.transcript().contains("a=1; Path=/Library/books/number/2026"));
}

#[tokio::test]
async fn names_go_on_counting_after_the_transcript_is_taken() {
    let mut visitor = Browser::open(ids());
    visitor.get("/new").await;
    visitor.take_transcript();
    visitor.get("/new").await;

    let rest = visitor.take_transcript();

    assert!(rest.starts_with("GET /new HTTP/1.1\nCookie: id=session-1\n"));
    assert!(rest.contains("Set-Cookie: id=session-2"));
    assert_eq!(visitor.transcript(), "");
}

#[tokio::test]
async fn dates_are_named_and_the_epoch_stays() {
    let dated = async || {
        let in_http = |offset: Duration| {
            let date = (OffsetDateTime::now_utc() + offset)
                .format(&Rfc2822)
                .expect("the date has four digits of year");
            date.replace("+0000", "GMT")
        };
        let soon = in_http(Duration::days(14));
        let past = in_http(Duration::days(-365));
        let seconds = in_http(Duration::seconds(45));
        AppendHeaders([
            (SET_COOKIE, format!("a=1; Expires={soon}; Path=/")),
            (SET_COOKIE, format!("b=1; Max-Age=0; Expires={past}")),
            (SET_COOKIE, format!("c=1; Max-Age=45; Expires={seconds}")),
            (SET_COOKIE, "d=1; expires=Thu, 01 Jan 1970 00:00:00 GMT".to_owned()),
            (SET_COOKIE, "e=1; Max-Age=1209599".to_owned()),
            (SET_COOKIE, "f=1; Expires=whenever".to_owned()),
        ])
    };
    let mut visitor = Browser::open(Router::new().route("/", get(dated)));
    visitor.get("/").await;

    assert_eq!(
        visitor.transcript(),
        "\
GET / HTTP/1.1

HTTP/1.1 200 OK
Set-Cookie: a=1; Expires=<in 14 days>; Path=/
Set-Cookie: b=1; Max-Age=0; Expires=<365 days ago>
Set-Cookie: c=1; Max-Age=45; Expires=<in 45 seconds>
Set-Cookie: d=1; expires=Thu, 01 Jan 1970 00:00:00 GMT
Set-Cookie: e=1; Max-Age=1209600
Set-Cookie: f=1; Expires=whenever"
    );
}

#[tokio::test]
async fn what_is_not_html_is_shown_as_it_is() {
    let style = async || ([(CONTENT_TYPE, "text/css")], "main { color: red }\n").into_response();
    let mut visitor = Browser::open(Router::new().route("/style.css", get(style)));
    visitor.get("/style.css").await;

    assert!(visitor.transcript().ends_with("HTTP/1.1 200 OK\n\nmain { color: red }"));
}
