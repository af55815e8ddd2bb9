//! The catalogue reads as each visitor likes it: how many books a page, in which order, how dark.
//!
//! Run: `just run chapter-8`
//! Try: ask for 20 books a page, in the dark; then forbid cookies for this site and ask again.

mod catalogue;

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    extract::{FromRequestParts, Query, RawForm, State},
    http::{StatusCode, Uri, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use catalog::Catalog;
use serde::{Deserialize, Serialize};
use sessions::{Error, Session, SessionLayer, Store};
use site::Form;

const PREFERENCES: &str = "preferences";

/// The whole chapter: a catalogue to browse (catalogue.rs), a form, and a notice to dismiss.
pub fn app(catalog: Catalog, store: impl Store, notice: Notice) -> Router {
    let sessions = SessionLayer::builder(store)
        .cookie_name("chapter8")
        .build()
        .expect("a cookie may have this name");

    // The notice's button posts to the page that it stands on. So its form need not say where to
    // come back to, and no other site can forge that.
    let routes = Router::new()
        .route("/", get(catalogue::show_home).post(dismiss_notice))
        .route("/books", get(catalogue::list_books).post(dismiss_notice))
        .route("/books/{id}", get(catalogue::show_book).post(dismiss_notice))
        .route("/authors", get(catalogue::list_authors).post(dismiss_notice))
        .route("/authors/{id}", get(catalogue::show_author).post(dismiss_notice))
        .route("/preferences", get(show_form).post(save_preferences))
        .with_state(AppState { catalog, notice })
        .layer(sessions);
    site::with_look(routes)
}

async fn show_form(reader: Reader) -> PreferencesForm {
    let stored = serde_urlencoded::to_string(&reader.preferences).unwrap_or_default();
    PreferencesForm { reader, fields: Fields::of(stored.as_bytes()), is_refused: false }
}

async fn save_preferences(mut reader: Reader, RawForm(sent): RawForm) -> Result<Response, Error> {
    // First as what the visitor may choose. If that fails, as text, so that the form comes back as
    // the visitor filled it in.
    let Ok(chosen) = serde_urlencoded::from_bytes::<Preferences>(&sent) else {
        let page = PreferencesForm { reader, fields: Fields::of(&sent), is_refused: true };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    // Field by field: this form knows nothing of the notice.
    reader
        .change(|mine| {
            mine.per_page = chosen.per_page;
            mine.order = chosen.order;
            mine.theme = chosen.theme;
        })
        .await?;
    Ok(Redirect::to(&reader.link("/books", 1)).into_response())
}

async fn dismiss_notice(
    mut reader: Reader,
    uri: Uri,
    State(state): State<AppState>,
    Form(form): Form<Dismissal>,
) -> Result<Redirect, Error> {
    // The notice that was on the page: an older one, perhaps, but none that is yet to come.
    let number = form.notice.min(state.notice.number);
    reader.change(|mine| mine.dismissed = mine.dismissed.max(number)).await?;
    Ok(Redirect::to(&reader.link(uri.path(), reader.page)))
}

/// How a visitor reads. One type for the session, the form and the link.
///
/// A field that is missing gets its default: who chose before it was added loses nothing.
#[derive(Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
struct Preferences {
    per_page: PerPage,
    order: Order,
    theme: Theme,
    /// The number of the last notice that the visitor dismissed; 0 for none.
    dismissed: u32,
}

/// Results per page, 1 to 100. There are no others, wherever they come from.
#[derive(Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "u32")]
struct PerPage(u32);

impl Default for PerPage {
    fn default() -> PerPage {
        PerPage(10)
    }
}

impl TryFrom<u32> for PerPage {
    type Error = String;

    fn try_from(number: u32) -> Result<PerPage, String> {
        match number {
            1..=100 => Ok(PerPage(number)),
            _ => Err(format!("{number} is not from 1 to 100")),
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Title,
    Author,
}

#[derive(Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

/// What every page knows of the visitor who asks for it.
struct Reader {
    session: Session,
    preferences: Preferences,
    /// Does the session hold them? Otherwise they came with the link, or are the defaults.
    are_stored: bool,
    /// Which page of a list the link asks for; 0 if that is no number.
    page: u64,
    /// The notice, unless it was dismissed.
    notice: Option<Notice>,
}

impl FromRequestParts<AppState> for Reader {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Reader, Error> {
        let session = Session::from_request_parts(parts, state).await?;
        let stored = match session.get(PREFERENCES) {
            // The old value stays until the visitor chooses again: the program that wrote it may
            // come back.
            Err(error @ Error::WrongType { .. }) => {
                tracing::warn!(%error, "a visitor is given the default preferences");
                None
            }
            found => found?,
        };
        let are_stored = stored.is_some();
        // Stored preferences win: somebody else may have sent the link. And a link that says
        // what the form could not have said counts as none.
        let linked = Query::try_from_uri(&parts.uri).ok().map(|Query(linked)| linked);
        let mut preferences: Preferences = stored.or(linked).unwrap_or_default();
        // No link can dismiss what is yet to come.
        preferences.dismissed = preferences.dismissed.min(state.notice.number);

        let page = Query::try_from_uri(&parts.uri)
            .map_or(0, |Query(PageQuery { page })| page.unwrap_or(1));
        let is_news = preferences.dismissed < state.notice.number;
        let notice = is_news.then_some(state.notice);
        Ok(Reader { session, preferences, are_stored, page, notice })
    }
}

impl Reader {
    /// Changes the preferences, and stores them.
    async fn change(&mut self, mut edit: impl FnMut(&mut Preferences) + Send) -> Result<(), Error> {
        if self.are_stored {
            // Two tabs may change different fields of this one value at once: both hold.
            self.preferences = self.session.update(PREFERENCES, edit).await?;
        } else {
            // The visitor starts from what the page showed. A value of an old type is written
            // over: `update` could not read it either.
            edit(&mut self.preferences);
            self.session.insert(PREFERENCES, &self.preferences)?;
        }
        Ok(())
    }

    /// Does the next link have to bring the preferences back?
    fn carries(&self) -> bool {
        !self.are_stored && self.preferences != Preferences::default()
    }

    /// The address of a page of the list at `path`, as this visitor is to be linked to it.
    fn link(&self, path: &str, page: u64) -> String {
        let page = (page > 1).then(|| format!("page={page}"));
        let carried = self.carries().then(|| {
            serde_urlencoded::to_string(&self.preferences).expect("numbers and names, none nested")
        });
        let query: Vec<String> = page.into_iter().chain(carried).collect();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
    }
}

#[derive(Clone)]
struct AppState {
    catalog: Catalog,
    notice: Notice,
}

/// What all visitors are to hear, until they dismiss it. The next one has a higher number.
#[derive(Clone, Copy, Debug)]
pub struct Notice {
    /// From 1.
    pub number: u32,
    /// A sentence or two.
    pub text: &'static str,
}

#[derive(Deserialize)]
struct Dismissal {
    notice: u32,
}

#[derive(Deserialize)]
struct PageQuery {
    page: Option<u64>,
}

#[derive(Template, WebTemplate)]
#[template(path = "preferences.html")]
struct PreferencesForm {
    reader: Reader,
    fields: Fields,
    /// Was what the visitor sent no choice of this form's?
    is_refused: bool,
}

/// What the form's fields hold, right or wrong.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    per_page: String,
    order: String,
    theme: String,
}

impl Fields {
    fn of(form: &[u8]) -> Fields {
        serde_urlencoded::from_bytes(form).unwrap_or_default()
    }
}
