//! Two requests of one visitor at once: a change is lost, and then none is.
//!
//! Run: `just run chapter-9`
//! Try: add a book slowly in one tab, and two quickly in another.

mod added;

use std::{pin::Pin, sync::Arc};

use added::Added;
use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use sessions::{ForTowerSessions, SessionLayer, Store};
use site::IsVisit;
use tower_sessions::{SessionManagerLayer, cookie::SameSite};

const BOOKS: &str = "books";
const NOTE: &str = "note";

/// What makes the slow actions slow: the program waits a while, a test until it is told to go on.
pub type Pause = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The whole chapter: the same basket twice, kept the usual way and kept exactly.
pub fn app(store: impl Store + Clone, pause: Pause) -> Router {
    let usual_layer = SessionManagerLayer::new(ForTowerSessions::new(store.clone()))
        .with_name("chapter9_usual")
        .with_secure(false)
        .with_same_site(SameSite::Lax);
    let usual = Router::new()
        .route("/", get(usual::show_basket))
        .route("/add", post(usual::add_book))
        .route("/add-slowly", post(usual::add_book_slowly))
        .route("/note-slowly", post(usual::write_note_slowly))
        .route("/sign-out", post(usual::sign_out))
        .layer(usual_layer);
    let exact_layer = SessionLayer::builder(store)
        .cookie_name("chapter9_exact")
        .build()
        .expect("a cookie may have this name");
    let exact = Router::new()
        .route("/", get(exact::show_basket))
        .route("/add", post(exact::add_book))
        .route("/add-slowly", post(exact::add_book_slowly))
        .route("/note-slowly", post(exact::write_note_slowly))
        .route("/sign-out", post(exact::sign_out))
        .layer(exact_layer);

    let routes = Router::new()
        .route("/", get(async || Redirect::to("/usual")))
        .nest("/usual", usual)
        .nest("/exact", exact)
        .with_state(AppState { pause, added: Added::default() });
    site::with_look(routes)
}

#[derive(Clone)]
struct AppState {
    pause: Pause,
    added: Added,
}

/// A session as tower-sessions keeps it, and most frameworks do: each request loads the whole
/// record, changes its copy, and writes the whole record back.
mod usual {
    use super::*;
    use tower_sessions::Session;

    pub async fn show_basket(
        IsVisit(is_visit): IsVisit,
        session: Session,
        State(state): State<AppState>,
    ) -> Result<Basket, Problem> {
        let books: Option<u32> = session.get(BOOKS).await?;
        if books.is_none() && is_visit {
            // A session to share: two tabs of a newcomer would start one each.
            session.insert(BOOKS, 0).await?;
        }
        let (books, note) = (books.unwrap_or(0), session.get(NOTE).await?);
        let added = state.added.of(session.id()).unwrap_or(books);
        Ok(Basket { way: "usual", books, added, note })
    }

    pub async fn add_book(
        session: Session,
        State(state): State<AppState>,
    ) -> Result<Redirect, Problem> {
        let books: u32 = session.get(BOOKS).await?.unwrap_or(0);
        session.insert(BOOKS, books + 1).await?;
        state.added.count(session.id(), books);
        Ok(Redirect::to("/usual"))
    }

    pub async fn add_book_slowly(
        session: Session,
        State(state): State<AppState>,
    ) -> Result<Redirect, Problem> {
        let books: u32 = session.get(BOOKS).await?.unwrap_or(0);
        (state.pause)().await;
        // By now `books` may be old. Whatever was added meanwhile is written over.
        session.insert(BOOKS, books + 1).await?;
        state.added.count(session.id(), books);
        Ok(Redirect::to("/usual"))
    }

    pub async fn write_note_slowly(
        session: Session,
        State(state): State<AppState>,
    ) -> Result<Redirect, Problem> {
        let note: Option<String> = session.get(NOTE).await?;
        (state.pause)().await;
        // Another key, and yet: with the note, the record's old books are written back.
        session.insert(NOTE, note.unwrap_or_default() + "Ask for Emma. ").await?;
        Ok(Redirect::to("/usual"))
    }

    pub async fn sign_out(session: Session) -> Result<Redirect, Problem> {
        session.flush().await?;
        Ok(Redirect::to("/usual"))
    }
}

/// The same with the framework of this repository: what others wrote meanwhile is kept, and
/// `update` starts from the value that is stored when it is its turn.
mod exact {
    use super::*;
    use sessions::Session;

    pub async fn show_basket(
        IsVisit(is_visit): IsVisit,
        session: Session,
        State(state): State<AppState>,
    ) -> Result<Basket, Problem> {
        // A page that no visitor looks at starts no session.
        let books = match is_visit {
            true => session.get_or_insert(BOOKS, 0)?,
            false => session.get(BOOKS)?.unwrap_or(0),
        };
        let added = state.added.of(session.id()).unwrap_or(books);
        Ok(Basket { way: "exact", books, added, note: session.get(NOTE)? })
    }

    pub async fn add_book(
        session: Session,
        State(state): State<AppState>,
    ) -> Result<Redirect, Problem> {
        let books = session.update(BOOKS, |books: &mut u32| *books += 1).await?;
        state.added.count(session.id(), books - 1);
        Ok(Redirect::to("/exact"))
    }

    pub async fn add_book_slowly(
        session: Session,
        State(state): State<AppState>,
    ) -> Result<Redirect, Problem> {
        (state.pause)().await;
        let books = session.update(BOOKS, |books: &mut u32| *books += 1).await?;
        state.added.count(session.id(), books - 1);
        Ok(Redirect::to("/exact"))
    }

    pub async fn write_note_slowly(
        session: Session,
        State(state): State<AppState>,
    ) -> Result<Redirect, Problem> {
        let note: Option<String> = session.get(NOTE)?;
        (state.pause)().await;
        // An insert is enough, as long as no other request writes to this key.
        session.insert(NOTE, note.unwrap_or_default() + "Ask for Emma. ")?;
        Ok(Redirect::to("/exact"))
    }

    pub async fn sign_out(session: Session) -> Result<Redirect, Problem> {
        session.flush().await?;
        Ok(Redirect::to("/exact"))
    }
}

#[derive(Template, WebTemplate)]
#[template(path = "basket.html")]
struct Basket {
    way: &'static str,
    books: u32,
    /// How many there should be.
    added: u32,
    note: Option<String>,
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Usual(#[from] tower_sessions::session::Error),
    #[error(transparent)]
    Exact(#[from] sessions::Error),
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Problem::Usual(error) => site::server_error(error),
            Problem::Exact(error) => error.into_response(),
        }
    }
}
