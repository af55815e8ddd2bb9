//! Which keys encrypt, and which open.

use cookie::Key;
use sessions::{EncryptionKeys, SessionLayer};

use crate::{helpers::assert_no_cookie, site::*};

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
