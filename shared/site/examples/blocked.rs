//! A server with threads that are blocked for good, which ends all the same.
//!
//! Run: `cargo run -p site --example blocked`
//! Try: open one of its addresses, then press Ctrl-C, and count to five.

use std::{
    io::{self, Write},
    process::ExitCode,
    sync::{Arc, Barrier},
    thread,
};

use axum::{Router, routing::get};
use site::{Parser, ServerOptions};
use tokio::{runtime::Handle, task};

#[tokio::main]
async fn main() -> ExitCode {
    let app = Router::new()
        .route("/", get(async || "Welcome"))
        .route("/one", get(block_one))
        .route("/all", get(block_all));
    let code = ServerOptions::parse().serve(app, None).await;
    eprintln!("The server has put everything in order.");
    code
}

/// As a handler does that waits for a file which another program has locked.
async fn block_one() {
    let blocked = task::spawn_blocking(|| for_good("one")).await;
    blocked.expect("it does not panic");
}

/// As handlers do that compute, or wait, without an await.
async fn block_all() {
    let workers = Handle::current().metrics().num_workers();
    let all = Arc::new(Barrier::new(workers));
    for _ in 0..workers {
        let all = all.clone();
        tokio::spawn(async move {
            let name = if all.wait().is_leader() { "all" } else { "" };
            for_good(name);
        });
    }
}

fn for_good(name: &str) {
    let _ = writeln!(io::stdout(), "blocked: {name}");
    loop {
        thread::park();
    }
}
