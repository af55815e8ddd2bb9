//! What the docs are held to within a page: its blocks, its markers, the order of its sections.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use pulldown_cmark::HeadingLevel;
use similar::TextDiff;

use crate::fold::Shown;
use crate::links::{chapters, page_of};
use crate::markdown::{Comment, Fence, Page};
use crate::markers::{self, Marker};
use crate::sources;

/// The second-level headings of a chapter's page, in their order.
pub const SECTIONS: [&str; 7] = [
    "What you see",
    "What goes over the wire",
    "The code",
    "Django and Rust",
    "What can go wrong",
    "Exercise",
    "Check yourself",
];

/// Something to mend, and where.
#[derive(Debug)]
pub struct Finding {
    path: String,
    line: usize,
    problem: String,
}

impl Finding {
    pub fn new(path: &str, line: usize, problem: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line, problem: problem.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.problem)
    }
}

/// The marked blocks that differ from their source, or whose source cannot be had.
pub fn drifted_blocks(root: &Path, pages: &[Page]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        for (fence, body) in page.fences.iter().zip(true_bodies(root, page)) {
            let problem = match body {
                Ok(Some(body)) if body != fence.body => difference(fence, &body),
                Ok(_) => continue,
                Err(error) => format!("{error:#}"),
            };
            findings.push(Finding::new(&page.path, fence.line, problem));
        }
    }
    findings
}

/// The fences that claim to be code or HTTP, and say neither whose nor why not.
pub fn unmarked_fences(pages: &[Page]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        for fence in &page.fences {
            let needs_a_source = ["rust", "rs", "http"].contains(&fence.language.as_str());
            // A malformed marker is for `loose_markers` to report, once.
            if needs_a_source && matches!(marker_of(fence), Ok(Marker::Remark)) {
                let problem = format!("a {} fence without a source", fence.language);
                findings.push(Finding::new(&page.path, fence.line, problem));
            }
        }
    }
    findings
}

/// The markers that guard nothing: malformed, or above something that is not a fence.
pub fn loose_markers(pages: &[Page]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        let above_fences = page.fences.iter().filter_map(|fence| fence.comment.as_ref());
        let above_fences = above_fences.map(|comment| (comment, problem_above_a_fence(comment)));
        let loose = page.loose_comments.iter();
        let loose = loose.map(|comment| (comment, problem_elsewhere(page, comment)));
        for (comment, problem) in above_fences.chain(loose) {
            findings.extend(problem.map(|problem| Finding::new(&page.path, comment.line, problem)));
        }
    }
    findings.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    findings
}

fn problem_above_a_fence(comment: &Comment) -> Option<String> {
    let text = &comment.text;
    match Marker::read(text) {
        Ok(Marker::Remark) if markers::names_a_kind(text) => {
            Some(format!("no such marker: `{text}`"))
        }
        Ok(Marker::Value { .. }) => {
            Some(format!("a number goes right before this, not a fence after it: `{text}`"))
        }
        Ok(_) => None,
        Err(error) => Some(format!("{error:#}")),
    }
}

fn problem_elsewhere(page: &Page, comment: &Comment) -> Option<String> {
    let text = &comment.text;
    // Right after a word, only a value's marker has a reason to be.
    let follows_a_word =
        page.text[..comment.start].ends_with(|letter: char| !letter.is_whitespace());
    match Marker::read(text) {
        Ok(Marker::Remark) if follows_a_word && markers::names_a_kind(text) => {
            Some(format!("no such marker: `{text}`"))
        }
        // docs/values.rs looks at what stands before a value.
        Ok(Marker::Remark | Marker::Value { .. }) => None,
        Ok(_) => Some(format!("no fence follows on the next line: `{text}`")),
        Err(error) => Some(format!("{error:#}")),
    }
}

/// The chapters' pages that leave out a section, or show how before they show what.
pub fn disordered_pages(root: &Path, pages: &[Page]) -> Vec<Finding> {
    let of_chapters: Vec<String> = chapters(root).iter().map(|name| page_of(name)).collect();
    pages
        .iter()
        .filter(|page| of_chapters.contains(&page.path))
        .flat_map(|page| {
            let mut findings = disordered_sections(page);
            findings.extend(code_before_the_page(page));
            findings
        })
        .collect()
}

/// Writes into each marked block what its source says; nothing else of a page changes.
///
/// Returns the pages that changed, and the blocks whose source cannot be had.
///
/// # Errors
///
/// If a page cannot be written.
pub fn rewrite(root: &Path, pages: &[Page]) -> Result<(Vec<String>, Vec<Finding>)> {
    let mut rewritten = Vec::new();
    let mut failed = Vec::new();
    for page in pages {
        let mut text = page.text.clone();
        // From the last to the first, so that the places of those still to come hold.
        for (fence, body) in page.fences.iter().zip(true_bodies(root, page)).rev() {
            match body {
                Ok(Some(body)) if body != fence.body => {
                    text.replace_range(fence.span.clone(), &indented(&body, &fence.indent));
                }
                Ok(_) => {}
                Err(error) => {
                    failed.push(Finding::new(&page.path, fence.line, format!("{error:#}")));
                }
            }
        }
        if text != page.text {
            if page.crlf {
                text = text.replace('\n', "\r\n");
            }
            fs::write(root.join(&page.path), text)
                .with_context(|| format!("writing {}", page.path))?;
            rewritten.push(page.path.clone());
        }
    }
    Ok((rewritten, failed))
}

fn marker_of(fence: &Fence) -> Result<Marker> {
    match &fence.comment {
        Some(comment) => Marker::read(&comment.text),
        None => Ok(Marker::Remark),
    }
}

/// What the page's fences should hold, in their order: what one shows, the next does not repeat.
fn true_bodies(root: &Path, page: &Page) -> Vec<Result<Option<String>>> {
    let mut shown = Shown::default();
    page.fences.iter().map(|fence| true_body(root, fence, &mut shown)).collect()
}

/// What the fence should hold; nothing if its marker names no source, or is malformed.
fn true_body(root: &Path, fence: &Fence, shown: &mut Shown) -> Result<Option<String>> {
    let Ok(marker) = marker_of(fence) else {
        return Ok(None);
    };
    let Some(text) = sources::text_of(root, &marker)? else {
        return Ok(None);
    };
    let text = shown.next(&marker, text);

    let languages = sources::languages(&marker);
    if !languages.is_empty() && !languages.contains(&fence.language.as_str()) {
        let language = &fence.language;
        bail!("the fence says `{language}`, its source is {}", languages.join(" or "));
    }
    ensure!(fence.closed, "the fence is never closed");
    if let Some(length) = text.lines().filter_map(|line| run_of(line, &fence.ticks)).max() {
        let longer = fence.ticks[..1].repeat(length + 1);
        bail!("the source has a fence of its own: open and close this one with {longer}");
    }
    Ok(Some(if text.is_empty() { text } else { text + "\n" }))
}

/// The length of the backticks at the start of a line, if they would close the fence.
fn run_of(line: &str, ticks: &str) -> Option<usize> {
    let line = line.trim_start();
    let rest = line.trim_start_matches(&ticks[..1]);
    (line.len() - rest.len() >= ticks.len()).then_some(line.len() - rest.len())
}

fn difference(fence: &Fence, body: &str) -> String {
    let source = fence.comment.as_ref().map_or("", |comment| &comment.text);
    let diff = TextDiff::from_lines(fence.body.as_str(), body);
    let diff = diff.unified_diff().header("the page", "its source").to_string();
    format!("differs from `{source}`\n{}", indented(&diff, "    "))
}

fn indented(text: &str, indent: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| match line.trim_end_matches('\n') {
            "" => line.to_owned(),
            _ => format!("{indent}{line}"),
        })
        .collect()
}

fn disordered_sections(page: &Page) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut previous = 0;
    let mut seen = [false; SECTIONS.len()];
    for heading in &page.headings {
        let position = SECTIONS.iter().position(|title| *title == heading.title);
        let Some(position) = position.filter(|_| heading.level == HeadingLevel::H2) else {
            continue;
        };
        let title = &heading.title;
        if seen[position] {
            let problem = format!("a second `## {title}`");
            findings.push(Finding::new(&page.path, heading.line, problem));
        } else if position < previous {
            let problem = format!("`## {title}` comes after `## {}`", SECTIONS[previous]);
            findings.push(Finding::new(&page.path, heading.line, problem));
        }
        seen[position] = true;
        previous = position;
    }
    for (title, seen) in SECTIONS.iter().zip(seen) {
        if !seen {
            findings.push(Finding::new(&page.path, 1, format!("no `## {title}`")));
        }
    }
    findings
}

fn code_before_the_page(page: &Page) -> Option<Finding> {
    for fence in &page.fences {
        match marker_of(fence) {
            Ok(Marker::Page { .. } | Marker::Exchange { .. }) => return None,
            Ok(Marker::Code { .. }) => {
                let problem = "code before any page or exchange: show first what it does";
                return Some(Finding::new(&page.path, fence.line, problem));
            }
            _ => {}
        }
    }
    let problem = "no block shows a page or an exchange";
    Some(Finding::new(&page.path, 1, problem))
}
