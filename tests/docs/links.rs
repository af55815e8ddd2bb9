//! What the docs are held to between pages: where links go, and that every page is found.

use std::fs;
use std::path::Path;

use crate::checks::Finding;
use crate::markdown::{Link, Page, read_page};

/// The links that lead nowhere, on a code host or in the built book.
pub fn dead_links(root: &Path, pages: &[Page]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        for link in &page.links {
            if let Some(problem) = dead(root, pages, page, link) {
                let problem = format!("`{}` {problem}", link.target);
                findings.push(Finding::new(&page.path, link.line, problem));
            }
        }
    }
    findings
}

/// The chapters that have no page, and the pages to which no list leads.
pub fn unlisted_pages(root: &Path, pages: &[Page]) -> Vec<Finding> {
    const SUMMARY: &str = "docs/SUMMARY.md";
    const FRONT: &str = "docs/README.md";

    let mut findings = Vec::new();
    let mut require_link = |list: &str, targets: &[&str]| {
        let page = pages.iter().find(|page| page.path == list);
        if !page.is_some_and(|page| links_to_any(page, targets)) {
            findings.push(Finding::new(list, 1, format!("no link to {}", targets[0])));
        }
    };

    let chapters = chapters(root);
    for chapter in &chapters {
        let page = page_of(chapter);
        require_link(SUMMARY, &[&page]);
        require_link(FRONT, &[&page]);
        require_link("README.md", &[&page, &format!("chapters/{chapter}")]);
    }
    require_link(SUMMARY, &[FRONT]);
    for page in pages {
        let listed_above = chapters.iter().any(|chapter| page_of(chapter) == page.path);
        if page.path.starts_with("docs/")
            && ![SUMMARY, FRONT].contains(&page.path.as_str())
            && !listed_above
        {
            require_link(SUMMARY, &[&page.path]);
        }
    }

    findings.extend(chapters_without_a_page(&chapters, pages));
    findings
}

fn chapters_without_a_page(chapters: &[String], pages: &[Page]) -> Vec<Finding> {
    if chapters.is_empty() {
        return vec![Finding::new("chapters", 1, "no folder NN-name is here")];
    }
    let is_there = |path: &String| pages.iter().any(|page| page.path == *path);
    let without = chapters.iter().filter(|chapter| !is_there(&page_of(chapter)));
    let finding = |chapter: &String| {
        Finding::new(&page_of(chapter), 1, format!("chapters/{chapter} has no page"))
    };
    without.map(finding).collect()
}

/// The names of the chapters' folders, as `02-my-car`.
pub fn chapters(root: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root.join("chapters"))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().filter(|entry| entry.path().is_dir()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| {
            let number = name.split('-').next().unwrap_or_default();
            number.len() == 2 && number.parse::<u8>().is_ok()
        })
        .collect();
    names.sort();
    names
}

/// The page of a chapter, from its folder's name.
pub fn page_of(chapter: &str) -> String {
    format!("docs/{chapter}.md")
}

fn links_to_any(page: &Page, targets: &[&str]) -> bool {
    page.links.iter().any(|link| {
        let (path, _) = split_fragment(&link.target);
        resolve(&page.path, path).is_some_and(|path| targets.contains(&path.as_str()))
    })
}

/// Why a link is dead; nothing if it is alive.
fn dead(root: &Path, pages: &[Page], page: &Page, link: &Link) -> Option<String> {
    let target = link.target.as_str();
    if let Some(rest) = target.strip_prefix("https://").or_else(|| target.strip_prefix("http://")) {
        return dead_address(rest);
    }
    if target.starts_with("mailto:") {
        return None;
    }
    if target.starts_with('/') {
        return Some("is absolute: go from the page's folder".to_owned());
    }

    let (path, fragment) = split_fragment(target);
    if path.is_empty() && fragment.is_none() {
        return Some("is empty".to_owned());
    }
    let Some(path) = resolve(&page.path, path) else {
        return Some("leaves the repository".to_owned());
    };
    if let Some(problem) = dead_path(root, page, &path) {
        return Some(problem);
    }

    if path.ends_with(".rs") && !link.title.is_empty() && !has_test(root, &path, &link.title) {
        return Some(format!("has no fn {}", link.title));
    }

    let fragment = fragment?;
    if !path.ends_with(".md") {
        return Some("names a place in a file that has no headings".to_owned());
    }
    let has_heading = |page: &Page| page.headings.iter().any(|known| known.slug == fragment);
    let found = match pages.iter().find(|known| known.path == path) {
        Some(known) => has_heading(known),
        None => read_page(root, &path).is_ok_and(|other| has_heading(&other)),
    };
    (!found).then(|| format!("finds no such heading in {path}"))
}

/// `[test](a_file.rs "a_promise")`: the test of that name is to be there.
fn has_test(root: &Path, path: &str, name: &str) -> bool {
    let function = format!("fn {name}(");
    fs::read_to_string(root.join(path)).is_ok_and(|file| file.contains(&function))
}

/// Other sites are not asked: the tests must not depend on them.
fn dead_address(address: &str) -> Option<String> {
    let authority = address.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let host = host.strip_suffix(':').unwrap_or(authority);
    ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"]
        .contains(&host)
        .then(|| "is dead unless a server runs: write the address as code".to_owned())
}

fn dead_path(root: &Path, page: &Page, path: &str) -> Option<String> {
    let file = root.join(path);
    let in_the_book = page.path.starts_with("docs/");
    if file.is_dir() {
        // A code host shows a folder's files; next to the built book there may be no such page.
        return in_the_book.then(|| "is a folder: link a file in it".to_owned());
    }
    if !file.is_file() {
        return Some(format!("finds no file {path}"));
    }
    // mdBook writes .html for the .md of every link, whether or not it has made such a page,
    // and makes index.html of README.md without telling the links (mdBook's issue 984).
    if in_the_book && path.ends_with(".md") && page.path != "docs/SUMMARY.md" {
        if !path.starts_with("docs/") {
            return Some("is no page of the book".to_owned());
        }
        if path.ends_with("/README.md") && path != page.path {
            return Some("is dead in the built book, where README.md is index.html".to_owned());
        }
    }
    None
}

fn split_fragment(target: &str) -> (&str, Option<&str>) {
    match target.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (target, None),
    }
}

/// A relative path from the page's folder as one from the repository's root.
///
/// The empty path is the page itself. Nothing comes of one that climbs out of the repository.
fn resolve(page: &str, path: &str) -> Option<String> {
    if path.is_empty() {
        return Some(page.to_owned());
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
