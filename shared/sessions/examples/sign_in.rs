//! Signs a visitor in under a new id, and out everywhere in this browser.
//!
//! It checks no password: that is another library's work.
//!
//! Run: `cargo run -p sessions-by-example --example sign_in`, then open <http://127.0.0.1:3000>

use axum::{
    Form, Router,
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;
use sessions::{Error, Expiry, MemoryStore, Session, SessionLayer, time::Duration};
use tokio::net::TcpListener;

const USER: &str = "user";

fn app() -> Router {
    Router::new()
        .route("/", get(show_form))
        .route("/sign-in", post(sign_in))
        .route("/sign-out", post(sign_out))
        .route("/account", get(account))
        .layer(SessionLayer::new(MemoryStore::default()))
}

async fn show_form() -> Html<&'static str> {
    Html(
        r#"<form method="post" action="/sign-in"><input name="user"><button>Sign in</button></form>"#,
    )
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
}

async fn sign_in(session: Session, Form(form): Form<Credentials>) -> Result<Redirect, Error> {
    // An id that another person knew before, or has planted in this browser, is worth nothing now.
    session.cycle_id();
    session.set_expiry(Some(Expiry::OnInactivity(Duration::hours(1))));
    session.insert(USER, form.user)?;
    Ok(Redirect::to("/account"))
}

async fn sign_out(session: Session) -> Result<Redirect, Error> {
    session.flush().await?;
    Ok(Redirect::to("/"))
}

async fn account(session: Session) -> Result<Response, Error> {
    Ok(match session.get::<String>(USER)? {
        Some(user) => format!("Hello, {user}.").into_response(),
        None => (StatusCode::UNAUTHORIZED, "Please sign in.").into_response(),
    })
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use browser::Browser;

    #[tokio::test]
    async fn a_second_sign_in_has_another_id_and_signing_out_ends_it() {
        let mut visitor = Browser::open(app());
        visitor.post("/sign-in", &[("user", "toad")]).await;
        let first = visitor.cookie("sessionid");
        visitor.post("/sign-in", &[("user", "mole")]).await;
        assert_ne!(visitor.cookie("sessionid"), first);
        assert_eq!(visitor.get("/account").await.body(), "Hello, mole.");

        visitor.post("/sign-out", &[]).await;
        assert_eq!(visitor.get("/account").await.status(), StatusCode::UNAUTHORIZED);
    }
}
