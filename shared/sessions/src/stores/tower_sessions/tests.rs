//! Stores of tower-sessions under our layer's trait, and our stores under tower-sessions' layer.

use std::collections::HashMap;

use axum::{Form, Router, routing::post};
use browser::Browser;
use parking_lot::Mutex;
use time::Duration;
use tokio::{sync::Notify, task::yield_now};
use tower_sessions::{Session, SessionManagerLayer};

use super::*;
use crate::{
    MemoryStore,
    testing::{Expired, check},
};

fn record(car: &str) -> Record {
    Record {
        id: Id::default(),
        data: [("my_car".to_owned(), car.into())].into(),
        expiry_date: OffsetDateTime::now_utc() + Duration::HOUR,
    }
}

fn expired(car: &str) -> Record {
    Record { expiry_date: OffsetDateTime::now_utc() - Duration::MINUTE, ..record(car) }
}

mod one_server {
    use super::*;

    /// The least that tower-sessions asks of a store: no `create`, and no idea of expiry.
    #[derive(Debug, Default)]
    struct Least {
        records: Mutex<HashMap<Id, Record>>,
        /// The id of a record that cannot be read.
        spoilt: Mutex<Option<Id>>,
        /// A save says that it has begun, and waits until it may go on.
        gate: Option<Arc<Gate>>,
    }

    #[derive(Debug, Default)]
    struct Gate {
        reached: Notify,
        opened: Notify,
    }

    #[async_trait]
    impl SessionStore for Least {
        async fn save(&self, record: &Record) -> Result<()> {
            if let Some(gate) = &self.gate {
                gate.reached.notify_one();
                gate.opened.notified().await;
            }
            self.records.lock().insert(record.id, record.clone());
            Ok(())
        }

        async fn load(&self, id: &Id) -> Result<Option<Record>> {
            // As over a network: others get their turn while this one waits.
            yield_now().await;
            match *self.spoilt.lock() == Some(*id) {
                true => Err(Error::Decode("it is not JSON".to_owned())),
                false => Ok(self.records.lock().get(id).cloned()),
            }
        }

        async fn delete(&self, id: &Id) -> Result<()> {
            self.records.lock().remove(id);
            self.spoilt.lock().take_if(|spoilt| spoilt == id);
            Ok(())
        }
    }

    #[tokio::test]
    async fn it_meets_every_requirement_over_tower_sessions_own_store() {
        let open = async || OneServer::new(tower_sessions::MemoryStore::default());
        check(open, Expired::Stay).await;
    }

    #[tokio::test]
    async fn it_meets_every_requirement_over_a_store_that_does_the_least() {
        check(async || OneServer::new(Least::default()), Expired::Stay).await;
    }

    #[tokio::test]
    async fn what_cannot_be_read_keeps_its_id_until_it_is_deleted() {
        let (store, record) = (OneServer::new(Least::default()), record("mini"));
        *store.store.spoilt.lock() = Some(record.id);

        assert!(matches!(store.load(&record.id).await, Err(Error::Decode(_))));
        assert_eq!(store.create(&record).await.expect("an answer"), Outcome::IdTaken);
        let refused = store.compare_and_swap(Version(1), &record).await;
        assert!(matches!(refused, Err(Error::Decode(_))), "{refused:?}");
        assert!(matches!(store.delete(&record.id).await, Err(Error::Decode(_))));

        assert_eq!(store.load(&record.id).await.expect("an answer"), None);
        let created = store.create(&record).await.expect("an answer");
        assert!(matches!(created, Outcome::Stored(_)), "{created:?}");
    }

    #[tokio::test]
    async fn an_id_that_the_store_would_exchange_is_taken() {
        let theirs = tower_sessions::MemoryStore::default();
        let old = expired("mini");
        theirs.save(&old).await.expect("memory does not fail");
        let store = OneServer::new(theirs);

        let new = Record { id: old.id, ..record("beetle") };
        assert_eq!(store.create(&new).await.expect("an answer"), Outcome::IdTaken);
    }

    #[tokio::test]
    async fn a_write_waits_for_the_end_of_one_whose_request_was_given_up() {
        let gate = Arc::new(Gate::default());
        let store = OneServer::new(Least { gate: Some(gate.clone()), ..Least::default() });
        let old = record("mini");
        store.store.records.lock().insert(old.id, old.clone());
        let (_, seen) = store.load(&old.id).await.expect("an answer").expect("a record");
        let write = |car: &str| {
            let (store, new) = (store.clone(), Record { id: old.id, ..record(car) });
            tokio::spawn(async move { store.compare_and_swap(seen, &new).await })
        };

        let given_up = write("beetle");
        gate.reached.notified().await;
        given_up.abort();
        assert!(given_up.await.expect_err("given up").is_cancelled());
        let second = write("rover");
        gate.opened.notify_one();

        let outcome = second.await.expect("no panic").expect("an answer");
        assert_eq!(outcome, Outcome::Conflict, "it sees what the first one has stored");
        let (found, _) = store.load(&old.id).await.expect("an answer").expect("a record");
        assert_eq!(found.data["my_car"], "beetle");
    }

    /// The clock is paused: it moves once all tasks wait for it.
    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_answer_is_an_error_and_holds_up_no_request_for_ever() {
        let gate = Arc::new(Gate::default());
        let store = OneServer::new(Least { gate: Some(gate.clone()), ..Least::default() });
        let record = record("mini");
        for _ in 0..2 {
            let refused = store.create(&record).await.expect_err("it does not answer");
            assert_eq!(refused.to_string(), "no answer within 3 seconds");
        }
        gate.opened.notify_one();
        let created = store.create(&record).await.expect("it answers again");
        assert!(matches!(created, Outcome::Stored(_)), "{created:?}");
    }

    #[tokio::test]
    async fn it_says_that_it_cannot_clear() {
        let store = OneServer::new(tower_sessions::MemoryStore::default());
        let refused = store.clear_expired(1).await.expect_err("it cannot");
        assert!(refused.to_string().contains("cannot clear its expired sessions"), "{refused}");
    }

    #[tokio::test]
    async fn a_log_of_the_bridge_shows_no_session() {
        let store = OneServer::new(Least::default());
        let created = store.create(&record("mini")).await.expect("an answer");
        assert!(matches!(created, Outcome::Stored(_)), "{created:?}");
        assert_eq!(format!("{store:?}"), "OneServer { .. }");
    }
}

mod for_tower_sessions {
    use super::*;

    /// One of our stores, and the same for tower-sessions.
    fn both() -> (MemoryStore, ForTowerSessions<MemoryStore>) {
        let store = MemoryStore::default();
        (store.clone(), ForTowerSessions::new(store))
    }

    async fn load(store: &impl SessionStore, id: &Id) -> Option<Record> {
        store.load(id).await.expect("memory does not fail")
    }

    #[tokio::test]
    async fn a_new_record_is_stored() {
        let (ours, theirs) = both();
        let mut record = record("mini");
        theirs.create(&mut record).await.expect("it is stored");
        assert_eq!(load(&theirs, &record.id).await, Some(record.clone()));
        let found = Store::load(&ours, &record.id).await.expect("memory does not fail");
        assert_eq!(found, Some((record, Version(1))));
    }

    #[tokio::test]
    async fn a_new_record_whose_id_is_taken_gets_another_id() {
        let (_, theirs) = both();
        let (mut first, mut second) = (record("mini"), record("beetle"));
        second.id = first.id;
        theirs.create(&mut first).await.expect("it is stored");
        theirs.create(&mut second).await.expect("it is stored");
        assert_ne!(second.id, first.id);
        assert_eq!(load(&theirs, &first.id).await, Some(first));
        assert_eq!(load(&theirs, &second.id).await, Some(second));
    }

    #[tokio::test]
    async fn a_save_takes_the_place_of_whatever_is_there() {
        for old in [None, Some(record("mini")), Some(expired("mini"))] {
            let (ours, theirs) = both();
            let id = old.as_ref().map_or_else(Id::default, |old| old.id);
            if let Some(old) = &old {
                let created = Store::create(&ours, old).await.expect("memory does not fail");
                assert_eq!(created, Outcome::Stored(Version(1)));
            }
            for car in ["beetle", "rover"] {
                let new = Record { id, ..record(car) };
                theirs.save(&new).await.expect("it is saved");
                assert_eq!(load(&theirs, &id).await, Some(new), "over {old:?}");
            }
        }
    }

    #[tokio::test]
    async fn a_deleted_record_is_gone_and_may_be_deleted_again() {
        let (_, theirs) = both();
        let mut record = record("mini");
        theirs.create(&mut record).await.expect("it is stored");
        for _ in 0..2 {
            theirs.delete(&record.id).await.expect("it is deleted");
            assert_eq!(load(&theirs, &record.id).await, None);
        }
    }

    #[tokio::test]
    async fn the_id_that_a_session_has_moved_away_from_is_unknown() {
        let (ours, theirs) = both();
        let (old, new) = (record("mini"), record("mini"));
        for record in [&moved::note(&old.id, &new.id), &new] {
            let created = Store::create(&ours, record).await.expect("memory does not fail");
            assert_eq!(created, Outcome::Stored(Version(1)));
        }
        assert_eq!(load(&theirs, &old.id).await, None);
        assert_eq!(load(&theirs, &new.id).await, Some(new));
    }

    /// A store whose record cannot be read, and maybe not deleted either.
    #[derive(Debug, Default)]
    struct Spoilt {
        cannot_delete: bool,
        records: MemoryStore,
        is_deleted: Mutex<bool>,
    }

    #[async_trait]
    impl Store for Spoilt {
        async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
            if !*self.is_deleted.lock() {
                return Err(Error::Decode("it is not JSON".to_owned()));
            }
            Store::load(&self.records, id).await
        }

        async fn create(&self, record: &Record) -> Result<Outcome> {
            Store::create(&self.records, record).await
        }

        async fn compare_and_swap(&self, _: Version, _: &Record) -> Result<Outcome> {
            unreachable!("its version is unknown")
        }

        async fn delete(&self, _: &Id) -> Result<Option<Record>> {
            if self.cannot_delete {
                return Err(Error::Backend("the disk is full".to_owned()));
            }
            *self.is_deleted.lock() = true;
            Err(Error::Decode("it is not JSON".to_owned()))
        }
    }

    #[tokio::test]
    async fn a_record_that_cannot_be_read_can_be_saved_over_and_deleted() {
        let (store, record) = (ForTowerSessions::new(Spoilt::default()), record("mini"));
        assert!(matches!(SessionStore::load(&store, &record.id).await, Err(Error::Decode(_))));
        store.save(&record).await.expect("it is saved");
        assert_eq!(load(&store, &record.id).await, Some(record.clone()));

        let store = ForTowerSessions::new(Spoilt::default());
        store.delete(&record.id).await.expect("it is deleted");
        assert_eq!(load(&store, &record.id).await, None);
    }

    #[tokio::test]
    async fn a_save_that_finds_no_way_ends_with_the_stores_error() {
        let spoilt = Spoilt { cannot_delete: true, ..Spoilt::default() };
        let refused = ForTowerSessions::new(spoilt).save(&record("mini")).await;
        assert!(matches!(refused, Err(Error::Backend(_))), "{refused:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn saves_that_come_at_once_are_all_stored_one_after_the_other() {
        let (ours, theirs) = both();
        let first = record("mini");
        let mut saves = tokio::task::JoinSet::new();
        for n in 0..8 {
            let (theirs, new) = (theirs.clone(), Record { id: first.id, ..record(&n.to_string()) });
            saves.spawn(async move { theirs.save(&new).await.expect("it is saved") });
        }
        saves.join_all().await;
        let (_, version) =
            Store::load(&ours, &first.id).await.expect("an answer").expect("a record");
        assert_eq!(version, Version(8));
    }

    /// tower-sessions' own layer over one of our stores.
    fn garage(store: impl Store + Clone) -> Router {
        let show = async |session: Session| {
            let my_car: Option<String> = session.get("my_car").await.expect("a text");
            my_car.unwrap_or("no car".to_owned())
        };
        let set = async |session: Session, Form(form): Form<HashMap<String, String>>| {
            session.insert("my_car", &form["my_car"]).await.expect("a text is JSON");
        };
        let cycle =
            async |session: Session| session.cycle_id().await.expect("memory does not fail");
        let flush = async |session: Session| session.flush().await.expect("memory does not fail");
        Router::new()
            .route("/car", post(set).get(show))
            .route("/cycle", post(cycle))
            .route("/sign-out", post(flush))
            .layer(SessionManagerLayer::new(ForTowerSessions::new(store)).with_secure(false))
    }

    #[tokio::test]
    async fn a_visitor_of_tower_sessions_own_layer_keeps_their_car_until_they_sign_out() {
        let store = MemoryStore::default();
        let mut visitor = Browser::open(garage(store.clone()));
        for my_car in ["mini", "beetle"] {
            visitor.post("/car", &[("my_car", my_car)]).await;
            assert_eq!(visitor.get("/car").await.body(), my_car);
        }
        let first = visitor.cookie("id").expect("a session cookie").parse().expect("an id");

        visitor.post("/cycle", &[]).await;
        assert_eq!(visitor.get("/car").await.body(), "beetle");
        let second = visitor.cookie("id").expect("a session cookie").parse().expect("an id");
        assert_eq!(Store::load(&store, &first).await.expect("memory does not fail"), None);

        // It goes in the middle of the visit, as by the clearing.
        Store::delete(&store, &second).await.expect("memory does not fail");
        visitor.post("/car", &[("my_car", "rover")]).await;
        assert_eq!(visitor.get("/car").await.body(), "rover");

        visitor.post("/sign-out", &[]).await;
        assert_eq!(visitor.cookie("id"), None);
        assert_eq!(visitor.get("/car").await.body(), "no car");
    }
}
