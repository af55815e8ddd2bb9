//! One visit counter, and seven places to keep its sessions: an argument chooses.
//!
//! Run: `just run chapter-7 --store memory`
//! Try: restart the server and reload, with one place and with another.

use std::time::Duration;

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use catalog::{Catalog, Counts};
use sessions::{
    AnyStore, Cached, Clearing, FileStore, MemoryStore, PostgresStore, RedisStore, SealingKeys,
    Session, SessionLayer, SqliteStore,
};

mod place;

use place::Kind;
pub use place::Place;

const NUM_VISITS: &str = "num_visits";

/// How long a server with `cached+` may show what another server has changed.
const CACHED_FOR: Duration = Duration::from_secs(10);

/// How often expired sessions are cleared where they do not go by themselves.
const CLEARED_EVERY: Duration = Duration::from_secs(60);

/// The whole chapter: a page that says where its sessions are, and which server it comes from.
pub fn app(library: Catalog, place: &Place, sessions: SessionLayer) -> Router {
    let routes = Router::new()
        .route("/", get(show_home))
        .with_state(Server { library, place: place.to_string() })
        .layer(sessions);
    site::with_look(routes)
}

async fn show_home(session: Session, State(server): State<Server>) -> Result<Home, Problem> {
    let counts = server.library.counts().await?;

    // Another server may count this visitor in the same moment. `get` and `insert` would lose one
    // of the two visits; `update` loses none. Chapter 9 shows both.
    let num_visits = session.update(NUM_VISITS, |visits: &mut u64| *visits += 1).await?;

    Ok(Home { counts, num_visits, place: server.place, process: std::process::id() })
}

/// Opens the place, and starts to clear it where expired sessions do not go by themselves.
///
/// `keys` are for `cookie:`, the newest first; without any it makes one and warns.
///
/// # Errors
///
/// [`Unusable`], where sessions cannot be kept there.
pub async fn open(
    place: &Place,
    keys: Option<&str>,
) -> Result<(SessionLayer, Option<Clearing>), Unusable> {
    let opened = match &place.kind {
        Kind::Memory => Ok(AnyStore::new(MemoryStore::default())),
        Kind::Sqlite(file) => SqliteStore::open(file).await.map(AnyStore::new),
        Kind::Postgres(url) => PostgresStore::open(url.as_str()).await.map(AnyStore::new),
        Kind::Redis(url) => RedisStore::open(url.as_str()).await.map(AnyStore::new),
        Kind::File(folder) => FileStore::open(folder).await.map(AnyStore::new),
        Kind::Cookie => return Ok((SessionLayer::sealed(sealing_keys(keys)?), None)),
    };
    let store = opened.map_err(|why| match &place.kind {
        Kind::Sqlite(_) => Unusable(format!(
            "cannot keep sessions in {place} ({why}): choose another file, in a folder that has \
             room and where you may write"
        )),
        // The others say themselves what was tried, and what to do.
        _ => Unusable(why.to_string()),
    })?;
    let store = match place.cached {
        true => AnyStore::new(Cached::new(store, CACHED_FOR)),
        false => store,
    };
    // Memory cannot tell what has expired, and Redis has forgotten it.
    let keeps_expired = matches!(place.kind, Kind::Sqlite(_) | Kind::Postgres(_) | Kind::File(_));
    let clearing = keeps_expired.then(|| Clearing::start(store.clone(), CLEARED_EVERY));
    Ok((SessionLayer::new(store), clearing))
}

fn sealing_keys(keys: Option<&str>) -> Result<SealingKeys, Unusable> {
    if let Some(keys) = keys {
        return keys.parse().map_err(|why| Unusable(format!("SESSION_KEYS: {why}")));
    }
    eprintln!(
        "warning: SESSION_KEYS is not set. Sessions are sealed with a new key, and end with this \
         server. Make a key that stays: export SESSION_KEYS=$(openssl rand -hex 32)"
    );
    Ok(SealingKeys::generate())
}

#[derive(Clone)]
struct Server {
    library: Catalog,
    place: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
struct Home {
    counts: Counts,
    num_visits: u64,
    place: String,
    process: u32,
}

/// Why no session can be kept there, in one line for whoever starts the program.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub(crate) String);

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Session(#[from] sessions::Error),
    #[error(transparent)]
    Library(#[from] catalog::Error),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Problem::Session(error) => error.into_response(),
            Problem::Library(error) => site::server_error(error),
        }
    }
}
