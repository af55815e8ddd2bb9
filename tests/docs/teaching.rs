//! What docs/teaching.md is held to: the minutes of the pages, and the words of the exercises' checks.

use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::LitStr;

use crate::checks::Finding;
use crate::frame::minutes;
use crate::links::{chapters, page_of};
use crate::markdown::Page;
use crate::sources;

const PAGE: &str = "docs/teaching.md";

/// The rows whose minutes are not those of the chapter's page, and the chapters without a row.
pub fn wrong_minutes(root: &Path, pages: &[Page]) -> Vec<Finding> {
    let Some(teaching) = pages.iter().find(|page| page.path == PAGE) else {
        return vec![Finding::new(PAGE, 1, "there is no such page")];
    };
    let mut findings = Vec::new();
    for chapter in chapters(root) {
        let Some(page) = pages.iter().find(|page| page.path == page_of(&chapter)) else { continue };
        let link = format!("]({chapter}.md) |");
        let row = teaching.text.lines().zip(1..).find(|(row, _)| row.contains(&link));
        let right = format!("]({chapter}.md) | {} |", minutes(page));
        match row {
            None => findings.push(Finding::new(PAGE, 1, format!("no row has `{link}`"))),
            Some((row, line)) if !row.contains(&right) => {
                findings.push(Finding::new(PAGE, line, format!("the row has `{right}`")));
            }
            Some(_) => {}
        }
    }
    findings
}

/// The sentences between “ and ” that no check says, under the heading of its exercise: `### 3 …`.
pub fn sentences_of_no_check(root: &Path, pages: &[Page]) -> Vec<Finding> {
    let Some(teaching) = pages.iter().find(|page| page.path == PAGE) else { return Vec::new() };
    let chapters = chapters(root);
    let mut findings = Vec::new();
    let mut patterns = Vec::new();
    for (text, line) in teaching.text.lines().zip(1..) {
        if let Some(title) = text.strip_prefix("### ") {
            let number = title.split(' ').next().and_then(|it| it.parse::<usize>().ok());
            let chapter = number.and_then(|number| chapters.get(number.checked_sub(1)?));
            let read = chapter.map(|it| sources::read(root, &format!("chapters/{it}/check.rs")));
            match read.transpose() {
                Ok(source) => patterns = source.map_or(Vec::new(), |source| literals(&source)),
                Err(error) => findings.push(Finding::new(PAGE, line, format!("{error:#}"))),
            }
        }
        for said in text.split('“').skip(1).filter_map(|rest| rest.split('”').next()) {
            if !patterns.iter().any(|pattern| fits(pattern, said)) {
                findings.push(Finding::new(PAGE, line, format!("no check says “{said}”")));
            }
        }
    }
    findings
}

/// All texts in the source, also those in macros.
fn literals(source: &str) -> Vec<String> {
    fn collect(tokens: TokenStream, found: &mut Vec<String>) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => collect(group.stream(), found),
                TokenTree::Literal(literal) => {
                    let text = syn::parse_str::<LitStr>(&literal.to_string());
                    found.extend(text.map(|text| text.value()));
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    collect(source.parse().unwrap_or_default(), &mut found);
    found
}

/// Is this what the format string says, with something in the place of each `{…}`? A `{…}` alone
/// would say anything.
fn fits(pattern: &str, said: &str) -> bool {
    let pieces: Vec<&str> =
        pattern.split('{').map(|piece| piece.split_once('}').map_or(piece, |(_, it)| it)).collect();
    let ([first, middle @ .., last], true) = (&pieces[..], pattern.contains(char::is_whitespace))
    else {
        return pattern == said && !said.is_empty();
    };
    let Some(mut rest) = said.strip_prefix(first) else { return false };
    for piece in middle {
        let Some(found) = rest.find(piece) else { return false };
        rest = &rest[found + piece.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_fits_the_format_string_that_says_it() {
        let pattern = "After mini, the car is {page:?}, not \"{}\".";
        assert!(fits(pattern, "After mini, the car is \"beetle\", not \"mini\"."));
        assert!(!fits(pattern, "After mini, the car is \"beetle\", not \"mini\"!"));
        assert!(!fits(pattern, "Before mini, the car is \"beetle\", not \"mini\"."));
        assert!(!fits("{}", "anything"));
        assert!(fits("The site says {greeting:?}", "The site says \"Hello, Ada.\""));
        assert!(fits("A health check has made a session.", "A health check has made a session."));
    }

    #[test]
    fn the_texts_in_macros_are_found() {
        let source = "fn check() { ensure!(page == \"mini\", \"The car is \\\n  {page:?}.\"); }";
        assert_eq!(literals(source), ["mini", "The car is {page:?}."]);
    }
}
