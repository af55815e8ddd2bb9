//! The text that a marker asks for, from the file that it names.

use std::fs;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::markers::Marker;
use crate::{items, rustdoc};

/// A block's text, or nothing for a comment that names no source.
pub fn text_of(root: &Path, marker: &Marker) -> Result<Option<String>> {
    let text = match marker {
        Marker::Code { path, without_docs: false, selection } => code(root, path, selection)?,
        Marker::Code { path, without_docs: true, selection } => {
            let code = code(root, path, selection)?;
            rustdoc::without_docs(&code).with_context(|| path.clone())?
        }
        Marker::Exchange { path, numbers, selection } => {
            let all = snapshot(root, path)?;
            let chosen = match numbers {
                Some(numbers) => exchanges(&all, numbers).with_context(|| path.clone())?,
                None => all,
            };
            part_of(chosen, selection).with_context(|| path.clone())?
        }
        Marker::Page { path, selection } => {
            part_of(snapshot(root, path)?, selection).with_context(|| path.clone())?
        }
        Marker::Value { .. } | Marker::NoSource | Marker::Remark => return Ok(None),
    };
    Ok(Some(text))
}

/// The languages in which a fence may show this source; none means any.
pub fn languages(marker: &Marker) -> &'static [&'static str] {
    match marker {
        Marker::Code { path, .. } => match path.rsplit(['.', '/']).next() {
            Some("rs") => &["rust"],
            Some("toml") => &["toml"],
            Some("html") => &["html"],
            Some("sql") => &["sql"],
            Some("css") => &["css"],
            _ => &[],
        },
        Marker::Exchange { .. } => &["http"],
        Marker::Page { .. } => &["text", "html"],
        Marker::Value { .. } | Marker::NoSource | Marker::Remark => &[],
    }
}

/// The lines without the indentation that all of them share.
pub fn dedented(lines: &[&str]) -> String {
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or_default();
    let lines: Vec<&str> =
        lines.iter().map(|line| line.get(indent..).unwrap_or_default()).collect();
    lines.join("\n")
}

fn code(root: &Path, path: &str, selection: &str) -> Result<String> {
    let source = read(root, path)?;
    if selection.is_empty() {
        return Ok(source.trim_end().to_owned());
    }
    let cut = if path.ends_with(".rs") {
        items::cut(&source, selection)
    } else {
        lines(&source, selection).map(|range| {
            let lines: Vec<&str> = source[range].lines().collect();
            dedented(&lines)
        })
    };
    cut.with_context(|| path.to_owned())
}

/// The lines that are asked for, and a mark where others are left out.
fn part_of(snapshot: String, selection: &str) -> Result<String> {
    if selection.is_empty() {
        return Ok(snapshot);
    }
    let Range { start, end } = lines(&snapshot, selection)?;
    let before = if start > 0 { "[…]\n\n" } else { "" };
    let after = if end < snapshot.len() { "\n\n[…]" } else { "" };
    Ok(format!("{before}{}{after}", &snapshot[start..end]))
}

/// Where the lines are that `from "…" to "…"` names: from the first line with the one text,
/// through the line where the other comes next.
fn lines(source: &str, selection: &str) -> Result<Range<usize>> {
    let quoted: Vec<&str> = selection.split('"').collect();
    let [start, from, between, to, end] = quoted[..] else {
        bail!("`{selection}` is not of the form: from \"…\" to \"…\"");
    };
    ensure!(
        (start.trim(), between.trim(), end) == ("from", "to", "")
            && !from.is_empty()
            && !to.is_empty(),
        "`{selection}` is not of the form: from \"…\" to \"…\""
    );

    let first = source.find(from).with_context(|| format!("no line has \"{from}\""))?;
    let rest = first + from.len();
    let last =
        source[rest..].find(to).with_context(|| format!("no \"{to}\" comes after \"{from}\""))?
            + rest;

    let start = source[..first].rfind('\n').map_or(0, |end| end + 1);
    let end = source[last..].find('\n').map_or(source.len(), |end| last + end);
    Ok(start..end)
}

/// A snapshot's content, without the header that insta puts before it.
fn snapshot(root: &Path, path: &str) -> Result<String> {
    let file = read(root, path)?;
    let content = file
        .strip_prefix("---\n")
        .and_then(|file| file.split_once("\n---\n"))
        .map(|(_header, content)| content)
        .with_context(|| format!("{path} has no header between two lines `---`"))?;
    Ok(content.trim_end().to_owned())
}

/// Those exchanges, as they stand, from among all, which a line `###` separates.
fn exchanges(all: &str, numbers: &RangeInclusive<usize>) -> Result<String> {
    let lines: Vec<&str> = all.lines().collect();
    let mut exchanges = Vec::new();
    let mut start = 0;
    for exchange in lines.split(|line| line.trim_end() == "###") {
        let end = start + exchange.len();
        if exchange.iter().any(|line| !line.trim().is_empty()) {
            exchanges.push(start..end);
        }
        start = end + 1;
    }

    let count = exchanges.len();
    let (first, last) = (*numbers.start(), *numbers.end());
    ensure!(last <= count, "exchange {last} of {count} was asked for: there are no more");
    let chosen = exchanges[first - 1].start..exchanges[last - 1].end;
    Ok(lines[chosen].join("\n").trim_matches('\n').to_owned())
}

/// A file of the repository, with line ends of one kind.
pub fn read(root: &Path, path: &str) -> Result<String> {
    let file = root.join(path);
    ensure!(file.is_file(), "there is no file {path}");
    let text = fs::read_to_string(file).with_context(|| format!("reading {path}"))?;
    Ok(text.replace("\r\n", "\n"))
}
