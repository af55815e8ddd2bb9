//! What there is to browse, as the tutorial's earlier parts built it: books and authors, in lists
//! and one by one. Each page takes a `Reader`, and looks as that one likes it.

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use catalog::{Author, Book, BookCopy, BookOrder, Counts, Page};
use site::Path;

use crate::{AppState, Order, PerPage, Reader, Theme};

pub async fn show_home(
    reader: Reader,
    State(AppState { catalog, .. }): State<AppState>,
) -> Result<Response, Problem> {
    let counts = catalog.counts().await?;
    Ok(Home { reader, counts }.into_response())
}

pub async fn list_books(
    reader: Reader,
    State(AppState { catalog, .. }): State<AppState>,
) -> Result<Response, Problem> {
    let order = match reader.preferences.order {
        Order::Title => BookOrder::Title,
        Order::Author => BookOrder::Author,
    };
    let PerPage(per_page) = reader.preferences.per_page;
    let page = catalog.books(order, per_page, reader.page).await?;
    if !page.exists() {
        return Ok(no_such_page(reader, "/books", page.of));
    }
    Ok(Books { reader, page }.into_response())
}

pub async fn show_book(
    reader: Reader,
    Path(id): Path<String>,
    State(AppState { catalog, .. }): State<AppState>,
) -> Result<Response, Problem> {
    let Some(book) = catalog.book(number(&id)).await? else {
        return Ok(no_such_record(reader, "/books", "This library has no such book."));
    };
    let genres = catalog.genres_of(book.id).await?;
    let copies = catalog.copies_of(book.id).await?;
    Ok(BookDetails { reader, book, genres, copies }.into_response())
}

pub async fn list_authors(
    reader: Reader,
    State(AppState { catalog, .. }): State<AppState>,
) -> Result<Response, Problem> {
    let PerPage(per_page) = reader.preferences.per_page;
    let page = catalog.authors(per_page, reader.page).await?;
    if !page.exists() {
        return Ok(no_such_page(reader, "/authors", page.of));
    }
    Ok(Authors { reader, page }.into_response())
}

pub async fn show_author(
    reader: Reader,
    Path(id): Path<String>,
    State(AppState { catalog, .. }): State<AppState>,
) -> Result<Response, Problem> {
    let Some(author) = catalog.author(number(&id)).await? else {
        return Ok(no_such_record(reader, "/authors", "This library has no such author."));
    };
    let books = catalog.books_of(author.id).await?;
    Ok(AuthorDetails { reader, author, books }.into_response())
}

/// The id in an address. What is not a number is not an id, and SQLite counts from 1.
fn number(id: &str) -> i64 {
    id.parse().unwrap_or(0)
}

/// A 404 page. Another page of the list in its place would be a page with two addresses; and
/// a visitor who came by an old link would not learn that it is old.
fn no_such_page(reader: Reader, list: &'static str, of: u64) -> Response {
    let message = match of {
        1 => "This list has no such page. It has only one.".to_owned(),
        _ => format!("This list has no such page. It has pages 1 to {of}."),
    };
    (StatusCode::NOT_FOUND, Missing { reader, message, list, page: of }).into_response()
}

fn no_such_record(reader: Reader, list: &'static str, message: &str) -> Response {
    let missing = Missing { reader, message: message.to_owned(), list, page: 1 };
    (StatusCode::NOT_FOUND, missing).into_response()
}

#[derive(Template, WebTemplate)]
#[template(path = "home.html")]
struct Home {
    reader: Reader,
    counts: Counts,
}

#[derive(Template, WebTemplate)]
#[template(path = "books.html")]
struct Books {
    reader: Reader,
    page: Page<Book>,
}

#[derive(Template, WebTemplate)]
#[template(path = "book.html")]
struct BookDetails {
    reader: Reader,
    book: Book,
    genres: Vec<String>,
    copies: Vec<BookCopy>,
}

#[derive(Template, WebTemplate)]
#[template(path = "authors.html")]
struct Authors {
    reader: Reader,
    page: Page<Author>,
}

#[derive(Template, WebTemplate)]
#[template(path = "author.html")]
struct AuthorDetails {
    reader: Reader,
    author: Author,
    books: Vec<Book>,
}

#[derive(Template, WebTemplate)]
#[template(path = "missing.html")]
struct Missing {
    reader: Reader,
    message: String,
    list: &'static str,
    /// The page of the list to go on to.
    page: u64,
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Problem(#[from] catalog::Error);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self.0.is_temporary() {
            true => site::unavailable(self.0),
            false => site::server_error(self.0),
        }
    }
}
