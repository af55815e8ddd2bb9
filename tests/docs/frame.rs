//! What a chapter's page begins with and ends with: a box of three lines, and three questions. And
//! how its code begins: with the `use` lines.
//!
//! ````text
//! # 2 My car
//!
//! - **You need:** chapter 1, or to know what a cookie is.
//! - **Time:** about 25 minutes, with the exercise
//! - **Then you can:** keep a visitor's data on the server.
//! ````
//!
//! ````text
//! ## Check yourself
//!
//! <details>
//! <summary>Where is the car?</summary>
//!
//! In the store. The browser has only the id.
//!
//! </details>
//! ````

use std::ops::Range;
use std::path::Path;

use pulldown_cmark::HeadingLevel;

use crate::checks::Finding;
use crate::links::{chapters, page_of};
use crate::markdown::Page;
use crate::markers::Marker;
use crate::{items, sources};

/// How the time for a page is estimated; docs/README.md says it to the reader.
const WORDS_A_MINUTE: usize = 120;
const LINES_OF_CODE_A_MINUTE: usize = 10;
const MINUTES_FOR_THE_EXERCISE: usize = 10;

const QUESTIONS: usize = 3;

/// The chapters' pages whose box or whose questions are missing or wrong.
pub fn unframed_pages(root: &Path, pages: &[Page]) -> Vec<Finding> {
    let of_chapters: Vec<String> = chapters(root).iter().map(|name| page_of(name)).collect();
    let mut findings = Vec::new();
    for page in pages.iter().filter(|page| of_chapters.contains(&page.path)) {
        findings.extend(box_problem(page));
        findings.extend(questions_problem(page));
        findings.extend(uses_problem(root, page));
    }
    findings
}

/// A reader who types the chapter in begins with the first Rust block, and needs its `use` lines.
fn uses_problem(root: &Path, page: &Page) -> Option<Finding> {
    let code =
        page.fences.iter().find_map(|fence| match Marker::read(&fence.comment.as_ref()?.text) {
            Ok(Marker::Code { path, selection, .. }) if path.ends_with(".rs") => {
                Some((fence.line, path, selection))
            }
            _ => None,
        });
    let (line, path, selection) = code?;
    let begins_with_them = selection.is_empty() || selection.split(',').next() == Some("uses");
    let has_some =
        sources::read(root, &path).is_ok_and(|source| items::cut(&source, "uses").is_ok());
    (has_some && !begins_with_them).then(|| {
        let problem = format!("the first block of Rust begins with `code: {path} uses, …`");
        Finding::new(&page.path, line, problem)
    })
}

/// For reading the page and doing its exercise, rounded up to the next five minutes.
pub fn minutes(page: &Page) -> usize {
    let is_rust = |language: &str| ["rust", "rs"].contains(&language);
    let lines = page.fences.iter().filter(|fence| is_rust(&fence.language));
    let lines = lines.flat_map(|fence| fence.body.lines()).filter(|line| !line.trim().is_empty());

    // Both in minutes times their product, so that nothing is rounded before the end.
    let reading = page.words * LINES_OF_CODE_A_MINUTE + lines.count() * WORDS_A_MINUTE;
    let product = WORDS_A_MINUTE * LINES_OF_CODE_A_MINUTE;
    let minutes = (reading + MINUTES_FOR_THE_EXERCISE * product).div_ceil(product);
    minutes.next_multiple_of(5)
}

fn box_problem(page: &Page) -> Option<Finding> {
    let Some(title) = page.headings.iter().find(|heading| heading.level == HeadingLevel::H1) else {
        return Some(Finding::new(&page.path, 1, "no `# title`"));
    };
    // Lines are counted from 1, so this index is that of the line after the title.
    let below: Vec<&str> = page.text.lines().skip(title.line).collect();
    let items = items(below.iter().copied().skip_while(|line| line.trim().is_empty()));
    let time = format!("- **Time:** about {} minutes, with the exercise", minutes(page));
    let says = |item: &str, start: &str| item.strip_prefix(start).is_some_and(|it| it.len() > 1);
    let problem = match &items[..] {
        [need, said, can] if says(need, "- **You need:**") && says(can, "- **Then you can:**") => {
            (*said != time).then(|| format!("the second line of the box is `{time}`"))?
        }
        _ => format!(
            "the title is followed by a list of three lines: `- **You need:** …`, `{time}`, \
             `- **Then you can:** …`"
        ),
    };
    Some(Finding::new(&page.path, title.line, problem))
}

/// The items of the list with which the lines begin, each with the lines over which it goes on.
fn items<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut items: Vec<String> = Vec::new();
    for line in lines.take_while(|line| line.starts_with("- ") || line.starts_with("  ")) {
        match items.last_mut() {
            Some(item) if line.starts_with("  ") => {
                item.push(' ');
                item.push_str(line.trim());
            }
            _ => items.push(line.trim_end().to_owned()),
        }
    }
    items
}

fn questions_problem(page: &Page) -> Option<Finding> {
    // That the section is there, and stands in its place, is for checks.rs to see.
    let section = page.headings.iter().position(|heading| heading.title == "Check yourself")?;
    let line = page.headings[section].line;
    let found = |problem: String| Some(Finding::new(&page.path, line, problem));
    if let Some(next) = page.headings.get(section + 1) {
        return found(format!("the page ends with its questions, not with `{}`", next.title));
    }

    let text: Vec<&str> = page.text.lines().skip(line).collect();
    let text = text.join("\n");
    let mut count = 0;
    let mut rest = text.as_str();
    while let Some(Range { start, end }) = next_details(rest) {
        count += 1;
        if let Some(problem) = question_problem(&rest[start..end]) {
            return found(format!("question {count}: {problem}"));
        }
        rest = &rest[end..];
    }
    if count != QUESTIONS {
        return found(format!("{QUESTIONS} questions are asked in a section, not {count}"));
    }
    None
}

fn next_details(text: &str) -> Option<Range<usize>> {
    let start = text.find("<details>")?;
    let end = text[start..].find("</details>").map_or(text.len(), |end| start + end);
    Some(start..end)
}

/// What is wrong with the text between `<details>` and `</details>`.
fn question_problem(details: &str) -> Option<&'static str> {
    let inner = details.trim_start_matches("<details>").trim_start();
    let Some((question, answer)) =
        inner.strip_prefix("<summary>").and_then(|inner| inner.split_once("</summary>"))
    else {
        return Some("write `<summary>question</summary>` right after `<details>`");
    };
    if question.trim().is_empty() || answer.trim().is_empty() {
        return Some("a question and its answer have words");
    }
    if question.contains('`') || question.contains("](") {
        return Some("a summary is HTML, not Markdown: write `<code>…</code>`");
    }
    if !answer.starts_with("\n\n") || !answer.ends_with("\n\n") {
        return Some("blank lines go before and after the answer, so that it is Markdown");
    }
    None
}
