//! Chapter 3's promises: a change inside a value is saved only if somebody says so.

use browser::Browser;
use insta::assert_snapshot;
use tower_sessions::MemoryStore;

/// Presses one button and looks at the next request's page.
async fn press(button: &str, save_every_request: bool) -> Browser {
    let mut visitor = Browser::open(chapter_3::app(MemoryStore::default(), save_every_request));
    visitor.get("/").await;
    visitor.take_transcript();
    visitor.post(button, &[]).await;
    visitor.follow().await;
    visitor
}

fn note(visitor: &Browser) -> String {
    visitor.page().texts("[role=status]").concat()
}

#[tokio::test]
async fn a_change_inside_is_lost_on_the_next_request() {
    let visitor = press("/inside", false).await;
    assert!(note(&visitor).ends_with("the change was lost."), "{}", note(&visitor));
    assert!(visitor.page().text().contains("steel wheels and red paint"));
    assert_snapshot!("change_inside_is_lost", visitor.transcript());
    assert_snapshot!("what_you_see", visitor.page().text());
    assert_snapshot!("the_page", visitor.page().html());
}

#[tokio::test]
async fn a_change_inside_with_the_flag_is_kept() {
    let visitor = press("/flagged", false).await;
    assert!(note(&visitor).ends_with("the change was kept."), "{}", note(&visitor));
    assert_snapshot!("change_and_flag_is_kept", visitor.transcript());
}

#[tokio::test]
async fn a_value_that_was_put_back_is_kept() {
    let visitor = press("/put-back", false).await;
    assert!(note(&visitor).ends_with("the change was kept."), "{}", note(&visitor));
    assert_snapshot!("put_back_is_kept", visitor.transcript());
}

#[tokio::test]
async fn saving_on_every_request_keeps_a_change_that_nobody_told_of() {
    let visitor = press("/inside", true).await;
    assert!(note(&visitor).ends_with("the change was kept."), "{}", note(&visitor));
    assert_snapshot!("save_every_request_keeps_it", visitor.transcript());
}

#[tokio::test]
async fn the_lost_change_leaves_what_was_kept_before() {
    let mut visitor = press("/flagged", false).await;
    visitor.post("/inside", &[]).await;
    visitor.follow().await;
    assert!(visitor.page().text().contains("Your car has alloy wheels"));
    assert!(note(&visitor).contains("saw steel wheels"), "{}", note(&visitor));
}

#[tokio::test]
async fn the_switch_of_the_program_switches_the_fourth_button_on() {
    let mut off = Browser::open(chapter_3::app(MemoryStore::default(), false));
    off.get("/").await;
    assert_eq!(off.page().texts("button[disabled]"), ["Save on every request"]);
    assert!(off.page().text().contains("--save-every-request"));

    let mut on = Browser::open(chapter_3::app(MemoryStore::default(), true));
    on.get("/").await;
    assert_eq!(on.page().texts("form[action='/inside'] button").len(), 2);
    assert!(!on.page().has("button[disabled]"));
}

#[tokio::test]
async fn looking_saves_nothing_and_a_newcomer_gets_no_session_even_when_every_request_saves() {
    for save_every_request in [false, true] {
        let mut visitor = Browser::open(chapter_3::app(MemoryStore::default(), save_every_request));
        visitor.get("/").await;
        assert!(visitor.page().set_cookies().is_empty());
    }
    let mut owner = press("/flagged", false).await;
    assert!(owner.get("/").await.set_cookies().is_empty(), "reading sent a cookie");
    let mut owner = press("/flagged", true).await;
    assert_eq!(owner.get("/").await.set_cookies().len(), 1, "every request renews the cookie");
}

#[tokio::test]
async fn made_up_wheels_in_the_address_are_refused() {
    let mut visitor = Browser::open(chapter_3::app(MemoryStore::default(), false));
    let page = visitor.get("/?saw=%3Cscript%3Ealert(1)%3C/script%3E").await;
    assert_eq!(page.status(), 400);
    assert!(!page.has("script"), "{}", page.body());
}

#[tokio::test]
async fn with_cookies_blocked_the_flag_is_not_blamed() {
    for (button, save_every_request) in
        [("/flagged", false), ("/put-back", false), ("/inside", true)]
    {
        let app = chapter_3::app(MemoryStore::default(), save_every_request);
        let mut visitor = Browser::open(app).refusing_cookies();
        visitor.post(button, &[]).await;
        visitor.follow().await;
        assert!(note(&visitor).contains("Allow cookies"), "{button}: {}", note(&visitor));
    }
    // Here nothing was saved, so the cookie is not missing.
    let visitor = press("/inside", false).await;
    assert!(!note(&visitor).contains("cookie"), "{}", note(&visitor));
}
