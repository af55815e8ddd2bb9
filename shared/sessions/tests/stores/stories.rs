//! What every store has to keep.

use std::sync::Arc;

use browser::Browser;
use libtest_mimic::Trial;
use sessions::{
    Id, Store,
    testing::{self, Expired},
};
use sha2::{Digest, Sha256};
use time::macros::datetime;
use tracing::Level;

use crate::{
    helpers::{
        TwoServers, assert_removed, cookie_of, create, garage, get_with_cookie, id_of, listen,
        load, logged, outages, promise, record, stored, two_servers,
    },
    place::{Kind, Place},
};

/// The tests of this kind of store.
pub fn of(kind: &Kind) -> Vec<Trial> {
    let Kind { name, new_place, .. } = *kind;
    macro_rules! stories {
        ($($story:ident)+) => {
            vec![$(promise(&format!("{name}::{}", stringify!($story)), {
                let kind = *kind;
                async move || $story(new_place().await, kind).await
            })),+]
        };
    }
    let mut trials = stories!(
        it_meets_every_requirement
        a_visitors_car_is_remembered_and_a_strangers_is_not_known
        no_log_of_the_store_shows_a_session
        dates_far_away_are_no_trouble
        no_value_that_insert_accepts_costs_the_visitor_their_session
    );
    if kind.remembers {
        trials.extend(stories!(
            a_session_survives_a_restart
            many_servers_may_start_at_once
            no_copy_of_the_store_shows_an_id
            a_record_that_cannot_be_decoded_is_an_empty_session_and_a_warning
        ));
    }
    let two_servers = move || async move {
        let place = new_place().await;
        TwoServers::over(place.open().await, place.open().await, place.open().await, place).await
    };
    trials.extend(two_servers::promises(&format!("{name}::"), two_servers));
    if kind.is_on_a_server() {
        let through_a_wire = move || async move {
            let place = new_place().await;
            let (store, wire) = place.open_through_a_wire().await;
            (store, wire, place)
        };
        trials.extend(outages::promises(&format!("{name}::"), through_a_wire));
    }
    let is_missing = kind.misses().is_some();
    trials.into_iter().map(|trial| trial.with_ignored_flag(is_missing)).collect()
}

type Somewhere = Arc<dyn Place>;

async fn browser(place: &Somewhere) -> Browser {
    Browser::open(garage(place.open().await))
}

async fn it_meets_every_requirement(place: Somewhere, kind: Kind) {
    // The ids that one requirement names, in case that an earlier run was stopped in the middle and
    // has left them on a server.
    let store = place.open().await;
    for id in [i128::MIN, i128::MAX, -1, 0, 1].map(Id) {
        store.delete(&id).await.expect("the store answers");
    }
    let places = parking_lot::Mutex::new(Vec::new());
    let open = async || {
        let place = (kind.new_place)().await;
        let store = place.open().await;
        places.lock().push(place);
        store
    };
    testing::check(open, kind.expired).await;
}

async fn a_visitors_car_is_remembered_and_a_strangers_is_not_known(place: Somewhere, _: Kind) {
    let mut visitor = browser(&place).await;
    visitor.post("/car", &[("my_car", "mini"), ("colour", "größer & \"röter\"\n🚗")]).await;
    let mut stranger = visitor.private_window();

    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(stranger.get("/").await.body(), "no car");

    stranger.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.get("/").await.body(), "mini");
    assert_eq!(stranger.get("/").await.body(), "beetle");

    visitor.post("/forget", &[]).await;
    assert_eq!(visitor.get("/").await.body(), "no car");
    assert_eq!(stranger.get("/").await.body(), "beetle");
}

async fn no_log_of_the_store_shows_a_session(place: Somewhere, _: Kind) {
    let store = place.open().await;
    let (record, _) = stored(&store, "mini").await;

    let shown = format!("{store:?}");

    assert!(!shown.is_empty());
    for part in [record.id.to_string(), record.id.0.to_string(), "mini".to_owned()] {
        assert!(!shown.contains(&part), "{shown}");
    }
}

async fn dates_far_away_are_no_trouble(place: Somewhere, kind: Kind) {
    let store = place.open().await;
    let future =
        sessions::Record { expiry_date: datetime!(9999-12-31 23:59:59 UTC), ..record("mini") };
    create(&store, &future).await;
    for expiry_date in [
        datetime!(1970-01-01 00:00:00 UTC),
        datetime!(1969-12-31 23:59:59 UTC),
        datetime!(-9999-01-01 00:00:00 UTC),
    ] {
        let past = sessions::Record { expiry_date, ..record("beetle") };
        create(&store, &past).await;
        assert_eq!(load(&store, &past.id).await, None, "of {expiry_date}");
    }
    if let Expired::Cleared = kind.expired {
        assert_eq!(store.clear_expired(10).await.expect("it clears"), 3);
    }
    assert_eq!(load(&store, &future.id).await.as_ref(), Some(&future));
    // Otherwise it would stay on a server for as long.
    assert_eq!(store.delete(&future.id).await.expect("the store answers"), Some(future));
}

async fn no_value_that_insert_accepts_costs_the_visitor_their_session(place: Somewhere, _: Kind) {
    let layer = sessions::SessionLayer::new(place.open().await);
    let session = layer.session(None);
    session.load().await.expect("the store answers");
    session.insert("my_car", "mini").expect("it fits");
    // serde_json writes any depth, and reads 127.
    for depth in [1, 99, 100, 101, 127, 128, 150] {
        let nested = (1..depth).fold(serde_json::json!([]), |inner, _| serde_json::json!([inner]));
        let accepted = session.insert("parts", &nested);
        assert_eq!(accepted.is_ok(), depth <= 100, "{depth} levels");
        let id = session.save().await.expect("it is saved");

        let again = layer.session(Some(id));
        again.load().await.expect("the store answers");
        assert_eq!(again.get::<String>("my_car").expect("a car").as_deref(), Some("mini"));
    }
}

async fn a_session_survives_a_restart(place: Somewhere, _: Kind) {
    let mut visitor = browser(&place).await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    let cookie = cookie_of(&visitor);
    drop(visitor);

    let mut restarted = browser(&place).await;
    assert_eq!(get_with_cookie(&mut restarted, "/", &cookie).await.body(), "mini");
}

async fn many_servers_may_start_at_once(_: Somewhere, kind: Kind) {
    for _ in 0..5 {
        let place = (kind.new_place)().await;
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let place = place.clone();
                tokio::spawn(async move { drop(place.open().await) })
            })
            .collect();
        for start in starts {
            start.await.expect("the store opens");
        }
    }
}

async fn no_copy_of_the_store_shows_an_id(place: Somewhere, _: Kind) {
    let mut visitor = browser(&place).await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    visitor.post("/car", &[("my_car", "beetle")]).await;
    visitor.get("/").await;
    let cookie = visitor.cookie("sessionid").expect("a session cookie");
    let id: Id = cookie.parse().expect("an id");

    let copy = place.copy().await;
    let is_anywhere = |wanted: &[u8]| copy.windows(wanted.len()).any(|it| it == wanted);

    let hash = Sha256::digest(id.0.to_le_bytes());
    let shows_hash = is_anywhere(&hash)
        || is_anywhere(hex::encode(hash).as_bytes())
        || is_anywhere(hex::encode(hash).to_uppercase().as_bytes());
    assert!(shows_hash, "the test finds what is there");
    let hexadecimal = hex::encode(id.0.to_le_bytes());
    for (form, bytes) in [
        ("as in the cookie", cookie.as_bytes()),
        ("raw, as in the cookie", &id.0.to_le_bytes()),
        ("raw, the other way round", &id.0.to_be_bytes()),
        ("a part of it", &id.0.to_le_bytes()[..8]),
        ("a number", id.0.to_string().as_bytes()),
        ("hexadecimal", hexadecimal.as_bytes()),
        ("HEXADECIMAL", hexadecimal.to_uppercase().as_bytes()),
        ("a part of it, hexadecimal", &hexadecimal.as_bytes()[..16]),
    ] {
        assert!(!is_anywhere(bytes), "{form}");
    }
}

async fn a_record_that_cannot_be_decoded_is_an_empty_session_and_a_warning(
    _: Somewhere,
    kind: Kind,
) {
    for data in [
        "",
        "{\"my_car\":",
        "[\"my_car\"]",
        "null",
        "\"a diary\"",
        "{\"my_car\":\"mini\"} and more",
    ] {
        let place = (kind.new_place)().await;
        let mut visitor = browser(&place).await;
        visitor.post("/car", &[("my_car", "mini")]).await;
        let id = id_of(&visitor);
        listen();
        place.spoil(&id, data).await;
        // A cache would still have the sound one.
        let cookie = cookie_of(&visitor);
        let mut visitor = browser(&place).await;

        let page = get_with_cookie(&mut visitor, "/", &cookie).await;
        assert_eq!((page.status().as_u16(), page.body()), (200, "no car"), "after {data:?}");
        assert_removed(page, data);
        let warnings = logged(Level::WARN);
        assert!(warnings.len() == 1 && warnings[0].contains("cannot be read"), "{warnings:?}");
        assert!(!warnings[0].contains(&id.to_string()), "an id has no place in a log");
        assert!(!warnings[0].contains("diary"), "nor has a value: {warnings:?}");
        assert!(logged(Level::ERROR).is_empty(), "{:?}", logged(Level::ERROR));

        visitor.post("/car", &[("my_car", "beetle")]).await;
        assert_ne!(id_of(&visitor), id, "after {data:?}");
        assert_eq!(visitor.get("/").await.body(), "beetle", "after {data:?}");
    }
}
