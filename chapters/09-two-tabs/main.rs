//! Serves chapter 9. Run: `just run chapter-9`

mod lesson;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    thread,
    time::Duration,
};

use chapter_9::Pause;
use clap::Parser;
use sessions::{Clearing, SqliteStore, Store, StoreError};
use tokio::sync::Semaphore;

/// How often expired sessions are cleared.
const CLEARED_EVERY: Duration = Duration::from_secs(60 * 60);

/// A lost update, shown, and then none lost.
#[derive(Parser)]
struct Options {
    /// The SQLite file of the sessions; made at the first start
    #[arg(long, value_name = "FILE", default_value = "two-tabs.sqlite")]
    database: PathBuf,
    /// How long the slow actions take
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    slow: u64,
    /// The slow actions take until you press Enter here, however long that is
    #[arg(long, conflicts_with = "slow")]
    until_enter: bool,
    #[command(flatten)]
    server: site::ServerOptions,
}

#[tokio::main]
async fn main() -> ExitCode {
    serve(Options::parse()).await.unwrap_or_else(site::exit_with)
}

async fn serve(options: Options) -> Result<ExitCode, StoreError> {
    let store = SqliteStore::open(&options.database).await?;
    let clearing = Clearing::start(store.clone(), CLEARED_EVERY);

    let pause = if options.until_enter { until_enter() } else { so_long(options.slow) };
    let inspector = options.server.inspector();
    let app = inspector.watch(chapter_9::app(inspector.store(store.clone()), pause));
    let code = options.server.serve(app, lesson::lesson()).await;

    clearing.stop().await;
    store.close().await;
    Ok(code)
}

fn so_long(seconds: u64) -> Pause {
    Arc::new(move || Box::pin(tokio::time::sleep(Duration::from_secs(seconds))))
}

/// Each press of Enter lets one slow action go on.
fn until_enter() -> Pause {
    let presses = Arc::new(Semaphore::new(0));
    let pressed = presses.clone();
    thread::spawn(move || {
        for _ in io::stdin().lines() {
            pressed.add_permits(1);
        }
    });
    Arc::new(move || {
        let presses = presses.clone();
        Box::pin(async move {
            let _ = writeln!(io::stdout(), "A slow action waits. Press Enter to let it go on.");
            presses.acquire().await.expect("the semaphore is never closed").forget();
        })
    })
}
