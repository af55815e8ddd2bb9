//! What an encrypted cookie cannot promise, so that the documentation can point at it.

use axum::http::StatusCode;
use sessions::{Error, SessionLayer};

use crate::{
    helpers::{Gate, gate::during, the_cookie},
    site::*,
};

#[tokio::test]
async fn a_copied_cookie_is_good_after_the_sign_out() {
    let mut visitor = with_a_car().await;
    let copy = value(&visitor);

    visitor.post("/sign-out", &[]).await;

    assert_eq!(visitor.get("/").await.body(), "no car");
    assert_eq!(car_in(&visitor, &copy).await, "mini");

    // A browser that has it can also renew it.
    post_with(&mut visitor, "/car", &copy, "colour=red").await;
    assert_eq!(the_cookie(visitor.page()).max_age(), Some(TWO_WEEKS));
}

#[tokio::test]
async fn a_request_that_was_still_running_undoes_the_sign_out() {
    let gate = Gate::default();
    let mut visitor = slow_garage(SessionLayer::encrypted_cookie(keys("a")), &gate);
    visitor.post("/car", &[("my_car", "mini")]).await;

    let late = during(&mut visitor, &gate, "/slow/car", async |visitor| {
        visitor.post("/sign-out", &[]).await;
        assert_eq!(visitor.cookie("sessionid"), None);
    });
    assert_eq!(late.await.status(), StatusCode::OK);

    assert_eq!(visitor.get("/").await.body(), "a late car");
}

#[tokio::test]
async fn a_slow_response_sets_the_browser_back_to_the_id_from_before_a_cycle() {
    let gate = Gate::default();
    let mut visitor = slow_garage(SessionLayer::encrypted_cookie(keys("a")), &gate);
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = visitor.get("/id").await.body().to_owned();

    during(&mut visitor, &gate, "/slow/car", async |visitor| {
        visitor.post("/cycle", &[]).await;
        assert_ne!(visitor.get("/id").await.body(), id);
    })
    .await;

    assert_eq!(visitor.get("/id").await.body(), id);
}

#[tokio::test]
async fn of_two_requests_at_once_one_is_lost() {
    let gate = Gate::default();
    let mut visitor = slow_garage(SessionLayer::encrypted_cookie(keys("a")), &gate);
    visitor.post("/count", &[]).await;

    let late = during(&mut visitor, &gate, "/slow/count", async |visitor| {
        assert_eq!(visitor.post("/count", &[]).await.body(), "2");
        assert_eq!(visitor.post("/count", &[]).await.body(), "3");
    });
    assert_eq!(late.await.body(), "2", "it counts on from what its own cookie says");
    assert_eq!(visitor.post("/count", &[]).await.body(), "3", "two visits are lost");

    // Different keys are no help.
    during(&mut visitor, &gate, "/slow/wheels", async |visitor| {
        visitor.post("/car", &[("colour", "red")]).await;
    })
    .await;
    assert_eq!(visitor.get("/keys").await.body(), "num_visits wheels");
}

#[tokio::test]
async fn a_visitor_can_go_back_to_an_older_copy() {
    let mut visitor = with_a_car().await;
    visitor.post("/car", &[("voucher", "free wash")]).await;
    let copy = value(&visitor);
    visitor.post("/clear", &[]).await;
    assert_eq!(visitor.get("/keys").await.body(), "");

    visitor.edit_cookie("sessionid", &copy);

    assert_eq!(visitor.get("/keys").await.body(), "my_car voucher");
}

#[tokio::test]
async fn after_the_response_and_without_one_nothing_can_be_stored_and_that_is_an_error() {
    let session = SessionLayer::encrypted_cookie(keys("a")).session(None);
    session.load().await.expect("there is no store to fail");
    let refused = session.insert("my_car", "mini");
    assert!(matches!(refused, Err(Error::ResponseSent)), "{refused:?}");
    let refused = session.save().await;
    assert!(matches!(refused, Err(Error::ResponseSent)), "{refused:?}");
    let refused = session.update("num_visits", |visits: &mut u64| *visits += 1).await;
    assert!(matches!(refused, Err(Error::ResponseSent)), "{refused:?}");
    let refused = session.flush().await;
    assert!(matches!(refused, Err(Error::ResponseSent)), "{refused:?}");
}
