//! Serves chapter 2. Run: `just run chapter-2`

use std::process::ExitCode;

use site::ServerOptions;

#[tokio::main]
async fn main() -> ExitCode {
    let tries = ["set a car, then open a private window", "curl -i {address}/car"];
    ServerOptions::parse_for(env!("CARGO_PKG_DESCRIPTION")).serve(chapter_2::app(), &tries).await
}
