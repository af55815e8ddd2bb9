//! The pages that are measured, and the process that serves them.

use std::{
    io::{self, BufRead, Write},
    path::Path,
    time::Instant,
};

use anyhow::Result;
use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use catalog::{Catalog, Counts};
use chapter_7::StoreUrl;
use clap::ValueEnum;
use sessions::{MemoryStore, Session, SessionLayer, SqliteStore, Store};
use tokio::net::TcpListener;
use tower_sessions::{Expiry, SessionManagerLayer};

use crate::{
    big_table,
    plain_store::{PlainStore, Synchronous},
};

/// So many sessions are stored before the read-only visits begin.
pub const READABLE: u64 = 64;

const NUM_VISITS: &str = "num_visits";

/// What is served: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum App {
    /// Chapter 4's page, with a constant for the number of visits
    NoSession,
    /// Chapter 4 on the memory store
    Memory,
    /// Chapter 4 on the SQLite store
    Durable,
    /// Chapter 4's page on tower-sessions' layer and a store that upserts through a pool
    Plain,
    /// The same, with synchronous=NORMAL: a power cut may lose acknowledged visits
    PlainNormal,
    /// Chapter 4 on the SQLite store, with requests that bring no cookie
    New,
    /// Chapter 4's page on the SQLite store, showing the count and not changing it
    Read,
    /// A new session with 100 keys, inserted one by one, in memory
    Keys100,
    /// The same with 1,000 keys
    Keys1000,
    /// The same with 4,000 keys
    Keys4000,
}

impl App {
    pub const ALL: [App; 7] = [
        App::NoSession,
        App::Memory,
        App::Durable,
        App::Plain,
        App::PlainNormal,
        App::New,
        App::Read,
    ];

    /// Measured by themselves, with one client: what one request costs.
    pub const KEYS: [App; 3] = [App::Keys100, App::Keys1000, App::Keys4000];

    pub fn title(self) -> &'static str {
        match self {
            App::NoSession => "no session",
            App::Memory => "memory store",
            App::Durable => "SQLite store",
            App::Plain => "plain store",
            App::PlainNormal => "plain store, NORMAL",
            App::New => "SQLite, new visitors",
            App::Read => "SQLite, only reading",
            App::Keys100 => "100 inserts",
            App::Keys1000 => "1,000 inserts",
            App::Keys4000 => "4,000 inserts",
        }
    }
}

/// Serves on a free port, prints its number, and ends with the standard input. A line on the
/// standard input clears the expired sessions; the answer is how many, and after how long.
#[tokio::main]
pub async fn serve(app: App, folder: &Path) -> Result<()> {
    let database = folder.join("library.sqlite");
    let library = Catalog::open(&database).await?;
    let sqlite = SqliteStore::open(&database).await?;
    let routes = match app {
        App::NoSession => {
            site::with_look(Router::new().route("/", get(show_constant)).with_state(library))
        }
        App::Memory => chapter_4::app(library, MemoryStore::default()),
        App::Durable | App::New => chapter_4::app(library, sqlite.clone()),
        App::Plain => plain(library, PlainStore::open(&database, Synchronous::Full).await?),
        App::PlainNormal => plain(library, PlainStore::open(&database, Synchronous::Normal).await?),
        App::Keys100 => keys(100),
        App::Keys1000 => keys(1000),
        App::Keys4000 => keys(4000),
        App::Read => {
            for number in 0..READABLE {
                let _ = sqlite.create(&big_table::record(number)).await?;
            }
            site::with_look(
                Router::new()
                    .route("/", get(show_stored))
                    .with_state(library)
                    .layer(chapter_4_cookie(sqlite.clone())),
            )
        }
    };
    let listener = listen().await?;

    let runtime = tokio::runtime::Handle::current();
    let commands = std::thread::spawn(move || {
        for _line in io::stdin().lock().lines() {
            let start = Instant::now();
            let cleared = runtime.block_on(sessions::clear_expired(&sqlite))?;
            say(format!("{cleared} {}", start.elapsed().as_millis()))?;
        }
        anyhow::Ok(())
    });
    let ended = tokio::task::spawn_blocking(|| commands.join().expect("no panic"));
    tokio::select! {
        served = axum::serve(listener, routes) => Ok(served?),
        ended = ended => ended?,
    }
}

/// Chapter 7 in the current folder, until the standard input ends.
#[tokio::main]
pub async fn serve_store(url: &str) -> Result<()> {
    let url: StoreUrl = url.parse()?;
    let library = Catalog::open("library.sqlite").await?;
    let keys = std::env::var("SESSION_KEYS").ok();
    // The clearing runs while the variable lives.
    let sessions = chapter_7::open(&url, keys.as_deref()).await?;
    let routes = chapter_7::app(library, &url, sessions.layer.clone());
    let ended = tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink()));
    tokio::select! {
        served = axum::serve(listen().await?, routes) => Ok(served?),
        ended = ended => Ok(ended?.map(drop)?),
    }
}

/// On a free port, whose number it prints.
async fn listen() -> Result<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    say(listener.local_addr()?.port())?;
    Ok(listener)
}

fn say(line: impl std::fmt::Display) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}

/// Chapter 4's template, with the same fields.
#[derive(Template, WebTemplate)]
#[template(path = "home.html", config = "bench/askama.toml")]
struct Home {
    counts: Counts,
    num_visits: u64,
}

async fn show_constant(State(library): State<Catalog>) -> Result<Home, Problem> {
    Ok(Home { counts: library.counts().await?, num_visits: 3 })
}

async fn show_stored(session: Session, State(library): State<Catalog>) -> Result<Home, Problem> {
    let counts = library.counts().await?;
    let num_visits = session.get(NUM_VISITS)?.unwrap_or(0);
    Ok(Home { counts, num_visits })
}

/// With the cookie's name of chapter 4, which the clients bring.
fn chapter_4_cookie(store: SqliteStore) -> SessionLayer {
    let layer = SessionLayer::builder(store).cookie_name("chapter4").build();
    layer.expect("a cookie may have this name")
}

/// A page that stores so many values, each with an `insert` of its own.
fn keys(number: u32) -> Router {
    let insert_all = async move |session: Session| -> Result<&'static str, sessions::Error> {
        for key in 0..number {
            session.insert(&format!("k{key}"), key)?;
        }
        Ok("stored")
    };
    Router::new().route("/", get(insert_all)).layer(SessionLayer::new(MemoryStore::default()))
}

/// tower-sessions as its own documentation shows it.
fn plain(library: Catalog, store: PlainStore) -> Router {
    let sessions = SessionManagerLayer::new(store)
        .with_secure(false)
        .with_expiry(Expiry::OnInactivity(time::Duration::weeks(2)));
    let routes = Router::new().route("/", get(show_plain)).with_state(library).layer(sessions);
    site::with_look(routes)
}

async fn show_plain(
    session: tower_sessions::Session,
    State(library): State<Catalog>,
) -> Result<Home, Problem> {
    let counts = library.counts().await?;
    let num_visits = session.get(NUM_VISITS).await?.unwrap_or(0) + 1;
    session.insert(NUM_VISITS, num_visits).await?;
    Ok(Home { counts, num_visits })
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Session(#[from] sessions::Error),
    #[error(transparent)]
    PlainSession(#[from] tower_sessions::session::Error),
    #[error(transparent)]
    Library(#[from] catalog::Error),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        site::server_error(self)
    }
}
