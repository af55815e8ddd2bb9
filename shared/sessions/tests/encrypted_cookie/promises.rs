//! Which of the promises an encrypted cookie keeps.

use axum::http::StatusCode;
use sessions::{Secure, SessionLayer};
use time::OffsetDateTime;
use tracing::Level;

use crate::{
    helpers::{MADE_UP, assert_no_cookie, listen, logged, the_cookie},
    site::*,
};

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
    assert!(told.iter().any(|line| line.contains("no key decrypts this cookie")), "{told:?}");
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

#[tokio::test]
async fn of_several_cookies_the_first_that_opens_counts_and_no_other_is_removed() {
    let mut visitor = with_a_car().await;
    let ours = value(&visitor);
    visitor.post("/car", &[("my_car", "beetle")]).await;
    let newer = value(&visitor);
    for (values, car) in [
        ([&ours[..], "garbage", MADE_UP], "mini"),
        (["garbage", MADE_UP, &ours], "mini"),
        (["", &newer, &ours], "beetle"),
        (["", &ours, &newer], "mini"),
    ] {
        let page = shown(&visitor, "/", values.join("; sessionid=")).await;
        assert_eq!(page.body(), car);
        assert_no_cookie(&page, car);
    }
    // What is stored goes into a cookie of ours, and the flush removes it.
    let several = format!("garbage; sessionid={ours}");
    post_with(&mut visitor, "/sign-out", &several, "").await;
    assert_eq!(the_cookie(visitor.page()).value(), "");
    post_with(&mut visitor, "/sign-out", "garbage", "").await;
    assert_no_cookie(visitor.page(), "it is another program's");
}
