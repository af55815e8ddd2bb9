//! A page that is shown already is not shown again: an exchange says only what is new in it.
//!
//! ````text
//! HTTP/1.1 200 OK
//!
//! Raw cookies
//! [the same page, but: "You have visited this page 2 times."]
//! ````
//!
//! The snapshot has every page whole, and the test that wrote it compares all of it. The docs are
//! for a reader, who looks for the line that changed.

use std::collections::BTreeSet;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::markers::Marker;

/// Folding has to save this many lines. A short page is read more quickly than compared.
const WORTH_IT: usize = 3;

/// The pages that one page of the docs has shown so far, at most one of a heading.
#[derive(Default)]
pub struct Shown(Vec<Above>);

/// A page that stands above, as its lines with text.
struct Above {
    whole: Vec<String>,
    /// The page that was folded last, or again the whole one. "The same page" may be read as
    /// either, so it has to be true of both.
    latest: Vec<String>,
}

impl Shown {
    /// The text of the next block, with the pages folded that stand whole above it.
    pub fn next(&mut self, marker: &Marker, text: String) -> String {
        match marker {
            Marker::Page { selection, .. } if selection.is_empty() => {
                self.stands_whole(&lines_with_text(text.lines()));
                text
            }
            Marker::Exchange { selection, .. } if selection.is_empty() => {
                self.fold_exchanges(&text)
            }
            _ => text,
        }
    }

    fn fold_exchanges(&mut self, text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let exchanges: Vec<String> = lines
            .split(|line| line.trim_end() == "###")
            .map(|exchange| self.fold_exchange(exchange))
            .collect();
        exchanges.join("\n###\n")
    }

    fn fold_exchange(&mut self, exchange: &[&str]) -> String {
        let Some(start) = start_of_page(exchange) else {
            return exchange.join("\n");
        };
        let blank = exchange.iter().rev().take_while(|line| line.trim().is_empty()).count();
        let end = exchange.len() - blank;

        let page = lines_with_text(exchange[start..end].iter().copied());
        let above = self.0.iter_mut().find(|above| above.whole[0] == page[0]);
        let folded = above.and_then(|above| above.fold(&page, end - start));
        let Some(folded) = folded else {
            self.stands_whole(&page);
            return exchange.join("\n");
        };
        let (before, after) = (exchange[..start].iter(), exchange[end..].iter());
        let folded = folded.iter().map(String::as_str);
        before.copied().chain(folded).chain(after.copied()).collect::<Vec<_>>().join("\n")
    }

    fn stands_whole(&mut self, page: &[&str]) {
        let page: Vec<String> = page.iter().map(|&line| line.to_owned()).collect();
        self.0.retain(|above| above.whole.first() != page.first());
        if !page.is_empty() {
            self.0.push(Above { whole: page.clone(), latest: page });
        }
    }
}

impl Above {
    /// The heading, and what is new under it; nothing if the page is to stay whole, in its
    /// `height` lines.
    fn fold(&mut self, page: &[&str], height: usize) -> Option<Vec<String>> {
        let mut changes = Changes::between(&self.whole, page)?;
        let is_mostly_the_same = changes.new.len() * 2 < page.len();
        changes.add(Changes::between(&self.latest, page)?);
        let folded = changes.told(page);
        if !is_mostly_the_same || folded.len() + WORTH_IT > height {
            return None;
        }
        self.latest = page.iter().map(|&line| line.to_owned()).collect();
        Some(folded)
    }
}

/// What a page has and the one above has not, and the other way round.
struct Changes {
    /// Counted from 0.
    new: BTreeSet<usize>,
    gone: Vec<String>,
}

impl Changes {
    /// Nothing if a few lines have taken the place of more: which of the old ones has no
    /// successor, a reader could not tell.
    fn between(above: &[String], page: &[&str]) -> Option<Changes> {
        let above: Vec<&str> = above.iter().map(String::as_str).collect();
        let mut changes = Changes { new: BTreeSet::new(), gone: Vec::new() };
        for change in capture_diff_slices(Algorithm::Myers, &above, page) {
            match change {
                DiffOp::Equal { .. } => {}
                DiffOp::Replace { old_len, new_len, .. } if old_len > new_len => return None,
                DiffOp::Insert { new_index, new_len, .. }
                | DiffOp::Replace { new_index, new_len, .. } => {
                    changes.new.extend(new_index..new_index + new_len);
                }
                DiffOp::Delete { old_index, old_len, .. } => {
                    let gone = &above[old_index..old_index + old_len];
                    changes.gone.extend(gone.iter().map(|line| line.trim().to_owned()));
                }
            }
        }
        Some(changes)
    }

    fn add(&mut self, other: Changes) {
        self.new.extend(other.new);
        for line in other.gone {
            if !self.gone.contains(&line) {
                self.gone.push(line);
            }
        }
    }

    fn told(&self, page: &[&str]) -> Vec<String> {
        let new: Vec<&str> = self.new.iter().map(|&line| page[line]).collect();
        let mut told = vec![page[0].to_owned()];
        match (&new[..], &self.gone[..]) {
            ([], []) => told.push("[the same page]".to_owned()),
            ([line], []) => told.push(format!("[the same page, but: \"{}\"]", line.trim())),
            ([], [line]) => told.push(format!("[the same page, without: \"{line}\"]")),
            (new, gone) => {
                told.push("[the same page, but:]".to_owned());
                told.extend(new.iter().map(|line| format!("  {}", line.trim())));
                told.extend(gone.iter().map(|line| format!("  without: {line}")));
            }
        }
        told
    }
}

/// The first line of the page that the response carries: it comes after the headers and a blank
/// line.
fn start_of_page(exchange: &[&str]) -> Option<usize> {
    let status = exchange.iter().position(|line| line.starts_with("HTTP/"))?;
    let blank = status + exchange[status..].iter().position(|line| line.trim().is_empty())?;
    let page = exchange[blank..].iter().position(|line| !line.trim().is_empty())?;
    Some(blank + page)
}

fn lines_with_text<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    lines.filter(|line| !line.trim().is_empty()).collect()
}
