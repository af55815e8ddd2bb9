//! The links of the built book: to sources, and to its own pages.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;

/// The name of the page that shows this file, for example `chapters-02-my-car-my_car.rs.html`.
pub fn page_of_source(source: &str) -> String {
    format!("{}.html", source.replace('/', "-"))
}

/// Turns each link that leaves the book, such as `../tests/lib.rs`, to the page of that source, and
/// adds the source to `sources`.
pub fn to_pages_of_sources(html: &str, sources: &mut BTreeSet<String>) -> String {
    let mut parts = html.split("href=\"../");
    let mut turned = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (source, rest) = part.split_once('"').unwrap_or((part, ""));
        turned += &format!("href=\"{}\"{rest}", page_of_source(source));
        sources.insert(source.to_owned());
    }
    turned
}

/// How many links within the book there are, and which of them are dead.
pub fn follow_all(book: &Path, pages: &[PathBuf]) -> Result<(usize, Vec<String>)> {
    let mut anchors = BTreeMap::new();
    for page in pages {
        let html = fs::read_to_string(page)?;
        let ids = values(&html, "id").into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
        anchors.insert(page.clone(), ids);
    }
    let (mut number, mut dead) = (0, Vec::new());
    for page in pages {
        let html = fs::read_to_string(page)?;
        let links = values(&html, "href").into_iter().chain(values(&html, "src"));
        for link in links.filter(|link| is_within(link)) {
            number += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { book.join(path) };
            let has_anchor = || {
                anchor.is_empty() || anchors.get(&target).is_some_and(|ids| ids.contains(anchor))
            };
            if !target.is_file() || path.contains("..") || !has_anchor() {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    Ok((number, dead))
}

fn is_within(link: &str) -> bool {
    // The page for what is not there names the root of the site, wherever that is.
    link != "/"
        && !["http://", "https://", "mailto:", "data:", "javascript:"]
            .iter()
            .any(|other| link.starts_with(other))
}

/// What the attribute `name` is set to, wherever it is.
fn values<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let parts = html.split(&format!(" {name}=\"") as &str).skip(1).collect::<Vec<_>>();
    parts.into_iter().filter_map(|part| Some(part.split_once('"')?.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_out_of_the_book_goes_to_a_page_that_shows_the_source() {
        let mut sources = BTreeSet::new();
        let html = r#"<a href="../a/b.rs">b</a> <a href="c.html">c</a>"#;
        assert_eq!(
            to_pages_of_sources(html, &mut sources),
            r#"<a href="a-b.rs.html">b</a> <a href="c.html">c</a>"#
        );
        assert_eq!(sources, ["a/b.rs".to_owned()].into());
    }

    #[test]
    fn a_link_is_dead_if_its_page_or_its_heading_is_not_there() {
        let book = tempfile::tempdir().expect("an empty folder");
        let page = book.path().join("a.html");
        let html = r##"<h1 id="top"> <a href="#top"> <a href="a.html#top"> <a href="#end">
            <img src="b.png"> <a href="../a.html"> <a href="https://example.org/c">"##;
        fs::write(&page, html).expect("a page");
        let (number, dead) = follow_all(book.path(), std::slice::from_ref(&page)).expect("links");
        let dead: Vec<_> = dead.iter().filter_map(|it| Some(it.split_once(": ")?.1)).collect();
        assert_eq!((number, dead), (5, vec!["#end", "../a.html", "b.png"]));
    }
}
