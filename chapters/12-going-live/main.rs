//! Serves chapter 12. Run: `just live`, or one server alone: `just run chapter-12`

mod lesson;

use std::{
    env,
    error::Error,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use catalog::Catalog;
use chapter_10::{Attempts, Devices};
use chapter_12::{Metrics, Proxies, Readiness};
use clap::Parser;
use sessions::Store;
use tokio::net::TcpListener;

/// How often a password may be tried at once, and after that once in each period.
const AT_ONCE: NonZeroU32 = NonZeroU32::new(5).expect("not zero");
const PERIOD: Duration = Duration::from_secs(60);

/// Chapter 10's site, as it goes live: over a store that several servers share, behind a proxy.
#[derive(Parser)]
struct Options {
    /// Keep sessions in sqlite:FILE, postgres://…, redis://…, redis-cluster://HOST:PORT,HOST:PORT or,
    /// with keys in SESSION_KEYS, in cookie:
    // The list of processes shows arguments, and a URL may hold a password: hence the variable.
    #[arg(
        long,
        value_name = "STORE",
        env = "SESSION_STORE",
        hide_env_values = true,
        default_value = "sqlite:library.sqlite"
    )]
    store: String,
    /// The SQLite file of books and readers; made and filled at the first start
    #[arg(long, value_name = "FILE", default_value = "library.sqlite")]
    database: PathBuf,
    /// The address of a proxy whose X-Forwarded-For and X-Forwarded-Proto are believed; may be given
    /// several times. With it, the cookie is for https only
    #[arg(long = "behind-proxy", value_name = "ADDRESS")]
    proxies: Vec<IpAddr>,
    /// Serve /metrics for Prometheus on this port of 127.0.0.1
    #[arg(long, value_name = "PORT")]
    metrics_port: Option<u16>,
    /// Once told to stop, go on serving for so many seconds, with 503 at /readyz
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    drain: u64,
    /// Clear expired sessions from the store, and end: for a timer, on one machine only
    #[arg(long)]
    clear_expired: bool,
    #[command(flatten)]
    server: site::ServerOptions,
}

#[tokio::main]
async fn main() -> ExitCode {
    serve(Options::parse()).await.unwrap_or_else(site::exit_with)
}

async fn serve(options: Options) -> Result<ExitCode, Box<dyn Error>> {
    let store = chapter_12::open(&options.store).await?;
    if options.clear_expired {
        return clear_expired(store).await;
    }
    let inspector = options.server.inspector();
    let proxies: Proxies = options.proxies.iter().copied().collect();
    if proxies.are_there() && inspector.is_on() {
        // To the inspector, all visitors of a proxy on this machine seem to be on this machine.
        return Err("behind a proxy, all visitors could open /inspector: say --no-inspector".into());
    }
    // What is for the reader of this repository is not for the visitors of a site.
    let lesson = (!proxies.are_there()).then(lesson::lesson);
    let library = Catalog::open(&options.database).await?;
    let devices = Devices::open(&library).await?;

    let metrics = Metrics::default();
    if let Some(port) = options.metrics_port {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.map_err(|error| format!("--metrics-port {port}: {error}"))?;
        println!("Metrics: {}/metrics", listener.local_addr()?);
        tokio::spawn(axum::serve(listener, metrics.app()).into_future());
    }
    let keys = env::var("SESSION_KEYS").ok();
    let sessions = chapter_12::session_layer(store.clone(), keys.as_deref(), &proxies, &metrics)?;
    let watched = inspector.clone();
    let sessions = sessions.map_store(move |store| Arc::new(watched.store(store)));

    let attempts = Attempts::new(AT_ONCE, PERIOD);
    let readiness = Readiness::of(store.clone());
    let app =
        chapter_12::app(library.clone(), devices, attempts, sessions, proxies, readiness.clone());
    let drain = Duration::from_secs(options.drain);
    let app = inspector.watch(app);
    let code = options.server.serve_and_drain(app, lesson, drain, move || readiness.leave()).await;

    if let Some(store) = store {
        store.close().await;
    }
    library.close().await;
    Ok(code)
}

async fn clear_expired(store: Option<Arc<dyn Store>>) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(store) = store {
        let cleared = sessions::clear_expired(&store).await?;
        println!("{cleared} expired sessions cleared");
        store.close().await;
    }
    Ok(ExitCode::SUCCESS)
}
