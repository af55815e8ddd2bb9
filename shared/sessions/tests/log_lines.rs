//! What the framework logs at the level debug: what it does, without ids and values.

mod helpers;

use std::sync::Arc;

use helpers::{
    Gate, MADE_UP, MANY, cookie_of, during, get_with_cookie, id_of, listen, logged, slow_garage,
    with_a_mini,
};
use sessions::{Id, MemoryStore};
use tokio::sync::Barrier;
use tracing::Level;

/// All that was logged, of any level.
fn all() -> Vec<String> {
    let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
    levels.into_iter().flat_map(logged).collect()
}

#[tokio::test]
async fn each_step_of_a_session_is_a_debug_line_without_its_id_and_its_values() {
    let gate = Gate::default();
    let app = slow_garage(MemoryStore::default(), &gate, &Arc::new(Barrier::new(MANY)));
    let mut ids: Vec<Id> = Vec::new();
    listen();

    let (mut visitor, id) = with_a_mini(app).await;
    ids.push(id);
    visitor.get("/").await;
    visitor.post("/count", &[]).await;
    visitor.post("/sign-in", &[]).await;
    ids.push(id_of(&visitor));
    during(&mut visitor, &gate, "/slow/colour", async |tab| {
        tab.post("/cycle", &[]).await;
    })
    .await;
    ids.push(id_of(&visitor));
    let cookie = cookie_of(&visitor);
    visitor.post("/sign-out", &[]).await;
    get_with_cookie(&mut visitor, "/", &cookie).await;
    get_with_cookie(&mut visitor, "/", &format!("sessionid={MADE_UP}; sessionid=garbage")).await;

    let debug = logged(Level::DEBUG);
    for step in [
        "session loaded",
        "no session found",
        "session saved",
        "session updated",
        "session flushed",
        "another request has written the session: merging",
    ] {
        assert!(debug.iter().any(|line| line.contains(step)), "{step}: {debug:?}");
    }
    let secrets = ids.iter().flat_map(|id| [id.to_string(), id.0.to_string()]);
    let values = ["mini", "toad", "red", MADE_UP, "garbage", "my_car"].map(str::to_owned);
    for secret in secrets.chain(values) {
        let shown: Vec<_> = all().into_iter().filter(|line| line.contains(&secret)).collect();
        assert!(shown.is_empty(), "{secret}: {shown:?}");
    }
    assert!(logged(Level::WARN).is_empty() && logged(Level::ERROR).is_empty(), "{:?}", all());
}
