//! Serves chapter 3. Run: `just run chapter-3`

mod lesson;

use std::process::ExitCode;

use clap::Parser;
use tower_sessions::MemoryStore;

/// A change inside a value, and the modified flag that saves it.
#[derive(Parser)]
struct Options {
    /// Save the session after every request, changed or not
    #[arg(long)]
    save_every_request: bool,
    #[command(flatten)]
    server: site::ServerOptions,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let inspector = options.server.inspector();
    let store = inspector.store(MemoryStore::default());
    let app = inspector.watch(chapter_3::app(store, options.save_every_request));
    options.server.serve(app, lesson::lesson()).await
}
