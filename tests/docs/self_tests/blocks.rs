//! Blocks equal their sources, and say which those are.

use std::fs;

use super::*;

#[test]
fn a_block_that_differs_is_shown_as_a_diff_under_its_line() {
    let root = repository();
    replace(&root, "docs/02-my-car.md", "= \"my_car\"", "= \"my_bike\"");
    assert_eq!(
        all_findings(&root),
        "\
docs/02-my-car.md:22: differs from `code: chapters/02-my-car/my_car.rs const MY_CAR, fn Car::fit`
    --- the page
    +++ its source
    @@ -1,4 +1,4 @@
    -const MY_CAR: &str = \"my_bike\";
    +const MY_CAR: &str = \"my_car\";
     
     /// Changes the wheels.
     fn fit(&mut self, wheels: u8) {

"
    );
}

#[test]
fn a_source_that_changed_is_found_and_rewriting_follows_it_once() {
    let root = repository();
    let page = fs::read_to_string(root.path().join("docs/02-my-car.md")).expect("the page");
    replace(&root, "chapters/02-my-car/my_car.rs", "wheels: u8) {", "wheels: u16) {\n\n");
    replace(&root, "tests/snapshots/drive.snap", "303 See Other", "400 Bad Request");
    assert_eq!(all_findings(&root).matches("differs from").count(), 2);

    assert_eq!(rewrite(&root), (vec!["docs/02-my-car.md".to_owned()], String::new()));
    assert_eq!(all_findings(&root), "");
    assert_eq!(rewrite(&root), (vec![], String::new()));

    // Only the text within the fences is new.
    let expected = page
        .replace("wheels: u8) {", "wheels: u16) {\n\n")
        .replace("303 See Other", "400 Bad Request");
    let rewritten = fs::read_to_string(root.path().join("docs/02-my-car.md")).expect("the page");
    assert_eq!(rewritten, expected);
}

#[test]
fn rewriting_fills_an_empty_fence() {
    let root = repository();
    let page = "<!-- code: chapters/02-my-car/my_car.rs struct Car -->\n\n```rust\n```\nAnd on.\n";
    write(&root, "README.md", page);
    rewrite(&root);
    let rewritten = fs::read_to_string(root.path().join("README.md")).expect("the page");
    let filled = "```rust\nstruct Car {\n    wheels: u8,\n}\n```\nAnd on.\n";
    assert_eq!(rewritten, page.replace("```rust\n```\nAnd on.\n", filled));
}

#[test]
fn windows_line_endings_are_no_difference_and_outlast_rewriting() {
    let root = repository();
    for path in ["docs/02-my-car.md", "chapters/02-my-car/my_car.rs", "tests/snapshots/drive.snap"]
    {
        replace(&root, path, "\n", "\r\n");
    }
    assert_eq!(all_findings(&root), "");

    replace(&root, "docs/02-my-car.md", "303 See Other", "200 OK");
    rewrite(&root);
    assert_eq!(all_findings(&root), "");
    let rewritten = fs::read_to_string(root.path().join("docs/02-my-car.md")).expect("the page");
    assert_eq!(rewritten.matches('\n').count(), rewritten.matches("\r\n").count());
}

#[test]
fn a_source_that_cannot_be_had_is_found_and_its_block_left_alone() {
    let root = repository();
    replace(&root, "docs/02-my-car.md", "const MY_CAR,", "const MY_BIKE,");
    replace(&root, "docs/02-my-car.md", "drive.snap", "ride.snap");
    let findings = all_findings(&root);
    assert!(
        findings.contains("docs/02-my-car.md:22: chapters/02-my-car/my_car.rs: no `const MY_BIKE`"),
        "{findings}"
    );
    assert!(findings.contains("there is no file tests/snapshots/ride.snap"), "{findings}");

    let (pages, failed) = rewrite(&root);
    assert!(pages.is_empty());
    assert_eq!(failed.lines().count(), 2, "{failed}");
}

#[test]
fn a_fence_in_another_language_than_its_source_is_found() {
    let findings = findings_on("<!-- code: chapters/02-my-car/Cargo.toml -->\n```rust\n```\n");
    assert_eq!(findings, "docs/more.md:2: the fence says `rust`, its source is toml\n");
}

#[test]
fn a_fence_that_its_source_would_close_has_to_be_longer() {
    let root = repository();
    write(&root, "example.md", "````text\nfence\n````\n");
    let short = "<!-- code: example.md -->\n```md\n```\n";
    let long = "<!-- code: example.md -->\n`````md\n````text\nfence\n````\n`````\n";

    write(&root, "docs/README.md", &format!("[2](02-my-car.md)\n\n{short}"));
    let findings = all_findings(&root);
    assert!(findings.contains("open and close this one with `````\n"), "{findings}");
    write(&root, "docs/README.md", &format!("[2](02-my-car.md)\n\n{long}"));
    assert_eq!(all_findings(&root), "");
}

#[test]
fn an_unmarked_fence_of_rust_or_http_is_found_others_are_free() {
    for language in ["rust", "rs", "rust,ignore", "http"] {
        let findings = findings_on(&format!("Look:\n\n```{language}\nfn\n```\n"));
        assert!(findings.starts_with("docs/more.md:3: a "), "{language}: {findings}");
    }
    assert_eq!(findings_on("```python\npass\n```\n\n    indented\n\n```sh\nls\n```\n"), "");
    // The comment has to be right above.
    let findings = findings_on("<!-- no source: a sketch -->\nSo:\n\n```rust\nfn\n```\n");
    assert_eq!(findings.lines().count(), 2, "{findings}");
}

#[test]
fn a_reason_stands_for_a_source_but_not_an_empty_one() {
    assert_eq!(findings_on("<!-- no source: of another crate -->\n```rust\nfn\n```\n"), "");
    let findings = findings_on("<!-- no source: -->\n```rust\nfn\n```\n");
    assert_eq!(findings, "docs/more.md:1: `no source:` needs a reason\n");
}

#[test]
fn a_marker_that_guards_nothing_is_found() {
    for page in [
        "<!-- code -->\n```text\n```\n",
        "<!-- code: -->\n```text\n```\n",
        "<!-- Code: a.rs -->\n```text\n```\n",
        "<!-- exchange tests/a.snap -->\n```text\n```\n",
        "<!-- exchange: tests/a.snap 0 -->\n```text\n```\n",
        "<!-- exchange: tests/a.snap 3-2 -->\n```text\n```\n",
        "<!-- page: tests/a.snap 2 -->\n```text\n```\n",
        "<!-- exchange: tests/a.snap to -->\n```text\n```\n",
        "<!-- page: tests/a.html -->\n```text\n```\n",
        "<!-- code: ../a.rs -->\n```text\n```\n",
        "<!-- exhange: tests/a.snap -->\n```text\n```\n",
        "<!-- no-source: a sketch -->\n```text\n```\n",
        "<!-- code: a.rs -->\n\nA word between.\n\n```text\n```\n",
        "<!-- code: a.rs --> ```text```\n",
        "In a line: <!-- code: a.rs -->\n",
        "<!-- code: a.rs -->\n<!-- a remark -->\n```text\n```\n",
        "> <!-- code: a.rs -->\n> ```text\n> ```\n",
        "<!-- page: tests/a.snap -->\n",
    ] {
        let findings = findings_on(page);
        assert!(findings.starts_with("docs/more.md:1: "), "{page}\n{findings}");
        assert_eq!(findings.lines().count(), 1, "{page}\n{findings}");
    }
    assert_eq!(findings_on("<!-- A remark: nothing more. -->\n\n<!-- todo -->\n"), "");
}

#[test]
fn lines_of_other_files_are_cut_between_two_texts() {
    let root = repository();
    write(&root, "site.html", "<body>\n  <form>\n    <p>\n  </form>\n  <hr>\n</body>\n");
    for (selection, block) in [
        ("from \"<form\" to \"</form\"", "<form>\n  <p>\n</form>\n"),
        ("from \"<hr\" to \">\"", "<hr>\n"),
        ("from \"<form\" to \"<\"", "<form>\n  <p>\n"),
        ("", "<body>\n  <form>\n    <p>\n  </form>\n  <hr>\n</body>\n"),
    ] {
        let page = format!("<!-- code: site.html {selection} -->\n```html\n{block}```\n");
        write(&root, "README.md", &format!("[2](docs/02-my-car.md)\n\n{page}"));
        assert_eq!(all_findings(&root), "", "{selection}");
    }
    for selection in ["from \"<hr\"", "fn main", "from \"<nav\" to \">\"", "from \"<hr\" to \"<p\""]
    {
        let page = format!("<!-- code: site.html {selection} -->\n```html\n```\n");
        write(&root, "README.md", &format!("[2](docs/02-my-car.md)\n\n{page}"));
        assert!(all_findings(&root).starts_with("README.md:4: site.html: "), "{selection}");
    }
}

#[test]
fn exchanges_are_chosen_by_number() {
    let one = "GET / HTTP/1.1\n\n200 OK\n";
    let two = "POST /car HTTP/1.1\n\n303 See Other\n";
    let three = "GET / HTTP/1.1\ncookie: id=session-1\n";
    for (numbers, block) in [
        ("1", one.to_owned()),
        ("3", three.to_owned()),
        ("2-3", format!("{two}\n###\n\n{three}")),
        ("", format!("{one}\n###\n\n{two}\n###\n\n{three}")),
        ("2 from \"POST\" to \"HTTP\"", "POST /car HTTP/1.1\n\n[…]\n".to_owned()),
        (
            "2-3 from \"303\" to \"GET\"",
            "[…]\n\n303 See Other\n\n###\n\nGET / HTTP/1.1\n\n[…]\n".to_owned(),
        ),
    ] {
        let marker = format!("<!-- exchange: tests/snapshots/drive.snap {numbers} -->");
        assert_eq!(findings_on(&format!("{marker}\n```http\n{block}```\n")), "", "{numbers}");
    }
    let findings = findings_on("<!-- exchange: tests/snapshots/drive.snap 2-4 -->\n```http\n```\n");
    assert!(findings.contains("exchange 4 of 3 was asked for"), "{findings}");
}
