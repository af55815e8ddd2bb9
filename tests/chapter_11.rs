//! Chapter 11's promises: what a page of another site does with a visitor's cookie, what `SameSite`
//! keeps away, and what the two defences do.
//!
//! Chromium is asked the same in browser/attacks.rs.

use axum::{
    Router,
    http::{StatusCode, header::SET_COOKIE},
    routing::get,
};
use browser::Browser;
use chapter_11::{Defence, attacker};
use insta::assert_snapshot;
use sessions::{MemoryStore, SameSite};

const HERE: &str = "http://127.0.0.1:3000";
const ANOTHER_SITE: &str = "http://localhost:3001";
/// Another origin of the same site: the port is not part of a site.
const NEIGHBOUR: &str = "http://127.0.0.1:3001";

const MALLORYS: &[(&str, &str)] = &[("address", "mallory@evil.example")];

/// What a page of another origin does.
#[derive(Clone, Copy, Debug)]
enum Attack {
    Form,
    Fetch,
    SignIn,
    Link,
    Image,
}

const POSTS: [Attack; 3] = [Attack::Form, Attack::Fetch, Attack::SignIn];
const GETS: [Attack; 2] = [Attack::Link, Attack::Image];

impl Attack {
    /// Attacks from a page of `origin`; the answer is the page of the visitor's browser.
    async fn run(self, visitor: &mut Browser, origin: &str) {
        let mut page = visitor.page_at(origin);
        match self {
            Attack::Form => page.submit("/reminders", MALLORYS).await,
            Attack::Fetch => page.fetch("/reminders", MALLORYS).await,
            Attack::SignIn => page.submit("/sign-in", &[("reader", "Mallory")]).await,
            Attack::Link => page.follow_link("/reminders/stop").await,
            Attack::Image => page.load_image("/reminders/stop").await,
        };
    }
}

fn app(same_site: impl Into<Option<SameSite>>, defence: Defence) -> Router {
    chapter_11::app(MemoryStore::default(), same_site.into(), defence)
}

/// Ada, who has signed in at the library's own page.
async fn ada(same_site: impl Into<Option<SameSite>>, defence: Defence) -> Browser {
    sign_in(Browser::open(app(same_site, defence))).await
}

async fn sign_in(mut visitor: Browser) -> Browser {
    visitor.get("/").await;
    send(&mut visitor, "/sign-in", ("reader", "Ada")).await;
    visitor.take_transcript();
    visitor
}

/// Sends the form of the page that the visitor sees, with its token if it has one.
async fn send(visitor: &mut Browser, path: &str, field: (&str, &str)) {
    let token = token(visitor);
    let mut form = vec![field];
    form.extend(token.iter().map(|token| ("csrf_token", token.as_str())));
    visitor.page_at(HERE).submit(path, &form).await;
}

/// The token in the forms of this page; all of them hold the same.
fn token(visitor: &Browser) -> Option<String> {
    let mut tokens = visitor.page().attributes("input[name=csrf_token]", "value");
    tokens.dedup();
    assert!(tokens.len() < 2, "{tokens:?}");
    tokens.pop()
}

/// What the library says happened last, to Ada who looks at her page.
async fn news(visitor: &mut Browser) -> String {
    visitor.get("/").await.texts(".lead").concat()
}

const ADAS_NEWS: &str = "You signed this browser in as Ada.";

#[tokio::test]
async fn a_form_of_another_site_changes_the_address_if_the_cookie_goes_everywhere() {
    let mut ada = ada(SameSite::None, Defence::None).await;
    Attack::Form.run(&mut ada, ANOTHER_SITE).await;
    ada.follow().await;

    assert_snapshot!("form_none", ada.transcript());
    assert_snapshot!("what_you_see", ada.page().text());
    assert_snapshot!("the_page", ada.page().html());
    let lead = ada.page().texts(".lead").concat();
    assert_eq!(lead, "Another site changed your reminder address to mallory@evil.example.");
}

#[tokio::test]
async fn lax_withholds_the_cookie_from_a_form_of_another_site() {
    let mut ada = ada(SameSite::Lax, Defence::None).await;
    Attack::Form.run(&mut ada, ANOTHER_SITE).await;

    assert_eq!(ada.page().status(), StatusCode::FORBIDDEN);
    assert_snapshot!("form_lax", ada.transcript());
    assert_eq!(news(&mut ada).await, ADAS_NEWS);
}

#[tokio::test]
async fn lax_lets_a_link_of_another_site_stop_the_reminders() {
    let mut ada = ada(SameSite::Lax, Defence::None).await;
    Attack::Link.run(&mut ada, ANOTHER_SITE).await;

    assert_snapshot!("link_lax", ada.transcript());
    assert_eq!(news(&mut ada).await, "Another site stopped your reminders.");
}

#[tokio::test]
async fn strict_withholds_the_cookie_from_a_link_of_another_site_also_from_a_good_one() {
    let mut ada = ada(SameSite::Strict, Defence::None).await;
    Attack::Link.run(&mut ada, ANOTHER_SITE).await;
    assert_eq!(ada.page().status(), StatusCode::FORBIDDEN);
    assert_snapshot!("link_strict", ada.transcript());
    assert_eq!(news(&mut ada).await, ADAS_NEWS);

    // The price: who comes by a link looks like a stranger.
    ada.page_at(ANOTHER_SITE).follow_link("/").await;
    assert!(ada.page().text().contains("Sign in as Ada"), "{}", ada.page().text());
}

#[tokio::test]
async fn only_same_site_none_goes_with_what_a_page_of_another_site_loads() {
    for attack in [Attack::Image, Attack::Fetch] {
        let mut ada = ada(SameSite::None, Defence::None).await;
        attack.run(&mut ada, ANOTHER_SITE).await;
        assert_snapshot!(format!("{attack:?}_none").to_lowercase(), ada.transcript());
        assert!(news(&mut ada).await.starts_with("Another site"), "{attack:?}");
    }
    for same_site in [None, Some(SameSite::Lax), Some(SameSite::Strict)] {
        for attack in [Attack::Image, Attack::Fetch] {
            let mut ada = ada(same_site, Defence::None).await;
            attack.run(&mut ada, ANOTHER_SITE).await;
            assert_eq!(ada.page().status(), StatusCode::FORBIDDEN, "{same_site:?}, {attack:?}");
            assert_eq!(news(&mut ada).await, ADAS_NEWS, "{same_site:?}, {attack:?}");
        }
    }
}

#[tokio::test]
async fn strict_keeps_nothing_away_that_comes_from_another_origin_of_the_same_site() {
    let library = Browser::open(app(SameSite::Strict, Defence::None));
    let mut ada = sign_in_at(library, "http://library.localhost:3000").await;
    Attack::Form.run(&mut ada, "http://evil.library.localhost:3001").await;
    assert_snapshot!("subdomain_strict", ada.transcript());
    let changed = "Another origin of this site changed your reminder address to \
                   mallory@evil.example.";
    assert_eq!(news(&mut ada).await, changed);

    for attack in POSTS.into_iter().chain(GETS) {
        let mut ada = self::ada(SameSite::Strict, Defence::None).await;
        attack.run(&mut ada, NEIGHBOUR).await;
        let news = news(&mut ada).await;
        assert!(news.starts_with("Another origin of this site"), "{attack:?}: {news}");
    }
}

async fn sign_in_at(visitor: Browser, origin: &str) -> Browser {
    let mut visitor = visitor.at(origin);
    visitor.page_at(origin).submit("/sign-in", &[("reader", "Ada")]).await;
    visitor.take_transcript();
    visitor
}

#[tokio::test]
async fn no_same_site_keeps_a_sign_in_away_since_it_needs_no_cookie() {
    for same_site in [SameSite::None, SameSite::Lax, SameSite::Strict] {
        let mut ada = ada(same_site, Defence::None).await;
        Attack::SignIn.run(&mut ada, ANOTHER_SITE).await;
        if same_site == SameSite::Strict {
            assert_snapshot!("sign_in_strict", ada.transcript());
        }
        let signed_in = "Another site signed this browser in as Mallory.";
        assert_eq!(news(&mut ada).await, signed_in, "{same_site:?}");
    }
}

#[tokio::test]
async fn the_origin_check_refuses_every_form_and_script_of_another_origin() {
    for origin in [ANOTHER_SITE, NEIGHBOUR] {
        for attack in POSTS {
            let mut ada = ada(SameSite::None, Defence::Origin).await;
            attack.run(&mut ada, origin).await;
            assert_eq!(ada.page().status(), StatusCode::FORBIDDEN, "{attack:?} from {origin}");
            assert!(ada.page().set_cookies().is_empty(), "{attack:?} from {origin}");
            if origin == ANOTHER_SITE {
                assert_snapshot!(format!("origin_{attack:?}").to_lowercase(), ada.transcript());
            }
            assert_eq!(news(&mut ada).await, ADAS_NEWS, "{attack:?} from {origin}");
        }
    }
}

#[tokio::test]
async fn the_token_refuses_every_form_and_script_of_another_origin() {
    for origin in [ANOTHER_SITE, NEIGHBOUR] {
        for attack in POSTS {
            let mut ada = ada(SameSite::None, Defence::Token).await;
            attack.run(&mut ada, origin).await;
            assert_eq!(ada.page().status(), StatusCode::FORBIDDEN, "{attack:?} from {origin}");
            assert!(ada.page().set_cookies().is_empty(), "{attack:?} from {origin}");
            if origin == ANOTHER_SITE {
                assert_snapshot!(format!("token_{attack:?}").to_lowercase(), ada.transcript());
            }
            assert_eq!(news(&mut ada).await, ADAS_NEWS, "{attack:?} from {origin}");
        }
    }
}

#[tokio::test]
async fn no_defence_helps_if_a_get_changes_something() {
    for defence in [Defence::Origin, Defence::Token] {
        for attack in GETS {
            let mut ada = ada(SameSite::None, defence).await;
            attack.run(&mut ada, ANOTHER_SITE).await;
            let news = news(&mut ada).await;
            assert_eq!(news, "Another site stopped your reminders.", "{defence:?}, {attack:?}");
        }
    }
}

#[tokio::test]
async fn the_librarys_own_forms_work_under_every_defence() {
    for defence in [Defence::None, Defence::Origin, Defence::Token] {
        for same_site in [Some(SameSite::None), Some(SameSite::Lax), Some(SameSite::Strict), None] {
            let mut ada = ada(same_site, defence).await;
            assert_eq!(news(&mut ada).await, ADAS_NEWS);
            send(&mut ada, "/reminders", ("address", "ada@home.example")).await;
            let changed = "You changed your reminder address to ada@home.example.";
            assert_eq!(news(&mut ada).await, changed, "{defence:?}, {same_site:?}");
            send(&mut ada, "/sign-out", ("", "")).await;
            assert!(ada.get("/").await.text().contains("Sign in as Ada"), "{defence:?}");
        }
    }
}

#[tokio::test]
async fn the_form_holds_the_token_and_goes_with_it() {
    let mut ada = ada(SameSite::Lax, Defence::Token).await;
    ada.get("/").await;
    let token = token(&ada).expect("a token");
    send(&mut ada, "/reminders", ("address", "ada@home.example")).await;

    let transcript = ada.transcript().replace(&token, "<token>");
    assert_snapshot!("token_own_form", transcript);
    assert_eq!(token.len(), 128, "32 bytes of mask and 32 of masked secret, in hex");
}

#[tokio::test]
async fn the_token_is_another_text_on_each_page_and_all_of_them_count() {
    let mut ada = ada(SameSite::Lax, Defence::Token).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        ada.get("/").await;
        tokens.push(token(&ada).expect("a token"));
    }
    // Not one byte of the secret stays where it was, or a compressed page would tell it.
    let halves: Vec<&str> = tokens.iter().flat_map(|token| [&token[..64], &token[64..]]).collect();
    for (at, half) in halves.iter().enumerate() {
        assert!(!halves[..at].contains(half), "{half} came twice");
    }
    for token in &tokens {
        let form = [("address", "ada@home.example"), ("csrf_token", token)];
        assert_eq!(ada.post("/reminders", &form).await.status(), StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn a_token_of_another_session_is_worth_nothing() {
    let mut ada = ada(SameSite::None, Defence::Token).await;
    let mut mallory = ada.private_window();
    mallory.get("/").await;
    let mallorys = token(&mallory).expect("a token");
    ada.get("/").await;
    let before = token(&ada).expect("a token");

    let form = [("address", "mallory@evil.example"), ("csrf_token", mallorys.as_str())];
    ada.page_at(ANOTHER_SITE).submit("/reminders", &form).await;
    assert_eq!(ada.page().status(), StatusCode::FORBIDDEN);
    assert_eq!(news(&mut ada).await, ADAS_NEWS);

    // One from before she signed in again is from another session, too.
    send(&mut ada, "/sign-in", ("reader", "Ada")).await;
    let form = [("address", "ada@home.example"), ("csrf_token", before.as_str())];
    assert_eq!(ada.post("/reminders", &form).await.status(), StatusCode::FORBIDDEN);
}

// The docs say so, and what helps: the origin check, or a cookie's name with `__Host-`.
#[tokio::test]
async fn a_subdomain_that_plants_the_cookie_of_its_own_session_has_the_token_to_it() {
    let library = app(SameSite::Lax, Defence::Token);
    let mut mallory = Browser::open(library.clone()).at("http://library.localhost:3000");
    mallory.get("/").await;
    let (id, token) = (mallory.cookie("chapter11").expect("an id"), token(&mallory));
    let planted = format!("chapter11={id}; Domain=library.localhost; Path=/");
    let evil = get(async move || [(SET_COOKIE, planted)]);

    let both = library.route("/evil", evil);
    let mut ada = Browser::open(both).at("http://library.localhost:3000");
    ada.second_tab().at("http://evil.library.localhost:3001").get("/evil").await;
    let form = [("reader", "Mallory"), ("csrf_token", &token.expect("a token"))];
    ada.page_at("http://evil.library.localhost:3001").submit("/sign-in", &form).await;

    assert_eq!(ada.page().status(), StatusCode::SEE_OTHER);
    let signed_in = "Another origin of this site signed this browser in as Mallory.";
    assert_eq!(news(&mut ada).await, signed_in);
}

#[tokio::test]
async fn what_is_no_token_is_refused_and_is_no_error_of_the_servers() {
    let mut ada = ada(SameSite::Lax, Defence::Token).await;
    ada.get("/").await;
    let good = token(&ada).expect("a token");
    let other_case = good.to_uppercase();
    let mut one_bit_off = good.clone();
    let last = one_bit_off.pop().and_then(|digit| digit.to_digit(16)).expect("a hex digit");
    one_bit_off.push(char::from_digit(last ^ 1, 16).expect("a hex digit"));
    let longer = format!("{good}00");
    let zeros = "0".repeat(128);
    let letters = "ü".repeat(64);

    let bad = [&good[..126], &good[..64], &longer, &one_bit_off, &zeros, &letters, "", "none"];
    for token in bad {
        let form = [("address", "mallory@evil.example"), ("csrf_token", token)];
        let status = ada.post("/reminders", &form).await.status();
        assert_eq!(status, StatusCode::FORBIDDEN, "{token:?}");
    }
    assert_eq!(news(&mut ada).await, ADAS_NEWS);

    // Two tokens are no token: the server and an attacker might not mean the same one.
    let twice = [("address", "a@b.example"), ("csrf_token", &*good), ("csrf_token", &*zeros)];
    assert_eq!(ada.post("/reminders", &twice).await.status(), StatusCode::FORBIDDEN);
    // Hexadecimal digits are the same in capitals.
    let form = [("address", "a@b.example"), ("csrf_token", &*other_case)];
    assert_eq!(ada.post("/reminders", &form).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_stranger_has_no_token_to_send_and_a_form_that_is_too_long_is_a_413() {
    let mut stranger = Browser::open(app(SameSite::Lax, Defence::Token));
    let form = [("reader", "Ada"), ("csrf_token", &*"0".repeat(128))];
    assert_eq!(stranger.post("/sign-in", &form).await.status(), StatusCode::FORBIDDEN);
    assert!(stranger.page().set_cookies().is_empty());

    let long = "a".repeat(site::BODY_LIMIT);
    let status = stranger.post("/reminders", &[("address", &long)]).await.status();
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn only_the_token_costs_a_session_for_each_stranger() {
    for (defence, cookies) in [(Defence::None, 0), (Defence::Origin, 0), (Defence::Token, 1)] {
        let mut stranger = Browser::open(app(SameSite::Lax, defence));
        let set = stranger.get("/").await.set_cookies().len();
        assert_eq!(set, cookies, "{defence:?}");
    }
}

#[tokio::test]
async fn what_another_site_wrote_is_shown_as_text() {
    let mut ada = ada(SameSite::None, Defence::None).await;
    let form = [("address", "<script>alert(1)</script>")];
    ada.page_at(ANOTHER_SITE).submit("/reminders", &form).await;
    assert!(news(&mut ada).await.contains("<script>alert(1)</script>"));
    assert!(!ada.page().body().contains("<script>"), "{}", ada.page().body());
}

#[tokio::test]
async fn the_other_site_attacks_the_site_that_its_name_goes_with() {
    let mut visitor = Browser::open(attacker::app(3000));
    let form = visitor.get("/form").await;
    assert_eq!(form.attributes("form", "action"), ["http://127.0.0.1:3000/reminders"]);
    assert_eq!(form.attributes("form input", "value"), ["mallory@evil.example"]);
    assert_eq!(form.texts("form button").len(), 1, "it works without scripts");

    let mut visitor = visitor.at("http://evil.library.localhost:3001");
    let form = visitor.get("/form").await;
    assert_eq!(form.attributes("form", "action"), ["http://library.localhost:3000/reminders"]);
}
