//! The docs show the text of real files and nothing else: here is what holds them to it.
//!
//! Run: `cargo test -p tests --test docs`
//! Repair: `just docs`, that is `cargo test -p tests --test docs -- --ignored`
//!
//! A page names the source of a block in a comment above the fence:
//!
//! ````text
//! <!-- code: chapters/02-my-car/my_car.rs const MY_CAR, fn set_car -->
//! ```rust
//! …
//! ```
//! ````
//!
//! | comment | what the fence holds |
//! |---|---|
//! | `code: FILE` | the whole file |
//! | `code: FILE.rs ITEM, ITEM` | those items, a blank line between them (docs/items.rs) |
//! | `code: FILE.rs uses, ITEM` | the `use` lines at the file's head, then the item |
//! | `code: FILE.rs without docs ITEM, ITEM` | those items without their doc comments (docs/rustdoc.rs) |
//! | `code: FILE from "…" to "…"` | those lines of a file that is not Rust |
//! | `exchange: FILE.snap` | a snapshot of HTTP exchanges |
//! | `exchange: FILE.snap 2` or `2-3` | some of them, counted from 1 |
//! | `page: FILE.snap` | a snapshot of a rendered page |
//! | `page: …` or `exchange: … from "…" to "…"` | those lines of it, and `[…]` for what is left out |
//! | `no source: REASON` | rust or http that stands nowhere else, and why |
//!
//! An exchange does not repeat a page that stands whole above it: it says what is new in it, by
//! itself (docs/fold.rs).
//!
//! A number in a sentence that the code decides has a comment right after it, without a space:
//!
//! ````text
//! A form may send 64 KiB<!-- value: shared/site/src/look.rs const BODY_LIMIT --> at most.
//! ````
//!
//! | comment | what the words before it say |
//! |---|---|
//! | `value: FILE.rs const NAME`, `value: FILE.rs static NAME` | what the constant is set to |
//! | `value: FILE.rs ITEM after "TEXT"` | what comes after that text in the item, as after `"age:"` in `impl Default for Settings` |
//!
//! Files are named from the repository's root, and an ITEM as docs/items.rs says.

use std::io::{self, Write};
use std::path::Path;
use std::sync::LazyLock;

use checks::Finding;
use markdown::Page;

#[path = "docs/checks.rs"]
mod checks;
#[path = "docs/fold.rs"]
mod fold;
#[path = "docs/frame.rs"]
mod frame;
#[path = "docs/items.rs"]
mod items;
#[path = "docs/links.rs"]
mod links;
#[path = "docs/markdown.rs"]
mod markdown;
#[path = "docs/markers.rs"]
mod markers;
#[path = "docs/rustdoc.rs"]
mod rustdoc;
#[path = "docs/self_tests.rs"]
mod self_tests;
#[path = "docs/sources.rs"]
mod sources;
#[path = "docs/teaching.rs"]
mod teaching;
#[path = "docs/values.rs"]
mod values;
#[path = "docs/words.rs"]
mod words;

const REMEDY: &str = "run `just docs`, that is `cargo test -p tests --test docs -- --ignored`";

const WITHOUT_DOCS: &str = "write `<!-- code: FILE.rs without docs ITEM -->` above it, then \
                            run `just docs`; what a reader has to know goes into the page's text";

#[test]
fn every_marked_block_equals_its_source() {
    expect_none(checks::drifted_blocks(root(), pages()), REMEDY);
}

#[test]
fn every_rust_or_http_fence_names_its_source_or_a_reason() {
    expect_none(
        checks::unmarked_fences(pages()),
        "put `<!-- code: … -->` or `<!-- exchange: … -->` above it, or `<!-- no source: why -->`",
    );
}

#[test]
fn every_marked_number_equals_its_source() {
    expect_none(
        values::drifted_values(root(), pages()),
        "change the words in the page, or the code; if it was only moved or renamed, change the \
         marker after the words. A number that has no unit in the code is marked before its unit: \
         `500<!-- value: … --> records`",
    );
}

#[test]
fn no_rust_block_shows_a_line_that_rustdoc_hides() {
    expect_none(rustdoc::shown_hidden_lines(pages()), WITHOUT_DOCS);
}

#[test]
fn no_rust_block_has_a_doc_comment_of_more_than_five_lines() {
    expect_none(rustdoc::long_doc_comments(pages()), WITHOUT_DOCS);
}

#[test]
fn every_marker_is_well_formed_and_stands_above_a_fence() {
    expect_none(checks::loose_markers(pages()), "tests/docs.rs lists the markers");
}

#[test]
fn every_link_goes_to_a_file_and_a_heading_that_exist() {
    expect_none(
        links::dead_links(root(), pages()),
        "a link has to hold on a code host and in the built book",
    );
}

#[test]
fn every_chapter_has_a_page_and_every_page_is_listed() {
    expect_none(
        links::unlisted_pages(root(), pages()),
        "list each page in docs/SUMMARY.md, each chapter in docs/README.md and README.md too",
    );
}

#[test]
fn every_chapter_page_goes_from_what_you_see_to_the_questions() {
    let order = format!("the sections are {}", checks::SECTIONS.join(", "));
    expect_none(checks::disordered_pages(root(), pages()), &order);
}

#[test]
fn every_chapter_page_says_what_it_takes_shows_its_uses_and_ends_with_three_questions() {
    expect_none(
        frame::unframed_pages(root(), pages()),
        "tests/docs/frame.rs shows the box and a question; `just docs` changes nothing here",
    );
}

#[test]
fn the_teachers_page_has_the_minutes_of_the_pages_and_the_words_of_the_checks() {
    let findings = teaching::wrong_minutes(root(), pages());
    expect_none(findings, "change the minutes, and see whether the timetables still fit");
    let findings = teaching::sentences_of_no_check(root(), pages());
    expect_none(findings, "quote what the check in chapters/NN/check.rs says, between “ and ”");
}

#[test]
#[ignore = "rewrites the marked blocks of the docs: just docs"]
fn rewrite_the_marked_blocks() {
    let (rewritten, failed) = checks::rewrite(root(), pages()).expect("the docs can be written");
    // `println!` would be swallowed: the test runner shows it only for tests that fail.
    for page in &rewritten {
        writeln!(io::stderr(), "rewrote {page}").expect("standard error is open");
    }
    expect_none(failed, "these blocks are as they were: mend their markers");
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Read once, for all tests.
fn pages() -> &'static [Page] {
    static PAGES: LazyLock<Vec<Page>> =
        LazyLock::new(|| markdown::read_pages(root()).expect("the docs can be read"));
    &PAGES
}

/// Fails with all findings of all pages at once, so that one run shows everything there is to do.
fn expect_none(findings: Vec<Finding>, remedy: &str) {
    if findings.is_empty() {
        return;
    }
    let report: String = findings.iter().map(|found| format!("{found}\n")).collect();
    let count = findings.len();
    panic!("{count} to mend in the docs:\n\n{report}\nWhat to do: {remedy}\n");
}
