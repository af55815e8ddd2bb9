//! What a handler can do with a session: get, insert, remove.

mod helpers;

use std::collections::HashMap;

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use browser::Browser;
use helpers::{garage, id_of, in_a_newcomers_request, load, open};
use serde_json::{Value, json};
use sessions::{Error, Expiry, MemoryStore, Session, SessionLayer};

#[tokio::test]
async fn a_missing_key_is_none_and_its_default_is_not_stored() {
    let mut visitor = open(Router::new().route(
        "/",
        get(async |session: Session| -> Result<String, Error> {
            let car: String = session.get("my_car")?.unwrap_or("mini".to_owned());
            let again: Option<String> = session.get("my_car")?;
            Ok(format!("{car}, {again:?}"))
        }),
    ));

    assert_eq!(visitor.get("/").await.body(), "mini, None");
    assert!(visitor.cookie("sessionid").is_none());
}

#[tokio::test]
async fn a_value_of_another_type_is_an_error_that_names_the_key_and_the_value_stays() {
    let mut visitor = open(
        Router::new()
            .route("/car", post(async |session: Session| session.insert("my_car", "mini")))
            .route(
                "/",
                get(async |session: Session| session.get::<String>("my_car").map(Option::unwrap)),
            )
            .route(
                "/number",
                get(async |session: Session| match session.get::<u32>("my_car") {
                    Err(error @ Error::WrongType { .. }) => error.to_string(),
                    other => panic!("{other:?}"),
                }),
            )
            .route(
                "/careless",
                get(async |session: Session| session.get::<u32>("my_car").map(|_| "a number?")),
            ),
    );
    visitor.post("/car", &[]).await;

    let page = visitor.get("/number").await;
    assert!(page.body().contains("`my_car`"), "{}", page.body());
    assert!(page.set_cookies().is_empty());

    let page = visitor.get("/careless").await;
    assert_eq!(page.status(), 500);
    assert_eq!(page.body(), "", "the cause is for the log");

    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn what_json_cannot_hold_is_an_error_that_names_the_key_and_changes_nothing() {
    async fn park(session: Session) -> String {
        let places = HashMap::from([((1_i32, 2_i32), "mini")]);
        match session.insert("my_car", places) {
            Err(error @ Error::NotStorable { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }
    let store = MemoryStore::default();
    let park = Router::new().route("/park", post(park)).layer(SessionLayer::new(store.clone()));
    let mut visitor = Browser::open(garage(store).merge(park));

    // Nothing was there, so there is nothing to keep.
    let page = visitor.post("/park", &[]).await;
    assert!(page.body().contains("`my_car`"), "{}", page.body());
    assert!(page.set_cookies().is_empty());

    visitor.post("/car", &[("my_car", "mini")]).await;
    let page = visitor.post("/park", &[]).await;
    assert!(page.set_cookies().is_empty(), "unchanged, so not saved");
    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn get_lends_a_copy_that_changes_nothing_until_it_is_put_back() {
    type Car = HashMap<String, String>;
    let mut visitor = open(
        Router::new()
            .route("/car", post(async |session: Session| session.insert("my_car", Car::new())))
            .route(
                "/wheels",
                post(async |session: Session| -> Result<(), Error> {
                    let mut car: Car = session.get("my_car")?.expect("a car");
                    car.insert("wheels".to_owned(), "alloy".to_owned());
                    Ok(())
                }),
            )
            .route(
                "/",
                get(async |session: Session| -> Result<String, Error> {
                    Ok(format!("{:?}", session.get::<Car>("my_car")?))
                }),
            ),
    );
    visitor.post("/car", &[]).await;

    let page = visitor.post("/wheels", &[]).await;

    assert!(page.set_cookies().is_empty());
    assert_eq!(visitor.get("/").await.body(), "Some({})");
}

#[tokio::test]
async fn an_equal_value_counts_as_a_change_and_keeps_the_id() {
    let mut visitor = Browser::open(garage(MemoryStore::default()));
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = visitor.cookie("sessionid");

    let page = visitor.post("/car", &[("my_car", "mini")]).await;

    assert_eq!(page.set_cookies().len(), 1, "the visitor's two weeks begin again");
    assert!(id.is_some());
    assert_eq!(visitor.cookie("sessionid"), id);
}

#[tokio::test]
async fn to_remove_what_is_there_is_a_change_and_returns_it() {
    let mut visitor = Browser::open(garage(MemoryStore::default()));
    visitor.post("/car", &[("my_car", "mini"), ("colour", "red")]).await;
    let id = visitor.cookie("sessionid");

    let page = visitor.post("/forget", &[]).await;

    assert_eq!(page.body(), "\"mini\"");
    assert_eq!(page.set_cookies().len(), 1);
    assert_eq!(visitor.cookie("sessionid"), id);
    assert_eq!(visitor.get("/").await.body(), "no car");
}

#[tokio::test]
async fn to_remove_what_is_not_there_is_no_change() {
    let mut visitor = Browser::open(garage(MemoryStore::default()));

    let page = visitor.post("/forget", &[]).await;
    assert_eq!(page.body(), "no car");
    assert!(page.set_cookies().is_empty());

    visitor.post("/car", &[("colour", "red")]).await;
    let page = visitor.post("/forget", &[]).await;
    assert_eq!(page.body(), "no car");
    assert!(page.set_cookies().is_empty());
}

#[tokio::test]
async fn a_session_emptied_key_by_key_keeps_its_id_and_its_cookie() {
    let mut visitor = Browser::open(garage(MemoryStore::default()));
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = visitor.cookie("sessionid").expect("a session cookie");

    visitor.post("/forget", &[]).await;
    assert_eq!(visitor.cookie("sessionid").as_ref(), Some(&id));

    let page = visitor.get("/").await;
    assert_eq!(page.body(), "no car");
    assert!(page.set_cookies().is_empty());
    assert_eq!(visitor.cookie("sessionid").as_ref(), Some(&id));

    visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.cookie("sessionid").as_ref(), Some(&id));
    assert_eq!(visitor.get("/").await.body(), "beetle");
}

#[tokio::test]
async fn what_is_inserted_and_removed_at_once_leaves_nothing() {
    let mut visitor = open(Router::new().route(
        "/",
        post(async |session: Session| -> Result<String, Error> {
            session.insert("my_car", "mini")?;
            Ok(format!("{:?}", session.remove("my_car")))
        }),
    ));

    let page = visitor.post("/", &[]).await;

    assert_eq!(page.body(), "Some(String(\"mini\"))");
    assert!(page.set_cookies().is_empty());
}

#[tokio::test]
async fn all_that_one_request_asks_for_is_the_same_dictionary() {
    async fn before_and_after(
        session: Session,
        request: Request,
        next: Next,
    ) -> Result<Response, Error> {
        session.insert("seen_by", "the middleware")?;
        let response = next.run(request).await;
        // What the handler wrote shows here, and what is written here is still saved.
        let seen_by: Option<String> = session.get("seen_by")?;
        session
            .insert("seen_by", format!("{}, the middleware again", seen_by.unwrap_or_default()))?;
        Ok(response)
    }
    async fn handler(first: Session, second: Session) -> Result<String, Error> {
        let before: Option<String> = first.get("seen_by")?;
        first.clone().insert("seen_by", "the handler")?;
        let after: Option<String> = second.get("seen_by")?;
        Ok(format!("{before:?} {after:?}"))
    }
    let mut visitor = open(
        Router::new().route("/", get(handler)).layer(middleware::from_fn(before_and_after)).route(
            "/later",
            get(async |session: Session| session.get::<String>("seen_by").map(Option::unwrap)),
        ),
    );

    let page = visitor.get("/").await;

    assert_eq!(page.body(), "Some(\"the middleware\") Some(\"the handler\")");
    assert_eq!(page.set_cookies().len(), 1);
    assert_eq!(visitor.get("/later").await.body(), "the handler, the middleware again");
}

#[tokio::test]
async fn a_route_outside_the_layer_is_a_500_whose_cause_names_the_layer() {
    let handler = get(async |session: Result<Session, Error>| match session {
        Err(error @ Error::NoLayer { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    });
    let app = garage(MemoryStore::default())
        .route("/outside", get(async |_: Session| "a session?"))
        .route("/outside/cause", handler);
    let mut visitor = Browser::open(app);

    // A developer, on this machine, reads what is wrong. Any other visitor does not.
    let page = visitor.get_with("/outside", &[("host", b"localhost:3000")]).await;
    assert_eq!(page.status(), 500);
    assert!(page.body().contains("Put `.layer(…)` after the routes"), "{}", page.body());
    let page = visitor.get_with("/outside", &[("host", b"library.example")]).await;
    assert_eq!(page.status(), 500);
    assert_eq!(page.body(), "", "the cause is for the log");

    let cause = visitor.get("/outside/cause").await.body();
    assert!(cause.contains("SessionLayer"), "{cause}");
}

#[tokio::test]
async fn a_key_that_is_required_and_missing_is_an_error_that_names_it() {
    in_a_newcomers_request(|session| {
        session.insert("my_car", "mini")?;
        assert_eq!(session.require::<String>("my_car")?, "mini");
        let error = session.require::<String>("wheels").expect_err("there are none");
        assert!(matches!(error, Error::Missing { .. }), "{error:?}");
        assert!(error.to_string().contains("`wheels`"), "{error}");
        let error = session.require::<u32>("my_car").expect_err("it is no number");
        assert!(matches!(error, Error::WrongType { .. }), "{error:?}");
        Ok(())
    })
    .await;

    let mut visitor = open(
        Router::new().route("/", get(async |session: Session| session.require::<String>("my_car"))),
    );
    let page = visitor.get("/").await;
    assert_eq!(page.status(), 500);
    assert_eq!(page.body(), "", "the cause is for the log");
}

#[tokio::test]
async fn a_key_is_in_the_session_or_it_is_not() {
    in_a_newcomers_request(|session| {
        session.insert("nothing", ())?;
        assert!(session.contains_key("nothing"), "null is a value");
        assert!(!session.contains_key("my_car"));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_default_is_stored_where_the_key_was_missing_and_only_there() {
    in_a_newcomers_request(|session| {
        assert_eq!(session.get_or_insert("my_car", "mini".to_owned())?, "mini");
        assert_eq!(session.get::<String>("my_car")?.as_deref(), Some("mini"));
        session.set_modified(false);
        assert_eq!(session.get_or_insert("my_car", "beetle".to_owned())?, "mini");
        assert_eq!(session.get::<String>("my_car")?.as_deref(), Some("mini"));
        assert!(!session.is_modified(), "nothing was stored the second time");
        let error = session.get_or_insert("my_car", 4).expect_err("it is no number");
        assert!(matches!(error, Error::WrongType { .. }), "{error:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn several_values_are_stored_or_none_of_them() {
    in_a_newcomers_request(|session| {
        session.extend([("my_car", "mini"), ("colour", "red")])?;
        assert_eq!(session.keys(), ["colour", "my_car"]);
        session.set_modified(false);

        let good = HashMap::from([((), "keys have to be text")]);
        let error = session
            .extend([("wheels", None), ("my_car", None), ("places", Some(good))])
            .expect_err("JSON has no such map");
        assert!(matches!(error, Error::NotStorable { .. }), "{error:?}");
        assert!(error.to_string().contains("`places`"), "{error}");

        let error = session
            .extend([("wheels", "alloy".to_owned()), ("my_car", "a lorry ".repeat(10_000))])
            .expect_err("it is too large");
        assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");

        assert_eq!(session.keys(), ["colour", "my_car"]);
        assert_eq!(session.require::<String>("my_car")?, "mini");
        assert!(!session.is_modified());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn keys_and_values_come_in_alphabetical_order_without_the_frameworks_own() {
    in_a_newcomers_request(|session| {
        session.extend([("wheels", "alloy"), ("colour", "red"), ("my_car", "mini")])?;
        session.set_expiry(Some(Expiry::OnSessionEnd));

        assert_eq!(session.keys(), ["colour", "my_car", "wheels"]);
        assert_eq!(session.values(), ["red", "mini", "alloy"]);
        let entries: Vec<_> =
            session.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        assert_eq!(entries, ["colour: \"red\"", "my_car: \"mini\"", "wheels: \"alloy\""]);
        // What is returned are copies, so the session may change while one looks at them.
        session.iter().for_each(|(key, _)| drop(session.remove(&key)));
        assert!(session.keys().is_empty());
        assert!(session.expires_at_browser_close(), "the choice of expiry is still there");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn to_clear_empties_the_session_keeps_its_id_and_counts_as_a_change() {
    let clear = post(async |session: Session| {
        assert!(!session.is_modified());
        session.clear();
        assert!(session.is_modified() && session.is_accessed());
        assert!(session.keys().is_empty());
        assert!(!session.is_empty(), "it has an id");
        assert!(session.id().is_some());
    });
    let store = MemoryStore::default();
    let clear = Router::new().route("/clear", clear).layer(SessionLayer::new(store.clone()));
    let mut visitor = Browser::open(garage(store.clone()).merge(clear));
    visitor.post("/car", &[("my_car", "mini"), ("colour", "red")]).await;
    let id = id_of(&visitor);

    let page = visitor.post("/clear", &[]).await;

    assert_eq!(page.set_cookies().len(), 1);
    assert_eq!(id_of(&visitor), id);
    let record = load(&store, &id).await.expect("its row stays");
    assert!(record.data.is_empty(), "{:?}", record.data);
    assert_eq!(visitor.get("/").await.body(), "no car");
}

#[tokio::test]
async fn a_session_is_empty_while_it_has_neither_an_id_nor_data() {
    in_a_newcomers_request(|session| {
        assert!(session.is_empty());
        session.insert("my_car", "mini")?;
        assert!(!session.is_empty());
        session.remove("my_car");
        assert!(session.is_empty());
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_session_is_modified_by_what_changes_it_and_accessed_by_any_look() {
    in_a_newcomers_request(|session| {
        assert!(!session.is_modified() && !session.is_accessed());
        session.contains_key("my_car");
        assert!(session.is_accessed());

        session.remove("my_car");
        session.get::<String>("my_car")?;
        assert!(!session.is_modified(), "looking and missing change nothing");

        let changes: [fn(&Session); 6] = [
            |session| session.insert("my_car", "mini").expect("it fits"),
            |session| drop(session.remove("my_car").expect("a car")),
            |session| session.clear(),
            |session| session.set_expiry(None),
            |session| session.set_test_cookie().expect("it fits"),
            |session| session.cycle_id(),
        ];
        for (n, change) in changes.iter().enumerate() {
            session.set_modified(false);
            assert!(!session.is_modified());
            change(&session);
            assert!(session.is_modified(), "by change number {n}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_a_session_holds_and_its_id_stay_out_of_the_log() {
    let debug = get(async |session: Session| format!("{session:?}"));
    let store = MemoryStore::default();
    let debug = Router::new().route("/debug", debug).layer(SessionLayer::new(store.clone()));
    let mut visitor = Browser::open(garage(store).merge(debug));
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = id_of(&visitor);

    let line = visitor.get("/debug").await.body().to_owned();

    assert!(line.contains("Session"), "{line}");
    assert!(!line.contains("mini"), "{line}");
    assert!(!line.contains(&id.to_string()) && !line.contains(&id.0.to_string()), "{line}");
}

#[tokio::test]
async fn keys_of_the_frameworks_own_are_refused_and_invisible() {
    let update = get(async |session: Session| {
        for key in ["_session_expiry", "_session_moved"] {
            let refused = session.update(key, |text: &mut String| text.push('x')).await;
            assert!(matches!(refused, Err(Error::ReservedKey { .. })), "{refused:?}");
        }
    });
    assert_eq!(open(Router::new().route("/", update)).get("/").await.status(), 200);

    in_a_newcomers_request(|session| {
        session.set_expiry(Some(Expiry::OnSessionEnd));
        for key in ["_session_expiry", "_session_moved"] {
            for refused in [
                session.insert(key, "planted"),
                session.extend([("my_car", "mini"), (key, "planted")]),
                session.get_or_insert(key, "planted".to_owned()).map(drop),
            ] {
                let error = refused.expect_err(key);
                assert!(matches!(error, Error::ReservedKey { .. }), "{error:?}");
                assert!(error.to_string().contains(&format!("`{key}`")), "{error}");
            }
            assert_eq!(session.get::<Value>(key)?, None);
            assert!(!session.contains_key(key));
            assert_eq!(session.remove(key), None);
            assert!(session.get_mut(key).is_none());
        }
        assert!(session.keys().is_empty() && session.values().is_empty());
        assert!(session.expires_at_browser_close(), "the choice is still there");
        // Names that only look alike are the visitor's.
        session.insert("_session_expiry2", 1)?;
        session.insert("_auth_user", 1)?;
        assert_eq!(session.keys(), ["_auth_user", "_session_expiry2"]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn null_is_a_value_for_contains_key_and_none_for_all_who_ask_for_one() {
    let update = get(async |session: Session| -> Result<String, Error> {
        session.insert("num_visits", ())?;
        let counted = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
        Ok(counted.to_string())
    });
    assert_eq!(open(Router::new().route("/", update)).get("/").await.body(), "1");

    in_a_newcomers_request(|session| {
        session.insert("my_car", None::<String>)?;
        assert!(session.contains_key("my_car"));
        assert_eq!(session.get::<String>("my_car")?, None);
        assert_eq!(session.get::<Option<String>>("my_car")?, None);
        let error = session.require::<String>("my_car").expect_err("it is null");
        assert!(matches!(error, Error::Missing { .. }), "{error:?}");
        assert_eq!(session.get_or_insert("my_car", "mini".to_owned())?, "mini");
        assert_eq!(session.require::<String>("my_car")?, "mini");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_told_to_forget_its_changes_still_gets_its_new_id() {
    let store = MemoryStore::default();
    let cycle = post(async |session: Session| {
        session.cycle_id();
        session.set_modified(false);
    });
    let cycle = Router::new().route("/cycle", cycle).layer(SessionLayer::new(store.clone()));
    let mut visitor = Browser::open(garage(store).merge(cycle));
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = id_of(&visitor);

    visitor.post("/cycle", &[]).await;

    assert_ne!(id_of(&visitor), id, "otherwise a sign-in would leave the old id good");
    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn an_error_about_a_type_quotes_no_value() {
    in_a_newcomers_request(|session| {
        session.insert("card", "4111 1111 1111 1111")?;
        session.insert("cards", json!([{ "number": "4111 1111 1111 1111" }]))?;
        for error in [
            session.get::<u32>("card").expect_err("it is no number"),
            session.get::<Vec<u32>>("cards").expect_err("these are no numbers"),
        ] {
            let told = error.to_string();
            assert!(!told.contains("4111"), "{told}");
            assert!(told.contains("`card") && told.contains("u32"), "{told}");
        }
        Ok(())
    })
    .await;
}
