//! The exchanges of one tab, written as a reader of the docs sees them.

use axum::http::{
    HeaderMap, HeaderName,
    header::{
        ALLOW, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, LOCATION, RETRY_AFTER, SET_COOKIE, VARY,
    },
    request::Parts,
};
use time::OffsetDateTime;

use crate::{dates::name_dates, page::Page};

/// The response headers that a transcript shows, in its order.
const SHOWN: [HeaderName; 5] = [LOCATION, ALLOW, RETRY_AFTER, SET_COOKIE, VARY];

/// What stands between two exchanges: the separator of `.http` files.
const SEPARATOR: &str = "\n\n###\n\n";

#[derive(Default)]
pub(crate) struct Transcript {
    exchanges: Vec<String>,
}

impl Transcript {
    /// Adds one exchange; `now` is when the response came.
    pub(crate) fn record(
        &mut self,
        request: &Parts,
        body: &[u8],
        page: &Page,
        now: OffsetDateTime,
    ) {
        let request = message(
            &format!("{} {} HTTP/1.1", request.method, request.uri),
            request_headers(&request.headers),
            &String::from_utf8_lossy(body),
        );
        let response = message(
            // The reason comes with the status; a status without one gets no trailing space.
            format!("HTTP/1.1 {} {}", page.status().as_str(), reason(page)).trim_end(),
            response_headers(page.headers(), now),
            &page.text(),
        );
        self.exchanges.push(format!("{request}\n\n{response}"));
    }

    pub(crate) fn text(&self) -> String {
        self.exchanges.join(SEPARATOR)
    }
}

/// A first line, headers, and a body after a blank line if there is one.
fn message(first: &str, headers: Vec<String>, body: &str) -> String {
    let mut lines = vec![first.to_owned()];
    lines.extend(headers);
    if !body.is_empty() {
        lines.push(String::new());
        lines.push(body.to_owned());
    }
    lines.join("\n")
}

/// Cookies first, then the rest; without what goes without saying.
fn request_headers(headers: &HeaderMap) -> Vec<String> {
    let is_understood = |name: &HeaderName| {
        name == HOST
            || name == CONTENT_LENGTH
            || name == CONTENT_TYPE && headers[name] == "application/x-www-form-urlencoded"
    };
    let cookies = headers.get_all(COOKIE).iter().map(|value| (&COOKIE, value));
    let rest = headers.iter().filter(|(name, _)| *name != COOKIE && !is_understood(name));
    cookies
        .chain(rest)
        .map(|(name, value)| line(name, &String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

fn response_headers(headers: &HeaderMap, now: OffsetDateTime) -> Vec<String> {
    SHOWN
        .iter()
        .flat_map(|name| headers.get_all(name).iter().map(move |value| (name, value)))
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            if name == SET_COOKIE {
                line(name, &name_dates(&value, now))
            } else {
                line(name, &value)
            }
        })
        .collect()
}

fn reason(page: &Page) -> &'static str {
    page.status().canonical_reason().unwrap_or_default()
}

/// `Set-Cookie: …` for the `set-cookie` that the http crate keeps.
fn line(name: &HeaderName, value: &str) -> String {
    let words: Vec<String> = name
        .as_str()
        .split('-')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        })
        .collect();
    format!("{}: {value}", words.join("-"))
}
