//! What readers have borrowed, as the tutorial's part 8 has it: each their own, librarians all.

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use catalog::Loan;
use site::Path;

use crate::{
    App, Problem,
    visitor::{Librarian, SignedIn, Visitor},
};

pub async fn list_mine(
    SignedIn { visitor, reader, .. }: SignedIn,
    State(app): State<App>,
) -> Result<MyBooks, Problem> {
    // The id is the session's, and never one from the address: each reader sees their own books.
    let loans = app.library.loans_of(reader.id).await?;
    Ok(MyBooks { visitor, loans })
}

pub async fn list_all(
    Librarian(SignedIn { visitor, .. }): Librarian,
    State(app): State<App>,
) -> Result<AllBooks, Problem> {
    let loans = app.library.loans().await?;
    Ok(AllBooks { visitor, loans })
}

pub async fn mark_as_returned(
    Librarian(_): Librarian,
    Path(copy): Path<String>,
    State(app): State<App>,
) -> Result<Response, Problem> {
    if !app.library.return_copy(&copy).await? {
        let words = "This copy is not on loan. Perhaps another librarian was faster.";
        return Ok((StatusCode::NOT_FOUND, words).into_response());
    }
    Ok(Redirect::to("/all-books").into_response())
}

#[derive(Template, WebTemplate)]
#[template(path = "my_books.html")]
pub struct MyBooks {
    visitor: Visitor,
    loans: Vec<Loan>,
}

#[derive(Template, WebTemplate)]
#[template(path = "all_books.html")]
pub struct AllBooks {
    visitor: Visitor,
    loans: Vec<Loan>,
}
