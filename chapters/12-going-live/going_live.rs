//! Chapter 10's site as it would run in public: two servers behind a proxy, over one store.
//!
//! Run: `just live`, which needs nginx, openssl, and PostgreSQL or Redis
//! Try: sign in, stop one of the two servers, reload, and start it again.

mod metrics;
mod proxy;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CACHE_CONTROL},
    middleware::from_fn_with_state,
    response::IntoResponse,
    routing::get,
};
use catalog::Catalog;
use chapter_10::{Attempts, Devices};
use sessions::{
    EncryptionKeys, Id, PostgresStore, RedisStore, Secure, SessionLayer, SqliteStore, Store,
};

pub use metrics::Metrics;
pub use proxy::Proxies;

/// What the session's cookie is called, on this machine and on the net. A browser takes a name with
/// `__Host-` from this host alone, over https, and for all paths. So no subdomain can plant an id.
pub const COOKIE: &str = "chapter12";
/// See [`COOKIE`].
pub const COOKIE_BEHIND_PROXY: &str = "__Host-chapter12";

/// The whole chapter: chapter 10's site as it is, and around it what a site on the net needs.
pub fn app(
    library: Catalog,
    devices: Devices,
    attempts: Attempts,
    sessions: SessionLayer,
    proxies: Proxies,
    readiness: Readiness,
) -> Router {
    let site = chapter_10::app(library, devices, attempts, sessions)
        // The outermost: all the others see the visitor's address, and not the proxy's.
        .layer(from_fn_with_state(proxies, proxy::read_forwarded));
    // Outside of the site, so a check makes no session, and needs no proxy and no https.
    Router::new()
        .route("/healthz", get(say_that_it_lives))
        .route("/readyz", get(say_if_ready))
        .with_state(readiness)
        .merge(site)
}

/// Is the process alive? If not, restart it. It does not ask the store: a restart would not help a
/// store that is away, and all servers would restart at once.
async fn say_that_it_lives() -> impl IntoResponse {
    ([(CACHE_CONTROL, "no-store")], "alive\n")
}

/// May the proxy send visitors here?
async fn say_if_ready(State(readiness): State<Readiness>) -> impl IntoResponse {
    let (status, words) = match readiness.check().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    };
    (status, [(CACHE_CONTROL, "no-store")], words)
}

/// Whether this server can do its work, and wants more of it. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    /// None for sessions in cookies.
    store: Option<Arc<dyn Store>>,
    is_leaving: Arc<AtomicBool>,
}

impl Readiness {
    /// Ready as long as this store answers.
    pub fn of(store: Option<Arc<dyn Store>>) -> Readiness {
        Readiness { store, is_leaving: Arc::default() }
    }

    /// From now on the answer is no, so that the proxy sends new visitors to another server.
    pub fn leave(&self) {
        self.is_leaving.store(true, Ordering::Relaxed);
    }

    async fn check(&self) -> Result<(), &'static str> {
        if self.is_leaving.load(Ordering::Relaxed) {
            return Err("leaving\n");
        }
        if let Some(store) = &self.store {
            // An id that no visitor has: the store has to look for it, and finds nothing.
            store.load(&Id::default()).await.map_err(|error| {
                tracing::error!(%error, "not ready: the session store failed");
                "the session store does not answer\n"
            })?;
        }
        Ok(())
    }
}

/// Opens the store that the URL names: `sqlite:FILE`, `postgres://…`, `redis://…` or
/// `redis-cluster://…`. There is none for `cookie:`.
///
/// # Errors
///
/// [`Unusable`], if sessions cannot be kept there.
pub async fn open(url: &str) -> Result<Option<Arc<dyn Store>>, Unusable> {
    let unusable = |error: sessions::StoreError| Unusable(error.to_string());
    Ok(match url.split_once(':') {
        Some(("sqlite", file)) => Some(Arc::new(SqliteStore::open(file).await.map_err(unusable)?)),
        Some(("postgres" | "postgresql", _)) => {
            Some(Arc::new(PostgresStore::open(url).await.map_err(unusable)?))
        }
        Some(("redis" | "redis-cluster", _)) => {
            Some(Arc::new(RedisStore::open(url).await.map_err(unusable)?))
        }
        Some(("cookie", "")) => None,
        // Not the URL itself: there may be a password in it.
        _ => {
            let known = "sqlite:FILE, postgres://…, redis://…, redis-cluster://… and cookie:";
            return Err(Unusable(format!("--store: there are {known}")));
        }
    })
}

/// The layer over the store, or over encrypted cookies: with a cookie for the net if there is a
/// proxy, and counted by `metrics`.
///
/// `keys` are for encrypted cookies, the newest first. It encrypts with the first, and reads what any
/// of them has encrypted.
///
/// # Errors
///
/// [`Unusable`], if the keys are missing or cannot be right. A key made here would differ from
/// server to server, and end with this one.
pub fn session_layer(
    store: Option<Arc<dyn Store>>,
    keys: Option<&str>,
    proxies: &Proxies,
    metrics: &Metrics,
) -> Result<SessionLayer, Unusable> {
    let (name, secure) = match proxies.are_there() {
        true => (COOKIE_BEHIND_PROXY, Secure::Always),
        false => (COOKIE, Secure::UnlessLoopback),
    };
    let layer = match (store, keys) {
        (Some(store), _) => {
            SessionLayer::builder(store).cookie_name(name).cookie_secure(secure).build()
        }
        (None, Some(keys)) => {
            let keys: EncryptionKeys =
                keys.parse().map_err(|why| Unusable(format!("SESSION_KEYS: {why}")))?;
            SessionLayer::encrypted_cookie_builder(keys)
                .cookie_name(name)
                .cookie_secure(secure)
                .build()
        }
        (None, None) => {
            let what = "the servers need the same key: export SESSION_KEYS=$(openssl rand -hex 32)";
            return Err(Unusable(format!("SESSION_KEYS is not set, and {what}")));
        }
    };
    let layer = layer.expect("these settings go together");
    let metrics = metrics.clone();
    Ok(layer.map_store(move |store| Arc::new(metrics.store(store))))
}

/// Why the site cannot go live in this way, in one line for the person who starts it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(String);
