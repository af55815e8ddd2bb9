//! A small site that can be watched.
//!
//! Run: `cargo run -p inspector --features sessions --example watched`
//! Try: open http://127.0.0.1:3000 twice, then http://127.0.0.1:3000/inspector

use std::{error::Error, net::SocketAddr};

use axum::{Router, routing::get};
use inspector::Inspector;
use sessions::{MemoryStore, Session, SessionLayer};
use tokio::net::TcpListener;
use tracing_subscriber::{fmt, prelude::*, registry};

async fn count(session: Session) -> Result<String, sessions::Error> {
    let num_visits = session.get("num_visits")?.unwrap_or(0) + 1;
    session.insert("num_visits", num_visits)?;
    Ok(format!("Visits: {num_visits}"))
}

/// The two lines are those with `inspector` in them.
fn app() -> Router {
    let inspector = Inspector::new();
    let sessions = SessionLayer::new(inspector.store(MemoryStore::default()));
    inspector.watch(Router::new().route("/", get(count)).layer(sessions))
}

/// What the libraries log, for you and for the inspector.
fn log() {
    registry().with(fmt::layer()).with(inspector::events()).init();
}

/// The inspector has to know who asks.
async fn serve(listener: TcpListener) -> std::io::Result<()> {
    axum::serve(listener, app().into_make_service_with_connect_info::<SocketAddr>()).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    log();
    Ok(serve(TcpListener::bind("127.0.0.1:3000").await?).await?)
}
