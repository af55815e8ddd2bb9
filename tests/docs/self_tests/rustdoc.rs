//! Doc comments can be left out of a block, and have to be where they would hide the code.

use super::*;
use crate::rustdoc::{LONGEST, without_docs};

#[track_caller]
fn expect_left(code: &str, left: &str) {
    assert_eq!(without_docs(code).expect("Rust code"), left);
}

#[test]
fn a_block_without_docs_follows_its_source_and_its_doc_comments_do_not_count() {
    let root = repository();
    replace(&root, "docs/02-my-car.md", "my_car.rs const", "my_car.rs without docs const");
    replace(&root, "docs/02-my-car.md", "   /// Changes the wheels.\n", "");
    assert_eq!(all_findings(&root), "");

    replace(&root, "chapters/02-my-car/my_car.rs", "/// Changes the wheels.", "/// Another.");
    assert_eq!(all_findings(&root), "");

    replace(&root, "chapters/02-my-car/my_car.rs", "wheels: u8) {", "wheels: u16) {");
    assert!(all_findings(&root).starts_with("docs/02-my-car.md:22: differs from"));
    rewrite(&root);
    assert_eq!(all_findings(&root), "");
}

#[test]
fn a_whole_file_can_be_shown_without_docs() {
    let root = repository();
    write(&root, "a.rs", "//! A file.\n//!\n//! Of one line.\n\n/// Starts.\nfn main() {}\n");
    let page = "<!-- code: a.rs without docs -->\n```rust\nfn main() {}\n```\n";
    write(&root, "README.md", &format!("[2](docs/02-my-car.md)\n\n{page}"));
    assert_eq!(all_findings(&root), "");
}

#[test]
fn doc_comments_of_all_forms_are_left_out_and_nothing_else() {
    let code = "\
// Why it is there.
/// What it does.
#[derive(Clone)]
#[doc(hidden)]
struct Car {
    /// Four.
    ///
    /// As a rule.
    wheels: u8, // not five
    /** In
    a frame. */
    colour: Colour,
}";
    let left = "\
// Why it is there.
#[derive(Clone)]
struct Car {
    wheels: u8, // not five
    colour: Colour,
}";
    expect_left(code, left);
    expect_left(
        "mod car {\n    //! Cars.\n\n    fn open() {}\n}",
        "mod car {\n    fn open() {}\n}",
    );
    for code in
        ["const TEXT: &str = \"\n/// no comment\n\";", "//// a line\nfn main() {}", "a! { #b }"]
    {
        expect_left(code, code);
    }
}

#[test]
fn a_doc_comment_on_a_line_with_code_is_told() {
    for code in ["#[doc(hidden)] fn open() {}", "struct Car { /// four\n wheels: u8 }"] {
        let error = without_docs(code).expect_err("a line with both").to_string();
        assert!(error.contains("a doc comment and code"), "{error}");
    }
}

#[test]
fn only_rust_can_be_shown_without_docs() {
    let findings =
        findings_on("<!-- code: chapters/02-my-car/Cargo.toml without docs -->\n```toml\n```\n");
    assert!(findings.starts_with("docs/more.md:1: only a Rust file"), "{findings}");
    let findings = findings_on(
        "<!-- code: chapters/02-my-car/my_car.rs no docs fn set_car -->\n```rust\n```\n",
    );
    assert!(findings.contains("`no docs fn set_car` is not a name"), "{findings}");
}

#[test]
fn a_hidden_line_of_an_example_is_found() {
    for hidden in ["# fn main() {", "#", "#  let car;"] {
        for language in ["", "rust", "no_run,edition2024"] {
            let findings = findings_on(&format!(
                "<!-- no source: x -->\n```rust\n/// ```{language}\n/// {hidden}\n/// ```\n```\n"
            ));
            let hidden = format!("/// {hidden}");
            let expected = format!("docs/more.md:4: `{}` is a line that rustdoc hides\n", hidden);
            assert_eq!(findings, expected, "{language}");
        }
    }
}

#[test]
fn a_heading_of_rustdoc_an_attribute_and_other_languages_are_no_hidden_line() {
    for doc in [
        "/// # Errors",
        "/// ```\n/// #[derive(Debug)]\n/// ```\n/// # Errors",
        "/// ```sh\n/// # as root\n/// ```",
        "/// ```\nfn one() {}\n/// # Errors",
        "// # not a doc comment",
    ] {
        let page = format!("<!-- no source: x -->\n````rust\n{doc}\nfn two() {{}}\n````\n");
        assert_eq!(findings_on(&page), "", "{doc}");
    }
    // Outside Rust, nothing is rustdoc's.
    assert_eq!(findings_on("```text\n/// ```\n/// # fn main() {\n```\n"), "");
}

#[test]
fn a_doc_comment_that_hides_its_code_is_found() {
    let block = |length| {
        let doc = "    /// A line.\n".repeat(length);
        format!("<!-- no source: x -->\n```rust\nmod car {{\n{doc}    fn open() {{}}\n}}\n```\n")
    };
    assert_eq!(findings_on(&block(LONGEST)), "");
    let findings = findings_on(&block(LONGEST + 1));
    assert_eq!(findings, "docs/more.md:4: a doc comment of 6 lines, more than 5\n");

    // Many short ones are many short ones; one at the end of a block counts as any other.
    let short = "/// A line.\n/// A line.\n/// A line.\nconst A: u8 = 1;\n".repeat(3);
    assert_eq!(findings_on(&format!("<!-- no source: x -->\n```rust\n{short}```\n")), "");
    let last = "/// A line.\n".repeat(6);
    let findings = findings_on(&format!("<!-- no source: x -->\n```rust\n{last}```\n"));
    assert_eq!(findings, "docs/more.md:3: a doc comment of 6 lines, more than 5\n");
}
