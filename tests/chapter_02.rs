//! Chapter 2's promises: the data stays on the server, the cookie carries an id.

use axum::http::StatusCode;
use browser::Browser;
use insta::assert_snapshot;
use tower_sessions::MemoryStore;

fn open() -> Browser {
    Browser::open(chapter_2::app(MemoryStore::default()))
}

async fn with_a_car(my_car: &str) -> Browser {
    let mut visitor = open();
    visitor.post("/car", &[("my_car", my_car)]).await;
    visitor.take_transcript();
    visitor
}

#[tokio::test]
async fn a_car_that_was_set_is_remembered() {
    let mut visitor = open();
    visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.page().status(), StatusCode::SEE_OTHER);
    visitor.follow().await;

    assert_snapshot!("set_then_get", visitor.transcript());
    assert_snapshot!("what_you_see", visitor.page().text());
    assert_snapshot!("the_page", visitor.page().html());
}

#[tokio::test]
async fn the_cookie_does_not_contain_the_car() {
    let visitor = with_a_car("beetle").await;
    let id = visitor.cookie("chapter2").expect("a session cookie");
    // 128 bits in base64.
    assert_eq!(id.len(), 22, "{id}");
    assert!(!id.contains("beetle"));
}

#[tokio::test]
async fn looking_around_creates_no_session() {
    let mut visitor = open();
    for path in ["/", "/car", "/car/or-mini", "/car/known", "/everything"] {
        assert!(visitor.get(path).await.set_cookies().is_empty(), "a cookie from {path}");
    }
}

#[tokio::test]
async fn a_missing_key_is_a_404_that_names_it() {
    let mut visitor = open();
    visitor.get("/car").await;
    assert_eq!(visitor.page().status(), StatusCode::NOT_FOUND);
    assert_snapshot!("the_missing_key", visitor.transcript());
}

#[tokio::test]
async fn a_key_that_is_there_is_got() {
    let mut visitor = with_a_car("beetle").await;
    visitor.get("/car").await;
    assert_snapshot!("get_the_car", visitor.transcript());
}

#[tokio::test]
async fn the_default_is_used_and_not_stored() {
    let mut visitor = open();
    visitor.get("/car/or-mini").await;
    visitor.get("/car/known").await;
    assert_snapshot!("get_with_a_default", visitor.transcript());

    let mut driver = with_a_car("beetle").await;
    assert!(driver.get("/car/or-mini").await.text().ends_with("beetle"));
    assert!(driver.get("/car/known").await.text().ends_with("yes"));
}

#[tokio::test]
async fn deleting_removes_the_car_and_then_there_is_none_to_delete() {
    let mut visitor = with_a_car("beetle").await;
    visitor.post("/car/delete", &[]).await;
    visitor.follow().await;
    assert_snapshot!("delete_the_car", visitor.transcript());

    visitor.post("/car/delete", &[]).await;
    assert_eq!(visitor.page().status(), StatusCode::NOT_FOUND);
    assert!(visitor.page().text().contains("my_car"), "{}", visitor.page().text());
}

#[tokio::test]
async fn everything_is_listed_and_clearing_leaves_nothing() {
    let mut visitor = with_a_car("beetle").await;
    visitor.get("/everything").await;
    visitor.post("/everything/clear", &[]).await;
    visitor.get("/everything").await;
    assert_snapshot!("list_clear_list", visitor.transcript());
}

#[tokio::test]
async fn a_private_window_has_no_car() {
    let visitor = with_a_car("beetle").await;
    let mut stranger = visitor.private_window();
    stranger.get("/").await;
    assert_snapshot!("no_car_in_a_private_window", stranger.transcript());
}

#[tokio::test]
async fn a_second_tab_has_the_same_car() {
    let visitor = with_a_car("beetle").await;
    let mut tab = visitor.second_tab();
    assert!(tab.get("/").await.text().contains("beetle"));
}

#[tokio::test]
async fn a_link_from_another_site_finds_the_session() {
    let mut visitor = with_a_car("beetle").await;
    assert!(visitor.get_from_another_site("/").await.text().contains("beetle"));
}

#[tokio::test]
async fn a_form_on_another_site_does_not_reach_the_session() {
    let mut visitor = with_a_car("beetle").await;
    let cookie = format!("chapter2={}", visitor.cookie("chapter2").expect("a session cookie"));
    visitor.post_from_another_site("/car", &[("my_car", "hearse")]).await;

    let page = visitor.get_with("/car", &[("cookie", cookie.as_bytes())]).await;
    assert!(page.text().ends_with("beetle"), "{}", page.text());
}

#[tokio::test]
async fn a_made_up_id_is_nobody() {
    for id in ["AAAAAAAAAAAAAAAAAAAAAA", "", "short", "../../etc/passwd", "<script>"] {
        let mut attacker = open();
        let cookie = format!("chapter2={id}");
        attacker.get_with("/", &[("cookie", cookie.as_bytes())]).await;
        assert_eq!(attacker.page().text(), open().get("/").await.text(), "for {id:?}");
    }
}

#[tokio::test]
async fn a_planted_id_is_not_the_one_a_car_is_stored_under() {
    let planted = "AAAAAAAAAAAAAAAAAAAAAA";
    for path in ["/car", "/car/delete", "/everything/clear"] {
        let mut visitor = open();
        visitor.post("/car", &[("my_car", "mini")]).await;
        visitor.edit_cookie("chapter2", planted);
        visitor.post(path, &[("my_car", "beetle")]).await;
        visitor.post("/car", &[("my_car", "beetle")]).await;
        assert_ne!(visitor.cookie("chapter2").as_deref(), Some(planted), "after {path}");
    }
}

#[tokio::test]
async fn a_car_without_a_name_is_refused_and_the_old_one_kept() {
    let mut visitor = with_a_car("beetle").await;
    visitor.post("/car", &[("my_car", "  ")]).await;
    assert_eq!(visitor.page().status(), StatusCode::BAD_REQUEST);
    assert!(visitor.page().text().contains("A car needs a name."), "{}", visitor.page().text());
    visitor.post("/car", &[("colour", "red")]).await;
    assert_eq!(visitor.page().status(), StatusCode::UNPROCESSABLE_ENTITY);
    let too_much = "x".repeat(site::BODY_LIMIT);
    visitor.post("/car", &[("my_car", &too_much)]).await;
    assert_eq!(visitor.page().status(), StatusCode::PAYLOAD_TOO_LARGE);

    assert!(visitor.get("/").await.text().contains("beetle"));
}

#[tokio::test]
async fn a_hostile_name_is_shown_as_text_and_never_as_markup() {
    let hostile = "<script>alert(1)</script>\"><img src=x>";
    let mut visitor = with_a_car(hostile).await;
    for path in ["/", "/car", "/car/or-mini", "/everything"] {
        let page = visitor.get(path).await;
        assert!(page.text().contains("<script>alert(1)"), "it is shown on {path}");
        assert!(!page.has("script") && !page.has("img"), "markup on {path}:\n{}", page.body());
    }
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused_in_words_and_not_stored() {
    let mut visitor = Browser::open(chapter_2::app(MemoryStore::default()));
    let long = "m".repeat(41);
    visitor.post("/car", &[("my_car", &long)]).await;
    assert_eq!(visitor.page().status(), 400);
    assert_eq!(visitor.page().attributes("#my_car", "value"), [&*long], "what was typed is there");
    assert!(visitor.page().text().contains("40 characters at most"), "{}", visitor.page().text());
    assert!(visitor.page().set_cookies().is_empty());

    visitor.post("/car", &[("my_car", &"ü".repeat(40))]).await;
    assert_eq!(visitor.page().status(), 303);
}

#[tokio::test]
async fn a_form_that_does_not_fit_is_a_sentence_for_visitors() {
    let mut visitor = Browser::open(chapter_2::app(MemoryStore::default()));
    visitor.post("/car", &[("colour", "red")]).await;
    assert_eq!(visitor.page().status(), 422);
    let page = visitor.page().text();
    assert!(!page.contains("deserialize") && !page.contains("my_car"), "{page}");
}

#[tokio::test]
async fn a_browser_that_keeps_no_cookies_is_told_that_the_cookie_is_missing() {
    let mut visitor = open().refusing_cookies();
    visitor.post("/car", &[("my_car", "mini")]).await;
    let page = visitor.follow().await;
    assert!(page.texts("[role=status]").concat().contains("Allow cookies"), "{}", page.text());

    let mut visitor = with_a_car("mini").await;
    assert!(!visitor.get("/?set").await.has("[role=status]"), "the cookie came back");
}
