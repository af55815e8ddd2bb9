//! A site whose sessions are in their cookies.

use axum::{
    Form, Router,
    http::{Request, StatusCode},
    routing::{get, post},
};
use browser::{Browser, Page};
use cookie::{Cookie, CookieJar, Key};
use sessions::{Builder, EncryptionKeys, Error, Expiry, Session, SessionLayer};
use time::OffsetDateTime;

use crate::helpers::{Gate, MADE_UP};

pub const TWO_WEEKS: time::Duration = time::Duration::weeks(2);

/// Keys as a site would read them: each letter here is one, written 64 times.
pub fn keys(letters: &str) -> EncryptionKeys {
    let keys: Vec<_> = letters.chars().map(|letter| letter.to_string().repeat(64)).collect();
    keys.join(",").parse().expect("good keys")
}

pub fn builder() -> Builder<EncryptionKeys> {
    SessionLayer::encrypted_cookie_builder(keys("a"))
}

/// A site that remembers your car. The handlers under `/slow` have the session and wait at the
/// gate before they change it.
pub fn slow_garage(layer: SessionLayer, gate: &Gate) -> Browser {
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

pub fn an_hour() -> Option<Expiry> {
    Some(Expiry::OnInactivity(time::Duration::HOUR))
}

pub async fn count(session: &Session) -> Result<String, Error> {
    let num_visits = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
    Ok(num_visits.to_string())
}

pub fn garage(layer: SessionLayer) -> Browser {
    slow_garage(layer, &Gate::default())
}

/// A visitor of the garage with a mini.
pub async fn with_a_car() -> Browser {
    let mut visitor = garage(SessionLayer::encrypted_cookie(keys("a")));
    visitor.post("/car", &[("my_car", "mini")]).await;
    visitor
}

#[track_caller]
pub fn value(visitor: &Browser) -> String {
    visitor.cookie("sessionid").expect("a session cookie")
}

/// What this path shows to a browser that sends `value` as its session cookie.
pub async fn shown(site: &Browser, path: &str, value: impl AsRef<[u8]>) -> Page {
    let cookie = [&b"sessionid="[..], value.as_ref()].concat();
    site.private_window().get_with(path, &[("cookie", &cookie)]).await.clone()
}

/// Which car the server sees in this cookie.
pub async fn car_in(site: &Browser, value: impl AsRef<[u8]>) -> String {
    shown(site, "/", value).await.body().to_owned()
}

/// A POST with this cookie, and not those that the browser keeps.
pub async fn post_with(visitor: &mut Browser, path: &str, value: &str, form: &'static str) {
    let request = Request::post(path)
        .header("cookie", format!("sessionid={value}"))
        .header("content-type", "application/x-www-form-urlencoded");
    visitor.send(request.body(form.into()).expect("a valid request")).await;
}

/// Encrypts any text, as a program with the key "a" could.
pub fn encrypt(text: &str) -> String {
    let mut jar = CookieJar::new();
    let text = Cookie::new("sessionid", text.to_owned());
    jar.private_mut(&Key::derive_from(&[0xaa; 32])).add(text);
    jar.get("sessionid").expect("it was added").value().to_owned()
}

/// An encrypted session with a mini that ends then.
pub fn encrypt_until(end: OffsetDateTime) -> String {
    let expiry_date = end.unix_timestamp();
    encrypt(&format!("{MADE_UP}{expiry_date:013}{{\"my_car\":\"mini\"}}"))
}

pub fn base64_decoded(text: &str) -> Vec<u8> {
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

pub fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
