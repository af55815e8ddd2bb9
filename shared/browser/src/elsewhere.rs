//! A page of another origin, in the same browser, and what it sends to the application.

use url::{Host, Url};

use crate::{browser::Browser, jar::Begun, page::Page};

/// A page of another origin, opened with [`Browser::page_at`].
///
/// Whether it is same-origin, same-site or cross-site is as in the HTML standard ("same site"):
/// one origin has one scheme, host and port; one site has one scheme and one registrable domain, and
/// the port does not count. The registrable domain is taken to be the last two labels of the host. A
/// browser looks it up in the Public Suffix List instead.
///
/// It sends no `Referer`, as a page with `Referrer-Policy: no-referrer` does not.
///
/// ```
/// use axum::{Router, http::HeaderMap, routing::post};
/// use browser::Browser;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let says = async |headers: HeaderMap| headers["sec-fetch-site"].to_str().unwrap().to_owned();
/// let mut visitor = Browser::open(Router::new().route("/car", post(says)));
///
/// let mut page = visitor.page_at("http://evil.example");
/// assert_eq!(page.submit("/car", &[("my_car", "mini")]).await.text(), "cross-site");
/// # }
/// ```
pub struct Elsewhere<'a> {
    browser: &'a mut Browser,
    origin: Url,
}

impl<'a> Elsewhere<'a> {
    pub(crate) fn new(browser: &'a mut Browser, origin: Url) -> Self {
        Self { browser, origin }
    }

    /// The visitor follows a link of it: a top-level navigation.
    pub async fn follow_link(&mut self, path: &str) -> &Page {
        let begun = self.relation(Begun::AtAnotherSite);
        self.browser.send_from(None, path, None, begun).await
    }

    /// Its form is submitted with POST, by the visitor or by a script: a top-level navigation.
    pub async fn submit(&mut self, path: &str, form: &[(&str, &str)]) -> &Page {
        let begun = self.relation(Begun::AtAnotherSite);
        self.browser.send_from(Some(&self.origin()), path, Some(form), begun).await
    }

    /// It loads an image from the application. The response is returned; a visitor sees none of
    /// it.
    pub async fn load_image(&mut self, path: &str) -> &Page {
        let begun = self.relation(Begun::WithinAnotherSite);
        self.browser.send_from(None, path, None, begun).await
    }

    /// Its script sends a form with `fetch`, `credentials: "include"` and `mode: "no-cors"`. The
    /// response is returned; the script itself may not read it.
    pub async fn fetch(&mut self, path: &str, form: &[(&str, &str)]) -> &Page {
        let begun = self.relation(Begun::WithinAnotherSite);
        self.browser.send_from(Some(&self.origin()), path, Some(form), begun).await
    }

    /// How it stands to the application: `cross_site` if they are of two sites.
    fn relation(&self, cross_site: Begun) -> Begun {
        let (here, there) = (self.browser.url(), &self.origin);
        if here.origin() == there.origin() {
            Begun::AtThisOrigin
        } else if site(here) == site(there) {
            Begun::AtThisSite
        } else {
            cross_site
        }
    }

    fn origin(&self) -> String {
        self.origin.origin().ascii_serialization()
    }
}

/// The scheme and the last two labels of the host; an address is one whole.
fn site(url: &Url) -> (&str, &str) {
    let host = url.host_str().unwrap_or_default();
    let domain = match url.host() {
        Some(Host::Domain(_)) => {
            let dot = host.rmatch_indices('.').nth(1);
            dot.map_or(host, |(at, dot)| &host[at + dot.len()..])
        }
        _ => host,
    };
    (url.scheme(), domain)
}
