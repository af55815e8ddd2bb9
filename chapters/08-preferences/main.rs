//! Serves chapter 8. Run: `just run chapter-8`

mod lesson;

use std::{error::Error, path::PathBuf, process::ExitCode, time::Duration};

use catalog::Catalog;
use chapter_8::Notice;
use clap::Parser;
use sessions::{Clearing, SqliteStore, Store};

/// How often expired sessions are cleared.
const CLEARED_EVERY: Duration = Duration::from_secs(60 * 60);

/// With another text goes another number, or those who dismissed the old one never see it.
const NOTICE: Notice =
    Notice { number: 1, text: "From 24 December to 1 January the library closes at 2 p.m." };

/// LocalLibrary's catalogue, which remembers how each visitor likes to read it.
#[derive(Parser)]
struct Options {
    /// The SQLite file of books and sessions; made and filled at the first start
    #[arg(long, value_name = "FILE", default_value = "library.sqlite")]
    database: PathBuf,
    #[command(flatten)]
    server: site::ServerOptions,
}

#[tokio::main]
async fn main() -> ExitCode {
    serve(Options::parse()).await.unwrap_or_else(site::exit_with)
}

async fn serve(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let library = Catalog::open(&options.database).await?;
    let store = SqliteStore::open(&options.database).await?;
    let clearing = Clearing::start(store.clone(), CLEARED_EVERY);

    let inspector = options.server.inspector();
    let app = chapter_8::app(library.clone(), inspector.store(store.clone()), NOTICE);
    let code = options.server.serve(inspector.watch(app), lesson::lesson()).await;

    clearing.stop().await;
    store.close().await;
    library.close().await;
    Ok(code)
}
