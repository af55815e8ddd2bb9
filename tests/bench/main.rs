//! How many visits a second, and what each of them costs.
//!
//! Run: `just bench`, with the big tables `just bench --million`, and over chapter 7's stores
//! `just bench --store memory --store sqlite:library.sqlite`
//! Read: docs/measurements.md
//!
//! This program starts itself again as the server, one process a cell, so that the memory and the
//! processor time it shows are the server's alone. The clients stay here. Both talk over
//! 127.0.0.1 and nothing else.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::Parser;
use tempfile::TempDir;

use clients::{Cookies, Load, Measured};
use process::Server;
use server::App;
use table::Table;

mod big_table;
mod clients;
mod plain_store;
mod process;
mod server;
mod table;

/// Measures chapter 4's page with several stores for its sessions
#[derive(Debug, Parser)]
struct Options {
    /// Measure each cell for this long, after a warm-up of a quarter of it
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// How many clients at once, each on a connection and with a cookie of its own
    #[arg(long, default_value = "1,8,64", value_delimiter = ',')]
    clients: Vec<usize>,
    /// Measure a cell again, up to so many times, if other programs took a tenth of a core or more
    #[arg(long, default_value_t = 1)]
    tries: usize,
    /// Measure only this row; may be given several times
    #[arg(long, value_name = "ROW")]
    only: Vec<App>,
    /// Measure chapter 7 with this store instead; may be given several times
    #[arg(long, value_name = "STORE")]
    store: Vec<String>,
    /// Measure a table of a million sessions too, and clearing it; takes some minutes
    #[arg(long)]
    million: bool,
    /// How many sessions the big table holds
    #[arg(long, default_value_t = 1_000_000, hide = true)]
    big: u64,
    /// Put the databases here; choose a real disk [default: next to this program]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Be the server: how this program starts itself again
    #[arg(long, hide = true)]
    serve: Option<App>,
    /// The same, for chapter 7
    #[arg(long, hide = true)]
    serve_store: Option<String>,
}

fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(app) = options.serve {
        let folder = options.folder.context("--serve needs a --folder")?;
        return server::serve(app, &folder);
    }
    if let Some(url) = options.serve_store {
        return server::serve_store(&url);
    }
    let parent = match &options.folder {
        Some(folder) => folder.clone(),
        None => std::env::current_exe()?.parent().context("a program has a folder")?.to_owned(),
    };
    let bench = Bench {
        time: Duration::from_secs_f64(options.seconds),
        tries: options.tries,
        folder: tempfile::Builder::new().prefix("bench-").tempdir_in(parent.canonicalize()?)?,
    };
    describe_machine(bench.folder.path())?;

    let chosen = |app: &App| options.only.is_empty() || options.only.contains(app);
    for &clients in &options.clients {
        println!("\n{}, each with a connection and a cookie of its own", counted(clients));
        let mut table = Table::start();
        if options.store.is_empty() {
            for app in App::ALL.into_iter().filter(chosen) {
                table.add(app.title(), Some(app), bench.cell(app, clients)?);
            }
        } else {
            table.add("no session", Some(App::NoSession), bench.cell(App::NoSession, clients)?);
            for url in &options.store {
                // What follows the colon may be a password.
                let name = url.split(':').next().unwrap_or_default();
                table.add(name, None, bench.cell_of_store(url, clients)?);
            }
        }
    }
    if options.store.is_empty() {
        println!("\n1 client, and a new session with so many values in each request");
        let mut table = Table::start();
        for app in App::KEYS.into_iter().filter(chosen) {
            table.add(app.title(), Some(app), bench.cell(app, 1)?);
        }
    }
    if options.million {
        big_table::measure(&bench, options.big, *options.clients.iter().max().unwrap_or(&64))?;
    }
    Ok(())
}

fn counted(clients: usize) -> String {
    format!("{clients} client{}", if clients == 1 { "" } else { "s" })
}

struct Bench {
    time: Duration,
    tries: usize,
    folder: TempDir,
}

impl Bench {
    /// A row of the table, on a new database.
    fn cell(&self, app: App, clients: usize) -> Result<Measured> {
        let folder = TempDir::new_in(&self.folder)?;
        let server = Server::start_app(app, folder.path())?;
        let cookies = match app {
            App::New => Cookies::None,
            App::Read => Cookies::Stored { sessions: server::READABLE, own: true },
            _ => Cookies::Kept,
        };
        self.measure(&self.load(&server, clients, cookies))
    }

    /// A row of chapter 7.
    fn cell_of_store(&self, url: &str, clients: usize) -> Result<Measured> {
        let folder = TempDir::new_in(&self.folder)?;
        let server = Server::start(&["--serve-store", url], folder.path())?;
        let cookies = if url == "cookie:" { Cookies::Renewed } else { Cookies::Kept };
        self.measure(&self.load(&server, clients, cookies))
    }

    /// The least disturbed of the tries.
    fn measure(&self, load: &Load) -> Result<Measured> {
        let mut best = load.measure(self.time)?;
        for _ in 1..self.tries {
            if best.others_busy() < 0.1 {
                break;
            }
            let next = load.measure(self.time)?;
            if next.others_busy() < best.others_busy() {
                best = next;
            }
        }
        Ok(best)
    }

    fn load<'a>(&self, server: &'a Server, clients: usize, cookies: Cookies) -> Load<'a> {
        Load { server, clients, cookies, warm_up: self.time / 4 }
    }
}

/// The numbers depend on the disk more than on anything else, so the disk is measured too.
fn describe_machine(folder: &Path) -> Result<()> {
    let cores = std::thread::available_parallelism()?;
    println!("{cores} processor cores, shared by the server and the clients");
    println!("databases in {} ({})", folder.display(), process::file_system(folder));
    println!("ratio: to the page without a session; plain: to the plain store");
    println!("clients, others: percent of one core, taken by the clients and by other programs");
    println!("append 4 KiB and fdatasync there: {} µs (median)", sync_cost(folder)?.as_micros());
    Ok(())
}

fn sync_cost(folder: &Path) -> io::Result<Duration> {
    let mut file = tempfile::tempfile_in(folder)?;
    let mut costs = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        costs.push(start.elapsed());
    }
    costs.sort();
    Ok(costs[costs.len() / 2])
}
