//! Serves chapter 6, or clears its store. Run: `just run chapter-6`

mod lesson;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::{Parser, Subcommand};
use sessions::{Clearing, SqliteStore, Store};

/// Sessions that end as their visitors choose, and a store that is cleared of those that have.
#[derive(Parser)]
struct Options {
    /// The SQLite file of the sessions; the server makes it at the first start
    #[arg(long, value_name = "FILE", default_value = "sessions.sqlite", global = true)]
    database: PathBuf,
    /// Save the session after every request, changed or not
    #[arg(long)]
    save_every_request: bool,
    #[command(flatten)]
    server: site::ServerOptions,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Remove the expired sessions from the store, say how many, and end
    ClearExpired,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.command {
        Some(Command::ClearExpired) => clear_expired(&options.database).await,
        None => serve(options).await,
    };
    done.unwrap_or_else(site::exit_with)
}

async fn serve(options: Options) -> Result<ExitCode, String> {
    let store = open(&options.database).await?;
    let clearing = Clearing::start(store.clone(), Duration::from_secs(60));

    let inspector = options.server.inspector();
    let app = chapter_6::app(inspector.store(store.clone()), options.save_every_request);
    let code = options.server.serve(inspector.watch(app), lesson::lesson()).await;

    clearing.stop().await;
    store.close().await;
    Ok(code)
}

async fn clear_expired(database: &Path) -> Result<ExitCode, String> {
    // Opening would make the file: then a slip in its name would look like success.
    if !database.exists() {
        return Err(format!("there is no file {}; --database names another", database.display()));
    }
    let store = open(database).await?;
    let cleared = sessions::clear_expired(&store).await.map_err(|error| error.to_string())?;
    store.close().await;
    println!("Expired sessions removed: {cleared}");
    Ok(ExitCode::SUCCESS)
}

async fn open(database: &Path) -> Result<SqliteStore, String> {
    SqliteStore::open(database).await.map_err(|error| error.to_string())
}
