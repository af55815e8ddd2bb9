//! The store in memory: it is bounded, and clears.

mod helpers;

use axum::http::StatusCode;
use browser::Browser;
use helpers::{
    assert_no_cookie, create, expired, garage, listen, load, logged, record, stored, with_a_mini,
};
use sessions::{Id, MemoryStore, Outcome, Store, clear_expired};
use tracing::Level;

#[tokio::test]
async fn a_visitor_who_finds_the_store_full_gets_a_503_page_and_the_others_go_on() {
    let store = MemoryStore::with_capacity(64 * 1024);
    let (mut visitor, _) = with_a_mini(garage(store.clone())).await;
    while let Ok(Outcome::Stored(_)) = store.create(&record(&"m".repeat(10_000))).await {}
    listen();

    let mut newcomer = visitor.private_window();
    let page = newcomer.post("/car", &[("my_car", &"m".repeat(20_000))]).await;
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_no_cookie(page, "nothing was stored");
    assert!(logged(Level::ERROR)[0].contains("is full"), "{:?}", logged(Level::ERROR));

    visitor.post("/car", &[("my_car", "rover")]).await;
    assert_eq!(visitor.get("/").await.body(), "rover", "what does not grow is stored");
}

#[tokio::test]
async fn it_clears_what_has_expired_in_steps() {
    let store = MemoryStore::default();
    let (live, _) = stored(&store, "mini").await;
    for _ in 0..1201 {
        create(&store, &expired("an old car")).await;
    }

    assert_eq!(store.clear_expired(10).await.expect("a step"), 10);
    assert_eq!(clear_expired(&store).await.expect("all steps"), 1191);
    assert_eq!(clear_expired(&store).await.expect("all steps"), 0);
    assert_eq!(load(&store, &live.id).await, Some(live));
}

#[tokio::test]
async fn clones_share_the_same_sessions() {
    let store = MemoryStore::default();
    let (record, _) = stored(&store, "mini").await;

    assert_eq!(load(&store.clone(), &record.id).await, Some(record));
    assert_eq!(load(&MemoryStore::default(), &Id::default()).await, None);
    let mut stranger = Browser::open(garage(MemoryStore::default()));
    assert_eq!(stranger.get("/").await.body(), "no car");
}
