//! Serves chapter 1. Run: `just run chapter-1`

use std::process::ExitCode;

use site::ServerOptions;

#[tokio::main]
async fn main() -> ExitCode {
    let tries = ["reload the page", "curl -i --cookie visits=999999 {address}"];
    ServerOptions::parse_for(env!("CARGO_PKG_DESCRIPTION")).serve(chapter_1::app(), &tries).await
}
