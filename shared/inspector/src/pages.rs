//! The pages under `/inspector`.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    Router,
    extract::{ConnectInfo, Path, Request, State, rejection::ExtensionRejection},
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode, Uri,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
        uri::Authority,
    },
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response, Sse, sse},
    routing::{get, post},
};
use futures_util::{Stream, stream};

use crate::{
    Drawing, Inspector, Sentence,
    drawing::Tone,
    notes::{Inner, Request as Noted},
    story::{self, Change},
};

/// Everything comes from this program: its style, its one script, and what that script asks for.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                      img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The library's look, and what only these pages have.
const STYLE: &str = concat!(include_str!("../../site/src/style.css"), include_str!("style.css"));

const ICON: &str = include_str!("../../site/src/icon.svg");

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(crate) fn routes(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/inspector", get(show_newest))
        .route("/inspector/{number}", get(show_one))
        .route("/inspector/empty", post(empty))
        .route("/inspector/news", get(tell_news))
        .route("/inspector/icon.svg", get(async || asset("image/svg+xml", ICON)))
        .route("/inspector/style.css", get(async || asset("text/css", STYLE)))
        .route(
            "/inspector/script.js",
            get(async || asset("text/javascript", include_str!("script.js"))),
        )
        .with_state(inner)
        .layer(middleware::from_fn(on_this_machine_only))
}

/// Lets in clients on this machine which ask for it under a loopback name or address.
///
/// The name counts as well as the address: otherwise a page of another site, whose name is made to
/// lead to 127.0.0.1, could read what is shown (DNS rebinding).
async fn on_this_machine_only(
    client: Result<ConnectInfo<SocketAddr>, ExtensionRejection>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(ConnectInfo(client)) = client else {
        return refuse(
            "The inspector cannot tell who asks. Serve the program with \
             into_make_service_with_connect_info::<SocketAddr>().",
        );
    };
    if !client.ip().to_canonical().is_loopback() || !is_local(request.uri(), request.headers()) {
        return refuse("The inspector answers on this machine only, at a loopback address.");
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refuse(why: &'static str) -> Response {
    (StatusCode::FORBIDDEN, why).into_response()
}

fn is_local(uri: &Uri, headers: &HeaderMap) -> bool {
    let host = || headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
    uri.authority().cloned().or_else(host).is_some_and(|authority| {
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        match address {
            Ok(address) => address.is_loopback(),
            Err(_) => name == "localhost" || name.ends_with(".localhost"),
        }
    })
}

fn asset(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type)], text)
}

async fn show_newest(State(inner): State<Arc<Inner>>) -> Page {
    page(&inner, None)
}

async fn show_one(State(inner): State<Arc<Inner>>, Path(number): Path<String>) -> Response {
    let page = page(&inner, Some(number.parse().unwrap_or(0)));
    let status = if page.opened.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    (status, page).into_response()
}

async fn empty(State(inner): State<Arc<Inner>>, headers: HeaderMap) -> Response {
    let site = headers.get(SITE).and_then(|site| site.to_str().ok());
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return refuse("Another site has sent this form.");
    }
    Inspector(Some(inner)).empty();
    Redirect::to("/inspector").into_response()
}

/// A line for each time when there is something new. The page then asks for itself again.
async fn tell_news(
    State(inner): State<Arc<Inner>>,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let changes = inner.changes.subscribe();
    let closing = inner.closing.subscribe();
    let news = stream::unfold((changes, closing), async |(mut changes, mut closing)| {
        tokio::select! {
            biased;
            // The server is told to stop.
            _ = closing.wait_for(|closing| *closing) => return None,
            changed = changes.changed() => changed.ok()?,
        }
        let count = *changes.borrow_and_update();
        let event = sse::Event::default().data(count.to_string());
        Some((Ok(event), (changes, closing)))
    });
    Sse::new(news).keep_alive(sse::KeepAlive::default())
}

#[derive(Template, WebTemplate)]
#[template(path = "page.html")]
struct Page {
    /// The newest first.
    requests: Vec<Line>,
    opened: Option<Opened>,
    /// Was a request asked for by its number?
    is_chosen: bool,
}

/// A request in the list.
struct Line {
    number: u64,
    method: String,
    path: String,
    outcome: String,
    verdict: String,
    class: &'static str,
    is_opened: bool,
}

/// The request that is drawn.
struct Opened {
    number: u64,
    title: String,
    outcome: String,
    began: String,
    verdict: Option<(String, &'static str)>,
    picture: String,
    sentences: Vec<(String, &'static str)>,
    changes: Vec<Change>,
    at_once: Option<(String, Vec<(String, &'static str)>)>,
}

fn page(inner: &Inner, chosen: Option<u64>) -> Page {
    let mut notes = inner.notes();
    let number = chosen.or_else(|| notes.requests.back().map(|request| request.number));
    let requests: Vec<Noted> = notes.requests.iter().cloned().collect();
    let opened = requests.iter().find(|request| Some(request.number) == number);
    let opened = opened.map(|opened| {
        let drawing = story::of_one(opened, &requests, &mut notes.names, true);
        let group = story::at_once(opened.number, &requests);
        let at_once = (group.len() > 1).then(|| {
            let drawing = story::of_several(&group, &requests, true);
            (drawing.to_svg_element(), sentences(&drawing))
        });
        Opened {
            number: opened.number,
            title: format!("{} {}", opened.method, opened.path),
            outcome: outcome(opened),
            began: format!("{:.1} s", opened.began.as_secs_f64()),
            verdict: story::verdict(opened, &requests)
                .map(|(verdict, tone)| (verdict, class(tone))),
            picture: drawing.to_svg_element(),
            sentences: sentences(&drawing),
            changes: story::changes(opened),
            at_once,
        }
    });
    drop(notes);
    let lines = requests.iter().rev().map(|request| {
        let verdict = story::verdict(request, &requests);
        Line {
            number: request.number,
            method: request.method.clone(),
            path: request.path.clone(),
            outcome: outcome(request),
            class: verdict.as_ref().map_or("", |(_, tone)| class(*tone)),
            verdict: verdict.map(|(verdict, _)| verdict).unwrap_or_default(),
            is_opened: Some(request.number) == number,
        }
    });
    Page { requests: lines.collect(), opened, is_chosen: chosen.is_some() }
}

/// For example `303 See Other, 2.1 ms`.
fn outcome(request: &Noted) -> String {
    match &request.end {
        Some(end) => format!("{}, {}", story::status(end), story::milliseconds(end.took)),
        None => "still running".to_owned(),
    }
}

fn sentences(drawing: &Drawing) -> Vec<(String, &'static str)> {
    let sentences = drawing.sentences().into_iter();
    sentences.map(|Sentence { text, tone }| (text, class(tone))).collect()
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "",
        Tone::Good => "good",
        Tone::Bad => "bad",
    }
}

/// # What it tells, without the pages
///
/// For tests, and for pictures of your own. What differs from run to run is left out: times, dates
/// and the first characters of ids.
impl Inspector {
    /// Each request as a drawing, the oldest first.
    pub fn drawings(&self) -> Vec<Drawing> {
        let Some(inner) = &self.0 else { return Vec::new() };
        let mut notes = inner.notes();
        let requests: Vec<Noted> = notes.requests.iter().cloned().collect();
        let drawings =
            requests.iter().map(|it| story::of_one(it, &requests, &mut notes.names, false));
        drawings.map(Drawing::the_same_in_every_run).collect()
    }

    /// The newest request, and all that ran at the same time, as one drawing.
    pub fn drawing_at_once(&self) -> Drawing {
        let Some(inner) = &self.0 else { return Drawing::default() };
        let requests: Vec<Noted> = inner.notes().requests.iter().cloned().collect();
        let newest = requests.last().map_or(0, |request| request.number);
        story::of_several(&story::at_once(newest, &requests), &requests, false)
            .the_same_in_every_run()
    }
}
