//! Sessions in the cookie itself: what an encrypted cookie promises, and what it cannot.

mod helpers;

use std::time::Duration;

use axum::{
    Form, Router,
    http::{Request, StatusCode},
    routing::{get, post},
};
use browser::{Browser, Page};
use cookie::{Cookie, CookieJar, Key};
use helpers::{Gate, MADE_UP, assert_no_cookie, gate::during, listen, logged, the_cookie};
use sessions::{Builder, EncryptionKeys, Error, Expiry, Id, Secure, Session, SessionLayer};
use time::OffsetDateTime;
use tracing::Level;

const TWO_WEEKS: time::Duration = time::Duration::weeks(2);

/// Keys as a site would read them: each letter here is one, written 64 times.
fn keys(letters: &str) -> EncryptionKeys {
    let keys: Vec<_> = letters.chars().map(|letter| letter.to_string().repeat(64)).collect();
    keys.join(",").parse().expect("good keys")
}

fn builder() -> Builder<EncryptionKeys> {
    SessionLayer::encrypted_cookie_builder(keys("a"))
}

/// A site that remembers your car. The handlers under `/slow` have the session and wait at the
/// gate before they change it.
fn slow_garage(layer: SessionLayer, gate: &Gate) -> Browser {
    let (for_car, for_wheels, for_count) = (gate.clone(), gate.clone(), gate.clone());
    let app = Router::new()
        .route(
            "/",
            get(async |session: Session| -> Result<String, Error> {
                Ok(session.get("my_car")?.unwrap_or("no car".to_owned()))
            }),
        )
        .route("/about", get(async || "We keep cars."))
        .route("/keys", get(async |session: Session| session.keys().join(" ")))
        .route("/wheels", get(async |session: Session| session.require::<u64>("my_car").map(drop)))
        .route(
            "/id",
            get(async |session: Session| {
                session.id().map_or("none".to_owned(), |id| id.to_string())
            }),
        )
        .route(
            "/car",
            post(async |session: Session, Form(form): Form<Vec<(String, String)>>| {
                session.extend(form)
            }),
        )
        .route("/forget", post(async |session: Session| drop(session.remove("my_car"))))
        .route("/clear", post(async |session: Session| session.clear()))
        .route("/cycle", post(async |session: Session| session.cycle_id()))
        .route(
            "/cycle/crash",
            post(async |session: Session| -> StatusCode {
                session.cycle_id();
                StatusCode::INTERNAL_SERVER_ERROR
            }),
        )
        .route("/sign-out", post(async |session: Session| session.flush().await))
        .route(
            "/sign-out/crash",
            post(async |session: Session| -> Result<StatusCode, Error> {
                session.flush().await?;
                session.insert("my_car", "a wreck")?;
                Ok(StatusCode::INTERNAL_SERVER_ERROR)
            }),
        )
        .route(
            "/sign-out/car",
            post(async |session: Session| -> Result<(), Error> {
                session.flush().await?;
                assert!(session.is_empty());
                session.insert("my_car", "a loan car")
            }),
        )
        .route(
            "/sign-out/lorry",
            post(async |session: Session| -> Result<(), Error> {
                session.flush().await?;
                session.insert("my_car", "a loan car")?;
                *session.get_mut("my_car").expect("a car") = "lorry ".repeat(1000).into();
                Ok(())
            }),
        )
        .route(
            "/crash",
            post(async |session: Session| -> Result<StatusCode, Error> {
                session.insert("my_car", "a wreck")?;
                count(&session).await?;
                Ok(StatusCode::INTERNAL_SERVER_ERROR)
            }),
        )
        .route("/expiry/hour", post(async |session: Session| session.set_expiry(an_hour())))
        .route(
            "/expiry/past",
            post(async |session: Session| {
                let past = OffsetDateTime::UNIX_EPOCH - time::Duration::DAY;
                session.set_expiry(Some(Expiry::AtDateTime(past)));
            }),
        )
        .route("/count", post(async |session: Session| count(&session).await))
        .route(
            "/count/twice",
            post(async |session: Session| -> Result<String, Error> {
                session.insert("colour", "red")?;
                count(&session).await?;
                count(&session).await
            }),
        )
        .route(
            "/nested",
            post(async |session: Session, car: String| {
                *session.get_mut("my_car").expect("a car") = car.into();
                session.set_modified(true);
            }),
        )
        .route(
            "/update",
            post(async |session: Session, new: String| {
                session.update("my_car", |car: &mut String| car.clone_from(&new)).await.map(drop)
            }),
        )
        .route(
            "/slow/car",
            post(async move |session: Session| -> Result<(), Error> {
                for_car.wait().await;
                session.insert("my_car", "a late car")
            }),
        )
        .route(
            "/slow/wheels",
            post(async move |session: Session| -> Result<(), Error> {
                for_wheels.wait().await;
                session.insert("wheels", 4)
            }),
        )
        .route(
            "/slow/count",
            post(async move |session: Session| -> Result<String, Error> {
                for_count.wait().await;
                count(&session).await
            }),
        )
        .layer(layer);
    Browser::open(app)
}

fn an_hour() -> Option<Expiry> {
    Some(Expiry::OnInactivity(time::Duration::HOUR))
}

async fn count(session: &Session) -> Result<String, Error> {
    let num_visits = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
    Ok(num_visits.to_string())
}

fn garage(layer: SessionLayer) -> Browser {
    slow_garage(layer, &Gate::default())
}

/// A visitor of the garage with a mini.
async fn with_a_car() -> Browser {
    let mut visitor = garage(SessionLayer::encrypted_cookie(keys("a")));
    visitor.post("/car", &[("my_car", "mini")]).await;
    visitor
}

#[track_caller]
fn value(visitor: &Browser) -> String {
    visitor.cookie("sessionid").expect("a session cookie")
}

/// What this path shows to a browser that sends `value` as its session cookie.
async fn shown(site: &Browser, path: &str, value: impl AsRef<[u8]>) -> Page {
    let cookie = [&b"sessionid="[..], value.as_ref()].concat();
    site.private_window().get_with(path, &[("cookie", &cookie)]).await.clone()
}

/// Which car the server sees in this cookie.
async fn car_in(site: &Browser, value: impl AsRef<[u8]>) -> String {
    shown(site, "/", value).await.body().to_owned()
}

/// A POST with this cookie, whatever the browser keeps.
async fn post_with(visitor: &mut Browser, path: &str, value: &str, form: &'static str) {
    let request = Request::post(path)
        .header("cookie", format!("sessionid={value}"))
        .header("content-type", "application/x-www-form-urlencoded");
    visitor.send(request.body(form.into()).expect("a valid request")).await;
}

/// Encrypts any text, as a program with the key "a" could.
fn encrypt(text: &str) -> String {
    let mut jar = CookieJar::new();
    let text = Cookie::new("sessionid", text.to_owned());
    jar.private_mut(&Key::derive_from(&[0xaa; 32])).add(text);
    jar.get("sessionid").expect("it was added").value().to_owned()
}

/// An encrypted session with a mini that ends then.
fn encrypt_until(end: OffsetDateTime) -> String {
    let expiry_date = end.unix_timestamp();
    encrypt(&format!("{MADE_UP}{expiry_date:013}{{\"my_car\":\"mini\"}}"))
}

fn base64_decoded(text: &str) -> Vec<u8> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = 0_u32;
    let mut bytes = Vec::new();
    for (at, digit) in text.trim_end_matches('=').bytes().enumerate() {
        let digit = digits.iter().position(|&it| it == digit).expect("base64");
        bits = bits << 6 | digit as u32;
        if at % 4 != 0 {
            bytes.push((bits >> (6 - at % 4 * 2)) as u8);
        }
    }
    bytes
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

// What it is for.

#[tokio::test]
async fn a_car_is_remembered_by_the_cookie_alone() {
    let mut visitor = with_a_car().await;
    assert_eq!(visitor.get("/").await.body(), "mini");

    // After a restart, or on another server: all that they share is the key.
    let restarted = garage(SessionLayer::encrypted_cookie(keys("a")));
    assert_eq!(car_in(&restarted, value(&visitor)).await, "mini");
}

#[tokio::test]
async fn the_cookie_has_the_attributes_of_every_session_cookie() {
    let mut visitor = garage(SessionLayer::encrypted_cookie(keys("a")));

    let cookie = the_cookie(visitor.post("/car", &[("my_car", "mini")]).await);

    assert_eq!(cookie.name(), "sessionid");
    assert_eq!(cookie.http_only(), Some(true));
    assert_eq!(cookie.same_site(), Some(cookie::SameSite::Lax));
    assert_eq!(cookie.path(), Some("/"));
    assert_eq!(cookie.max_age(), Some(TWO_WEEKS));
}

#[tokio::test]
async fn every_request_encrypts_the_cookie_again_if_the_site_says_so() {
    let mut visitor = garage(builder().save_every_request(true).build().expect("good settings"));
    visitor.post("/car", &[("my_car", "mini")]).await;
    let before = value(&visitor);

    assert_eq!(visitor.get("/about").await.set_cookies().len(), 1);

    assert_ne!(value(&visitor), before);
    assert_eq!(visitor.get("/").await.body(), "mini");
}

// Only the server reads and writes it.

#[tokio::test]
async fn nothing_in_the_cookie_can_be_read() {
    assert_eq!(base64_decoded("TGlicmFyaWFu"), b"Librarian");
    assert_eq!(base64_decoded("bWluaQ=="), b"mini", "so the test can tell");
    let mut visitor = with_a_car().await;
    let id = visitor.get("/id").await.body().to_owned();
    let number = id.parse::<Id>().expect("an id").0;

    let value = value(&visitor);
    let bytes = base64_decoded(&value);

    for secret in [&b"my_car"[..], b"mini", id.as_bytes(), &number.to_le_bytes()] {
        assert!(!contains(value.as_bytes(), secret), "{secret:?} in {value}");
        assert!(!contains(&bytes, secret), "{secret:?} in {bytes:?}");
    }
}

#[tokio::test]
async fn the_same_session_encrypted_twice_looks_different() {
    let mut visitor = with_a_car().await;
    let first = value(&visitor);

    visitor.post("/car", &[("my_car", "mini")]).await;

    let second = value(&visitor);
    assert_eq!(first.len(), second.len());
    let same = first.bytes().zip(second.bytes()).filter(|(one, other)| one == other).count();
    assert!(same < first.len() / 2, "{first} and {second}");
}

#[tokio::test]
async fn a_cookie_with_any_character_changed_does_not_open() {
    let visitor = with_a_car().await;
    let value = value(&visitor);
    assert_eq!(car_in(&visitor, &value).await, "mini");

    for at in 0..value.len() {
        let mut changed = value.clone().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        assert_eq!(car_in(&visitor, changed).await, "no car", "character {at}");
    }
}

#[tokio::test]
async fn a_cookie_that_is_cut_or_lengthened_does_not_open() {
    let visitor = with_a_car().await;
    let value = value(&visitor);

    for length in 0..value.len() {
        assert_eq!(car_in(&visitor, &value[..length]).await, "no car", "{length} characters");
    }
    for changed in [format!("{value}AAAA"), format!("AAAA{value}"), value.clone() + &value] {
        assert_eq!(car_in(&visitor, changed).await, "no car");
    }
}

#[tokio::test]
async fn a_cookie_of_another_name_does_not_open() {
    let visitor = with_a_car().await;
    let mut other = garage(builder().cookie_name("garage").build().expect("good settings"));

    let moved = format!("garage={}", value(&visitor));

    assert_eq!(other.get_with("/", &[("cookie", moved.as_bytes())]).await.body(), "no car");
}

#[tokio::test]
async fn another_sites_key_does_not_open_it() {
    let visitor = with_a_car().await;
    for other in [keys("b"), keys("bc"), EncryptionKeys::generate()] {
        let other = garage(SessionLayer::encrypted_cookie(other));
        assert_eq!(car_in(&other, value(&visitor)).await, "no car");
    }
}

#[tokio::test]
async fn what_none_of_the_keys_opens_is_an_empty_session_and_left_alone() {
    let visitor = with_a_car().await;
    let long = "A".repeat(5000);
    let very_long = "A".repeat(1_000_000);
    for garbage in ["", "x", "=", "====", "\"\"", "%00", MADE_UP, "größe", &long, &very_long] {
        let page = shown(&visitor, "/", garbage).await;
        let start = garbage.get(..10).unwrap_or(garbage);
        assert_eq!(page.status(), StatusCode::OK, "for {start:?}");
        assert_eq!(page.body(), "no car", "for {start:?}");
        assert_no_cookie(&page, start);
    }
    // Bytes that are no text are not even a cookie of ours.
    assert_eq!(car_in(&visitor, b"\xff\xfe").await, "no car");
}

// The keys.

#[tokio::test]
async fn the_newest_key_encrypts_and_all_of_them_open() {
    let visitor = with_a_car().await;
    let old = value(&visitor);
    let mut rotated = garage(SessionLayer::encrypted_cookie(keys("cba")));

    assert_eq!(car_in(&rotated, &old).await, "mini");
    post_with(&mut rotated, "/car", &old, "colour=red").await;

    let new = value(&rotated);
    assert_eq!(car_in(&garage(SessionLayer::encrypted_cookie(keys("c"))), &new).await, "mini");
    assert_eq!(car_in(&garage(SessionLayer::encrypted_cookie(keys("ba"))), &new).await, "no car");
}

#[tokio::test]
async fn reading_does_not_encrypt_the_cookie_again_not_even_with_a_new_key() {
    let visitor = with_a_car().await;
    let rotated = garage(SessionLayer::encrypted_cookie(keys("ba")));

    let page = shown(&rotated, "/", value(&visitor)).await;

    assert_eq!(page.body(), "mini");
    assert!(page.set_cookies().is_empty());
}

#[tokio::test]
async fn new_keys_without_the_old_ones_sign_all_visitors_out() {
    let visitor = with_a_car().await;
    let rotated = garage(SessionLayer::encrypted_cookie(keys("b")));

    let page = shown(&rotated, "/", value(&visitor)).await;

    assert_eq!(page.body(), "no car");
    assert_no_cookie(&page, "it may be another program's");
}

#[tokio::test]
async fn a_generated_key_is_another_each_time() {
    let mut visitor = garage(SessionLayer::encrypted_cookie(EncryptionKeys::generate()));
    visitor.post("/car", &[("my_car", "mini")]).await;
    assert_eq!(visitor.get("/").await.body(), "mini");

    let restarted = garage(SessionLayer::encrypted_cookie(EncryptionKeys::generate()));
    assert_eq!(car_in(&restarted, value(&visitor)).await, "no car");
}

#[test]
fn keys_that_are_not_valid_are_refused_in_words_that_show_no_key() {
    let good = "0123456789abcdef".repeat(4);
    let short = &good[1..];
    for (text, words) in [
        (String::new(), "encryption key 1 is empty"),
        ("  ".to_owned(), "encryption key 1 is empty"),
        (format!("{good},"), "encryption key 2 is empty"),
        (format!("{good},,{good}"), "encryption key 2 is empty"),
        (short.to_owned(), "encryption key 1 has 63 hex digits"),
        (format!("{good}, {good}0"), "encryption key 2 has 65 hex digits"),
        (format!("{good} {good}"), "encryption key 1 holds other characters"),
        (format!("{good},{short}g"), "encryption key 2 holds other characters"),
        (format!("{good},{short}\n{short}"), "encryption key 2 holds other characters"),
        (format!("+{short}"), "encryption key 1 holds other characters"),
        (format!("{}€", &good[3..]), "encryption key 1 holds other characters"),
    ] {
        let refused = text.parse::<EncryptionKeys>().expect_err(words).to_string();
        assert!(refused.contains(words), "{refused:?} does not say {words:?}");
        assert!(refused.contains("openssl rand -hex 32"), "{refused}");
        assert!(!refused.contains("0123") && !refused.contains('\n'), "{refused}");
    }
    for text in [
        good.clone(),
        good.to_uppercase(),
        format!("\n{good}\n"),
        format!("{good},{good}"),
        format!("{good} , {}", "f".repeat(64)),
    ] {
        text.parse::<EncryptionKeys>().expect("good keys");
    }
}

#[test]
fn no_key_is_shown_for_debugging() {
    let keys = keys("ab");
    let derived = Key::derive_from(&[0xaa; 32]);
    for text in [
        format!("{keys:?}"),
        format!("{:?}", SessionLayer::encrypted_cookie_builder(keys.clone())),
        format!("{:?}", SessionLayer::encrypted_cookie(keys)),
    ] {
        assert!(text.contains("EncryptionKeys { count: 2, .. }"), "{text}");
        for secret in ["aaaa", "170, 170", &format!("{:?}", &derived.encryption()[..2])] {
            assert!(!text.contains(secret.trim_matches(['[', ']'])), "{text}");
        }
    }
}

// Which of the promises hold.

#[tokio::test]
async fn an_id_chosen_by_the_client_is_never_adopted() {
    let plain = format!("{MADE_UP}0009999999999{{\"my_car\":\"planted\"}}");
    for planted in [MADE_UP, "", "x", &plain] {
        for path in ["/car", "/clear", "/cycle", "/sign-out", "/expiry/hour", "/forget"] {
            let mut visitor = garage(SessionLayer::encrypted_cookie(keys("a")));
            post_with(&mut visitor, path, planted, "colour=red").await;
            assert_eq!(visitor.page().status(), StatusCode::OK, "for {path}");

            let id = visitor.get("/id").await.body().to_owned();
            assert_ne!(id, MADE_UP, "for {path}");
            let is_stored = ["/car", "/expiry/hour"].contains(&path);
            assert_eq!(id != "none", is_stored, "for {path}");
            assert_eq!(visitor.get("/").await.body(), "no car", "for {path}");
        }
    }
}

#[tokio::test]
async fn what_is_stored_after_a_flush_goes_into_a_cookie_with_a_new_id() {
    let mut visitor = with_a_car().await;
    visitor.post("/car", &[("colour", "red")]).await;
    let id = visitor.get("/id").await.body().to_owned();

    visitor.post("/sign-out/car", &[]).await;

    assert_ne!(visitor.get("/id").await.body(), id);
    assert_eq!(visitor.get("/").await.body(), "a loan car");
    assert_eq!(visitor.get("/keys").await.body(), "my_car");
}

#[tokio::test]
async fn to_cycle_the_id_keeps_the_data_and_a_page_that_fails_keeps_both() {
    let mut visitor = with_a_car().await;
    let id = visitor.get("/id").await.body().to_owned();
    assert_eq!(id.len(), 22);

    assert!(visitor.post("/cycle/crash", &[]).await.set_cookies().is_empty());
    assert_eq!(visitor.get("/id").await.body(), id);

    visitor.post("/cycle", &[]).await;
    assert_ne!(visitor.get("/id").await.body(), id);
    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn a_chosen_expiry_lasts_until_it_is_changed() {
    let mut visitor = with_a_car().await;
    let hour = Some(time::Duration::HOUR);
    assert_eq!(the_cookie(visitor.post("/expiry/hour", &[]).await).max_age(), hour);

    let mut restarted = garage(SessionLayer::encrypted_cookie(keys("a")));
    post_with(&mut restarted, "/car", &value(&visitor), "my_car=beetle").await;

    assert_eq!(the_cookie(restarted.page()).max_age(), hour);
}

#[tokio::test]
async fn the_server_lets_no_copy_live_beyond_its_expiry_date() {
    let visitor = with_a_car().await;
    let now = OffsetDateTime::now_utc();
    assert_eq!(car_in(&visitor, encrypt_until(now + time::Duration::MINUTE)).await, "mini");

    for past in [now, now - time::Duration::SECOND, OffsetDateTime::UNIX_EPOCH] {
        let page = shown(&visitor, "/", encrypt_until(past)).await;
        assert_eq!(page.body(), "no car");
        assert_eq!(the_cookie(&page).value(), "", "it is removed");
    }
}

#[tokio::test]
async fn a_session_that_was_to_end_in_the_past_is_gone() {
    let mut visitor = with_a_car().await;

    let page = visitor.post("/expiry/past", &[]).await;

    assert_eq!(the_cookie(page).max_age(), Some(time::Duration::ZERO));
    assert_eq!(visitor.cookie("sessionid"), None);
}

#[tokio::test]
async fn a_page_that_looked_varies_by_cookie_and_another_does_not() {
    let mut visitor = with_a_car().await;
    for path in ["/", "/keys", "/id"] {
        assert_eq!(visitor.get(path).await.header("vary"), Some("Cookie"), "at {path}");
    }
    assert_eq!(visitor.post("/car", &[]).await.header("vary"), Some("Cookie"));
    assert_eq!(visitor.post("/sign-out/crash", &[]).await.header("vary"), Some("Cookie"));
    assert_eq!(visitor.get("/about").await.header("vary"), None);
}

#[tokio::test]
async fn reading_sends_no_cookie_and_an_emptied_session_keeps_its_own() {
    let mut newcomer = garage(SessionLayer::encrypted_cookie(keys("a")));
    for path in ["/", "/about"] {
        assert!(newcomer.get(path).await.set_cookies().is_empty(), "at {path}");
    }
    assert!(newcomer.post("/forget", &[]).await.set_cookies().is_empty());

    let mut visitor = with_a_car().await;
    let id = visitor.get("/id").await.body().to_owned();
    for path in ["/", "/about"] {
        assert!(visitor.get(path).await.set_cookies().is_empty(), "at {path}");
    }
    visitor.post("/forget", &[]).await;
    assert_eq!(visitor.get("/keys").await.body(), "");
    assert_eq!(visitor.get("/id").await.body(), id);
}

#[tokio::test]
async fn a_page_that_fails_saves_nothing_also_not_what_an_update_did() {
    let mut visitor = with_a_car().await;

    let page = visitor.post("/crash", &[]).await;

    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(page.set_cookies().is_empty());
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(visitor.get("/keys").await.body(), "my_car");

    // Nor does it remove a cookie that does not open: a page that works will.
    visitor.edit_cookie("sessionid", "broken");
    assert!(visitor.post("/crash", &[]).await.set_cookies().is_empty());
}

#[tokio::test]
async fn a_sign_out_holds_in_this_browser_although_its_page_fails() {
    let mut visitor = with_a_car().await;

    let page = visitor.post("/sign-out/crash", &[]).await;

    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(the_cookie(page).value(), "");
    assert_eq!(visitor.cookie("sessionid"), None);
    assert_eq!(visitor.get("/").await.body(), "no car");

    // So it does where the framework, and not the handler, makes an error of it.
    let mut visitor = with_a_car().await;
    let page = visitor.post("/sign-out/lorry", &[]).await;
    assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(visitor.cookie("sessionid"), None);
}

#[tokio::test]
async fn a_cookie_that_does_not_open_is_no_news_but_one_of_ours_that_cannot_be_read_is() {
    let visitor = with_a_car().await;
    listen();
    shown(&visitor, "/", "garbage").await;
    let told = logged(Level::DEBUG);
    assert!(told.iter().any(|line| line.contains("none of the keys opens")), "{told:?}");
    assert!(!told.iter().any(|line| line.contains("garbage")), "{told:?}");
    assert!(logged(Level::WARN).is_empty(), "{:?}", logged(Level::WARN));

    let end = (OffsetDateTime::now_utc() + time::Duration::HOUR).unix_timestamp();
    for text in [
        "",
        "{}",
        MADE_UP,
        &format!("x{}", "ä".repeat(20)),
        &format!("{MADE_UP}{end:013}"),
        &format!("{MADE_UP}{end:013}[]"),
        &format!("{MADE_UP}{end:013}{{\"my_car\":"),
        &format!("{MADE_UP}soon         {{}}"),
        &format!("{MADE_UP}9999999999999{{}}"),
        &format!("{}{end:013}{{}}", &MADE_UP[1..]),
    ] {
        listen();
        let page = shown(&visitor, "/", encrypt(text)).await;
        assert_eq!(page.status(), StatusCode::OK, "for {text:?}");
        assert_eq!(page.body(), "no car", "for {text:?}");
        assert_no_cookie(&page, text);
        let warnings = logged(Level::WARN);
        assert!(warnings.len() == 1 && warnings[0].contains("cannot be read"), "{warnings:?}");
        assert!(logged(Level::ERROR).is_empty(), "{:?}", logged(Level::ERROR));
    }
}

#[tokio::test]
async fn a_value_of_another_type_stays_in_the_cookie() {
    let mut visitor = with_a_car().await;
    listen();

    let page = visitor.get("/wheels").await;

    assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(page.set_cookies().is_empty());
    let errors = logged(Level::ERROR);
    assert!(errors.len() == 1 && errors[0].contains("`my_car`"), "{errors:?}");
    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn the_removal_has_the_attributes_of_the_encrypted_cookie() {
    let plain = builder().cookie_name("sessionid");
    let with_prefix = builder().cookie_name("__Host-sessionid").cookie_secure(Secure::Always);
    for settings in [plain, with_prefix] {
        let mut visitor = garage(settings.build().expect("good settings"));
        let kept = the_cookie(visitor.post("/car", &[("my_car", "mini")]).await);
        let mut removed = the_cookie(visitor.post("/sign-out", &[]).await);

        assert_eq!(visitor.cookie(kept.name()), None, "the browser took it");
        assert_eq!(removed.value(), "");
        assert_eq!(removed.max_age(), Some(time::Duration::ZERO));
        removed.set_value(kept.value().to_owned());
        removed.set_max_age(kept.max_age());
        removed.set_expires(kept.expires().expect("an end"));
        assert_eq!(removed, kept);
    }
}

#[tokio::test]
async fn updates_within_one_request_are_exact_and_kept_with_its_other_changes() {
    let mut visitor = with_a_car().await;

    assert_eq!(visitor.post("/count/twice", &[]).await.body(), "2");
    assert_eq!(visitor.post("/count/twice", &[]).await.body(), "4");
    let page = visitor.post("/count", &[]).await;
    assert_eq!(page.body(), "5");
    assert_eq!(the_cookie(page).max_age(), Some(TWO_WEEKS));

    assert_eq!(visitor.post("/count", &[]).await.body(), "6");
    assert_eq!(visitor.get("/keys").await.body(), "colour my_car num_visits");
}

// Which do not, so that the documentation can point at them.

#[tokio::test]
async fn a_copied_cookie_is_good_after_the_sign_out() {
    let mut visitor = with_a_car().await;
    let copy = value(&visitor);

    visitor.post("/sign-out", &[]).await;

    assert_eq!(visitor.get("/").await.body(), "no car");
    assert_eq!(car_in(&visitor, &copy).await, "mini");

    // A browser that has it can also renew it.
    post_with(&mut visitor, "/car", &copy, "colour=red").await;
    assert_eq!(the_cookie(visitor.page()).max_age(), Some(TWO_WEEKS));
}

#[tokio::test]
async fn a_request_that_was_still_running_undoes_the_sign_out() {
    let gate = Gate::default();
    let mut visitor = slow_garage(SessionLayer::encrypted_cookie(keys("a")), &gate);
    visitor.post("/car", &[("my_car", "mini")]).await;

    let late = during(&mut visitor, &gate, "/slow/car", async |visitor| {
        visitor.post("/sign-out", &[]).await;
        assert_eq!(visitor.cookie("sessionid"), None);
    });
    assert_eq!(late.await.status(), StatusCode::OK);

    assert_eq!(visitor.get("/").await.body(), "a late car");
}

#[tokio::test]
async fn a_slow_response_sets_the_browser_back_to_the_id_from_before_a_cycle() {
    let gate = Gate::default();
    let mut visitor = slow_garage(SessionLayer::encrypted_cookie(keys("a")), &gate);
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = visitor.get("/id").await.body().to_owned();

    during(&mut visitor, &gate, "/slow/car", async |visitor| {
        visitor.post("/cycle", &[]).await;
        assert_ne!(visitor.get("/id").await.body(), id);
    })
    .await;

    assert_eq!(visitor.get("/id").await.body(), id);
}

#[tokio::test]
async fn of_two_requests_at_once_one_is_lost() {
    let gate = Gate::default();
    let mut visitor = slow_garage(SessionLayer::encrypted_cookie(keys("a")), &gate);
    visitor.post("/count", &[]).await;

    let late = during(&mut visitor, &gate, "/slow/count", async |visitor| {
        assert_eq!(visitor.post("/count", &[]).await.body(), "2");
        assert_eq!(visitor.post("/count", &[]).await.body(), "3");
    });
    assert_eq!(late.await.body(), "2", "it counts on from what its own cookie says");
    assert_eq!(visitor.post("/count", &[]).await.body(), "3", "two visits are lost");

    // Different keys are no help.
    during(&mut visitor, &gate, "/slow/wheels", async |visitor| {
        visitor.post("/car", &[("colour", "red")]).await;
    })
    .await;
    assert_eq!(visitor.get("/keys").await.body(), "num_visits wheels");
}

#[tokio::test]
async fn a_visitor_can_go_back_to_an_older_copy() {
    let mut visitor = with_a_car().await;
    visitor.post("/car", &[("voucher", "free wash")]).await;
    let copy = value(&visitor);
    visitor.post("/clear", &[]).await;
    assert_eq!(visitor.get("/keys").await.body(), "");

    visitor.edit_cookie("sessionid", &copy);

    assert_eq!(visitor.get("/keys").await.body(), "my_car voucher");
}

// What fits.

/// A car that makes a session of this size: the rest is {"my_car":""}.
fn car_of(size: usize) -> String {
    "m".repeat(size - 13)
}

#[track_caller]
fn assert_too_large(page: &Page) {
    assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.body().contains("more than this site can remember"), "{}", page.body());
    assert!(page.set_cookies().is_empty(), "{:?}", page.set_cookies());
}

#[tokio::test]
async fn the_largest_session_fits_and_one_byte_more_is_refused_and_changes_nothing() {
    let mut visitor = garage(SessionLayer::encrypted_cookie(keys("a")));
    let full = car_of(2920);

    let cookie = the_cookie(visitor.post("/car", &[("my_car", &full)]).await);
    assert!(cookie.name().len() + cookie.value().len() <= 4096, "{}", cookie.value().len());
    assert_eq!(visitor.get("/").await.body(), full, "the browser has kept it");

    let kept = value(&visitor);
    assert_too_large(visitor.post("/car", &[("my_car", &car_of(2921))]).await);
    for path in ["/nested", "/update"] {
        let request = Request::post(path).body(car_of(2921).into()).expect("a valid request");
        assert_too_large(visitor.send(request).await);
    }
    assert_eq!(value(&visitor), kept);
    assert_eq!(visitor.get("/").await.body(), full);
    // A chosen expiry does not count, and fits all the same.
    visitor.post("/expiry/hour", &[]).await;
    assert_eq!(visitor.page().status(), StatusCode::OK);
    assert_eq!(visitor.get("/").await.body(), full, "the browser has kept it");
}

#[tokio::test]
async fn a_session_beyond_the_limit_would_make_a_cookie_that_browsers_drop() {
    let end = OffsetDateTime::now_utc() + time::Duration::HOUR;
    // The largest session, and the longest expiry that a handler can choose.
    let largest = 2920 + 80;
    for (size, is_kept) in [(largest, true), (largest + 1, false)] {
        let data = format!("{{\"my_car\":\"{}\"}}", car_of(size));
        assert_eq!(data.len(), size);
        let encrypted = encrypt(&format!("{MADE_UP}{:013}{data}", end.unix_timestamp()));
        let app = Router::new()
            .route("/", get(async move || [("set-cookie", format!("sessionid={encrypted}"))]));
        let mut browser = Browser::open(app);
        browser.get("/").await;
        assert_eq!(browser.cookie("sessionid").is_some(), is_kept, "{size} bytes");
    }
}

#[tokio::test]
async fn a_longer_name_leaves_less_room() {
    for (length, room) in
        [(1, 2926), (8, 2923), (9, 2920), (12, 2920), (13, 2917), (16, 2917), (4020, 0)]
    {
        let named = || builder().cookie_name("n".repeat(length));
        let refused = named().size_limit(room + 1).build().expect_err("too much for a cookie");
        assert!(refused.to_string().contains(&format!("more than {room}")), "{refused}");
        if room == 0 {
            named().build().expect_err("no room at all");
            continue;
        }

        named().size_limit(room).build().expect("it fits");
        let mut visitor = garage(named().build().expect("good settings"));
        assert_too_large(visitor.post("/car", &[("my_car", &car_of(room + 1))]).await);
        visitor.post("/car", &[("my_car", &car_of(room))]).await;
        assert_eq!(visitor.get("/").await.body(), car_of(room), "a name of {length}");
    }
}

#[tokio::test]
async fn a_smaller_limit_counts() {
    let mut visitor = garage(builder().size_limit(100).build().expect("good settings"));

    assert_too_large(visitor.post("/car", &[("my_car", &car_of(101))]).await);

    visitor.post("/car", &[("my_car", &car_of(100))]).await;
    assert_eq!(visitor.get("/").await.body(), car_of(100));
}

#[test]
fn settings_that_cannot_work_are_refused_as_with_any_store() {
    for (settings, words) in [
        (builder().size_limit(0), "no room for any session"),
        (builder().size_limit(64 * 1024), "browsers keep no cookie sessionid with more than 2920"),
        (builder().cookie_name("session id"), "cannot be a cookie's name"),
        (builder().cookie_age(Duration::ZERO), "use expire_at_browser_close"),
        (builder().cookie_name("__Host-id").cookie_secure(Secure::Never), "because of its prefix"),
    ] {
        let refused = settings.build().expect_err(words).to_string();
        assert!(refused.contains(words), "{refused:?} does not say {words:?}");
    }
}
