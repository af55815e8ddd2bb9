//! A session that has moved to a new id is not ended: who had it goes on with it, who comes with the
//! old id gets nothing, and a flush follows it.

mod helpers;

use std::sync::Arc;

use axum::http::StatusCode;
use browser::Browser;
use helpers::{
    Gate, MANY, Moment, Watched, assert_no_cookie, assert_removed, cookie_of, during, garage,
    get_with_cookie, id_of, load, minutes_ago, post_with_cookie, set_end, slow_garage, with_a_mini,
};
use sessions::{Id, MemoryStore, SessionLayer, Store};
use tokio::sync::Barrier;

type Shelf = Watched<MemoryStore>;

/// A visitor with a mini, and their session's id.
async fn scene() -> (Browser, Id, Gate, Shelf) {
    let (gate, store) = (Gate::default(), Shelf::default());
    let app = slow_garage(store.clone(), &gate, &Arc::new(Barrier::new(MANY)));
    let (visitor, id) = with_a_mini(app).await;
    store.take_calls();
    (visitor, id, gate, store)
}

/// The keys that a browser sees which comes with this id.
async fn keys_under(store: &Shelf, id: Id) -> Vec<String> {
    let session = SessionLayer::new(store.clone()).session(Some(id));
    session.load().await.expect("the store answers");
    session.keys()
}

#[tokio::test]
async fn two_double_clicked_sign_ins_both_succeed() {
    let (mut visitor, old, gate, store) = scene().await;

    let page = during(&mut visitor, &gate, "/slow/sign-in", async |tab| {
        assert_eq!(tab.post("/sign-in", &[]).await.status(), StatusCode::OK);
    })
    .await;

    assert_eq!(page.status(), StatusCode::OK, "{}", page.body());
    assert_no_cookie(&page, "the first one has moved it");
    assert_ne!(id_of(&visitor), old);
    assert_eq!(keys_under(&store, id_of(&visitor)).await, ["my_car", "user"]);
    assert!(keys_under(&store, old).await.is_empty());
}

#[tokio::test]
async fn of_two_sign_ins_that_meet_in_the_store_both_succeed() {
    for moment in [Moment::Before, Moment::After] {
        let (mut visitor, old, _, store) = scene().await;
        // The first one has stored its new record, and comes too late with the note.
        let gate = store.hold(moment, "create");

        let page = during(&mut visitor, &gate, "/sign-in", async |tab| {
            assert_eq!(tab.post("/sign-in", &[]).await.status(), StatusCode::OK);
        })
        .await;

        assert_eq!(page.status(), StatusCode::OK, "{}", page.body());
        assert_no_cookie(&page, "the other one has moved it");
        assert_eq!(keys_under(&store, id_of(&visitor)).await, ["my_car", "user"]);
        assert!(keys_under(&store, old).await.is_empty());
        assert!(store.take_calls().contains(&"delete"), "its own new record is not left");
    }
}

#[tokio::test]
async fn a_session_that_moved_twice_is_followed_twice() {
    let (mut visitor, _, gate, store) = scene().await;

    let page = during(&mut visitor, &gate, "/slow/colour", async |tab| {
        tab.post("/cycle", &[]).await;
        tab.post("/cycle", &[]).await;
    })
    .await;

    assert_eq!(page.status(), StatusCode::OK);
    assert_no_cookie(&page, "the cookie is the other requests' to send");
    assert_eq!(keys_under(&store, id_of(&visitor)).await, ["colour", "my_car"]);
}

#[tokio::test]
async fn a_request_that_comes_with_the_old_id_gets_nothing() {
    let (mut visitor, old, _, store) = scene().await;
    let cookie = cookie_of(&visitor);
    visitor.post("/sign-in", &[]).await;
    let new = id_of(&visitor);

    let mut attacker = visitor.private_window();
    let page = get_with_cookie(&mut attacker, "/", &cookie).await;
    assert_eq!(page.body(), "no car");
    assert_removed(page, "it is no session's any more");
    let page = post_with_cookie(&mut attacker, "/car", &cookie, "my_car=beetle").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert_ne!(id_of(&attacker), old);
    assert_ne!(id_of(&attacker), new);

    assert_eq!(keys_under(&store, new).await, ["my_car", "user"]);
    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn the_note_under_the_old_id_does_not_show_the_new_one_and_goes_after_a_minute() {
    let (mut visitor, old, _, store) = scene().await;
    visitor.post("/sign-in", &[]).await;
    let new = id_of(&visitor);

    let note = load(&store, &old).await.expect("a note");
    let text = format!("{:?}", note.data);
    for form in [new.to_string(), new.0.to_string(), old.to_string(), old.0.to_string()] {
        assert!(!text.contains(&form), "{text}");
    }
    let a_minute = time::OffsetDateTime::now_utc() + time::Duration::MINUTE;
    assert!(note.expiry_date <= a_minute, "{}", note.expiry_date);

    set_end(&store, &old, minutes_ago(1)).await;
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 1);
    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn a_sign_out_during_a_sign_in_holds_whichever_comes_first() {
    // The sign-in waits in the store, and the sign-out comes with the old id.
    for (moment, call) in [
        (Moment::Before, "create"),
        (Moment::After, "create"),
        (Moment::Before, "swap"),
        (Moment::After, "swap"),
    ] {
        let (mut visitor, old, _, store) = scene().await;
        let gate = store.hold(moment, call);

        let page = during(&mut visitor, &gate, "/sign-in", async |tab| {
            assert_eq!(tab.post("/sign-out", &[]).await.status(), StatusCode::OK);
        })
        .await;

        assert_is_over(&visitor, &store, old, &format!("{moment:?} {call}: {}", page.status()))
            .await;
    }

    // The sign-out has the session, and the sign-in comes.
    for (moment, call) in [(Moment::After, "load"), (Moment::Before, "delete")] {
        let (mut visitor, old, _, store) = scene().await;
        let gate = store.hold(moment, call);
        let mut moved = None;

        let page = during(&mut visitor, &gate, "/sign-out", async |tab| {
            tab.post("/sign-in", &[]).await;
            moved = Some(id_of(tab));
        })
        .await;

        assert_eq!(page.status(), StatusCode::OK);
        let moved = moved.expect("the id after the sign-in");
        assert!(keys_under(&store, moved).await.is_empty(), "{moment:?} {call}");
        assert_is_over(&visitor, &store, old, &format!("{moment:?} {call}")).await;
    }

    // The record is gone, and the sign-out has not heard of it.
    let (mut visitor, old, _, store) = scene().await;
    let gate = store.hold(Moment::After, "delete");
    during(&mut visitor, &gate, "/sign-out", async |tab| {
        tab.post("/sign-in", &[]).await;
    })
    .await;
    assert_is_over(&visitor, &store, old, "after the deletion").await;
}

/// Neither the old id nor what is in the browser is a session with the car.
async fn assert_is_over(visitor: &Browser, store: &Shelf, old: Id, when: &str) {
    assert!(keys_under(store, old).await.is_empty(), "{when}");
    if let Some(now) = visitor.cookie("sessionid") {
        let keys = keys_under(store, now.parse().expect("an id")).await;
        assert!(!keys.contains(&"my_car".to_owned()), "{when}: {keys:?}");
    }
}

#[tokio::test]
async fn a_request_that_is_given_up_in_the_middle_of_a_cycle_loses_nothing() {
    for (moment, call, has_moved) in [
        (Moment::Before, "create", false),
        (Moment::After, "create", false),
        (Moment::Before, "swap", false),
        (Moment::After, "swap", true),
    ] {
        let (visitor, old, _, store) = scene().await;
        let before = load(&store, &old).await;
        let gate = store.hold(moment, call);
        let mut tab = visitor.second_tab();
        tokio::select! {
            _ = tab.post("/sign-in", &[]) => panic!("it waits at the gate"),
            () = gate.reached() => {}
        }

        let mut again = Browser::open(garage(store.clone()));
        let page = get_with_cookie(&mut again, "/", &cookie_of(&visitor)).await;
        if has_moved {
            // The visitor has to sign in again; the old id leads to nothing.
            assert_eq!(page.body(), "no car");
            assert!(keys_under(&store, old).await.is_empty());
        } else {
            assert_eq!(page.body(), "mini", "{moment:?} {call}");
            assert_eq!(load(&store, &old).await, before, "{moment:?} {call}");
        }
    }
}

#[tokio::test]
async fn a_cycle_that_the_store_does_not_finish_leaves_the_old_session_as_it_was() {
    for call in ["create", "swap"] {
        let (mut visitor, old, _, store) = scene().await;
        let before = load(&store, &old).await;
        store.fail(&[call]);

        let page = visitor.post("/sign-in", &[]).await;
        assert_eq!(page.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_no_cookie(page, call);

        store.fail(&[]);
        assert_eq!(load(&store, &old).await, before, "{call} failed");
        assert_eq!(visitor.get("/").await.body(), "mini");
        visitor.post("/sign-in", &[]).await;
        assert_eq!(keys_under(&store, id_of(&visitor)).await, ["my_car", "user"]);
    }
}
