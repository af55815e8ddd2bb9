//! Serves chapter 5. Run: `just run chapter-5`

mod lesson;

use std::{process::ExitCode, time::Duration};

use sessions::{Clearing, MemoryStore};
use site::ServerOptions;

/// How often expired sessions are cleared.
const CLEARED_EVERY: Duration = Duration::from_secs(60 * 60);

#[tokio::main]
async fn main() -> ExitCode {
    let options = ServerOptions::parse_for(env!("CARGO_PKG_DESCRIPTION"));
    let store = MemoryStore::default();
    let clearing = Clearing::start(store.clone(), CLEARED_EVERY);
    let inspector = options.inspector();
    let app = inspector.watch(chapter_5::app(inspector.store(store)));
    let code = options.serve(app, lesson::lesson()).await;
    clearing.stop().await;
    code
}
