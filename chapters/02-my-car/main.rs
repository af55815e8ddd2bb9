//! Serves chapter 2. Run: `just run chapter-2`

mod lesson;

use std::process::ExitCode;

use site::ServerOptions;
use tower_sessions::MemoryStore;

#[tokio::main]
async fn main() -> ExitCode {
    let options = ServerOptions::parse_for(env!("CARGO_PKG_DESCRIPTION"));
    let inspector = options.inspector();
    let app = inspector.watch(chapter_2::app(inspector.store(MemoryStore::default())));
    options.serve(app, lesson::lesson()).await
}
