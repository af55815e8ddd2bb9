//! Serves chapter 11, and the site that attacks it. Run: `just run chapter-11`

mod lesson;

use std::{io, net::Ipv4Addr, process::ExitCode, time::Duration};

use chapter_11::{Defence, attacker};
use clap::{Parser, ValueEnum};
use sessions::{Clearing, MemoryStore, SameSite};
use tokio::net::TcpListener;

/// How often expired sessions are cleared.
const CLEARED_EVERY: Duration = Duration::from_secs(60 * 60);

/// A page of another site posts with your cookie; then it cannot.
#[derive(Parser)]
struct Options {
    /// What the session cookie says in SameSite
    #[arg(long, value_enum, default_value_t = CookieSameSite::Lax)]
    same_site: CookieSameSite,
    /// What else protects the forms
    #[arg(long, value_enum, default_value_t = Defence::None)]
    defence: Defence,
    #[command(flatten)]
    server: site::ServerOptions,
}

#[derive(Clone, Copy, ValueEnum)]
enum CookieSameSite {
    /// SameSite=None
    None,
    /// SameSite=Lax
    Lax,
    /// SameSite=Strict
    Strict,
    /// No SameSite at all
    Unset,
}

#[tokio::main]
async fn main() -> ExitCode {
    serve(Options::parse()).await.unwrap_or_else(|code| code)
}

async fn serve(options: Options) -> Result<ExitCode, ExitCode> {
    let same_site = match options.same_site {
        CookieSameSite::None => Some(SameSite::None),
        CookieSameSite::Lax => Some(SameSite::Lax),
        CookieSameSite::Strict => Some(SameSite::Strict),
        CookieSameSite::Unset => None,
    };
    let inspector = options.server.inspector();
    let library = options.server.listen().await?;
    let other_site = listen_next_to(library.port()).await.map_err(site::exit_with)?;
    let port = other_site.local_addr().map_err(site::exit_with)?.port();
    tokio::spawn(axum::serve(other_site, attacker::app(library.port())).into_future());

    let store = MemoryStore::default();
    let clearing = Clearing::start(store.clone(), CLEARED_EVERY);
    let another_site = format!("http://localhost:{port} is another site");
    let subdomain = format!(
        "http://evil.library.localhost:{port} is of the same site as \
         http://library.localhost:{}, where you sign in once more",
        library.port()
    );
    let lesson = lesson::lesson().also(another_site).also(subdomain);
    let app = chapter_11::app(inspector.store(store), same_site, options.defence);
    let code = library.serve(inspector.watch(app), lesson).await;
    clearing.stop().await;
    Ok(code)
}

/// The other site takes the next port; if that is taken, any free one.
async fn listen_next_to(port: u16) -> io::Result<TcpListener> {
    let next = port.checked_add(1).unwrap_or(0);
    match TcpListener::bind((Ipv4Addr::LOCALHOST, next)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
    }
}
