//! Several cookies of the session's name: the one that the store knows counts, and only what is
//! ours is removed.

mod helpers;

use axum::{
    Router,
    routing::{get, post},
};
use browser::Browser;
use helpers::{
    MADE_UP, Moment, Watched, assert_no_cookie, assert_removed, expired, garage, get_with_cookie,
    id_of, load, post_with_cookie, stored, with_a_mini,
};
use sessions::{Error, Id, MemoryStore, Session, SessionLayer};

type Shelf = Watched<MemoryStore>;

/// The garage with a way out, and a session with a mini.
async fn open() -> (Browser, Shelf, Id) {
    let store = Shelf::default();
    let more = Router::new()
        .route("/sign-out", post(async |session: Session| session.flush().await))
        .route("/cycle", post(async |session: Session| session.cycle_id()))
        .route(
            "/count",
            get(async |session: Session| -> Result<String, Error> {
                let counted = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
                Ok(counted.to_string())
            }),
        )
        .layer(SessionLayer::new(store.clone()));
    let (record, _) = stored(&store, "mini").await;
    let visitor = Browser::open(garage(store.clone()).merge(more));
    store.take_calls();
    (visitor, store, record.id)
}

/// A `Cookie` header with these values, all under the session's name.
fn header(values: &[&str]) -> String {
    let pairs: Vec<_> = values.iter().map(|value| format!("sessionid={value}")).collect();
    pairs.join("; ")
}

#[tokio::test]
async fn the_id_that_the_store_knows_counts_whatever_the_order() {
    let (mut visitor, store, id) = open().await;
    let gone = expired("an old car");
    helpers::create(&store, &gone).await;
    let (id, gone) = (id.to_string(), gone.id.to_string());
    for values in [
        &[&id[..], MADE_UP][..],
        &[MADE_UP, &id],
        &["garbage", &id],
        &[&id, "garbage"],
        &["", MADE_UP, "x", &id],
        &[&gone, &id],
        &["garbage", "", "x", "y", "z", &id],
    ] {
        let page = get_with_cookie(&mut visitor, "/", &header(values)).await;
        assert_eq!(page.body(), "mini", "for {values:?}");
        assert_no_cookie(page, "one of them is good");
        // What is stored goes into the session that was found.
        let page = post_with_cookie(&mut visitor, "/car", &header(values), "colour=red").await;
        assert!(page.set_cookies()[0].starts_with(&format!("sessionid={id};")), "{values:?}");
    }
}

#[tokio::test]
async fn of_two_good_ones_the_first_counts() {
    // RFC 6265 section 5.4: the browser sends the one with the longer path first.
    let (mut visitor, store, first) = open().await;
    let (second, _) = stored(&store, "beetle").await;
    let (first, second) = (first.to_string(), second.id.to_string());

    assert_eq!(
        get_with_cookie(&mut visitor, "/", &header(&[&first, &second])).await.body(),
        "mini"
    );
    let other_way_round = header(&[&second, &first]);
    assert_eq!(get_with_cookie(&mut visitor, "/", &other_way_round).await.body(), "beetle");
}

#[tokio::test]
async fn no_more_than_four_ids_are_looked_up() {
    let (mut visitor, store, id) = open().await;
    let id = id.to_string();

    let fourth = header(&[MADE_UP, MADE_UP, MADE_UP, &id]);
    assert_eq!(get_with_cookie(&mut visitor, "/", &fourth).await.body(), "mini");
    assert_eq!(store.take_calls(), ["load"; 4]);

    let fifth = header(&[MADE_UP, MADE_UP, MADE_UP, MADE_UP, &id]);
    assert_eq!(get_with_cookie(&mut visitor, "/", &fifth).await.body(), "no car");
    assert_eq!(store.take_calls(), ["load"; 4], "an attacker may send any number");
}

#[tokio::test]
async fn if_none_is_good_what_could_be_ours_is_removed_and_another_programs_is_not() {
    let (mut visitor, _, _) = open().await;
    for (values, is_removed) in [
        (&[MADE_UP][..], true),
        (&[MADE_UP, MADE_UP], true),
        (&["garbage", MADE_UP], true),
        (&["garbage"], false),
        (&["garbage", ""], false),
    ] {
        for path in ["/", "/sign-out"] {
            let cookie = header(values);
            let page = match path {
                "/" => get_with_cookie(&mut visitor, path, &cookie).await,
                _ => post_with_cookie(&mut visitor, path, &cookie, "").await,
            };
            match is_removed {
                true => assert_removed(page, &format!("{values:?} at {path}")),
                false => assert_no_cookie(page, &format!("{values:?} at {path}")),
            }
        }
    }
}

#[tokio::test]
async fn a_flush_ends_every_session_of_ours_that_came() {
    let (mut visitor, store, first) = open().await;
    let mut ids = vec![first];
    for car in ["beetle", "rover", "camper", "lorry"] {
        ids.push(stored(&store, car).await.0.id);
    }
    let values: Vec<_> = ids.iter().map(Id::to_string).collect();
    let mut values: Vec<&str> = values.iter().map(String::as_str).collect();
    values.insert(0, "garbage");
    values.insert(2, MADE_UP);

    let page = post_with_cookie(&mut visitor, "/sign-out", &header(&values), "").await;

    assert_removed(page, "all of them are ended");
    for id in ids {
        assert_eq!(load(&store, &id).await, None);
    }
}

#[tokio::test]
async fn a_flush_that_ends_one_and_fails_at_another_is_a_503() {
    let (mut visitor, store, first) = open().await;
    let (second, _) = stored(&store, "beetle").await;
    let gate = store.hold(Moment::After, "delete");
    let cookie = header(&[&first.to_string(), &second.id.to_string()]);

    let (page, ()) =
        tokio::join!(post_with_cookie(&mut visitor, "/sign-out", &cookie, ""), async {
            gate.reached().await;
            store.fail(&["delete"]);
            gate.open();
        });

    assert_eq!(page.status(), 503);
    assert_no_cookie(page, "the second one is still good");
}

#[tokio::test]
async fn a_session_that_moves_is_the_one_that_was_found() {
    let (mut visitor, store, id) = open().await;
    let cookie = header(&[MADE_UP, &id.to_string()]);

    let page = post_with_cookie(&mut visitor, "/cycle", &cookie, "").await;

    assert_eq!(page.status(), 200);
    let moved = id_of(&visitor);
    assert_ne!(moved, id);
    assert_eq!(load(&store, &moved).await.expect("the session").data["my_car"], "mini");
}

#[tokio::test]
async fn quotes_are_no_part_of_the_value() {
    let (mut visitor, _, id) = open().await;
    for (value, car) in [
        (format!("\"{id}\""), "mini"),
        (format!("\"{id}"), "no car"),
        (format!("{id}\""), "no car"),
        (format!("\"\"{id}\"\""), "no car"),
        (format!("\" {id}\""), "no car"),
    ] {
        let page = get_with_cookie(&mut visitor, "/", &header(&[&value])).await;
        assert_eq!(page.body(), car, "for {value}");
        assert_no_cookie(page, &value);
    }
}

#[tokio::test]
async fn only_spaces_and_tabs_stand_around_a_name_and_a_value() {
    let (mut visitor, _, id) = open().await;
    for space in [" ", "\t", " \t "] {
        let cookie = format!("a=1;{space}sessionid{space}={space}{id}{space}; b=2");
        let page = get_with_cookie(&mut visitor, "/", &cookie).await;
        assert_eq!(page.body(), "mini", "for {space:?}");
    }
    // Otherwise a subdomain could set a cookie that reads as `__Host-…` without that prefix' rules.
    for space in ["\u{a0}", "\u{2000}", "\u{3000}", "\u{85}"] {
        for cookie in [format!("{space}sessionid={id}"), format!("sessionid{space}={id}")] {
            let page = get_with_cookie(&mut visitor, "/", &cookie).await;
            assert_eq!(page.body(), "no car", "for {space:?}");
        }
    }
}

#[tokio::test]
async fn an_update_goes_to_the_session_that_was_found() {
    let (mut visitor, store, id) = open().await;
    let cookie = header(&["garbage", MADE_UP, &id.to_string()]);

    assert_eq!(get_with_cookie(&mut visitor, "/count", &cookie).await.body(), "1");
    assert_eq!(get_with_cookie(&mut visitor, "/count", &cookie).await.body(), "2");

    assert_eq!(load(&store, &id).await.expect("the session").data["num_visits"], 2);
}

/// The rules of RFC 6265 sections 4.1.1 and 5.4, told as slowly as they can be.
fn strict(header: &str, name: &str) -> Vec<String> {
    let is_space = |c: char| c == ' ' || c == '\t';
    let pairs = header.split(';').filter_map(|pair| pair.split_once('='));
    let ours = pairs
        .filter(|(key, _)| key.trim_start_matches(is_space).trim_end_matches(is_space) == name);
    ours.map(|(_, value)| {
        let value = value.trim_start_matches(is_space).trim_end_matches(is_space);
        let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        inner.unwrap_or(value).to_owned()
    })
    .collect()
}

#[tokio::test]
async fn any_header_reads_as_the_rfc_says() {
    let store = MemoryStore::default();
    let (mut visitor, id) = with_a_mini(garage(store)).await;
    let id = id.to_string();
    let pieces = [
        "sessionid",
        "sessionid",
        "=",
        "=",
        ";",
        ";",
        " ",
        "\t",
        "\"",
        &id,
        &id,
        "\u{2000}",
        "\u{a0}",
        "\u{85}",
        "a",
        "é",
    ];
    // A fixed sequence that looks random (the constants are Knuth's), so that a failure comes back.
    let mut state: u64 = 7;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize
    };
    let mut found = 0;
    for _ in 0..3000 {
        let length = next() % 12;
        let mut header: String = (0..length).map(|_| pieces[next() % pieces.len()]).collect();
        if next() % 4 == 0 {
            header += &format!(";{}sessionid={id}", pieces[next() % pieces.len()]);
        }
        // The framework looks at four ids at most.
        let known = strict(&header, "sessionid").contains(&id);
        found += u32::from(known);
        let page = visitor.get_with("/", &[("cookie", header.as_bytes())]).await;
        let expected = if known { "mini" } else { "no car" };
        assert_eq!(page.body(), expected, "{header:?}");
    }
    assert!(found > 100, "the test can tell: {found}");
}

#[tokio::test]
async fn no_removal_is_sent_if_not_all_ids_were_looked_up() {
    let (mut visitor, _, id) = open().await;
    let unknown: String = (0..4).map(|_| format!("sessionid={}; ", Id::default())).collect();
    let page = get_with_cookie(&mut visitor, "/", &format!("{unknown}sessionid={id}")).await;
    assert_no_cookie(page, "the fifth may be good, and is");
}

#[tokio::test]
async fn a_sign_out_with_thousands_of_ids_does_not_ask_the_store_thousands_of_times() {
    let (mut visitor, store, _) = open().await;
    let many: String = (0..1000).map(|_| format!("sessionid={}; ", Id::default())).collect();
    store.take_calls();
    post_with_cookie(&mut visitor, "/sign-out", &many, "").await;
    let deleted = store.take_calls().iter().filter(|&&call| call == "delete").count();
    assert_eq!(deleted, 64);
}
