//! The docs and the sources, under `/read`.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    extract::{self, State},
    http::{
        HeaderName, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
    routing::get,
};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use crate::{Chapter, book::Book};

/// No script. Drawings may have a style of their own.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; \
                      base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = concat!(include_str!("../../site/src/style.css"), include_str!("read.css"));

/// What may be read here. A database or a key that lies in the folder is not.
const TEXTS: [&str; 9] = ["conf", "css", "html", "json", "rs", "sh", "snap", "sql", "toml"];

pub(crate) fn routes(book: Arc<Book>) -> Router {
    Router::new()
        .route("/read/style.css", get(async || ([(CONTENT_TYPE, "text/css")], STYLE)))
        .route("/read/{*path}", get(read))
        .with_state(book)
}

#[derive(Template, WebTemplate)]
#[template(path = "read.html")]
struct Page {
    this: Chapter,
    title: String,
    /// HTML if it is a page of the docs, which are ours; otherwise a text.
    html: Option<String>,
    text: String,
}

async fn read(
    State(book): State<Arc<Book>>,
    extract::Path(path): extract::Path<String>,
) -> Response {
    let page = |title: String, html, text| {
        let headers: [(HeaderName, &str); 4] = [
            (CACHE_CONTROL, "no-store"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (REFERRER_POLICY, "same-origin"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        (headers, Page { this: book.this.clone(), title, html, text })
    };
    let Ok((file, bytes)) = find(&book.root, &path) else {
        let words = format!("There is no {path} to read here.");
        return (StatusCode::NOT_FOUND, page("Not Found".to_owned(), None, words)).into_response();
    };
    let extension = file.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let text = || String::from_utf8_lossy(&bytes).into_owned();
    match extension {
        "png" => ([(CONTENT_TYPE, "image/png")], bytes).into_response(),
        "svg" => ([(CONTENT_TYPE, "image/svg+xml")], bytes).into_response(),
        "md" => {
            let (title, html) = render(&text());
            page(title.unwrap_or(path), Some(html), String::new()).into_response()
        }
        _ => page(path, None, text()).into_response(),
    }
}

/// The file, and what is in it. A folder stands for its README.
fn find(root: &Path, path: &str) -> io::Result<(PathBuf, Vec<u8>)> {
    let root = root.canonicalize()?;
    let mut file = root.join(path).canonicalize()?;
    if file.is_dir() {
        file = file.join("README.md");
    }
    let extension = file.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let may_be_read = ["md", "png", "svg"].contains(&extension) || TEXTS.contains(&extension);
    let from_root = file.strip_prefix(&root).map_err(io::Error::other)?;
    let is_ours =
        ["chapters", "docs", "shared", "tests"].iter().any(|it| from_root.starts_with(it))
            || from_root.components().count() == 1;
    if !may_be_read || !is_ours {
        return Err(io::ErrorKind::NotFound.into());
    }
    let bytes = fs::read(&file)?;
    Ok((file, bytes))
}

/// The title and the HTML of a page of the docs.
fn render(markdown: &str) -> (Option<String>, String) {
    let mut events: Vec<Event> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    // A link to a heading needs its id, which code hosts make from its words.
    let mut taken: HashMap<String, usize> = HashMap::new();
    let mut title = None;
    let mut opened = None;
    for at in 0..events.len() {
        match &events[at] {
            Event::Start(Tag::Heading { .. }) => opened = Some((at, String::new())),
            Event::Text(words) | Event::Code(words) => {
                if let Some((_, heading)) = &mut opened {
                    heading.push_str(words);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let Some((start, heading)) = opened.take() else { continue };
                let slug = slug(&heading, &mut taken);
                if let Event::Start(Tag::Heading { id, .. }) = &mut events[start] {
                    *id = Some(CowStr::from(slug));
                }
                title.get_or_insert(heading);
            }
            _ => {}
        }
    }
    let mut page = String::new();
    html::push_html(&mut page, events.into_iter());
    (title, page)
}

/// GitHub's rule: small letters, hyphens for spaces, nothing else; a second one gets a number.
fn slug(heading: &str, taken: &mut HashMap<String, usize>) -> String {
    let slug: String = heading
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect();
    let before = taken.entry(slug.clone()).or_default();
    *before += 1;
    match *before - 1 {
        0 => slug,
        count => format!("{slug}-{count}"),
    }
}
