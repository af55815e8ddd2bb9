//! One response, as a visitor or a test looks at it.

use axum::http::{
    HeaderMap, StatusCode,
    header::{CONTENT_TYPE, SET_COOKIE},
};
use scraper::{ElementRef, Html, Selector};

use crate::sheet;

/// A response: its status, its headers, and the page.
///
/// Nothing here is renamed: an id stands as the server wrote it. See
/// [`Browser::named`](crate::Browser::named) before a page goes into a snapshot.
#[derive(Clone, Debug)]
pub struct Page {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Page {
    pub(crate) fn new(status: StatusCode, headers: HeaderMap, body: String) -> Self {
        Self { status, headers, body }
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// All headers of the response, as they came.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first header of this name, in any case of letters. One that is not UTF-8 counts as
    /// absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.headers.get(name)?.as_bytes()).ok()
    }

    /// Every `Set-Cookie` header, whole and in order, but for those that are not UTF-8.
    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
            .collect()
    }

    /// The whole body as it came; bytes that are not UTF-8 are replaced by `�`.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The HTML inside `<main>` (or `<body>`, or all of it, when there is none), as the server
    /// wrote it: entities stay entities. Moved to the left margin, without blank lines.
    pub fn html(&self) -> String {
        let source =
            inside(&self.body, "main").or_else(|| inside(&self.body, "body")).unwrap_or(&self.body);
        dedent(source)
    }

    /// What the visitor sees in `<main>` (or `<body>`, when there is none), as plain text:
    ///
    /// - paragraphs, headings, lists and forms stand apart by a blank line;
    /// - a list item is `- Books: 27`, a table's row `Title | Author`, a link its text;
    /// - a button is `[ Set ]`, and `[ Set ] (disabled)` when it is;
    /// - a text field is `[mini]`, an empty one `[____]`; a password is `[****]`;
    /// - a checkbox is `[x]` or `[ ]`, a radio button `(x)` or `( )`, a select `[its choice]`;
    /// - `<pre>` keeps its lines; elsewhere white space is folded as a browser does;
    /// - what is hidden stays hidden: `hidden` elements, hidden fields, scripts, styles, and all
    ///   but the summary of a closed `<details>`.
    ///
    /// A response that is not HTML is its body as it came, without white space at its end.
    pub fn text(&self) -> String {
        if !self.is_html() {
            return self.body.trim_end().to_owned();
        }
        let page = Html::parse_document(&self.body);
        let seen = page
            .select(&selector("main"))
            .next()
            .or_else(|| page.select(&selector("body")).next())
            .unwrap_or_else(|| page.root_element());
        sheet::draw(seen)
    }

    /// Whether any element of the whole page matches the CSS selector.
    ///
    /// # Panics
    ///
    /// When `css` is not a selector.
    pub fn has(&self, css: &str) -> bool {
        let page = Html::parse_document(&self.body);
        page.select(&selector(css)).next().is_some()
    }

    /// The text, drawn as in [`text`](Self::text), of every element of the whole page that
    /// matches the CSS selector.
    ///
    /// # Panics
    ///
    /// When `css` is not a selector.
    pub fn texts(&self, css: &str) -> Vec<String> {
        self.select(css, |element| Some(sheet::draw(element)))
    }

    /// This attribute of every element of the whole page that matches the CSS selector and has
    /// it: the `value` of a field, the `href` of a link.
    ///
    /// # Panics
    ///
    /// When `css` is not a selector.
    pub fn attributes(&self, css: &str, name: &str) -> Vec<String> {
        self.select(css, |element| element.attr(name).map(str::to_owned))
    }

    fn select(&self, css: &str, take: impl Fn(ElementRef<'_>) -> Option<String>) -> Vec<String> {
        let page = Html::parse_document(&self.body);
        page.select(&selector(css)).filter_map(take).collect()
    }

    fn is_html(&self) -> bool {
        self.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
    }
}

fn selector(css: &str) -> Selector {
    Selector::parse(css).unwrap_or_else(|error| panic!("{css:?} is not a CSS selector: {error:?}"))
}

/// The source between `<tag …>` and the last `</tag>`. Cut from the source, since a parsed page
/// written out again would no longer show what the server escaped.
fn inside<'a>(html: &'a str, tag: &str) -> Option<&'a str> {
    let (_, rest) = html
        .match_indices(&format!("<{tag}"))
        .map(|(at, opening)| html.split_at(at + opening.len()))
        .find(|(_, rest)| rest.starts_with(|c: char| c == '>' || c.is_ascii_whitespace()))?;
    let (_, content) = rest.split_once('>')?;
    let end = content.rfind(&format!("</{tag}>"))?;
    Some(&content[..end])
}

fn dedent(source: &str) -> String {
    let source = source.trim_start_matches([' ', '\t']);
    let margin = |line: &str| line.len() - line.trim_start().len();
    // The first line follows the opening tag, so it says nothing about the margin.
    let common = source
        .lines()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(margin)
        .min()
        .unwrap_or(0);
    source
        .lines()
        .map(|line| line[margin(line).min(common)..].trim_end())
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}
