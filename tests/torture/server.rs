//! Chapter 7's server, which this program is when it has started itself again.

use std::{io, process::ExitCode};

use anyhow::Result;
use catalog::Catalog;
use clap::Parser as _;
use site::ServerOptions;

/// Serves in the current folder until the standard input ends, so that no server outlives the
/// program that has started it, however that one ends.
#[tokio::main]
pub async fn serve(url: &str) -> ExitCode {
    let serving = async {
        match open_and_serve(url).await {
            Ok(code) => code,
            Err(error) => site::exit_with(error),
        }
    };
    let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    tokio::select! {
        code = serving => code,
        _ = ended => ExitCode::SUCCESS,
    }
}

async fn open_and_serve(url: &str) -> Result<ExitCode> {
    #[cfg(unix)]
    survive_file_limits()?;
    let url: chapter_7::StoreUrl = url.parse()?;
    let library = Catalog::open("library.sqlite").await?;
    let keys = std::env::var("SESSION_KEYS").ok();
    // The clearing runs while the variable lives.
    let sessions = chapter_7::open(&url, keys.as_deref()).await?;
    let options = ServerOptions::try_parse_from(["server", "--port", "0"])?;
    Ok(options.serve(chapter_7::app(library, &url, sessions.layer.clone()), None).await)
}

/// A file that grows beyond a limit would end the process. With a handler for the signal, the write
/// fails instead, as on a full disk.
#[cfg(unix)]
fn survive_file_limits() -> io::Result<()> {
    use rustix::process::Signal;
    use tokio::signal::unix::{SignalKind, signal};
    // The handler stays when this value is dropped: tokio never takes one back.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}
