//! Two requests of one visitor at once. A handler waits at a gate until the other request is
//! done, so that each test has one order of events and no other.

mod helpers;

use std::{collections::BTreeSet, sync::Arc};

use axum::http::StatusCode;
use browser::{Browser, Page};
use helpers::{
    Gate, MANY, assert_no_cookie, assert_removed, fresh_file, gate, get_with_cookie, id_of, listen,
    load, logged, minutes_ago, open_sqlite, set_end, slow_garage, with_a_mini,
};
use sessions::{Id, MemoryStore, Store};
use tokio::sync::Barrier;
use tracing::Level;

/// A visitor with a mini, and what a test needs besides their browser.
struct Scene {
    visitor: Browser,
    id: Id,
    gate: Gate,
    store: Arc<dyn Store>,
}

impl Scene {
    async fn of(store: impl Store + Clone) -> Scene {
        let gate = Gate::default();
        let app = slow_garage(store.clone(), &gate, &Arc::new(Barrier::new(MANY)));
        let (visitor, id) = with_a_mini(app).await;
        Scene { visitor, id, gate, store: Arc::new(store) }
    }

    /// Sends `path` from a second tab, and lets `meanwhile` happen while its handler waits.
    async fn during(&mut self, path: &str, meanwhile: impl AsyncFnOnce(&mut Browser)) -> Page {
        gate::during(&mut self.visitor, &self.gate, path, meanwhile).await
    }
}

/// Tells the same story over each store.
async fn over_each_store(story: impl AsyncFn(Scene)) {
    story(Scene::of(MemoryStore::default()).await).await;
    let (_folder, file) = fresh_file();
    story(Scene::of(open_sqlite(&file).await).await).await;
}

#[track_caller]
fn assert_interrupted(page: &Page, path: &str) {
    assert_eq!(page.status(), StatusCode::CONFLICT, "for {path}");
    assert!(page.body().contains("Your session has ended"), "for {path}: {}", page.body());
    assert_no_cookie(page, path);
    assert_eq!(page.header("vary"), Some("Cookie"), "for {path}");
    assert!(logged(Level::ERROR).is_empty(), "for {path}: {:?}", logged(Level::ERROR));
    let told = logged(Level::INFO);
    assert!(told.iter().any(|line| line.contains("ended by another request")), "{told:?}");
}

const CHANGES: [&str; 8] = [
    "/slow/car",
    "/slow/colour",
    "/slow/forget",
    "/slow/clear",
    "/slow/cycle",
    "/slow/expiry",
    "/slow/nested",
    "/slow/count",
];

#[tokio::test]
async fn a_session_that_was_signed_out_is_not_written_back_by_a_late_request() {
    for path in CHANGES {
        over_each_store(async |mut scene| {
            listen();
            let page = scene
                .during(path, async |tab| {
                    assert_eq!(tab.post("/sign-out", &[]).await.status(), 200);
                })
                .await;

            assert_interrupted(&page, path);
            assert_eq!(scene.visitor.cookie("sessionid"), None, "for {path}");
            let found = load(&scene.store, &scene.id).await;
            assert_eq!(found, None, "for {path}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_session_that_has_expired_is_not_written_back_by_a_late_request() {
    for path in CHANGES {
        over_each_store(async |mut scene| {
            listen();
            let (store, id) = (scene.store.clone(), scene.id);
            let page =
                scene.during(path, async |_| set_end(&store, &id, minutes_ago(1)).await).await;

            assert_interrupted(&page, path);
            let found = load(&scene.store, &scene.id).await;
            assert_eq!(found, None, "for {path}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_session_that_was_cleared_away_is_not_written_back_by_a_late_request() {
    for path in CHANGES {
        let (_folder, file) = fresh_file();
        let mut scene = Scene::of(open_sqlite(&file).await).await;
        listen();
        let (store, id) = (scene.store.clone(), scene.id);
        let page = scene
            .during(path, async |_| {
                set_end(&store, &id, minutes_ago(1)).await;
                assert_eq!(store.clear_expired(10).await.expect("the store clears"), 1);
            })
            .await;

        assert_interrupted(&page, path);
        let found = load(&scene.store, &scene.id).await;
        assert_eq!(found, None, "for {path}");
    }
}

#[tokio::test]
async fn a_late_request_that_only_reads_gets_its_page() {
    over_each_store(async |mut scene| {
        let page = scene
            .during("/slow/look", async |tab| {
                tab.post("/sign-out", &[]).await;
            })
            .await;

        assert_eq!(page.status(), StatusCode::OK);
        assert!(page.set_cookies().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_request_that_counted_before_the_sign_out_sets_no_cookie_after_it() {
    over_each_store(async |mut scene| {
        let page = scene
            .during("/slow/page", async |tab| {
                tab.post("/sign-out", &[]).await;
            })
            .await;

        assert_eq!(page.body(), "1", "it was counted before the session ended");
        assert!(page.set_cookies().is_empty(), "{:?}", page.set_cookies());
        assert_eq!(scene.visitor.cookie("sessionid"), None);
    })
    .await;
}

#[tokio::test]
async fn two_may_sign_out_at_once() {
    over_each_store(async |mut scene| {
        let mut second_tab = scene.visitor.second_tab();
        let (first, second) =
            tokio::join!(scene.visitor.post("/sign-out", &[]), second_tab.post("/sign-out", &[]));
        assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
        assert_eq!(scene.visitor.cookie("sessionid"), None);
    })
    .await;
}

#[tokio::test]
async fn a_slow_response_from_before_a_cycle_does_not_set_the_browser_back() {
    for (path, car) in [
        ("/slow/look", "mini"),
        ("/slow/page", "mini"),
        ("/slow/car", "a late car"),
        ("/slow/nested", "a late car"),
        ("/slow/forget", "no car"),
        ("/slow/cycle", "mini"),
        ("/slow/count", "mini"),
    ] {
        over_each_store(async |mut scene| {
            let mut stranger = scene.visitor.private_window();
            let page = scene
                .during(path, async |tab| {
                    tab.post("/cycle", &[]).await;
                })
                .await;

            assert_eq!(page.status(), StatusCode::OK, "for {path}");
            assert_no_cookie(&page, path);
            assert_ne!(id_of(&scene.visitor), scene.id, "for {path}");
            assert_eq!(scene.visitor.get("/").await.body(), car, "for {path}");
            // A request that comes with the old id gets nothing, and its cookie goes.
            let old = format!("sessionid={}", scene.id);
            let page = get_with_cookie(&mut stranger, "/", &old).await;
            assert_eq!(page.body(), "no car", "for {path}");
            assert_removed(page, path);
        })
        .await;
    }
}

#[tokio::test]
async fn what_was_counted_before_a_cycle_moves_to_the_new_id() {
    over_each_store(async |mut scene| {
        let page = scene
            .during("/slow/page", async |tab| {
                tab.post("/cycle", &[]).await;
            })
            .await;

        assert_eq!(page.body(), "1");
        assert_eq!(scene.visitor.post("/visits", &[]).await.body(), "1");
    })
    .await;
}

#[tokio::test]
async fn a_cycle_takes_along_what_was_stored_while_it_ran() {
    over_each_store(async |mut scene| {
        let page = scene
            .during("/slow/cycle", async |tab| {
                tab.post("/car", &[("colour", "red")]).await;
            })
            .await;

        assert_eq!(page.status(), StatusCode::OK);
        assert_ne!(id_of(&scene.visitor), scene.id);
        assert_eq!(scene.visitor.post("/keys", &[]).await.body(), "colour my_car");
    })
    .await;
}

#[tokio::test]
async fn two_who_change_different_keys_at_once_are_both_kept() {
    over_each_store(async |mut scene| {
        let page = scene
            .during("/slow/colour", async |tab| {
                tab.post("/car", &[("my_car", "beetle"), ("wheels", "alloy")]).await;
            })
            .await;

        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(id_of(&scene.visitor), scene.id);
        assert_eq!(scene.visitor.get("/").await.body(), "beetle");
        assert_eq!(scene.visitor.post("/keys", &[]).await.body(), "colour my_car wheels");
    })
    .await;
}

#[tokio::test]
async fn a_key_removed_and_a_key_added_at_once_both_hold() {
    for (slow, fast, form) in
        [("/slow/forget", "/car", &[("wheels", "alloy")][..]), ("/slow/colour", "/forget", &[])]
    {
        over_each_store(async |mut scene| {
            let page = scene
                .during(slow, async |tab| {
                    tab.post(fast, form).await;
                })
                .await;

            assert_eq!(page.status(), StatusCode::OK, "for {slow}");
            assert_eq!(scene.visitor.get("/").await.body(), "no car", "for {slow}");
            let added = if form.is_empty() { "colour" } else { "wheels" };
            assert_eq!(scene.visitor.post("/keys", &[]).await.body(), added, "for {slow}");
        })
        .await;
    }
}

#[tokio::test]
async fn who_clears_at_once_with_another_clears_what_they_saw() {
    over_each_store(async |mut scene| {
        scene
            .during("/slow/clear", async |tab| {
                tab.post("/car", &[("colour", "red")]).await;
            })
            .await;

        assert_eq!(scene.visitor.post("/keys", &[]).await.body(), "colour");
    })
    .await;
}

#[tokio::test]
async fn of_two_who_set_one_key_at_once_the_last_one_wins() {
    over_each_store(async |mut scene| {
        scene
            .during("/slow/car", async |tab| {
                tab.post("/car", &[("my_car", "beetle")]).await;
            })
            .await;

        assert_eq!(scene.visitor.get("/").await.body(), "a late car");
    })
    .await;
}

#[tokio::test]
async fn an_update_counts_on_from_what_another_has_counted_meanwhile() {
    over_each_store(async |mut scene| {
        let page = scene
            .during("/slow/count", async |tab| {
                assert_eq!(tab.post("/count", &[]).await.body(), "1");
                assert_eq!(tab.post("/count", &[]).await.body(), "2");
                tab.post("/car", &[("my_car", "beetle")]).await;
            })
            .await;

        assert_eq!(page.body(), "3");
        assert_eq!(scene.visitor.post("/visits", &[]).await.body(), "3");
        assert_eq!(scene.visitor.get("/").await.body(), "beetle");
    })
    .await;
}

/// As many requests at once as the barrier waits for, one tab each; what they were told.
async fn all_at_once(visitor: &Browser, path: &'static str) -> Vec<u64> {
    let requests: Vec<_> = (0..MANY)
        .map(|_| {
            let mut tab = visitor.second_tab();
            tokio::spawn(async move {
                let page = tab.post(path, &[]).await;
                assert_eq!(page.status(), StatusCode::OK, "{}", page.body());
                page.body().parse::<u64>().expect("a count")
            })
        })
        .collect();
    let mut told = Vec::new();
    for request in requests {
        told.push(request.await.expect("no panic"));
    }
    told
}

fn one_to_many() -> BTreeSet<u64> {
    (1..=MANY as u64).collect()
}

#[tokio::test]
async fn many_who_count_at_once_are_all_counted_and_no_two_are_told_the_same() {
    over_each_store(async |mut scene| {
        let told = all_at_once(&scene.visitor, "/count/together").await;

        assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), one_to_many(), "{told:?}");
        assert_eq!(scene.visitor.post("/visits", &[]).await.body(), MANY.to_string());
        assert_eq!(scene.visitor.get("/").await.body(), "mini");
    })
    .await;
}

#[tokio::test]
async fn an_insert_during_a_conflict_counts_also_if_the_value_was_there_before() {
    // Both read "mini"; the faster one writes "beetle", the slower one "mini" again.
    over_each_store(async |mut scene| {
        let page = scene
            .during("/slow/mini", async |tab| {
                tab.post("/car", &[("my_car", "beetle"), ("colour", "red")]).await;
            })
            .await;

        assert_eq!(page.status(), StatusCode::OK);
        assert_eq!(scene.visitor.get("/").await.body(), "mini", "the last one wins");
        assert_eq!(scene.visitor.post("/keys", &[]).await.body(), "colour my_car");
    })
    .await;
}
