//! The layer that notes a request and its response.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::Request,
    http::{
        HeaderMap, HeaderName, Uri,
        header::{COOKIE, LOCATION, SET_COOKIE, VARY},
    },
    middleware::{self, Next},
    response::Response,
};
use tokio::task_local;

use crate::{
    Inspector,
    notes::{Answer, End, Inner, Question, What, shortened},
    pages,
};

const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// How many cookies of a request are kept, and of each the first characters.
const COOKIES: usize = 20;
const CHARACTERS: usize = 300;

task_local! {
    /// The request that this task runs.
    static CURRENT: Current;
}

#[derive(Clone)]
struct Current {
    inner: Arc<Inner>,
    number: u64,
}

/// Is the request that this task runs being watched?
///
/// A page can ask, and show a link to `/inspector` where there is one.
pub fn is_watching() -> bool {
    CURRENT.try_with(|_| ()).is_ok()
}

impl Inspector {
    /// Notes all requests to `app`, and serves what it has noted under `/inspector`.
    ///
    /// A browser's requests for styles, pictures and scripts are left out (`Sec-Fetch-Dest`).
    ///
    /// `/inspector` answers a client on this machine only, which asks for it under a loopback name
    /// or address. Axum has to tell it who the client is: serve the app with
    /// `into_make_service_with_connect_info::<SocketAddr>()`. All others read 403.
    ///
    /// Call it last: a layer wraps what was added before it.
    pub fn watch(&self, app: Router) -> Router {
        let Some(inner) = &self.0 else { return app };
        let watching = inner.clone();
        let watched = app.layer(middleware::from_fn(move |request: Request, next: Next| {
            note(watching.clone(), request, next)
        }));
        // All that is not ours goes to the app, and its own page for an unknown address.
        pages::routes(inner.clone()).fallback_service(watched)
    }
}

async fn note(inner: Arc<Inner>, request: Request, next: Next) -> Response {
    let is_part_of_a_page = |destination: &str| {
        matches!(destination, "style" | "image" | "script" | "font" | "manifest")
    };
    let destination = request.headers().get(DESTINATION).and_then(|it| it.to_str().ok());
    if destination.is_some_and(is_part_of_a_page) {
        return next.run(request).await;
    }

    let start = Instant::now();
    let path = target(request.uri());
    let cookies = cookies(request.headers());
    let number = inner.begin(request.method().as_str(), &path, cookies);
    let current = Current { inner, number };
    // If the visitor goes away, axum drops the request in the middle.
    let unless_done = GivenUp { current: Some(current.clone()), start };
    let response = CURRENT.scope(current, next.run(request)).await;
    unless_done.done(&response);
    response
}

/// As it is read: without the authority, which HTTP/2 and proxies put in front.
fn target(uri: &Uri) -> String {
    uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string)
}

fn cookies(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b';'))
        .map(|pair| String::from_utf8_lossy(pair).trim().to_owned())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => (clipped(name), clipped(value.trim_matches('"'))),
            None => (clipped(&pair), String::new()),
        })
        .take(COOKIES)
        .collect()
}

/// Without a mark, so that an id stays the id it is.
fn clipped(text: &str) -> String {
    text.chars().take(CHARACTERS).collect()
}

/// Notes the end of a request, also if it never gets a response.
struct GivenUp {
    current: Option<Current>,
    start: Instant,
}

impl GivenUp {
    fn done(mut self, response: &Response) {
        let Some(Current { inner, number }) = self.current.take() else { return };
        let headers = response.headers();
        let mut notes = inner.notes();
        let lines: Vec<_> = headers
            .get_all(SET_COOKIE)
            .iter()
            .map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned())
            .collect();
        for line in &lines {
            notes.names.set(line.split_once('=').map_or("", |(name, _)| name.trim()));
        }
        let set_cookies = lines.iter().map(|line| {
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = match value {
                "" => String::new(),
                value => notes.names.value(name.trim(), value),
            };
            let attributes = attributes.trim();
            let pair = format!("{name}={value}");
            shortened(&if attributes.is_empty() { pair } else { format!("{pair}; {attributes}") })
        });
        let set_cookies = set_cookies.take(COOKIES).collect();
        let text_of = |name| {
            let lines: Vec<_> = headers.get_all(name).iter().collect();
            let texts = lines.iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
            let text = texts.collect::<Vec<_>>().join(", ");
            (!text.is_empty()).then(|| shortened(&text))
        };
        let (vary, location) = (text_of(VARY), text_of(LOCATION));
        let status = Some(response.status().as_u16());
        let took = self.start.elapsed();
        let tick = notes.tick();
        if let Some(request) = notes.request(number) {
            request.end = Some(End { tick, status, took, set_cookies, vary, location });
        }
        drop(notes);
        inner.has_changed();
    }
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        let Some(Current { inner, number }) = self.current.take() else { return };
        let took = self.start.elapsed();
        let mut notes = inner.notes();
        let tick = notes.tick();
        if let Some(request) = notes.request(number) {
            let (set_cookies, vary, location) = (Vec::new(), None, None);
            request.end = Some(End { tick, status: None, took, set_cookies, vary, location });
        }
        drop(notes);
        inner.has_changed();
    }
}

/// Notes something about the request that this task runs, if it is watched.
pub(crate) fn say(what: What) {
    let _ = CURRENT.try_with(|Current { inner, number }| {
        inner.notes().add(*number, what);
        inner.has_changed();
    });
}

/// Notes a question to the store, and its answer when it is there.
#[cfg_attr(
    not(any(feature = "sessions", feature = "tower-sessions")),
    expect(dead_code, reason = "there is no store that could be asked")
)]
pub(crate) async fn ask<T>(
    question: impl FnOnce(&mut crate::names::Names) -> Question,
    asking: impl Future<Output = T>,
    answer: impl FnOnce(&mut crate::names::Names, &T) -> Answer,
) -> T {
    let Ok(Current { inner, number }) = CURRENT.try_with(Clone::clone) else {
        return asking.await;
    };
    let step = {
        let mut notes = inner.notes();
        let question = question(&mut notes.names);
        notes.add(number, What::Asked(question, None))
    };
    inner.has_changed();

    let start = Instant::now();
    let answered = asking.await;
    let took: Duration = start.elapsed();

    {
        let mut notes = inner.notes();
        let answer = answer(&mut notes.names, &answered);
        let tick = notes.tick();
        if let (Some(step), Some(request)) = (step, notes.request(number))
            && let Some(What::Asked(_, slot)) = request.steps.get_mut(step).map(|it| &mut it.what)
        {
            *slot = Some((tick, took, answer));
        }
    }
    inner.has_changed();
    answered
}
