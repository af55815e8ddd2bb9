//! One request, two clones of its session: a write that is on its way while the other clone
//! flushes. The store holds the write at a gate, so that each test has one order of events.

mod helpers;

use helpers::{Gate, Moment, Watched, load, record, set_end, stored};
use sessions::{Error, Id, MemoryStore, Session, SessionLayer, Store};

/// A session with a mini, loaded, and the store that it is in.
async fn with_a_car() -> (Session, Watched, Id) {
    let store = Watched::<MemoryStore>::default();
    let (record, _) = stored(&store, "mini").await;
    let session = SessionLayer::new(store.clone()).session(Some(record.id));
    session.load().await.expect("the store answers");
    assert_eq!(session.id(), Some(record.id));
    (session, store, record.id)
}

/// Flushes a clone while the write waits at the gate, and begins a new session there.
async fn flush_during<T>(
    session: &Session,
    gate: Gate,
    write: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let clone = session.clone();
    let (written, ()) = tokio::join!(write, async {
        gate.reached().await;
        clone.flush().await.expect("the store answers");
        clone.insert("my_car", "a loan car").expect("it fits");
        gate.open();
    });
    written
}

/// The old session is gone, and the new one holds what was stored after the flush, and no more.
async fn assert_holds(session: &Session, store: &Watched, old: Id) {
    assert_eq!(load(store, &old).await, None, "the old session is gone");
    assert_eq!(session.keys(), ["my_car"]);
    let new = session.save().await.expect("the new session is stored");
    assert_ne!(new, old);
    let data = load(store, &new).await.expect("the new session").data;
    assert_eq!(data, [("my_car".to_owned(), "a loan car".into())].into());
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 0, "and no note is left");
}

async fn count(session: &Session) -> Result<u64, Error> {
    session.update("num_visits", |visits: &mut u64| *visits += 1).await
}

#[track_caller]
fn assert_interrupted<T: std::fmt::Debug>(written: Result<T, Error>) {
    assert!(matches!(written, Err(Error::Interrupted)), "{written:?}");
}

#[tokio::test]
async fn a_flush_before_an_update_reaches_the_store_holds() {
    let (session, store, id) = with_a_car().await;
    let gate = store.hold(Moment::Before, "swap");
    assert_interrupted(flush_during(&session, gate, count(&session)).await);
    assert_holds(&session, &store, id).await;
}

#[tokio::test]
async fn a_flush_before_an_update_hears_that_it_is_stored_holds() {
    let (session, store, id) = with_a_car().await;
    let gate = store.hold(Moment::After, "swap");
    assert_interrupted(flush_during(&session, gate, count(&session)).await);
    assert_holds(&session, &store, id).await;
}

#[tokio::test]
async fn a_flush_while_an_update_loads_again_after_a_conflict_holds() {
    let (session, store, id) = with_a_car().await;
    set_end(&store, &id, record("another request's").expiry_date).await;
    let gate = store.hold(Moment::After, "load");
    assert_interrupted(flush_during(&session, gate, count(&session)).await);
    assert_holds(&session, &store, id).await;
}

#[tokio::test]
async fn a_flush_while_a_change_is_being_saved_holds() {
    for (moment, call) in [(Moment::Before, "swap"), (Moment::After, "swap")] {
        let (session, store, id) = with_a_car().await;
        session.insert("colour", "red").expect("it fits");
        let gate = store.hold(moment, call);
        assert_interrupted(flush_during(&session, gate, session.save()).await);
        assert_holds(&session, &store, id).await;
    }
}

#[tokio::test]
async fn a_flush_while_the_session_moves_holds() {
    for (moment, call) in [
        (Moment::Before, "create"),
        (Moment::After, "create"),
        (Moment::Before, "swap"),
        (Moment::After, "swap"),
    ] {
        let (session, store, id) = with_a_car().await;
        session.cycle_id();
        let gate = store.hold(moment, call);
        assert_interrupted(flush_during(&session, gate, session.save()).await);
        assert_holds(&session, &store, id).await;
    }
}

#[tokio::test]
async fn a_flush_while_a_new_session_is_being_stored_leaves_none_of_it() {
    for moment in [Moment::Before, Moment::After] {
        let store = Watched::<MemoryStore>::default();
        let session = SessionLayer::new(store.clone()).session(None);
        session.load().await.expect("the store answers");
        session.insert("user", "toad").expect("it fits");
        let gate = store.hold(moment, "create");

        assert_interrupted(flush_during(&session, gate, session.save()).await);

        assert_eq!(store.take_calls(), ["create", "delete"], "it is deleted again");
        assert_eq!(session.keys(), ["my_car"]);
    }
}

#[tokio::test]
async fn what_a_clone_inserts_while_a_save_is_on_its_way_waits_for_the_next() {
    let (session, store, _) = with_a_car().await;
    session.insert("colour", "red").expect("it fits");
    let gate = store.hold(Moment::Before, "swap");

    let (saved, ()) = tokio::join!(session.save(), async {
        gate.reached().await;
        session.clone().insert("wheels", "alloy").expect("it fits");
        gate.open();
    });
    let id = saved.expect("it is saved");
    assert!(session.is_modified(), "the wheels are not stored yet");
    session.save().await.expect("it is saved");

    let data = load(&store, &id).await.expect("a record").data;
    assert_eq!((&data["colour"], &data["wheels"]), (&"red".into(), &"alloy".into()));
}

#[tokio::test]
async fn what_a_clone_inserts_while_an_update_is_on_its_way_is_the_last_word() {
    let (session, store, _) = with_a_car().await;
    let gate = store.hold(Moment::Before, "swap");

    let (updated, ()) =
        tokio::join!(session.update("my_car", |car: &mut String| car.push('!')), async {
            gate.reached().await;
            session.clone().insert("my_car", "beetle").expect("it fits");
            gate.open();
        });
    assert_eq!(updated.expect("it is updated"), "mini!");
    let id = session.save().await.expect("it is saved");

    assert_eq!(load(&store, &id).await.expect("a record").data["my_car"], "beetle");
}
