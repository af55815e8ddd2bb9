//! Serves chapter 8. Run: `just run chapter-8`

use std::{error::Error, path::PathBuf, process::ExitCode};

use axum::Router;
use catalog::Catalog;
use chapter_8::Notice;
use clap::Parser;
use sessions::SqliteStore;

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
    let options = Options::parse();
    let tries = [
        "ask for 20 books a page, in the dark, at {address}/preferences",
        "forbid cookies for this site, and ask again",
        "dismiss the notice, then change its number in main.rs and start again",
    ];
    match open(&options.database).await {
        Ok(app) => options.server.serve(app, &tries).await,
        Err(problem) => site::exit_with(problem),
    }
}

async fn open(database: &PathBuf) -> Result<Router, Box<dyn Error>> {
    let library = Catalog::open(database).await?;
    let store = SqliteStore::open(database).await?;
    Ok(chapter_8::app(library, store, NOTICE))
}
