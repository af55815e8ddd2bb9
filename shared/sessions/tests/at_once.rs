//! Two requests of one visitor at once. A handler waits at a gate until the other request is
//! done, so that each test has one order of events and no other.

mod garage;
mod logs;

use std::{collections::BTreeSet, sync::Arc};

use axum::{
    Router,
    http::StatusCode,
    routing::{MethodRouter, post},
};
use browser::{Browser, Page};
use garage::garage;
use logs::{listen, logged};
use sessions::{Error, Id, MemoryStore, Session, SessionLayer, SqliteStore, Store};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use tokio::sync::{Barrier, Notify};
use tracing::Level;

/// Where a handler waits until it is let through. Both sides may come first.
#[derive(Clone, Default)]
struct Gate {
    reached: Arc<Notify>,
    opened: Arc<Notify>,
}

impl Gate {
    async fn pass(&self) {
        self.reached.notify_one();
        self.opened.notified().await;
    }
}

/// How many requests count at once.
const MANY: usize = 12;

/// The garage, with routes under `/slow` whose handlers have the session and wait at the gate
/// before they change it.
fn slow_garage<S: Store + Clone>(store: S, gate: &Gate, start: &Arc<Barrier>) -> Router {
    fn slow(gate: &Gate, change: fn(&Session) -> Result<(), Error>) -> MethodRouter {
        let gate = gate.clone();
        post(async move |session: Session| -> Result<(), Error> {
            gate.pass().await;
            change(&session)
        })
    }
    fn count(visits: &mut u64) {
        *visits += 1;
    }
    let (before, after, start) = (gate.clone(), gate.clone(), start.clone());
    let slow = Router::new()
        .route("/slow/look", slow(gate, |session| session.get::<String>("my_car").map(drop)))
        .route("/slow/car", slow(gate, |session| session.insert("my_car", "a late car")))
        .route("/slow/colour", slow(gate, |session| session.insert("colour", "red")))
        .route(
            "/slow/forget",
            slow(gate, |session| {
                drop(session.remove("my_car"));
                Ok(())
            }),
        )
        .route(
            "/slow/clear",
            slow(gate, |session| {
                session.clear();
                Ok(())
            }),
        )
        .route(
            "/slow/cycle",
            slow(gate, |session| {
                session.cycle_id();
                Ok(())
            }),
        )
        .route(
            "/slow/expiry",
            slow(gate, |session| {
                session.set_expiry(None);
                Ok(())
            }),
        )
        .route(
            "/slow/nested",
            slow(gate, |session| {
                *session.get_mut("my_car").expect("a car") = "a late car".into();
                session.set_modified(true);
                Ok(())
            }),
        )
        .route(
            "/slow/count",
            post(async move |session: Session| -> Result<String, Error> {
                before.pass().await;
                Ok(session.update("num_visits", count).await?.to_string())
            }),
        )
        .route(
            "/slow/page",
            post(async move |session: Session| -> Result<String, Error> {
                let num_visits = session.update("num_visits", count).await?;
                after.pass().await;
                Ok(num_visits.to_string())
            }),
        )
        .route(
            "/count",
            post(async |session: Session| -> Result<String, Error> {
                Ok(session.update("num_visits", count).await?.to_string())
            }),
        )
        .route(
            "/count/together",
            post(async move |session: Session| -> Result<String, Error> {
                // Everybody has loaded the session before anybody counts.
                session.is_empty();
                start.wait().await;
                Ok(session.update("num_visits", count).await?.to_string())
            }),
        )
        .route(
            "/visits",
            post(async |session: Session| {
                session.require::<u64>("num_visits").map(|it| it.to_string())
            }),
        )
        .route("/keys", post(async |session: Session| session.keys().join(" ")))
        .route("/cycle", post(async |session: Session| session.cycle_id()))
        .route("/sign-out", post(async |session: Session| session.flush().await))
        .layer(SessionLayer::new(store.clone()));
    garage(store).merge(slow)
}

/// A visitor with a mini, and what a test needs beside their browser.
struct Scene {
    visitor: Browser,
    id: Id,
    gate: Gate,
    store: Arc<dyn Store>,
}

impl Scene {
    async fn of<S: Store + Clone>(store: S) -> Scene {
        let gate = Gate::default();
        let app = slow_garage(store.clone(), &gate, &Arc::new(Barrier::new(MANY)));
        let mut visitor = Browser::open(app);
        visitor.post("/car", &[("my_car", "mini")]).await;
        let id = id_of(&visitor).expect("a session cookie");
        Scene { visitor, id, gate, store: Arc::new(store) }
    }

    /// Sends `path` from a second tab, and lets `meanwhile` happen while its handler waits.
    async fn during(&mut self, path: &str, meanwhile: impl AsyncFnOnce(&mut Browser)) -> Page {
        let mut second_tab = self.visitor.second_tab();
        let (page, ()) = tokio::join!(second_tab.post(path, &[]), async {
            self.gate.reached.notified().await;
            meanwhile(&mut self.visitor).await;
            self.gate.opened.notify_one();
        });
        page.clone()
    }
}

fn id_of(browser: &Browser) -> Option<Id> {
    Some(browser.cookie("sessionid")?.parse().expect("an id"))
}

/// Tells the same story over each store.
async fn over_each_store(story: impl AsyncFn(Scene)) {
    story(Scene::of(MemoryStore::default()).await).await;
    let folder = TempDir::new().expect("a folder for the database");
    let store = SqliteStore::open(folder.path().join("garage.sqlite")).await.expect("a store");
    story(Scene::of(store).await).await;
}

#[track_caller]
fn assert_interrupted(page: &Page, path: &str) {
    assert_eq!(page.status(), StatusCode::CONFLICT, "for {path}");
    assert!(page.body().contains("Your session has ended"), "for {path}: {}", page.body());
    assert!(page.set_cookies().is_empty(), "for {path}: {:?}", page.set_cookies());
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
            let found = scene.store.load(&scene.id).await.expect("the store answers");
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
            let page = scene.during(path, async |_| expire(&*store, &id).await).await;

            assert_interrupted(&page, path);
            let found = scene.store.load(&scene.id).await.expect("the store answers");
            assert_eq!(found, None, "for {path}");
        })
        .await;
    }
}

/// As if its time had come.
async fn expire(store: &dyn Store, id: &Id) {
    let mut record = store.load(id).await.expect("the store answers").expect("a record");
    record.expiry_date = OffsetDateTime::now_utc() - Duration::MINUTE;
    store.save(&record).await.expect("it is saved");
}

#[tokio::test]
async fn a_session_that_was_cleared_away_is_not_written_back_by_a_late_request() {
    for path in CHANGES {
        let folder = TempDir::new().expect("a folder for the database");
        let file = folder.path().join("garage.sqlite");
        let mut scene = Scene::of(SqliteStore::open(file).await.expect("a store")).await;
        listen();
        let (store, id) = (scene.store.clone(), scene.id);
        let page = scene
            .during(path, async |_| {
                expire(&*store, &id).await;
                assert_eq!(store.clear_expired(10).await.expect("the store clears"), 1);
            })
            .await;

        assert_interrupted(&page, path);
        let found = scene.store.load(&scene.id).await.expect("the store answers");
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
    for (path, status) in [
        ("/slow/look", StatusCode::OK),
        ("/slow/page", StatusCode::OK),
        ("/slow/car", StatusCode::CONFLICT),
        ("/slow/cycle", StatusCode::CONFLICT),
        ("/slow/count", StatusCode::CONFLICT),
    ] {
        over_each_store(async |mut scene| {
            let page = scene
                .during(path, async |tab| {
                    tab.post("/cycle", &[]).await;
                })
                .await;

            assert_eq!(page.status(), status, "for {path}");
            assert!(page.set_cookies().is_empty(), "for {path}: {:?}", page.set_cookies());
            let id = id_of(&scene.visitor).expect("the cookie of the new id");
            assert_ne!(id, scene.id, "for {path}");
            assert_eq!(scene.visitor.get("/").await.body(), "mini", "for {path}");
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
        assert_ne!(id_of(&scene.visitor), Some(scene.id));
        assert_eq!(scene.visitor.post("/keys", &[]).await.body(), "colour my_car");
        let found = scene.store.load(&scene.id).await.expect("the store answers");
        assert_eq!(found, None, "the old record is gone");
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
        assert_eq!(id_of(&scene.visitor), Some(scene.id));
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
async fn all_at_once(visitor: &Browser, paths: [&'static str; 2]) -> Vec<u64> {
    let requests: Vec<_> = (0..MANY)
        .map(|n| {
            let mut tab = visitor.second_tab();
            tokio::spawn(async move {
                let page = tab.post(paths[n % 2], &[]).await;
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
        let told = all_at_once(&scene.visitor, ["/count/together"; 2]).await;

        assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), one_to_many(), "{told:?}");
        assert_eq!(scene.visitor.post("/visits", &[]).await.body(), MANY.to_string());
        assert_eq!(scene.visitor.get("/").await.body(), "mini");
    })
    .await;
}

/// Two servers over one file, as one site: `/here` and `/there`.
async fn two_servers() -> (TempDir, Browser, Gate) {
    let folder = TempDir::new().expect("a folder for the database");
    let file = folder.path().join("garage.sqlite");
    let (gate, start) = (Gate::default(), Arc::new(Barrier::new(MANY)));
    let mut site = Router::new();
    for server in ["/here", "/there"] {
        let store = SqliteStore::open(&file).await.expect("a store");
        site = site.nest(server, slow_garage(store, &gate, &start));
    }
    let mut visitor = Browser::open(site);
    visitor.post("/here/car", &[("my_car", "mini")]).await;
    (folder, visitor, gate)
}

#[tokio::test]
async fn many_who_count_at_two_servers_at_once_are_all_counted() {
    let (_folder, mut visitor, _) = two_servers().await;

    let told = all_at_once(&visitor, ["/here/count/together", "/there/count/together"]).await;

    assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), one_to_many(), "{told:?}");
    assert_eq!(visitor.post("/here/visits", &[]).await.body(), MANY.to_string());
}

#[tokio::test]
async fn two_who_change_different_keys_at_two_servers_at_once_are_both_kept() {
    let (_folder, mut visitor, gate) = two_servers().await;
    let mut second_tab = visitor.second_tab();

    let (page, ()) = tokio::join!(second_tab.post("/here/slow/colour", &[]), async {
        gate.reached.notified().await;
        visitor.post("/there/forget", &[]).await;
        visitor.post("/there/car", &[("wheels", "alloy")]).await;
        gate.opened.notify_one();
    });

    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(visitor.post("/there/keys", &[]).await.body(), "colour wheels");
}

#[tokio::test]
async fn a_sign_out_at_one_server_holds_against_a_late_request_at_another() {
    let (_folder, mut visitor, gate) = two_servers().await;
    let mut second_tab = visitor.second_tab();
    listen();

    let (page, ()) = tokio::join!(second_tab.post("/here/slow/car", &[]), async {
        gate.reached.notified().await;
        visitor.post("/there/sign-out", &[]).await;
        gate.opened.notify_one();
    });

    assert_interrupted(page, "/here/slow/car");
    assert_eq!(visitor.cookie("sessionid"), None);
}
