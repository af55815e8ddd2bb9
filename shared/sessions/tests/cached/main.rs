//! A cache in front of a store: on one server nothing stale is seen, on several writes stay exact.

#[path = "../helpers/mod.rs"]
mod helpers;
mod slow;

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use axum::http::StatusCode;
use browser::Browser;
use helpers::{
    Gate, TwoServers, Watched, assert_no_cookie, cookie_of, create, fresh_file, garage,
    get_with_cookie, minutes_ago, open_sqlite, post_with_cookie, record, slow_garage, stored,
};
use sessions::{Cached, Id, MemoryStore, Outcome, Record, Store, StoreError, Version};
use slow::{Fault, Slow};
use tokio::{
    sync::Barrier,
    task::{JoinHandle, yield_now},
};

/// So long that no test comes to its end.
const LONG: Duration = Duration::from_secs(60 * 60);

/// The car that a request is shown.
async fn car(store: &impl Store, id: &Id) -> Option<String> {
    let found = store.load(id).await.expect("the store answers");
    found.map(|(record, _)| record.data["my_car"].as_str().expect("a text").to_owned())
}

/// Another request asks, in a task of its own.
fn start_loading(cached: &Cached, id: Id) -> JoinHandle<Option<String>> {
    let cached = cached.clone();
    tokio::spawn(async move { car(&cached, &id).await })
}

/// Lets all others go on until they can go no further: here no task waits for anything outside.
async fn settle() {
    for _ in 0..1000 {
        yield_now().await;
    }
}

/// A stored mini, which no request has loaded yet.
async fn with_a_mini() -> (Slow, Cached, Record, Version) {
    let store = Slow::default();
    let (record, seen) = stored(&store.store, "mini").await;
    let cached = Cached::new(store.clone(), LONG);
    (store, cached, record, seen)
}

/// What can be done to a session.
#[derive(Clone, Copy, Debug)]
enum Write {
    Create,
    Swap,
    Delete,
}

impl Write {
    const ALL: [Write; 3] = [Write::Create, Write::Swap, Write::Delete];

    /// The car that is stored before.
    fn finds(self) -> Option<String> {
        match self {
            Write::Create => None,
            Write::Swap | Write::Delete => Some("mini".to_owned()),
        }
    }

    /// The car that is stored afterwards.
    fn leaves(self) -> Option<String> {
        match self {
            Write::Create | Write::Swap => Some("beetle".to_owned()),
            Write::Delete => None,
        }
    }
}

/// A store that has what this write finds.
async fn before(write: Write) -> (Slow, Cached, Id, Version) {
    let (store, cached, record, seen) = with_a_mini().await;
    if let Write::Create = write {
        store.store.delete(&record.id).await.expect("memory does not fail");
    }
    (store, cached, record.id, seen)
}

/// The write, in a task of its own.
fn start(
    write: Write,
    cached: &Cached,
    id: Id,
    seen: Version,
) -> JoinHandle<Result<(), StoreError>> {
    let cached = cached.clone();
    let new = Record { id, ..record("beetle") };
    tokio::spawn(async move {
        let outcome = match write {
            Write::Create => cached.create(&new).await?,
            Write::Swap => cached.compare_and_swap(seen, &new).await?,
            Write::Delete => return cached.delete(&id).await.map(|it| assert!(it.is_some())),
        };
        assert!(matches!(outcome, Outcome::Stored(_)), "{outcome:?}");
        Ok(())
    })
}

#[tokio::test]
async fn a_session_that_is_in_memory_is_not_asked_for() {
    let store = Slow::default();
    let mut visitor = Browser::open(garage(Cached::new(store.clone(), LONG)));
    visitor.post("/car", &[("my_car", "mini")]).await;
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(store.loads.load(Relaxed), 1);

    assert_eq!(visitor.get("/").await.body(), "mini");
    visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.get("/").await.body(), "beetle");
    assert_eq!(store.loads.load(Relaxed), 1);
}

#[tokio::test]
async fn of_many_who_ask_for_a_session_at_once_one_loads_it() {
    let (store, cached, record, _) = with_a_mini().await;
    store.found.shut();
    let loads: Vec<_> = (0..8).map(|_| start_loading(&cached, record.id)).collect();
    store.found.reached().await;
    store.found.open();
    for load in loads {
        assert_eq!(load.await.expect("no panic").as_deref(), Some("mini"));
    }
    assert_eq!(store.loads.load(Relaxed), 1);
}

#[tokio::test]
async fn a_change_is_in_the_store_when_it_is_told() {
    for write in Write::ALL {
        let (store, cached, id, seen) = before(write).await;
        start(write, &cached, id, seen).await.expect("no panic").expect("it is written");
        assert_eq!(car(&store, &id).await, write.leaves(), "{write:?}");
        assert_eq!(car(&cached, &id).await, write.leaves(), "{write:?}");
    }
}

#[tokio::test]
async fn a_slow_load_from_before_a_write_leaves_nothing_stale_in_memory() {
    for write in Write::ALL {
        let (store, cached, id, seen) = before(write).await;
        store.found.shut();
        let loading = start_loading(&cached, id);
        // It has what was stored before in its hands.
        store.found.reached().await;
        let writing = start(write, &cached, id, seen);
        settle().await;
        store.found.open();

        writing.await.expect("no panic").expect("it is written");
        assert_eq!(loading.await.expect("no panic"), write.finds(), "{write:?}");
        assert_eq!(car(&cached, &id).await, write.leaves(), "{write:?}");
    }
}

#[tokio::test]
async fn a_load_during_a_write_leaves_nothing_stale_in_memory() {
    for write in Write::ALL {
        let (store, cached, id, seen) = before(write).await;
        store.asked.shut();
        let writing = start(write, &cached, id, seen);
        store.asked.reached().await;
        store.found.shut();
        let loading = start_loading(&cached, id);
        settle().await;
        store.asked.open();
        settle().await;
        store.found.open();

        writing.await.expect("no panic").expect("it is written");
        loading.await.expect("no panic");
        assert_eq!(car(&cached, &id).await, write.leaves(), "{write:?}");
    }
}

#[tokio::test]
async fn a_write_whose_request_was_given_up_leaves_nothing_stale_in_memory() {
    for write in Write::ALL {
        for was_loaded in [true, false] {
            let (store, cached, id, seen) = before(write).await;
            if was_loaded {
                car(&cached, &id).await;
            }
            store.asked.shut();
            let writing = start(write, &cached, id, seen);
            store.asked.reached().await;
            writing.abort();
            assert!(writing.await.expect_err("given up").is_cancelled());
            let loading = start_loading(&cached, id);
            settle().await;
            store.asked.open();
            settle().await;

            loading.await.expect("no panic");
            let shown = car(&cached, &id).await;
            assert_eq!(shown, write.leaves(), "{write:?}, loaded before: {was_loaded}");
        }
    }
}

#[tokio::test]
async fn after_a_write_that_failed_the_store_is_asked_what_it_holds() {
    for write in Write::ALL {
        for fault in [Fault::Refused, Fault::Unanswered, Fault::Panic] {
            let (store, cached, id, seen) = before(write).await;
            car(&cached, &id).await;
            store.goes_wrong(fault);
            let refused = start(write, &cached, id, seen).await.expect("no panic");
            let is_told = matches!(refused, Err(StoreError::Backend(_)));
            assert!(is_told, "{write:?}, {fault:?}: {refused:?}");

            let is_stored = match fault {
                Fault::Refused => write.finds(),
                _ => write.leaves(),
            };
            assert_eq!(car(&cached, &id).await, is_stored, "{write:?}, {fault:?}");
            assert_eq!(store.loads.load(Relaxed), 2, "{write:?}, {fault:?}");
        }
    }
}

#[tokio::test]
async fn after_a_write_that_came_too_late_the_store_is_asked_what_it_holds() {
    let (store, cached, old, seen) = with_a_mini().await;
    car(&cached, &old.id).await;
    let theirs = Record { id: old.id, ..record("rover") };
    swap(&store.store, seen, &theirs).await;

    let mine = Record { id: old.id, ..record("beetle") };
    let outcome = cached.compare_and_swap(seen, &mine).await.expect("the store answers");
    assert_eq!(outcome, Outcome::Conflict);
    assert_eq!(car(&cached, &old.id).await.as_deref(), Some("rover"));
}

#[tokio::test]
async fn neither_an_absence_nor_an_error_is_remembered() {
    let store = Watched::<MemoryStore>::default();
    let cached = Cached::new(store.clone(), LONG);
    let unknown = record("mini");
    assert_eq!(car(&cached, &unknown.id).await, None);
    create(&store, &unknown).await;
    assert_eq!(car(&cached, &unknown.id).await.as_deref(), Some("mini"));

    let (stored, _) = stored(&store, "beetle").await;
    store.fail(&["load"]);
    assert!(cached.load(&stored.id).await.is_err());
    store.fail(&[]);
    assert_eq!(car(&cached, &stored.id).await.as_deref(), Some("beetle"));
}

/// Writes over a record, and returns its new version.
async fn swap(store: &impl Store, seen: Version, new: &Record) -> Version {
    match store.compare_and_swap(seen, new).await.expect("the store answers") {
        Outcome::Stored(version) => version,
        other => panic!("it is stored, and is not {other:?}"),
    }
}

#[tokio::test]
async fn a_session_that_expires_in_memory_is_not_found() {
    let (_, cached, old, seen) = with_a_mini().await;
    let past = Record { id: old.id, expiry_date: minutes_ago(1), ..record("beetle") };
    swap(&cached, seen, &past).await;
    assert_eq!(car(&cached, &old.id).await, None);
}

#[tokio::test]
async fn a_session_that_expired_in_memory_may_have_been_renewed_elsewhere() {
    let (store, cached, old, seen) = with_a_mini().await;
    let past = Record { id: old.id, expiry_date: minutes_ago(1), ..record("mini") };
    swap(&cached, seen, &past).await;
    // What another server has under this id is what counts.
    store.store.delete(&old.id).await.expect("memory does not fail");
    create(&store.store, &Record { id: old.id, ..record("beetle") }).await;
    assert_eq!(car(&cached, &old.id).await.as_deref(), Some("beetle"));
}

/// Two servers over one database, each with a cache.
async fn two_caches(age: Duration) -> TwoServers {
    let (folder, file) = fresh_file();
    let (here, there) = (open_sqlite(&file).await, open_sqlite(&file).await);
    let store = open_sqlite(&file).await;
    TwoServers::over(Cached::new(here, age), Cached::new(there, age), store, folder).await
}

#[tokio::test]
async fn another_server_shows_a_session_that_was_ended_until_it_tries_to_change_it() {
    let mut site = two_caches(LONG).await;
    let visitor = &mut site.visitor;
    assert_eq!(visitor.get("/there").await.body(), "mini");
    let cookie = cookie_of(visitor);
    visitor.post("/here/sign-out", &[]).await;
    // A thief who has copied the cookie, or a tab whose request was on its way.
    let mut late = visitor.private_window();

    let page = get_with_cookie(&mut late, "/here", &cookie).await;
    assert_eq!(page.body(), "no car", "gone at once");
    let page = get_with_cookie(&mut late, "/there", &cookie).await;
    assert_eq!(page.body(), "mini", "what the docs say");

    let page = post_with_cookie(&mut late, "/there/forget", &cookie, "").await;
    assert_eq!(page.status(), StatusCode::CONFLICT);
    assert_no_cookie(page, "the session was ended");
    let page = get_with_cookie(&mut late, "/there", &cookie).await;
    assert_eq!(page.body(), "no car", "it is forgotten");
}

#[tokio::test]
async fn an_id_that_another_server_moved_away_from_changes_nothing_in_the_session() {
    let mut site = two_caches(LONG).await;
    let visitor = &mut site.visitor;
    visitor.get("/there").await;
    let planted = cookie_of(visitor);
    visitor.post("/here/cycle", &[]).await;
    let mut attacker = visitor.private_window();

    // That server has the session under the old id in its memory.
    let page = post_with_cookie(&mut attacker, "/there/car", &planted, "wheels=stolen").await;

    assert_eq!(page.status(), StatusCode::CONFLICT);
    assert_no_cookie(page, "the new id is not for a stranger");
    let keys = visitor.post("/here/keys", &[]).await.body().to_owned();
    assert!(!keys.contains("wheels"), "{keys}");
}

#[tokio::test]
async fn another_server_shows_an_older_page_until_it_changes_the_session() {
    let mut site = two_caches(LONG).await;
    let visitor = &mut site.visitor;
    visitor.get("/there").await;
    visitor.post("/here/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.get("/here").await.body(), "beetle");
    assert_eq!(visitor.get("/there").await.body(), "mini", "what the docs say");

    visitor.post("/there/car", &[("colour", "red")]).await;
    assert_eq!(visitor.get("/there").await.body(), "beetle");
}

#[tokio::test]
async fn a_load_that_passes_the_memory_by_gets_the_stored_record_which_is_remembered() {
    let (store, cached, old, seen) = with_a_mini().await;
    car(&cached, &old.id).await;
    let theirs = Record { id: old.id, ..record("beetle") };
    let version = swap(&store.store, seen, &theirs).await;
    assert_eq!(car(&cached, &old.id).await.as_deref(), Some("mini"), "what the docs say");

    let found = cached.load_uncached(&old.id).await.expect("the store answers");
    assert_eq!(found, Some((theirs, version)));
    assert_eq!(car(&cached, &old.id).await.as_deref(), Some("beetle"));
}

#[tokio::test]
async fn after_its_age_what_is_in_memory_is_loaded_again() {
    let mut site = two_caches(Duration::from_nanos(1)).await;
    let visitor = &mut site.visitor;
    visitor.get("/there").await;
    visitor.post("/here/car", &[("my_car", "beetle")]).await;
    // A clock may need a while for a nanosecond.
    while visitor.get("/there").await.body() != "beetle" {}
}

#[tokio::test]
async fn clones_are_one_server() {
    let (_, here, old, seen) = with_a_mini().await;
    let there = here.clone();
    assert_eq!(car(&there, &old.id).await.as_deref(), Some("mini"));
    swap(&here, seen, &Record { id: old.id, ..record("beetle") }).await;
    assert_eq!(car(&there, &old.id).await.as_deref(), Some("beetle"));
}

#[tokio::test]
async fn an_update_and_its_cookie_need_no_more_than_one_look_into_the_store() {
    let store = Slow::default();
    let cached = Cached::new(store.clone(), LONG);
    let app = slow_garage(cached, &Gate::default(), &Arc::new(Barrier::new(1)));
    let mut visitor = Browser::open(app);
    for visits in ["1", "2"] {
        assert_eq!(visitor.post("/count", &[]).await.body(), visits);
    }
    let before = store.loads.load(Relaxed);
    assert_eq!(visitor.post("/count", &[]).await.body(), "3");
    assert_eq!(store.loads.load(Relaxed), before + 1, "to see whether it was ended elsewhere");
}

#[tokio::test]
async fn a_log_of_a_cache_shows_no_session() {
    let (_, cached, record, _) = with_a_mini().await;
    car(&cached, &record.id).await;
    assert_eq!(format!("{cached:?}"), "Cached { .. }");
}

#[test]
#[should_panic = "an age of zero would remember nothing"]
fn an_age_of_zero_is_refused() {
    Cached::new(MemoryStore::default(), Duration::ZERO);
}
