//! A value on loan: what a handler changes inside it, and when that is kept.

mod helpers;

use axum::{
    Router,
    routing::{get, post},
};
use browser::Browser;
use helpers::{fresh_file, garage, in_a_newcomers_request, open, open_sqlite};
use serde_json::{Value, json};
use sessions::{Error, Session, SessionLayer};

/// A car with wheels, which `change` gets on loan.
async fn wheels_after(change: fn(&Session)) -> String {
    let mut visitor = open(
        Router::new()
            .route(
                "/car",
                post(async |session: Session| {
                    session.insert("my_car", json!({ "wheels": "steel" }))
                }),
            )
            .route("/wheels", post(async move |session: Session| change(&session)))
            .route(
                "/",
                get(async |session: Session| -> Result<String, Error> {
                    Ok(session.require::<Value>("my_car")?["wheels"].to_string())
                }),
            ),
    );
    visitor.post("/car", &[]).await;
    assert_eq!(visitor.post("/wheels", &[]).await.status(), 200);
    visitor.get("/").await.body().to_owned()
}

#[tokio::test]
async fn a_nested_change_is_lost_unless_the_session_is_told() {
    let wheels = wheels_after(|session| {
        session.get_mut("my_car").expect("a car")["wheels"] = "alloy".into();
        let car: Value = session.require("my_car").expect("a car");
        assert_eq!(car["wheels"], "alloy", "in this request it shows");
        assert!(!session.is_modified());
    });
    assert_eq!(wheels.await, "\"steel\"");

    let wheels = wheels_after(|session| {
        session.get_mut("my_car").expect("a car")["wheels"] = "alloy".into();
        session.set_modified(true);
    });
    assert_eq!(wheels.await, "\"alloy\"");
}

#[tokio::test]
async fn a_change_that_the_session_is_told_to_forget_is_not_saved() {
    let wheels = wheels_after(|session| {
        session.insert("my_car", json!({ "wheels": "alloy" })).expect("it fits");
        session.set_modified(false);
    });
    assert_eq!(wheels.await, "\"steel\"");

    let mut newcomer = open(Router::new().route(
        "/",
        post(async |session: Session| -> Result<(), Error> {
            session.insert("my_car", "mini")?;
            session.set_modified(false);
            Ok(())
        }),
    ));
    let page = newcomer.post("/", &[]).await;
    assert_eq!(page.status(), 200);
    assert!(page.set_cookies().is_empty(), "a newcomer's neither");
}

#[tokio::test]
async fn a_loan_that_was_only_read_does_not_undo_what_is_stored_meanwhile() {
    let wheels = wheels_after(|session| {
        let loan = session.get_mut("my_car").expect("a car");
        session.insert("my_car", json!({ "wheels": "alloy" })).expect("it fits");
        assert_eq!(loan["wheels"], "steel");
    });
    assert_eq!(wheels.await, "\"alloy\"");
}

#[tokio::test]
async fn a_nested_change_of_what_cannot_be_read_back_is_refused_and_the_rest_is_kept() {
    let (_folder, file) = fresh_file();
    let store = open_sqlite(&file).await;
    let nest = post(async |session: Session| {
        *session.get_mut("my_car").expect("a car") =
            (0..150).fold(Value::Null, |inner, _| json!([inner]));
        session.set_modified(true);
    });
    let nest = Router::new().route("/nest", nest).layer(SessionLayer::new(store.clone()));
    let mut visitor = Browser::open(garage(store).merge(nest));
    visitor.post("/car", &[("my_car", "mini")]).await;

    assert_eq!(visitor.post("/nest", &[]).await.status(), 500);

    assert_eq!(visitor.get("/").await.body(), "mini");
}

#[tokio::test]
async fn two_loans_of_one_value_are_merged_field_by_field() {
    in_a_newcomers_request(|session| {
        session.insert(
            "my_car",
            json!({ "wheels": "steel", "colour": "red", "radio": {"on": false, "station": 1}, "dent": 1 }),
        )?;
        let mut first = session.get_mut("my_car").expect("a car");
        let mut second = session.get_mut("my_car").expect("a car");
        first["wheels"] = "alloy".into();
        first["radio"]["on"] = true.into();
        first["owner"] = "toad".into();
        first.as_object_mut().expect("an object").remove("dent");
        second["colour"] = "green".into();
        second["radio"]["station"] = 2.into();
        second["seats"] = 4.into();
        drop(second);
        drop(first);

        assert_eq!(
            session.require::<Value>("my_car")?,
            json!({
                "wheels": "alloy", "colour": "green", "radio": {"on": true, "station": 2},
                "owner": "toad", "seats": 4,
            })
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn of_two_loans_that_change_one_field_the_one_that_is_dropped_last_wins() {
    in_a_newcomers_request(|session| {
        session.insert("my_car", json!({ "wheels": "steel", "parts": [1, 2] }))?;
        let mut first = session.get_mut("my_car").expect("a car");
        let mut second = session.get_mut("my_car").expect("a car");
        first["wheels"] = "alloy".into();
        first["parts"] = json!([1]);
        second["wheels"] = "wood".into();
        second["parts"] = json!([1, 2, 3]);
        drop(second);
        drop(first);
        assert_eq!(session.require::<Value>("my_car")?, json!({ "wheels": "alloy", "parts": [1] }));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_loan_and_an_update_of_one_value_are_both_kept() {
    let wheels = wheels_after(|session| {
        let mut loan = session.get_mut("my_car").expect("a car");
        loan["colour"] = "red".into();
        session.insert("my_car", json!({ "wheels": "alloy" })).expect("it fits");
        drop(loan);
        let car: Value = session.require("my_car").expect("a car");
        assert_eq!(car, json!({ "wheels": "alloy", "colour": "red" }));
    });
    assert_eq!(wheels.await, "\"alloy\"");
}

#[tokio::test]
async fn a_loan_brings_nothing_back_that_was_removed_meanwhile() {
    in_a_newcomers_request(|session| {
        session.insert("my_car", "mini")?;
        let mut loan = session.get_mut("my_car").expect("a car");
        *loan = "beetle".into();
        session.remove("my_car");
        drop(loan);
        assert!(!session.contains_key("my_car"));
        Ok(())
    })
    .await;
}
