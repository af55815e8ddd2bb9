//! Serves chapter 1. Run: `just run chapter-1`

mod lesson;

use std::process::ExitCode;

use site::ServerOptions;

#[tokio::main]
async fn main() -> ExitCode {
    let options = ServerOptions::parse_for(env!("CARGO_PKG_DESCRIPTION"));
    let app = options.inspector().watch(chapter_1::app());
    options.serve(app, lesson::lesson()).await
}
