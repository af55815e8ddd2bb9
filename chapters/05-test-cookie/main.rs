//! Serves chapter 5. Run: `just run chapter-5`

use std::process::ExitCode;

use sessions::MemoryStore;
use site::{Parser, ServerOptions};

#[tokio::main]
async fn main() -> ExitCode {
    let app = chapter_5::app(MemoryStore::default());
    let tries = [
        "curl --location {address}/counter",
        "curl --location --cookie-jar jar --cookie jar {address}/counter",
    ];
    ServerOptions::parse().serve(app, &tries).await
}
