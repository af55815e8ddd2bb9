//! When a session ends: what is chosen, what the cookie says, and what the store keeps.

mod helpers;

use axum::{
    Router,
    routing::{get, post},
};
use browser::{Browser, Page};
use helpers::{
    fresh_file, garage, get_with_cookie, id_of, in_an_hour, load, open_sqlite, post_with_cookie,
    set_end, the_cookie, with_a_mini,
};
use sessions::{Expiry, Id, MemoryStore, Session, SessionLayer, Store};
use time::{Duration, OffsetDateTime, macros::datetime};

const TWO_WEEKS: Duration = Duration::weeks(2);

/// The garage, where a POST to `/expiry` makes this choice.
fn choosing<S: Store + Clone>(store: S, choice: Option<Expiry>) -> Router {
    let choose = post(async move |session: Session| session.set_expiry(choice));
    let choose = Router::new().route("/expiry", choose).layer(SessionLayer::new(store.clone()));
    garage(store).merge(choose)
}

/// A visitor with a mini, and a store in memory.
async fn with_a_car(choice: Option<Expiry>) -> (Browser, MemoryStore, Id) {
    let store = MemoryStore::default();
    let (visitor, id) = with_a_mini(choosing(store.clone(), choice)).await;
    (visitor, store, id)
}

/// When the stored record ends.
async fn end(store: &impl Store, id: &Id) -> OffsetDateTime {
    load(store, id).await.expect("a record").expiry_date
}

/// The stored end is so long after these moments, rounded up to a whole second.
#[track_caller]
fn assert_ends(end: OffsetDateTime, lasts: Duration, before: OffsetDateTime) {
    let latest = OffsetDateTime::now_utc() + lasts + Duration::SECOND;
    assert!(before + lasts <= end && end < latest, "{end}");
    assert_eq!(end.nanosecond(), 0, "{end}");
}

#[track_caller]
fn assert_lasts(page: &Page, lasts: Duration) {
    let cookie = the_cookie(page);
    assert_eq!(cookie.max_age(), Some(lasts));
    assert!(cookie.expires_datetime().is_some(), "{cookie}");
}

#[track_caller]
fn assert_ends_with_the_browser(page: &Page) {
    let cookie = the_cookie(page);
    assert_eq!(cookie.max_age(), None);
    assert_eq!(cookie.expires(), None);
    assert!(!cookie.value().is_empty(), "{cookie}");
}

/// What a choice means, in one request of a site with these settings.
async fn told(layer: SessionLayer, choice: Option<Expiry>) -> (Duration, OffsetDateTime, bool) {
    let (tell, told) = std::sync::mpsc::channel();
    let handler = get(async move |session: Session| {
        session.set_expiry(choice);
        let told =
            (session.expiry_age(), session.expiry_date(), session.expires_at_browser_close());
        tell.send(told).expect("the test listens");
    });
    Browser::open(Router::new().route("/", handler).layer(layer)).get("/").await;
    told.recv().expect("the handler ran")
}

fn usual() -> SessionLayer {
    SessionLayer::new(MemoryStore::default())
}

#[tokio::test]
async fn if_nothing_is_chosen_the_sites_setting_counts() {
    let before = OffsetDateTime::now_utc();
    let (age, date, with_browser) = told(usual(), None).await;
    assert_eq!(age, TWO_WEEKS);
    assert!(before + TWO_WEEKS <= date && date <= OffsetDateTime::now_utc() + TWO_WEEKS);
    assert!(!with_browser);
}

#[tokio::test]
async fn an_idle_time_runs_from_the_last_change_and_not_from_the_last_look() {
    let hour = Duration::HOUR;
    let before = OffsetDateTime::now_utc();
    let (age, date, with_browser) = told(usual(), Some(Expiry::OnInactivity(hour))).await;
    assert_eq!(age, hour);
    assert!(before + hour <= date && date <= OffsetDateTime::now_utc() + hour, "{date}");
    assert!(!with_browser);

    let (mut visitor, store, id) = with_a_car(Some(Expiry::OnInactivity(hour))).await;
    let before = OffsetDateTime::now_utc();
    assert_lasts(visitor.post("/expiry", &[]).await, hour);
    assert_ends(end(&store, &id).await, hour, before);

    // Half an hour is left.
    let soon = in_an_hour() - Duration::minutes(30);
    set_end(&store, &id, soon).await;
    assert!(visitor.get("/").await.set_cookies().is_empty());
    assert_eq!(end(&store, &id).await, soon, "looking does not count");

    let before = OffsetDateTime::now_utc();
    assert_lasts(visitor.post("/car", &[("my_car", "beetle")]).await, hour);
    assert_ends(end(&store, &id).await, hour, before);
}

#[tokio::test]
async fn a_moment_stays_where_it_is_also_after_later_changes() {
    let moment = in_an_hour();
    let before = OffsetDateTime::now_utc();
    let (age, date, with_browser) = told(usual(), Some(Expiry::AtDateTime(moment))).await;
    let after = OffsetDateTime::now_utc();
    assert!(moment - after <= age && age <= moment - before, "{age}");
    assert_eq!(date, moment);
    assert!(!with_browser);

    let (mut visitor, store, id) = with_a_car(Some(Expiry::AtDateTime(moment))).await;
    for path in ["/expiry", "/car", "/forget"] {
        let before = OffsetDateTime::now_utc();
        let cookie = the_cookie(visitor.post(path, &[("my_car", "beetle")]).await);
        let after = OffsetDateTime::now_utc();
        // A cookie counts in whole seconds, and is not to end before its session.
        let second = Duration::SECOND;
        let lasts = cookie.max_age().expect("an age");
        assert!(moment - after <= lasts && lasts <= moment - before + second, "{lasts} at {path}");
        let ends = cookie.expires_datetime().expect("an end");
        assert!(moment <= ends, "{ends} at {path}");
        assert!(ends <= moment + (after - before) + 2 * second, "{ends} at {path}");
        assert_eq!(end(&store, &id).await, moment, "at {path}");
    }
}

#[tokio::test]
async fn the_browsers_closing_leaves_the_cookie_without_an_end_and_keeps_the_record() {
    let (age, _, with_browser) = told(usual(), Some(Expiry::OnSessionEnd)).await;
    assert_eq!(age, TWO_WEEKS, "as Django says it for 0");
    assert!(with_browser);

    let (mut visitor, store, id) = with_a_car(Some(Expiry::OnSessionEnd)).await;
    let before = OffsetDateTime::now_utc();
    assert_ends_with_the_browser(visitor.post("/expiry", &[]).await);
    assert!(end(&store, &id).await >= before + TWO_WEEKS);
    assert_ends_with_the_browser(visitor.post("/car", &[("my_car", "beetle")]).await);
    assert_eq!(visitor.get("/").await.body(), "beetle");

    visitor.restart();
    assert_eq!(visitor.get("/").await.body(), "no car");
}

#[tokio::test]
async fn none_goes_back_to_the_sites_setting() {
    let store = MemoryStore::default();
    let mut short = Browser::open(choosing(store.clone(), Some(Expiry::OnSessionEnd)));
    short.post("/car", &[("my_car", "mini")]).await;
    short.post("/expiry", &[]).await;
    let cookie = helpers::cookie_of(&short);

    let mut usual = Browser::open(choosing(store, None));
    assert_ends_with_the_browser(post_with_cookie(&mut usual, "/forget", &cookie, "").await);
    assert_lasts(post_with_cookie(&mut usual, "/expiry", &cookie, "").await, TWO_WEEKS);
    usual.get("/").await;
    assert_lasts(usual.post("/car", &[("my_car", "rover")]).await, TWO_WEEKS);
}

#[tokio::test]
async fn a_chosen_expiry_lasts_over_later_requests_and_a_restart_of_the_server() {
    let (_folder, file) = fresh_file();
    let moment = in_an_hour();
    for choice in
        [Expiry::OnInactivity(Duration::HOUR), Expiry::AtDateTime(moment), Expiry::OnSessionEnd]
    {
        let store = open_sqlite(&file).await;
        let mut visitor = Browser::open(choosing(store, Some(choice)));
        visitor.post("/car", &[("my_car", "mini")]).await;
        visitor.post("/expiry", &[]).await;
        visitor.post("/car", &[("colour", "red")]).await;
        let (id, cookie) = (id_of(&visitor), helpers::cookie_of(&visitor));
        drop(visitor);

        let store = open_sqlite(&file).await;
        let mut visitor = Browser::open(garage(store.clone()));
        let page = post_with_cookie(&mut visitor, "/forget", &cookie, "").await;
        assert_eq!(page.body(), "\"mini\"");
        match choice {
            Expiry::OnSessionEnd => assert_ends_with_the_browser(page),
            Expiry::OnInactivity(hour) => assert_lasts(page, hour),
            Expiry::AtDateTime(moment) => assert_eq!(end(&store, &id).await, moment),
        }
    }
}

#[tokio::test]
async fn an_update_renews_the_idle_time_that_was_chosen() {
    let store = MemoryStore::default();
    let handler = post(async |session: Session| {
        session.update("num_visits", |visits: &mut u64| *visits += 1).await.map(drop)
    });
    let counting = Router::new().route("/count", handler).layer(SessionLayer::new(store.clone()));
    let choice = Some(Expiry::OnInactivity(Duration::HOUR));
    let mut visitor = Browser::open(choosing(store.clone(), choice).merge(counting));
    visitor.post("/expiry", &[]).await;
    let id = id_of(&visitor);
    set_end(&store, &id, in_an_hour() - Duration::minutes(30)).await;

    let before = OffsetDateTime::now_utc();
    assert_lasts(visitor.post("/count", &[]).await, Duration::HOUR);

    assert_ends(end(&store, &id).await, Duration::HOUR, before);
}

#[tokio::test]
async fn a_moment_that_is_past_ends_the_session_at_once() {
    let past = OffsetDateTime::now_utc() - Duration::HOUR;
    let (age, date, _) = told(usual(), Some(Expiry::AtDateTime(past))).await;
    assert_eq!(age, Duration::ZERO);
    assert_eq!(date, past);

    let (mut visitor, _, id) = with_a_car(Some(Expiry::AtDateTime(past))).await;
    visitor.post("/expiry", &[]).await;
    assert_eq!(visitor.cookie("sessionid"), None, "the browser dropped the cookie");
    let page = get_with_cookie(&mut visitor, "/", &format!("sessionid={id}")).await;
    assert_eq!(page.body(), "no car");
}

#[tokio::test]
async fn no_choice_is_too_far_away_for_the_cookie_and_the_store() {
    let last = datetime!(9999-12-31 23:59:59 UTC);
    for choice in [
        Expiry::OnInactivity(Duration::MAX),
        Expiry::AtDateTime(last),
        // Half past midnight of the year 10000 in UTC.
        Expiry::AtDateTime(datetime!(9999-12-31 22:30:00 -2)),
        Expiry::AtDateTime(datetime!(9999-12-31 23:59:59.5 UTC)),
    ] {
        let (_, date, _) = told(usual(), Some(choice)).await;
        assert!(date <= last + Duration::nanoseconds(999_999_999), "{date} with {choice:?}");

        let (_folder, file) = fresh_file();
        let store = open_sqlite(&file).await;
        let mut visitor = Browser::open(choosing(store.clone(), Some(choice)));
        visitor.post("/car", &[("my_car", "mini")]).await;
        visitor.post("/expiry", &[]).await;
        assert_eq!(end(&store, &id_of(&visitor)).await, last, "with {choice:?}");
        visitor.restart();
        assert_eq!(visitor.get("/").await.body(), "mini", "with {choice:?}");
        // A date in the data has to be readable as well, or the next change would forget it.
        visitor.post("/car", &[("my_car", "beetle")]).await;
        assert_eq!(end(&store, &id_of(&visitor)).await, last, "with {choice:?}");
    }
}

#[tokio::test]
async fn a_session_never_ends_before_the_time_that_was_promised_to_it() {
    let base = in_an_hour();
    for fraction in [Duration::nanoseconds(1), Duration::milliseconds(500), Duration::ZERO] {
        let (_folder, file) = fresh_file();
        let store = open_sqlite(&file).await;
        let moment = base + fraction;
        let choice = Some(Expiry::AtDateTime(moment));
        let mut visitor = Browser::open(choosing(store.clone(), choice));

        let cookie = the_cookie(visitor.post("/expiry", &[]).await);

        let stored = end(&store, &id_of(&visitor)).await;
        let rounded_up = if fraction.is_zero() { base } else { base + Duration::SECOND };
        assert_eq!(stored, rounded_up, "not before {moment}");
        // The browser begins to count a little later, so the cookie is there until then, too.
        let now = OffsetDateTime::now_utc();
        assert!(now + cookie.max_age().expect("an age") >= moment, "{cookie}");
        assert!(cookie.expires_datetime().expect("an end") >= moment, "{cookie}");
    }
}

#[tokio::test]
async fn an_idle_time_of_less_than_a_second_is_rounded_up_and_not_to_zero() {
    let short = Some(Expiry::OnInactivity(Duration::milliseconds(1)));
    let (mut visitor, _, _) = with_a_car(short).await;

    let cookie = the_cookie(visitor.post("/expiry", &[]).await);

    assert_eq!(cookie.max_age(), Some(Duration::SECOND), "zero would remove the cookie");
}

fn until_the_browser_closes() -> SessionLayer {
    let builder = SessionLayer::builder(MemoryStore::default()).expire_at_browser_close(true);
    builder.build().expect("good settings")
}

#[tokio::test]
async fn a_site_may_let_sessions_end_with_the_browser_and_one_session_choose_otherwise() {
    assert!(told(until_the_browser_closes(), None).await.2);
    assert!(told(until_the_browser_closes(), Some(Expiry::OnSessionEnd)).await.2);
    let hour = Some(Expiry::OnInactivity(Duration::HOUR));
    assert!(!told(until_the_browser_closes(), hour).await.2);
    assert!(!told(until_the_browser_closes(), Some(Expiry::AtDateTime(in_an_hour()))).await.2);

    let app = Router::new()
        .route("/car", post(async |session: Session| session.insert("my_car", "mini")))
        .route("/remember-me", post(async move |session: Session| session.set_expiry(hour)))
        .route("/", get(async |session: Session| session.contains_key("my_car").to_string()))
        .layer(until_the_browser_closes());
    let mut visitor = Browser::open(app);
    assert_ends_with_the_browser(visitor.post("/car", &[]).await);
    visitor.restart();
    assert_eq!(visitor.get("/").await.body(), "false");

    visitor.post("/car", &[]).await;
    assert_lasts(visitor.post("/remember-me", &[]).await, Duration::HOUR);
    visitor.restart();
    assert_eq!(visitor.get("/").await.body(), "true");
}
