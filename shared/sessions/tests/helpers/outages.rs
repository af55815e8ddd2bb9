//! The store's server is away for a while, and the site is not restarted.

use std::time::Duration;

use axum::http::StatusCode;
use browser::{Browser, Page};
use libtest_mimic::Trial;
use sessions::Store;
use tokio::time::{self, Instant, timeout};
use tracing::Level;

use super::{PASSWORD, Wire, garage, listen, logged, promise};

/// A visitor with a mini, at a site whose store is at the other end of a wire.
struct Site {
    visitor: Browser,
    wire: Wire,
}

/// The promises of a store whose server may be away, each a test with a visitor of its own. `open`
/// opens a store through a wire, and returns with it what has to live as long; `name` begins the
/// names of the tests.
pub fn promises<S: Store, Keep, F>(
    name: &str,
    open: impl Fn() -> F + Clone + Send + 'static,
) -> Vec<Trial>
where
    F: Future<Output = (S, Wire, Keep)> + 'static,
    Keep: 'static,
{
    macro_rules! promises {
        ($($story:ident)+) => {
            vec![$({
                let open = open.clone();
                promise(&format!("{name}{}", stringify!($story)), async move || {
                    let (store, wire, _keep) = open().await;
                    let mut visitor = Browser::open(garage(store));
                    visitor.post("/car", &[("my_car", "mini")]).await;
                    $story(Site { visitor, wire }).await;
                })
            }),+]
        };
    }
    promises!(
        while_the_server_is_away_there_are_calm_503_pages_and_then_the_site_goes_on
        while_the_server_is_silent_there_are_503_pages_after_seconds_and_then_the_site_goes_on
        a_connection_that_broke_while_no_visitor_came_costs_no_visitor_their_page
        visitors_who_give_up_while_the_server_is_silent_take_no_connection_with_them
    )
}

#[track_caller]
fn assert_calm_503(page: &Page) {
    assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(page.header("retry-after"), Some("10"));
    assert!(page.set_cookies().is_empty(), "{:?}", page.set_cookies());
    assert!(page.body().contains("try again"), "{}", page.body());
    assert!(!page.body().contains("127.0.0.1"), "the cause is for the log: {}", page.body());
}

impl Site {
    /// So many requests at once that a store opens all the connections that it ever opens.
    async fn assert_many_see_the_mini(&self) {
        let requests: Vec<_> = (0..20)
            .map(|_| {
                let mut tab = self.visitor.second_tab();
                tokio::spawn(async move { tab.get("/").await.body().to_owned() })
            })
            .collect();
        for request in requests {
            assert_eq!(request.await.expect("no panic"), "mini");
        }
    }

    /// What the log says of the one failure since [`listen`].
    fn assert_logged(&self) -> String {
        let causes = logged(Level::ERROR);
        assert_eq!(causes.len(), 1, "{causes:?}");
        assert!(causes[0].contains(&self.wire.address().to_string()), "the place: {causes:?}");
        assert!(!causes[0].contains(PASSWORD), "{causes:?}");
        causes[0].clone()
    }
}

async fn while_the_server_is_away_there_are_calm_503_pages_and_then_the_site_goes_on(
    mut site: Site,
) {
    let id = site.visitor.cookie("sessionid");
    site.assert_many_see_the_mini().await;
    listen();

    site.wire.cut();
    assert_calm_503(site.visitor.get("/").await);
    site.assert_logged();
    assert_calm_503(site.visitor.post("/car", &[("my_car", "beetle")]).await);
    assert_calm_503(site.visitor.private_window().post("/car", &[("my_car", "rover")]).await);
    assert_eq!(site.visitor.get("/about").await.status(), StatusCode::OK, "it needs no session");

    site.wire.mend();
    site.assert_many_see_the_mini().await;
    assert_eq!(site.visitor.cookie("sessionid"), id);
    site.visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(site.visitor.get("/").await.body(), "beetle");
}

async fn while_the_server_is_silent_there_are_503_pages_after_seconds_and_then_the_site_goes_on(
    mut site: Site,
) {
    site.assert_many_see_the_mini().await;
    listen();

    site.wire.fall_silent();
    for _ in 0..15 {
        // The clock jumps to the moment at which the site loses patience.
        time::pause();
        let start = Instant::now();
        let page = site.visitor.get("/").await;
        assert_calm_503(page);
        let waited = start.elapsed();
        assert!(waited <= Duration::from_secs(4), "{waited:?}");
        time::resume();
    }
    let causes = logged(Level::ERROR);
    assert!(causes[0].ends_with("no answer within 3 seconds"), "{causes:?}");

    site.wire.mend();
    site.assert_many_see_the_mini().await;
}

async fn a_connection_that_broke_while_no_visitor_came_costs_no_visitor_their_page(site: Site) {
    for break_off in [Wire::cut, Wire::fall_silent] {
        site.assert_many_see_the_mini().await;

        time::pause();
        time::advance(Duration::from_secs(60)).await;
        time::resume();
        break_off(&site.wire);
        site.wire.mend();

        site.assert_many_see_the_mini().await;
    }
}

async fn visitors_who_give_up_while_the_server_is_silent_take_no_connection_with_them(site: Site) {
    site.wire.fall_silent();
    time::pause();
    for _ in 0..25 {
        let mut tab = site.visitor.second_tab();
        let given_up = timeout(Duration::from_millis(500), tab.get("/")).await;
        assert!(given_up.is_err(), "a silent server");
    }
    time::resume();

    site.wire.mend();
    site.assert_many_see_the_mini().await;
}
