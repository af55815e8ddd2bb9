//! Serves chapter 10. Run: `just run chapter-10`

mod lesson;

use std::{
    error::Error, num::NonZeroU32, path::PathBuf, process::ExitCode, sync::Arc, time::Duration,
};

use catalog::Catalog;
use chapter_10::{Attempts, COOKIE, Devices};
use clap::Parser;
use sessions::{Clearing, EncryptionKeys, SessionLayer, SqliteStore, Store};

/// How often expired sessions are cleared.
const CLEARED_EVERY: Duration = Duration::from_secs(60 * 60);

/// How often a password may be tried at once, and after that once in each period.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
const PERIOD: Duration = Duration::from_secs(60);

/// LocalLibrary with readers who sign in, and librarians who may do more.
#[derive(Parser)]
struct Options {
    /// The SQLite file of books, readers and sessions; made and filled at the first start
    #[arg(long, value_name = "FILE", default_value = "library.sqlite")]
    database: PathBuf,
    /// Keep each session in its cookie, encrypted with a key that ends with this server
    #[arg(long)]
    encrypted_cookie: bool,
    #[command(flatten)]
    server: site::ServerOptions,
}

#[tokio::main]
async fn main() -> ExitCode {
    serve(Options::parse()).await.unwrap_or_else(site::exit_with)
}

async fn serve(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let library = Catalog::open(&options.database).await?;
    let devices = Devices::open(&library).await?;
    let store = SqliteStore::open(&options.database).await?;
    let clearing = Clearing::start(store.clone(), CLEARED_EVERY);

    let inspector = options.server.inspector();
    let watched = inspector.clone();
    let sessions = match options.encrypted_cookie {
        true => SessionLayer::encrypted_cookie_builder(EncryptionKeys::generate())
            .cookie_name(COOKIE)
            .build()?,
        false => SessionLayer::builder(store.clone()).cookie_name(COOKIE).build()?,
    };
    let sessions = sessions.map_store(move |store| Arc::new(watched.store(store)));
    let attempts = Attempts::new(AT_ONCE, PERIOD);
    let app = chapter_10::app(library.clone(), devices, attempts, sessions);
    let code = options.server.serve(inspector.watch(app), lesson::lesson()).await;

    clearing.stop().await;
    store.close().await;
    library.close().await;
    Ok(code)
}
