//! The comments that say where a block comes from.

use std::ops::RangeInclusive;

use anyhow::{Result, bail, ensure};

/// What a comment asks for.
#[derive(Debug, PartialEq)]
pub enum Marker {
    /// A file, or the part of it that the selection names; no selection is the empty string.
    Code { path: String, without_docs: bool, selection: String },
    /// A snapshot of HTTP exchanges, or those with these numbers, counted from 1; or the lines of
    /// them that the selection names.
    Exchange { path: String, numbers: Option<RangeInclusive<usize>>, selection: String },
    /// A snapshot of a rendered page, or the lines of it that the selection names.
    Page { path: String, selection: String },
    /// The number before the comment is the one at this place of a file: docs/values.rs.
    Value { path: String, place: String },
    /// The block stands nowhere else, for a reason that the comment gives.
    NoSource,
    /// A comment about something else.
    Remark,
}

impl Marker {
    /// # Errors
    ///
    /// If it begins as a marker does, but does not read as one. A slip that passed for a remark
    /// would leave its block unguarded.
    pub fn read(comment: &str) -> Result<Marker> {
        let (kind, rest) = comment.split_once(':').unwrap_or((comment, ""));
        let rest = rest.trim();
        let (path, selection) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let selection = selection.trim().to_owned();
        match kind {
            "code" => code(path, &selection),
            "exchange" => {
                let from = selection.find("from ").unwrap_or(selection.len());
                let (chosen, selection) = selection.split_at(from);
                Ok(Marker::Exchange {
                    path: snapshot(path)?,
                    numbers: numbers(chosen.trim())?,
                    selection: selection.to_owned(),
                })
            }
            "page" => {
                ensure!(
                    selection.is_empty() || selection.starts_with("from "),
                    "a page is shown whole, or from \"…\" to \"…\": `{selection}`"
                );
                Ok(Marker::Page { path: snapshot(path)?, selection })
            }
            "value" => value(path, &selection),
            "no source" => {
                ensure!(!rest.is_empty(), "`no source:` needs a reason");
                Ok(Marker::NoSource)
            }
            _ if begins_as_a_marker(kind) => {
                bail!(
                    "`{comment}` does not read as `code: FILE …`, `exchange: …`, `page: …` or `value: …`"
                )
            }
            _ => Ok(Marker::Remark),
        }
    }
}

/// Whether a comment has the shape `word: …`, so that above a fence it is a slip of the pen.
pub fn names_a_kind(comment: &str) -> bool {
    comment
        .split_once(':')
        .is_some_and(|(kind, _)| !kind.is_empty() && !kind.contains(char::is_whitespace))
}

fn begins_as_a_marker(kind: &str) -> bool {
    let kind = kind.to_lowercase().replace(['-', '_'], " ");
    let first = kind.split_whitespace().next().unwrap_or_default();
    ["code", "exchange", "page", "value"].contains(&first) || kind.starts_with("no source")
}

fn code(path: &str, selection: &str) -> Result<Marker> {
    let rest = selection.strip_prefix("without docs");
    let rest = rest.filter(|rest| rest.is_empty() || rest.starts_with(' '));
    ensure!(
        rest.is_none() || path.ends_with(".rs"),
        "only a Rust file has doc comments to leave out: `{path}`"
    );
    let selection = rest.unwrap_or(selection).trim().to_owned();
    Ok(Marker::Code { path: checked(path)?, without_docs: rest.is_some(), selection })
}

fn value(path: &str, place: &str) -> Result<Marker> {
    ensure!(path.ends_with(".rs"), "a value is read from a Rust file: `{path}`");
    ensure!(!place.is_empty(), "the marker names no place in {path}");
    // It may go over the end of a line, as the sentence does in which it stands.
    let place = place.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Marker::Value { path: checked(path)?, place })
}

fn snapshot(path: &str) -> Result<String> {
    ensure!(path.ends_with(".snap"), "`{path}` is not a snapshot");
    checked(path)
}

fn checked(path: &str) -> Result<String> {
    ensure!(!path.is_empty(), "the marker names no file");
    ensure!(
        !path.starts_with('/') && !path.split('/').any(|part| part == ".."),
        "`{path}` is not named from the repository's root"
    );
    Ok(path.to_owned())
}

fn numbers(selection: &str) -> Result<Option<RangeInclusive<usize>>> {
    if selection.is_empty() {
        return Ok(None);
    }
    let (first, last) = selection.split_once('-').unwrap_or((selection, selection));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 1 <= first && first <= last => Ok(Some(first..=last)),
        _ => bail!("`{selection}` is not a number of an exchange, as `2`, nor a range, as `2-3`"),
    }
}
