//! Serves chapter 7. Run: `just run chapter-7 --store memory`

mod lesson;

use std::{env, error::Error, path::PathBuf, process::ExitCode, sync::Arc};

use catalog::Catalog;
use chapter_7::StoreUrl;
use clap::Parser;

/// The visit counter, with its sessions in the store that you choose.
#[derive(Parser)]
struct Options {
    /// Keep sessions in: memory, sqlite:FILE, postgres://…, redis://…, file:FOLDER or cookie:, and
    /// with cached+ in front of any but cookie: also in this server's memory
    // A name and a password in a URL are secret. The list of processes shows arguments, so there is
    // a variable; and --help does not show what it holds.
    #[arg(
        long,
        value_name = "STORE",
        env = "SESSION_STORE",
        hide_env_values = true,
        default_value = "sqlite:library.sqlite"
    )]
    store: String,
    /// The SQLite file of the books; made and filled at the first start
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
    let url: StoreUrl = options.store.parse()?;
    let keys = env::var_os("SESSION_KEYS");
    let keys = keys.as_deref().map(|keys| keys.to_string_lossy());
    let library = Catalog::open(&options.database).await?;
    let sessions = chapter_7::open(&url, keys.as_deref()).await?;

    let inspector = options.server.inspector();
    let watched = inspector.clone();
    let layer = sessions.layer.clone().map_store(move |store| Arc::new(watched.store(store)));
    let app = chapter_7::app(library.clone(), &url, layer);
    let code = options.server.serve(inspector.watch(app), lesson::lesson()).await;

    sessions.close().await;
    library.close().await;
    Ok(code)
}
