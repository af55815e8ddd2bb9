//! One visit counter, and seven stores for its sessions: an argument chooses.
//!
//! Run: `just run chapter-7 --store memory`
//! Try: restart the server and reload, with one store and with another.

use std::{sync::Arc, time::Duration};

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
    Cached, Clearing, EncryptionKeys, FileStore, MemoryStore, PostgresStore, RedisStore, Session,
    SessionLayer, SqliteStore, Store, StoreError,
};

use site::IsVisit;

mod store_url;

use store_url::Kind;
pub use store_url::StoreUrl;

const COOKIE: &str = "chapter7";
const NUM_VISITS: &str = "num_visits";

/// How long a server with `cached+` may show what another server has changed.
const CACHED_FOR: Duration = Duration::from_secs(10);

/// How often expired sessions are cleared.
const CLEARED_EVERY: Duration = Duration::from_secs(60);

/// The whole chapter: a page that says where its sessions are, and which server it comes from.
pub fn app(library: Catalog, url: &StoreUrl, sessions: SessionLayer) -> Router {
    let routes = Router::new()
        .route("/", get(show_home))
        .with_state(Server { library, store: url.to_string() })
        .layer(sessions);
    site::with_look(routes)
}

async fn show_home(
    IsVisit(is_visit): IsVisit,
    session: Session,
    State(server): State<Server>,
) -> Result<Home, Problem> {
    let counts = server.library.counts().await?;

    // Another server may count this visitor in the same moment. `get` and `insert` would lose one
    // of the two visits; `update` loses none. Chapter 9 shows both.
    let num_visits = match is_visit {
        true => session.update(NUM_VISITS, |visits: &mut u64| *visits += 1).await?,
        false => session.get(NUM_VISITS)?.unwrap_or(0),
    };

    Ok(Home { counts, num_visits, store: server.store, process: std::process::id() })
}

/// What [`open`] has opened: the layer for [`app`], and the store to close when the server ends.
pub struct Opened {
    /// Keeps its sessions in the store.
    pub layer: SessionLayer,
    /// None for `cookie:`, which has no store.
    store: Option<(Arc<dyn Store>, Clearing)>,
}

impl Opened {
    /// Stops the clearing, and closes the store, so that its file holds everything.
    pub async fn close(self) {
        if let Some((store, clearing)) = self.store {
            clearing.stop().await;
            store.close().await;
        }
    }
}

/// Opens the store, and starts to clear it.
///
/// `keys` are for `cookie:`, the newest first; without any it makes one and warns.
///
/// # Errors
///
/// [`Unusable`], if sessions cannot be kept there.
pub async fn open(url: &StoreUrl, keys: Option<&str>) -> Result<Opened, Unusable> {
    if let Kind::Cookie = url.kind {
        let keys = encryption_keys(keys)?;
        let layer = SessionLayer::encrypted_cookie_builder(keys).cookie_name(COOKIE).build();
        return Ok(Opened { layer: layer.expect("a cookie may have this name"), store: None });
    }
    // The error says what was tried, and what to do.
    let store = open_store(&url.kind).await.map_err(|why| Unusable(why.to_string()))?;
    let store = if url.cached { Arc::new(Cached::new(store, CACHED_FOR)) } else { store };
    let clearing = Clearing::start(store.clone(), CLEARED_EVERY);
    let layer = SessionLayer::builder(store.clone()).cookie_name(COOKIE).build();
    let layer = layer.expect("a cookie may have this name");
    Ok(Opened { layer, store: Some((store, clearing)) })
}

async fn open_store(kind: &Kind) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match kind {
        Kind::Memory | Kind::Cookie => Arc::new(MemoryStore::default()),
        Kind::Sqlite(file) => Arc::new(SqliteStore::open(file).await?),
        Kind::Postgres(url) => Arc::new(PostgresStore::open(url.as_str()).await?),
        Kind::Redis(url) => Arc::new(RedisStore::open(url.as_str()).await?),
        Kind::File(folder) => Arc::new(FileStore::open(folder).await?),
    })
}

fn encryption_keys(keys: Option<&str>) -> Result<EncryptionKeys, Unusable> {
    if let Some(keys) = keys {
        return keys.parse().map_err(|why| Unusable(format!("SESSION_KEYS: {why}")));
    }
    eprintln!(
        "warning: SESSION_KEYS is not set. Sessions are encrypted with a new key, and end with this \
         server. Make a key that stays: export SESSION_KEYS=$(openssl rand -hex 32)"
    );
    Ok(EncryptionKeys::generate())
}

#[derive(Clone)]
struct Server {
    library: Catalog,
    store: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
struct Home {
    counts: Counts,
    num_visits: u64,
    store: String,
    process: u32,
}

/// Why no session can be kept there, in one line for the person who starts the program.
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
            Problem::Library(error) if error.is_temporary() => site::unavailable(error),
            Problem::Library(error) => site::server_error(error),
        }
    }
}
