//! Counts visits on as many servers as you start, over one PostgreSQL, with the settings of a site
//! behind https, and a task that clears what has expired.
//!
//! Run: `cargo run -p sessions-by-example --features postgres --example several_servers -- 3001`
//! and another one with 3002. The variable `DATABASE_URL` names the database, for example
//! `postgres://postgres@localhost/postgres`.

use std::{env, error::Error};

use axum::{Router, routing::get};
use sessions::{Clearing, PostgresStore, Secure, Session, SessionLayer, Store, time::Duration};
use tokio::{net::TcpListener, signal::ctrl_c};

async fn count(session: Session) -> Result<String, sessions::Error> {
    // Exact, whichever server each request goes to.
    let num_visits = session.update("num_visits", |visits: &mut u64| *visits += 1).await?;
    Ok(format!("You have visited this page {num_visits} times."))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port: u16 = env::args().nth(1).as_deref().unwrap_or("3000").parse()?;
    let store = PostgresStore::open(&env::var("DATABASE_URL")?).await?;
    let clearing = Clearing::start(store.clone(), Duration::HOUR);
    let sessions = SessionLayer::builder(store.clone())
        // A proxy in front of the servers speaks https with the browser.
        .cookie_secure(Secure::Always)
        .cookie_name("__Host-sessionid")
        .build()?;
    let app = Router::new().route("/", get(count)).layer(sessions);

    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let told_to_stop = async { ctrl_c().await.expect("Ctrl-C can be waited for") };
    axum::serve(listener, app).with_graceful_shutdown(told_to_stop).await?;
    clearing.stop().await;
    store.close().await;
    Ok(())
}
