//! A tab of a browser: it sends requests, keeps cookies, and remembers the page it shows.

use std::sync::{Arc, Mutex, MutexGuard};

use axum::{
    Router,
    body::{Body, Bytes},
    http::{
        HeaderName, HeaderValue, Method, Request, StatusCode,
        header::{CONTENT_TYPE, COOKIE, GetAll, HOST, LOCATION, ORIGIN, SET_COOKIE},
    },
};
use http_body_util::BodyExt;
use time::OffsetDateTime;
use tower::ServiceExt;
use url::{Position, Url};

use crate::{
    elsewhere::Elsewhere,
    jar::{Begun, Jar},
    names::Names,
    page::Page,
    transcript::Transcript,
};

/// Where a visitor stands who types the address that `just run` prints.
const START: &str = "http://127.0.0.1:3000";

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// One tab of a web browser, with the application behind it.
///
/// Cookies are kept and sent as RFC 6265bis says: by domain and path, Max-Age before Expires,
/// `Secure` and `SameSite` and the `__Secure-` and `__Host-` prefixes, at most 4096 bytes, longer
/// paths first. What breaks a rule is dropped without a word, as browsers do. `HttpOnly` hides
/// a cookie from scripts; there are none here, so it is sent like any other. Chrome and Firefox
/// treat http to this machine (127.0.0.1, localhost) as secure, and so does this: a `Secure`
/// cookie needs [`at`](Self::at) with another host to be withheld.
///
/// Two tabs can send at once, for instance under `tokio::join!`.
///
/// Every request may panic: when the path leads to another host, where the application is not, or
/// when the response breaks off.
pub struct Browser {
    app: Router,
    /// Where `restart` begins again.
    origin: Url,
    /// The address of the current page, which a relative path starts from.
    url: Url,
    /// Shared with the other tabs of this browser. Locked for moments, never across an await.
    jar: Arc<Mutex<Jar>>,
    refuses_cookies: bool,
    /// Shared more widely than the jar: a private window's ids get names of the same row.
    names: Arc<Mutex<Names>>,
    page: Option<Page>,
    /// How the current page was asked for; a redirect carries it on.
    asked: (Method, Begun),
    transcript: Transcript,
}

impl Browser {
    /// A fresh profile with one tab, at `http://127.0.0.1:3000`. No port is opened.
    ///
    /// The tabs share clones of `app`; state that it holds in an `Arc` is the same for all.
    pub fn open(app: Router) -> Self {
        Self::with(app, parse(START), Arc::default(), Arc::default())
    }

    /// The same, at another origin: `http://library.example`, or `https://` for a secure one.
    ///
    /// # Panics
    ///
    /// When `origin` is not an http or https address.
    pub fn at(self, origin: &str) -> Self {
        let origin = parse(origin);
        Self { url: origin.clone(), origin, ..self }
    }

    /// The same, with cookies turned off: it keeps none and sends none. Its tabs and private
    /// windows refuse them as well.
    pub fn refusing_cookies(self) -> Self {
        Self { refuses_cookies: true, ..self }
    }

    /// Another tab: the same cookies, a page and a transcript of its own.
    pub fn second_tab(&self) -> Self {
        Self {
            refuses_cookies: self.refuses_cookies,
            ..Self::with(
                self.app.clone(),
                self.origin.clone(),
                Arc::clone(&self.jar),
                Arc::clone(&self.names),
            )
        }
    }

    /// A private window: the same application, no cookies yet, and nothing of what it keeps is
    /// shared. Each call opens one that knows nothing of the others; for two tabs of one private
    /// window, ask it for a [`second_tab`](Self::second_tab).
    pub fn private_window(&self) -> Self {
        Self { jar: Arc::default(), ..self.second_tab() }
    }

    /// Closes the browser with all its tabs and opens it again: cookies with neither Max-Age nor
    /// Expires are gone, and no page is shown. The transcript goes on.
    pub fn restart(&mut self) {
        self.jar().close();
        self.url = self.origin.clone();
        self.page = None;
    }

    /// The value of a kept cookie of this host, whatever its path; of several with this name, the
    /// one with the longest path. A real id, not its name in the transcript.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().value(name, &self.url)
    }

    /// Changes the value of a kept cookie, as the developer tools do: its path, age and flags
    /// stay. If several paths have one of this name, each is changed.
    ///
    /// # Panics
    ///
    /// When no cookie of this name is kept for this host.
    pub fn edit_cookie(&mut self, name: &str, value: &str) {
        let edited = self.jar().edit(name, value, &self.url);
        assert!(edited, "there is no cookie {name:?} to edit at {}", self.url);
    }

    /// Opens a path, as if typed into the address bar. A relative one (`?page=2`) starts from the
    /// current page.
    pub async fn get(&mut self, path: &str) -> &Page {
        let url = self.resolve(path);
        self.navigate(Method::GET, url, None, Begun::Here).await
    }

    /// Submits a form, urlencoded.
    pub async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> &Page {
        let url = self.resolve(path);
        self.navigate(Method::POST, url, Some(form), Begun::Here).await
    }

    /// Opens a path with these header lines added, raw, as curl would: a name may come several
    /// times, a value need not be ASCII. The kept cookies are sent too, unless a cookie header is
    /// among these.
    ///
    /// # Panics
    ///
    /// When HTTP forbids a name, or a value (it holds a line break or a zero byte).
    pub async fn get_with(&mut self, path: &str, headers: &[(&str, &[u8])]) -> &Page {
        let url = self.resolve(path);
        let mut request = request(Method::GET, &url, Bytes::new());
        for (name, value) in headers {
            request.headers_mut().append(
                HeaderName::from_bytes(name.as_bytes())
                    .unwrap_or_else(|_| panic!("HTTP forbids the header name {name:?}")),
                HeaderValue::from_bytes(value)
                    .unwrap_or_else(|_| panic!("HTTP forbids this value of {name:?}: {value:?}")),
            );
        }
        self.exchange(url, request, Begun::Here).await
    }

    /// Follows a link that stands on another site: a top-level navigation with
    /// `Sec-Fetch-Site: cross-site`. `SameSite=Strict` cookies are withheld.
    pub async fn get_from_another_site(&mut self, path: &str) -> &Page {
        let url = self.resolve(path);
        self.navigate(Method::GET, url, None, Begun::AtAnotherSite).await
    }

    /// Submits a form that stands on another site: a top-level navigation with
    /// `Sec-Fetch-Site: cross-site`. Only `SameSite=None` cookies are sent; one that says nothing
    /// is treated as Lax, and withheld.
    pub async fn post_from_another_site(&mut self, path: &str, form: &[(&str, &str)]) -> &Page {
        let url = self.resolve(path);
        self.navigate(Method::POST, url, Some(form), Begun::AtAnotherSite).await
    }

    /// A page of this origin, for example `http://evil.example`, open in the same browser. What it
    /// sends to the application carries the cookies that `SameSite` allows, and says
    /// `Sec-Fetch-Site` and, for a form, `Origin`.
    ///
    /// # Panics
    ///
    /// When `origin` is not an http or https address.
    pub fn page_at(&mut self, origin: &str) -> Elsewhere<'_> {
        Elsewhere::new(self, parse(origin))
    }

    /// Sends anything else: another method, another body. Of its address only path and query
    /// count. The kept cookies are added, unless the request has a cookie header.
    pub async fn send(&mut self, request: Request<Body>) -> &Page {
        let (parts, body) = request.into_parts();
        let body = body
            .collect()
            .await
            .expect("the body of a test's request can be read to its end")
            .to_bytes();
        let mut url = self.url.clone();
        url.set_path(parts.uri.path());
        url.set_query(parts.uri.query());
        self.exchange(url, Request::from_parts(parts, body), Begun::Here).await
    }

    /// Follows the redirect of the current page, once, with GET. Where it came from another site,
    /// this one does as well: `SameSite=Strict` cookies stay withheld.
    ///
    /// # Panics
    ///
    /// When the current page is no redirect, when it leads to another host, or when it asks for a
    /// form to be sent again (307 or 308 after a POST).
    pub async fn follow(&mut self) -> &Page {
        let page = self.page();
        let status = page.status();
        let location = page
            .header(LOCATION.as_str())
            .filter(|_| status.is_redirection())
            .unwrap_or_else(|| panic!("there is no redirect to follow: {status} at {}", self.url));
        let url = self.resolve(location);
        let (method, begun) = self.asked.clone();
        let keeps_method =
            [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT].contains(&status);
        assert!(
            method.is_safe() || !keeps_method,
            "{status} asks for the {method} to be sent again to {url}: send it yourself"
        );
        self.navigate(Method::GET, url, None, begun).await
    }

    /// The page that this tab shows.
    ///
    /// # Panics
    ///
    /// Before the first request, and after a restart.
    pub fn page(&self) -> &Page {
        self.page.as_ref().expect("this tab has opened no page yet")
    }

    /// The exchanges of this tab since the transcript was last taken, as HTTP messages with
    /// `###` between them.
    ///
    /// - A request shows its first line, `Cookie`, every other header that a test set by hand, and
    ///   its body. `Host` and a form's `Content-Type` go without saying.
    /// - A response shows `Location`, `Allow`, `Retry-After`, `Set-Cookie`, `Vary`, and the page
    ///   as [`Page::text`] draws it. Other headers matter to no reader.
    /// - Ids are [`named`](Self::named).
    /// - The date of a cookie is `<in 14 days>` or `<365 days ago>`, and the epoch is itself.
    ///   Dates are rounded up to whole minutes (within two minutes, to ten seconds), or agree with
    ///   the `Max-Age` next to them. A `Max-Age` above ten minutes that is up to 5 seconds short of
    ///   a whole minute is shown as that minute; any other is shown as it came.
    /// - Bytes that are not UTF-8 are shown as `�`.
    pub fn transcript(&self) -> String {
        self.named(self.transcript.text())
    }

    /// The transcript so far; the next one starts empty. Names go on counting.
    pub fn take_transcript(&mut self) -> String {
        let text = std::mem::take(&mut self.transcript).text();
        self.named(text)
    }

    /// The text with ids replaced by their names, for snapshots of [`Page::html`] and the like.
    ///
    /// An id is a cookie's value, sent or received by this browser, its tabs or its private
    /// windows, that looks random: at least 20 characters, all of them letters, digits or
    /// `-_+/=.`, with at least two kinds among capitals, small letters and digits. They are called
    /// session-1, session-2, … in the order in which they were first seen.
    pub fn named(&self, text: impl AsRef<str>) -> String {
        self.names().apply(text.as_ref())
    }

    fn with(app: Router, origin: Url, jar: Arc<Mutex<Jar>>, names: Arc<Mutex<Names>>) -> Self {
        Self {
            app,
            url: origin.clone(),
            origin,
            jar,
            refuses_cookies: false,
            names,
            page: None,
            asked: (Method::GET, Begun::Here),
            transcript: Transcript::default(),
        }
    }

    /// The address of the current page, or where the browser is before the first one.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Sends what a page of another origin asks for; `origin` is said of a form.
    pub(crate) async fn send_from(
        &mut self,
        origin: Option<&str>,
        path: &str,
        form: Option<&[(&str, &str)]>,
        begun: Begun,
    ) -> &Page {
        let url = self.resolve(path);
        let method = if form.is_some() { Method::POST } else { Method::GET };
        let mut request = form_request(method, &url, form, begun);
        if let Some(origin) = origin {
            let origin = HeaderValue::from_str(origin).expect("an origin is ASCII");
            request.headers_mut().insert(ORIGIN, origin);
        }
        self.exchange(url, request, begun).await
    }

    /// The address that a link of the current page leads to.
    fn resolve(&self, path: &str) -> Url {
        let url =
            self.url.join(path).unwrap_or_else(|error| panic!("{path:?} is not a path: {error}"));
        assert_eq!(
            url.host(),
            self.url.host(),
            "{path:?} leads to another host, where this application is not"
        );
        url
    }

    async fn navigate(
        &mut self,
        method: Method,
        url: Url,
        form: Option<&[(&str, &str)]>,
        begun: Begun,
    ) -> &Page {
        let request = form_request(method, &url, form, begun);
        self.exchange(url, request, begun).await
    }

    /// The one way to the application: everything sent and received passes through here.
    async fn exchange(&mut self, url: Url, mut request: Request<Bytes>, begun: Begun) -> &Page {
        self.add_host_and_cookies(&url, &mut request, begun);
        let (parts, body) = request.into_parts();
        self.learn_names(parts.headers.get_all(COOKIE), usize::MAX);

        let request = Request::from_parts(parts.clone(), Body::from(body.clone()));
        let Ok(response) = self.app.clone().oneshot(request).await;
        let (head, content) = response.into_parts();
        // As in a browser, the headers act before the body is there.
        self.learn_names(head.headers.get_all(SET_COOKIE), 1);
        if !self.refuses_cookies {
            let mut jar = self.jar();
            for set_cookie in head.headers.get_all(SET_COOKIE) {
                jar.keep(&String::from_utf8_lossy(set_cookie.as_bytes()), &url);
            }
        }
        let content = content
            .collect()
            .await
            .unwrap_or_else(|error| panic!("the response to {url} broke off: {error}"))
            .to_bytes();

        let text = String::from_utf8_lossy(&content).into_owned();
        let page = Page::new(head.status, head.headers, text);
        self.transcript.record(&parts, &body, &page, OffsetDateTime::now_utc());
        self.asked = (parts.method, begun);
        self.url = url;
        self.page.insert(page)
    }

    fn add_host_and_cookies(&self, url: &Url, request: &mut Request<Bytes>, begun: Begun) {
        let cookies = self.jar().cookies_for(url, request.method(), begun);
        let headers = request.headers_mut();
        let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort])
            .expect("a parsed address has an ASCII host");
        headers.entry(HOST).or_insert(host);
        if let Some(cookies) = cookies
            && !self.refuses_cookies
        {
            let cookies = HeaderValue::from_str(&cookies)
                .unwrap_or_else(|_| panic!("HTTP forbids these cookies: {cookies:?}"));
            headers.entry(COOKIE).or_insert(cookies);
        }
    }

    /// Names the ids among the first `pairs` of each header: in a `Set-Cookie`, what follows the
    /// first `;` is no cookie.
    fn learn_names(&self, headers: GetAll<'_, HeaderValue>, pairs: usize) {
        let mut names = self.names();
        for header in headers {
            let header = String::from_utf8_lossy(header.as_bytes());
            header.split(';').take(pairs).for_each(|pair| names.learn(pair));
        }
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().expect("no tab panics while it holds the jar")
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().expect("no tab panics while it names an id")
    }
}

fn parse(origin: &str) -> Url {
    match Url::parse(origin) {
        Ok(url) if url.scheme().starts_with("http") => url,
        _ => panic!("{origin:?} is not an origin such as http://library.example"),
    }
}

/// A request with this form, urlencoded, which says where it was begun.
fn form_request(
    method: Method,
    url: &Url,
    form: Option<&[(&str, &str)]>,
    begun: Begun,
) -> Request<Bytes> {
    let body = form.map_or_else(Bytes::new, |form| {
        serde_urlencoded::to_string(form).expect("pairs of strings can be urlencoded").into()
    });
    let mut request = request(method, url, body);
    let headers = request.headers_mut();
    if form.is_some() {
        let urlencoded = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, urlencoded);
    }
    if let Some(site) = begun.sec_fetch_site() {
        headers.insert(SEC_FETCH_SITE, HeaderValue::from_static(site));
    }
    request
}

fn request(method: Method, url: &Url, body: Bytes) -> Request<Bytes> {
    Request::builder()
        .method(method)
        .uri(&url[Position::BeforePath..Position::AfterQuery])
        .body(body)
        .expect("a parsed address has a valid path")
}
