//! The store in memory: it is bounded, and clears.

mod helpers;

use axum::http::StatusCode;
use browser::Browser;
use helpers::{
    assert_no_cookie, create, expired, garage, listen, load, logged, minutes_ago, record, stored,
    with_a_mini,
};
use sessions::{Id, MemoryStore, Outcome, Record, Store, StoreError, clear_expired};
use tracing::Level;

/// Bytes of data that the store keeps at most.
const CAPACITY: usize = 64 * MEBIBYTE;

const MEBIBYTE: usize = 1024 * 1024;

/// A record with that much data, and a little more.
fn large(mebibytes: usize) -> Record {
    record(&"m".repeat(mebibytes * MEBIBYTE))
}

#[tokio::test]
async fn a_flood_of_newcomers_ends_at_the_capacity_and_costs_no_visitor_their_session() {
    let store = MemoryStore::default();
    let (mut visitor, id) = with_a_mini(garage(store.clone())).await;
    let mut kept = 0;
    while let Ok(Outcome::Stored(_)) = store.create(&large(4)).await {
        kept += 4;
        assert!(kept <= CAPACITY / MEBIBYTE, "it takes more than it may");
    }
    assert_eq!(kept, 60, "each has a little more than four mebibytes");
    listen();

    let refused = store.create(&large(4)).await;
    let Err(StoreError::Backend(words)) = refused else { panic!("{refused:?}") };
    assert!(words.starts_with("the store in memory is full (64 MiB): "), "{words}");

    // Less than four mebibytes are left: small sessions go on.
    visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.get("/").await.body(), "beetle");
    assert!(load(&store, &id).await.is_some());
    assert!(logged(Level::ERROR).is_empty(), "{:?}", logged(Level::ERROR));

    while let Ok(Outcome::Stored(_)) = store.create(&record(&"m".repeat(MEBIBYTE / 16))).await {}
    let mut newcomer = visitor.private_window();
    let page = newcomer.post("/car", &[("my_car", &"m".repeat(60_000))]).await;
    let page = match page.status() {
        // What was left was enough for this one, and for no second one.
        StatusCode::OK => {
            newcomer.private_window().post("/car", &[("my_car", &"m".repeat(60_000))]).await.clone()
        }
        _ => page.clone(),
    };
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_no_cookie(&page, "nothing was stored");
    assert!(logged(Level::ERROR)[0].contains("full"), "{:?}", logged(Level::ERROR));
    visitor.post("/car", &[("my_car", "rover")]).await;
    assert_eq!(visitor.get("/").await.body(), "rover", "what does not grow is stored");
}

#[tokio::test]
async fn what_has_expired_makes_room() {
    let store = MemoryStore::default();
    let live = record("mini");
    create(&store, &live).await;
    create(&store, &Record { expiry_date: minutes_ago(1), ..large(60) }).await;

    create(&store, &large(5)).await;

    assert_eq!(load(&store, &live.id).await, Some(live));
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 0, "it is gone already");
}

#[tokio::test]
async fn what_shrinks_or_is_deleted_makes_room() {
    let store = MemoryStore::default();
    let full = large(60);
    let seen = create(&store, &full).await;
    assert!(store.create(&large(5)).await.is_err());

    let small = Record { id: full.id, ..record("mini") };
    let swapped = store.compare_and_swap(seen, &small).await.expect("it shrinks");
    assert!(matches!(swapped, Outcome::Stored(_)), "{swapped:?}");
    create(&store, &large(5)).await;

    store.delete(&full.id).await.expect("it is deleted");
    store.delete(&full.id).await.expect("nothing is there to delete");
    let full = large(58);
    create(&store, &full).await;
    assert!(store.create(&large(5)).await.is_err(), "63 mebibytes are taken");
    store.delete(&full.id).await.expect("it is deleted");
    create(&store, &large(5)).await;
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
