//! Only the server reads and writes the cookie.

use axum::http::StatusCode;
use sessions::{EncryptionKeys, Id, SessionLayer};

use crate::{
    helpers::{MADE_UP, assert_no_cookie},
    site::*,
};

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
