//! Serves chapter 4. Run: `just run chapter-4`

use std::{error::Error, path::PathBuf, process::ExitCode};

use axum::Router;
use catalog::Catalog;
use clap::Parser;
use sessions::SqliteStore;

/// LocalLibrary's home page, with a visit counter that survives a restart.
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
    let options = Options::parse();
    let tries = ["reload the page, restart the server, reload", "open a private window"];
    match open(&options.database).await {
        Ok(app) => options.server.serve(app, &tries).await,
        Err(problem) => site::exit_with(problem),
    }
}

async fn open(database: &PathBuf) -> Result<Router, Box<dyn Error>> {
    let library = Catalog::open(database).await?;
    let store = SqliteStore::open(database).await?;
    Ok(chapter_4::app(library, store))
}
