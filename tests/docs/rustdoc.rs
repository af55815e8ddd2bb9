//! Doc comments in the pages: leaving them out, and finding those that do not belong there.
//!
//! rustdoc's page is for a reader who looks a call up: it has examples and a list of errors. A
//! page of the docs shows code to read, and explains it in its own sentences.

use std::ops::Range;

use anyhow::{Result, anyhow, ensure};
use proc_macro2::{Delimiter, Group, LineColumn, TokenStream, TokenTree};

use crate::checks::Finding;
use crate::markdown::{Fence, Page};

/// How many lines a doc comment may have in a page. Five are a paragraph; what is longer has
/// sections, such as an example and its errors, and hides the code below it.
pub const LONGEST: usize = 5;

/// The code without `///`, `//!` and `#[doc…]`. Ordinary comments stay.
///
/// # Errors
///
/// If the code cannot be read as Rust, or a line has a doc comment and code.
pub fn without_docs(code: &str) -> Result<String> {
    let tokens: TokenStream = code.parse().map_err(|error| anyhow!("this is not Rust: {error}"))?;
    let mut docs = Vec::new();
    find_docs(tokens, &mut docs);

    let lines: Vec<&str> = code.lines().collect();
    let mut is_kept = vec![true; lines.len()];
    for Range { start, end } in docs {
        let (first, last) = (lines[start.line - 1], lines[end.line - 1]);
        let mut around = first.chars().take(start.column).chain(last.chars().skip(end.column));
        ensure!(
            around.all(char::is_whitespace),
            "`{}` has a doc comment and code: give each a line of its own",
            first.trim()
        );
        is_kept[start.line - 1..end.line].fill(false);
        // The comment at the head of a file or of a module ends with a blank line.
        if lines.get(end.line).is_some_and(|next| next.trim().is_empty()) {
            is_kept[end.line] = false;
        }
    }
    let kept = lines.iter().zip(is_kept).filter(|(_, is_kept)| *is_kept);
    Ok(kept.map(|(line, _)| *line).collect::<Vec<_>>().join("\n"))
}

/// Where the doc comments are. Tokens tell them from a string that only looks like one.
fn find_docs(tokens: TokenStream, docs: &mut Vec<Range<LineColumn>>) {
    // A doc comment is an attribute to the compiler: `#`, perhaps `!`, and brackets.
    let mut opening = None;
    for token in tokens {
        match token {
            TokenTree::Punct(sign) if sign.as_char() == '#' => opening = Some(sign.span()),
            TokenTree::Punct(sign) if sign.as_char() == '!' => {}
            TokenTree::Group(group) => match opening.take() {
                Some(start) if is_doc(&group) => {
                    docs.push(start.start()..group.span().end());
                }
                _ => find_docs(group.stream(), docs),
            },
            _ => opening = None,
        }
    }
}

fn is_doc(attribute: &Group) -> bool {
    let first = attribute.stream().into_iter().next();
    attribute.delimiter() == Delimiter::Bracket
        && matches!(first, Some(TokenTree::Ident(name)) if name == "doc")
}

/// The Rust blocks that show a line of an example which rustdoc hides, as `/// # fn main() {`.
pub fn shown_hidden_lines(pages: &[Page]) -> Vec<Finding> {
    in_rust_blocks(pages, |fence| {
        let mut is_example = false;
        for (index, line) in fence.body.lines().enumerate() {
            let Some(doc) = doc_line(line) else {
                is_example = false;
                continue;
            };
            if let Some(language) = doc.strip_prefix("```") {
                is_example = !is_example && is_rust(language);
            } else if is_example && (doc == "#" || doc.starts_with("# ")) {
                let problem = format!("`{}` is a line that rustdoc hides", line.trim());
                return Some((index, problem));
            }
        }
        None
    })
}

/// The Rust blocks in which a doc comment has more than [`LONGEST`] lines.
pub fn long_doc_comments(pages: &[Page]) -> Vec<Finding> {
    in_rust_blocks(pages, |fence| {
        let mut length = 0;
        // A line more than there is, so that a comment at the end has an end, too.
        for (index, line) in fence.body.lines().chain([""]).enumerate() {
            if doc_line(line).is_some() {
                length += 1;
            } else if length > LONGEST {
                let problem = format!("a doc comment of {length} lines, more than {LONGEST}");
                return Some((index - length, problem));
            } else {
                length = 0;
            }
        }
        None
    })
}

/// What `problem` finds, at most one in a block; its number counts the block's lines from 0.
fn in_rust_blocks(
    pages: &[Page],
    problem: impl Fn(&Fence) -> Option<(usize, String)>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        for fence in &page.fences {
            if ["rust", "rs"].contains(&fence.language.as_str())
                && let Some((index, problem)) = problem(fence)
            {
                findings.push(Finding::new(&page.path, fence.line + 1 + index, problem));
            }
        }
    }
    findings
}

/// What a line of a doc comment says.
fn doc_line(line: &str) -> Option<&str> {
    let line = line.trim();
    let doc = line.strip_prefix("//!").or_else(|| line.strip_prefix("///"))?;
    (!doc.starts_with('/')).then(|| doc.trim())
}

/// Whether an example in this language is run as a test. Only then are lines of it hidden.
fn is_rust(language: &str) -> bool {
    language.split([',', ' ']).all(|word| {
        ["", "rust", "no_run", "should_panic", "compile_fail", "ignore"].contains(&word)
            || word.starts_with("edition")
            || word.starts_with("ignore-")
    })
}
