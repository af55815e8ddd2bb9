//! One site with two servers over the same sessions, and what must hold whichever store they use.

use std::{any::Any, collections::BTreeSet, sync::Arc};

use axum::{Router, http::StatusCode};
use browser::{Browser, Page};
use libtest_mimic::Trial;
use sessions::{Id, Record, Store};
use tokio::sync::Barrier;

use super::{
    Gate, MANY, assert_no_cookie, gate, get_with_cookie, id_of, load, promise, slow_garage,
};

/// A visitor with a mini. Their requests go to `/here` or to `/there`.
pub struct TwoServers {
    pub visitor: Browser,
    gate: Gate,
    store: Arc<dyn Store>,
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
            .nest("/here", slow_garage(here, &gate, &start))
            .nest("/there", slow_garage(there, &gate, &start));
        let mut visitor = Browser::open(site);
        visitor.post("/here/car", &[("my_car", "mini")]).await;
        TwoServers { visitor, gate, store: Arc::new(store), _place: Box::new(place) }
    }

    /// Sends `path` from a second tab, and lets `meanwhile` happen while its handler waits.
    async fn during(&mut self, path: &str, meanwhile: impl AsyncFnOnce(&mut Browser)) -> Page {
        gate::during(&mut self.visitor, &self.gate, path, meanwhile).await
    }

    fn id(&self) -> Id {
        id_of(&self.visitor)
    }

    /// The record under the id that the browser has now.
    async fn stored(&self) -> Record {
        load(&self.store, &self.id()).await.expect("a record")
    }
}

/// Every promise about two servers, each a test with a visitor of its own. `open` opens a site;
/// `name` begins the names of the tests.
pub fn promises<F>(name: &str, open: impl Fn() -> F + Clone + Send + 'static) -> Vec<Trial>
where
    F: Future<Output = TwoServers> + 'static,
{
    macro_rules! promises {
        ($($story:ident)+) => {
            vec![$({
                let open = open.clone();
                promise(&format!("{name}{}", stringify!($story)), async move || {
                    $story(open().await).await;
                })
            }),+]
        };
    }
    promises!(
        all_who_count_at_two_servers_at_once_are_counted
        changes_to_different_keys_at_two_servers_are_both_kept
        a_session_that_was_ended_at_one_server_is_not_written_back_by_another
        a_cycle_takes_along_what_another_server_stored_meanwhile
        a_late_response_does_not_set_the_browser_back
        a_request_that_was_running_goes_on_with_the_session_that_another_server_moved
        two_who_sign_in_at_two_servers_at_once_both_succeed
        a_sign_out_follows_a_session_that_another_server_moved
        a_sign_in_does_not_bring_back_what_another_server_ended
    )
}

async fn all_who_count_at_two_servers_at_once_are_counted(site: TwoServers) {
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

async fn changes_to_different_keys_at_two_servers_are_both_kept(mut site: TwoServers) {
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

async fn a_session_that_was_ended_at_one_server_is_not_written_back_by_another(
    mut site: TwoServers,
) {
    let id = site.id();
    let page = site
        .during("/here/slow/car", async |tab| {
            assert_eq!(tab.post("/there/sign-out", &[]).await.status(), StatusCode::OK);
        })
        .await;

    assert_eq!(page.status(), StatusCode::CONFLICT, "{}", page.body());
    assert_no_cookie(&page, "the late one");
    assert_eq!(site.visitor.cookie("sessionid"), None);
    assert_eq!(load(&site.store, &id).await, None);
}

async fn a_cycle_takes_along_what_another_server_stored_meanwhile(mut site: TwoServers) {
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
    // Asked of the server that gave it the new id: the other one may have a cache.
    assert_eq!(car_under(&site, "/here", old).await, "no car", "the old id is good for nothing");
}

async fn a_late_response_does_not_set_the_browser_back(mut site: TwoServers) {
    for (path, car) in [("/here/slow/page", "mini"), ("/here/slow/car", "a late car")] {
        let old = site.id();
        let page = site
            .during(path, async |tab| {
                tab.post("/there/cycle", &[]).await;
            })
            .await;

        assert_no_cookie(&page, path);
        assert_ne!(site.id(), old, "for {path}");
        assert_eq!(site.visitor.get("/here").await.body(), car, "for {path}");
    }
}

async fn a_request_that_was_running_goes_on_with_the_session_that_another_server_moved(
    mut site: TwoServers,
) {
    let old = site.id();
    let page = site
        .during("/here/slow/colour", async |tab| {
            tab.post("/there/cycle", &[]).await;
        })
        .await;

    assert_eq!(page.status(), StatusCode::OK, "{}", page.body());
    assert_no_cookie(&page, "the session was moved by the other request");
    assert_ne!(site.id(), old);
    assert_eq!(site.stored().await.data, [("colour", "red"), ("my_car", "mini")].map(owned).into());
    assert_eq!(car_under(&site, "/there", old).await, "no car");
}

async fn two_who_sign_in_at_two_servers_at_once_both_succeed(mut site: TwoServers) {
    let old = site.id();
    let page = site
        .during("/here/slow/sign-in", async |tab| {
            assert_eq!(tab.post("/there/sign-in", &[]).await.status(), StatusCode::OK);
        })
        .await;

    assert_eq!(page.status(), StatusCode::OK, "{}", page.body());
    assert_no_cookie(&page, "one move is enough");
    assert_ne!(site.id(), old);
    let data = site.stored().await.data;
    assert_eq!(data, [("my_car", "mini"), ("user", "a late toad")].map(owned).into());
    assert_eq!(car_under(&site, "/there", old).await, "no car");
}

async fn a_sign_out_follows_a_session_that_another_server_moved(mut site: TwoServers) {
    let mut moved = None;
    let page = site
        .during("/here/slow/sign-out", async |tab| {
            tab.post("/there/sign-in", &[]).await;
            moved = Some(id_of(tab));
        })
        .await;

    assert_eq!(page.status(), StatusCode::OK, "{}", page.body());
    let moved = moved.expect("the id after the cycle");
    assert_eq!(load(&site.store, &moved).await, None, "it is ended where it has moved to");
    assert_eq!(car_under(&site, "/there", moved).await, "no car");
}

async fn a_sign_in_does_not_bring_back_what_another_server_ended(mut site: TwoServers) {
    let id = site.id();
    let page = site
        .during("/here/slow/sign-in", async |tab| {
            tab.post("/there/sign-out", &[]).await;
        })
        .await;

    assert_eq!(page.status(), StatusCode::CONFLICT, "{}", page.body());
    assert_no_cookie(&page, "the late one");
    assert_eq!(site.visitor.cookie("sessionid"), None);
    assert_eq!(load(&site.store, &id).await, None);
}

/// What a browser sees that sends this id to `server`.
async fn car_under(site: &TwoServers, server: &str, id: Id) -> String {
    let cookie = format!("sessionid={id}");
    let mut stranger = site.visitor.private_window();
    get_with_cookie(&mut stranger, server, &cookie).await.body().to_owned()
}
