//! One site with two servers over the same sessions, and what must hold whichever store they use.

use std::{any::Any, collections::BTreeSet, sync::Arc};

use axum::{Router, http::StatusCode, routing::post};
use browser::{Browser, Page};
use sessions::{AnyStore, Error, Id, Session, SessionLayer, SessionStore, Store};
use tokio::sync::{Barrier, Notify};
use tower_sessions::session::Record;

use crate::garage::garage;

/// How many requests count at once.
const MANY: usize = 12;

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

/// A visitor with a mini. Their requests go to `/here` or to `/there`.
pub struct TwoServers {
    pub visitor: Browser,
    gate: Gate,
    store: AnyStore,
    _place: Box<dyn Any>,
}

impl TwoServers {
    /// What is stored is looked up in `store`. All of it is in `place`, which has to live as long.
    pub async fn over(
        here: impl Store,
        there: impl Store,
        store: impl Store,
        place: impl Any,
    ) -> TwoServers {
        let (gate, start) = (Gate::default(), Arc::new(Barrier::new(MANY)));
        let site = Router::new()
            .nest("/here", server(AnyStore::new(here), &gate, &start))
            .nest("/there", server(AnyStore::new(there), &gate, &start));
        let mut visitor = Browser::open(site);
        visitor.post("/here/car", &[("my_car", "mini")]).await;
        TwoServers { visitor, gate, store: AnyStore::new(store), _place: Box::new(place) }
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

    fn id(&self) -> Id {
        self.visitor.cookie("sessionid").expect("a session cookie").parse().expect("an id")
    }

    /// The record under the id that the browser has now.
    async fn stored(&self) -> Record {
        self.store.load(&self.id()).await.expect("the store answers").expect("a record")
    }
}

/// The garage. A handler under `/slow` has the session, and waits at the gate before it goes on.
fn server(store: AnyStore, gate: &Gate, start: &Arc<Barrier>) -> Router {
    let (car, colour, cycle, page) = (gate.clone(), gate.clone(), gate.clone(), gate.clone());
    let start = start.clone();
    let routes = Router::new()
        .route(
            "/slow/car",
            post(async move |session: Session| {
                car.pass().await;
                session.insert("my_car", "a late car")
            }),
        )
        .route(
            "/slow/colour",
            post(async move |session: Session| {
                colour.pass().await;
                session.insert("colour", "red")
            }),
        )
        .route(
            "/slow/cycle",
            post(async move |session: Session| {
                cycle.pass().await;
                session.cycle_id();
            }),
        )
        .route(
            "/slow/page",
            post(async move |session: Session| -> Result<String, Error> {
                let num_visits = count(&session).await?;
                page.pass().await;
                Ok(num_visits)
            }),
        )
        .route(
            "/count/together",
            post(async move |session: Session| -> Result<String, Error> {
                // Everybody has loaded the session before anybody counts.
                session.is_empty();
                start.wait().await;
                count(&session).await
            }),
        )
        .route("/cycle", post(async |session: Session| session.cycle_id()))
        .route("/sign-out", post(async |session: Session| session.flush().await))
        .layer(SessionLayer::new(store.clone()));
    garage(store).merge(routes)
}

async fn count(session: &Session) -> Result<String, Error> {
    let num_visits = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
    Ok(num_visits.to_string())
}

/// Every promise about two servers, each with a visitor of its own.
pub async fn keep_their_promises(open: impl AsyncFn() -> TwoServers) {
    all_who_count_at_once_are_counted(open().await).await;
    changes_to_different_keys_are_both_kept(open().await).await;
    a_session_that_was_ended_is_not_written_back(open().await).await;
    a_cycle_takes_along_what_was_stored_meanwhile(open().await).await;
    a_late_response_does_not_set_the_browser_back(open().await).await;
}

async fn all_who_count_at_once_are_counted(site: TwoServers) {
    let requests: Vec<_> = (0..MANY)
        .map(|n| {
            let mut tab = site.visitor.second_tab();
            let path = ["/here/count/together", "/there/count/together"][n % 2];
            tokio::spawn(async move {
                let page = tab.post(path, &[]).await;
                assert_eq!(page.status(), StatusCode::OK, "{}", page.body());
                page.body().parse::<usize>().expect("a count")
            })
        })
        .collect();
    let mut told = BTreeSet::new();
    for request in requests {
        told.insert(request.await.expect("no panic"));
    }
    assert_eq!(told, (1..=MANY).collect(), "no two are told the same");
    let stored = site.stored().await;
    assert_eq!(stored.data["num_visits"], MANY);
    assert_eq!(stored.data["my_car"], "mini");
}

async fn changes_to_different_keys_are_both_kept(mut site: TwoServers) {
    let page = site
        .during("/here/slow/colour", async |tab| {
            tab.post("/there/forget", &[]).await;
            tab.post("/there/car", &[("wheels", "alloy")]).await;
        })
        .await;

    assert_eq!(page.status(), StatusCode::OK);
    let stored = site.stored().await.data;
    assert_eq!(stored, [("colour", "red"), ("wheels", "alloy")].map(owned).into());
}

fn owned((key, value): (&str, &str)) -> (String, serde_json::Value) {
    (key.to_owned(), value.into())
}

async fn a_session_that_was_ended_is_not_written_back(mut site: TwoServers) {
    let id = site.id();
    let page = site
        .during("/here/slow/car", async |tab| {
            assert_eq!(tab.post("/there/sign-out", &[]).await.status(), StatusCode::OK);
        })
        .await;

    assert_eq!(page.status(), StatusCode::CONFLICT, "{}", page.body());
    assert!(page.set_cookies().is_empty(), "{:?}", page.set_cookies());
    assert_eq!(site.visitor.cookie("sessionid"), None);
    assert_eq!(site.store.load(&id).await.expect("the store answers"), None);
}

async fn a_cycle_takes_along_what_was_stored_meanwhile(mut site: TwoServers) {
    let old = site.id();
    let page = site
        .during("/here/slow/cycle", async |tab| {
            tab.post("/there/car", &[("colour", "red")]).await;
        })
        .await;

    assert_eq!(page.status(), StatusCode::OK);
    assert_ne!(site.id(), old);
    let stored = site.stored().await.data;
    assert_eq!(stored, [("colour", "red"), ("my_car", "mini")].map(owned).into());
    assert_eq!(site.store.load(&old).await.expect("the store answers"), None);
}

async fn a_late_response_does_not_set_the_browser_back(mut site: TwoServers) {
    for path in ["/here/slow/page", "/here/slow/car"] {
        let old = site.id();
        let page = site
            .during(path, async |tab| {
                tab.post("/there/cycle", &[]).await;
            })
            .await;

        assert!(page.set_cookies().is_empty(), "for {path}: {:?}", page.set_cookies());
        assert_ne!(site.id(), old, "for {path}");
        assert_eq!(site.visitor.get("/here").await.body(), "mini", "for {path}");
    }
}
