//! The guard fails where it should, and only there: each of its promises on a repository of a
//! few lines, so that none depends on the real docs.

use std::fs;

use tempfile::TempDir;

use crate::checks::{self, Finding};
use crate::markdown::{Page, read_pages};
use crate::{items, links};

const CAR: &str = "\
//! A car.

const MY_CAR: &str = \"my_car\";

// Forms post here,
// links do not.
/// Remembers the car.
#[must_use]
fn set_car(car: &str) -> String {
    car.to_owned() // as it came
}

struct Car {
    wheels: u8,
}

impl Car {
    const WHEELS: u8 = 4;

    /// Changes the wheels.
    fn fit(&mut self, wheels: u8) {
        self.wheels = wheels;

        // A car that lost one is still a car.
    }
}

impl From<u8> for Car {
    fn from(wheels: u8) -> Self {
        Self { wheels }
    }
}

impl From<Wheel<u8, 4>> for Car {
    fn from(wheel: Wheel<u8, 4>) -> Self {
        Self { wheels: 1 }
    }
}

mod garage {
    fn set_car() {}
    fn open() {}
}

mod street {
    fn open() {}
}
";

const EXCHANGES: &str = "\
---
source: tests/chapter_02.rs
expression: visitor.transcript()
---
GET / HTTP/1.1

200 OK

###

POST /car HTTP/1.1

303 See Other

###

GET / HTTP/1.1
cookie: id=session-1
";

/// A repository with one chapter, in which there is nothing to mend.
fn repository() -> TempDir {
    let root = tempfile::tempdir().expect("a folder for the test");
    write(&root, "chapters/02-my-car/my_car.rs", CAR);
    write(&root, "chapters/02-my-car/Cargo.toml", "[package]\nname = \"chapter-2\"\n");
    write(&root, "tests/snapshots/drive.snap", EXCHANGES);
    write(&root, "README.md", "# Cars\n\n[2](chapters/02-my-car)\n\n## The map\n");
    write(&root, "docs/README.md", "# Cars\n\n[2](02-my-car.md#the-code)\n");
    write(&root, "docs/SUMMARY.md", "[Cars](README.md)\n\n- [My car](02-my-car.md)\n");
    write(
        &root,
        "docs/02-my-car.md",
        "\
# My car
## What you see
## What goes over the wire

<!-- exchange: tests/snapshots/drive.snap 2 -->
```http
POST /car HTTP/1.1

303 See Other
```

## The code

1. The key:

   <!-- code: chapters/02-my-car/my_car.rs const MY_CAR, fn Car::fit -->
   ```rust,ignore
   const MY_CAR: &str = \"my_car\";

   /// Changes the wheels.
   fn fit(&mut self, wheels: u8) {
       self.wheels = wheels;

       // A car that lost one is still a car.
   }
   ```

## Django beside Rust
## What can go wrong
## Exercise
",
    );
    root
}

fn write(root: &TempDir, path: &str, text: &str) {
    let file = root.path().join(path);
    fs::create_dir_all(file.parent().expect("a file stands in a folder")).expect("a new folder");
    fs::write(file, text).expect("a new file");
}

fn replace(root: &TempDir, path: &str, old: &str, new: &str) {
    let text = fs::read_to_string(root.path().join(path)).expect("a file of the repository");
    assert!(text.contains(old), "{path} has no {old:?}");
    write(root, path, &text.replace(old, new));
}

fn pages(root: &TempDir) -> Vec<Page> {
    read_pages(root.path()).expect("pages that can be read")
}

/// What every check says of the repository, in one string.
fn all_findings(root: &TempDir) -> String {
    let (root, pages) = (root.path(), &pages(root));
    told(&[
        checks::drifted_blocks(root, pages),
        checks::unmarked_fences(pages),
        checks::loose_markers(pages),
        links::dead_links(root, pages),
        links::unlisted_pages(root, pages),
        checks::disordered_pages(root, pages),
    ])
}

/// What the checks say when a page `docs/more.md` with this text is added, and is listed.
fn findings_on(text: &str) -> String {
    let root = repository();
    write(&root, "docs/more.md", text);
    replace(&root, "docs/SUMMARY.md", "- [My car]", "- [More](more.md)\n- [My car]");
    all_findings(&root)
}

fn told(findings: &[Vec<Finding>]) -> String {
    let findings = findings.iter().flatten();
    findings.map(|found| format!("{found}\n")).collect()
}

fn rewrite(root: &TempDir) -> (Vec<String>, String) {
    let written = checks::rewrite(root.path(), &pages(root));
    let (pages, failed) = written.expect("pages that can be written");
    (pages, told(&[failed]))
}

#[track_caller]
fn expect_error(selectors: &str, words: &[&str]) {
    let error = items::cut(CAR, selectors).expect_err("no such item").to_string();
    for word in words {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(all_findings(&repository()), "");
}

#[test]
fn a_block_that_differs_is_shown_as_a_diff_under_its_line() {
    let root = repository();
    replace(&root, "docs/02-my-car.md", "= \"my_car\"", "= \"my_bike\"");
    assert_eq!(
        all_findings(&root),
        "\
docs/02-my-car.md:17: differs from `code: chapters/02-my-car/my_car.rs const MY_CAR, fn Car::fit`
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
        findings.contains("docs/02-my-car.md:17: chapters/02-my-car/my_car.rs: no `const MY_BIKE`"),
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
fn a_dead_link_is_found_of_whatever_kind() {
    for link in [
        "nowhere.md",
        "../chapters/02-my-car/your_car.rs",
        "/docs/02-my-car.md",
        "//docs/02-my-car.md",
        "../../chapters/02-my-car/my_car.rs",
        "#nothing",
        "02-my-car.md#nothing",
        "../chapters/02-my-car/my_car.rs#L3",
        "http://localhost:3000/",
        "http://127.0.0.1/",
        // On a code host these would do; in the built book they would not.
        "../chapters/02-my-car",
        "../README.md#the-map",
        "README.md",
    ] {
        let findings = findings_on(&format!("# Top\n\n[link]({link})\n"));
        let expected = format!("docs/more.md:3: `{link}` ");
        assert!(findings.starts_with(&expected), "{link}: {findings}");
        assert_eq!(findings.lines().count(), 1, "{findings}");
    }
    let renamed = findings_on("[x](../chapters/02-my-car/my_car.rs \"no_such_promise\")\n");
    assert!(renamed.contains("has no fn no_such_promise"), "{renamed}");
    for page in ["![x](x.png)\n", "<img src=\"x.png\">\n", "[a][b]\n\n[b]: x.png\n"] {
        assert!(findings_on(page).starts_with("docs/more.md:1: `x.png` finds no file"));
    }
}

#[test]
fn links_that_hold_are_no_finding() {
    let page = "\
# Top & `get_mut`, twice!
## Twice
## Twice
[a](#top--get_mut-twice) [b](#twice-1) [c](02-my-car.md#what-can-go-wrong)
[d](../chapters/02-my-car/my_car.rs) [e](https://localhosts.example/x) <a@example.com>
[f](more.md#twice) `http://127.0.0.1:3000` [g](../chapters/02-my-car/my_car.rs \"set_car\")
";
    assert_eq!(findings_on(page), "");
}

#[test]
fn a_chapter_without_a_page_is_found() {
    let root = repository();
    write(&root, "chapters/03-nested-mutation/main.rs", "");
    assert_eq!(
        all_findings(&root),
        "\
docs/SUMMARY.md:1: no link to docs/03-nested-mutation.md
docs/README.md:1: no link to docs/03-nested-mutation.md
README.md:1: no link to docs/03-nested-mutation.md
docs/03-nested-mutation.md:1: chapters/03-nested-mutation has no page
"
    );
}

#[test]
fn a_page_that_no_list_leads_to_is_found() {
    let root = repository();
    write(&root, "docs/deep/more.md", "# More\n");
    assert_eq!(all_findings(&root), "docs/SUMMARY.md:1: no link to docs/deep/more.md\n");
}

#[test]
fn an_empty_repository_does_not_pass() {
    let root = tempfile::tempdir().expect("a folder for the test");
    assert!(all_findings(&root).contains("chapters:1: no folder NN-name is here"));
}

#[test]
fn sections_out_of_order_missing_or_twice_are_found() {
    let root = repository();
    replace(&root, "docs/02-my-car.md", "## Exercise\n", "");
    replace(&root, "docs/02-my-car.md", "# My car\n", "# My car\n## Exercise\n## More\n");
    let findings = all_findings(&root);
    let expected = "docs/02-my-car.md:4: `## What you see` comes after `## Exercise`\n";
    assert_eq!(findings, expected);

    let root = repository();
    replace(&root, "docs/02-my-car.md", "## What can go wrong", "### What can go wrong");
    replace(&root, "docs/02-my-car.md", "## Exercise\n", "## Exercise\n## Exercise\n");
    assert_eq!(
        all_findings(&root),
        "\
docs/02-my-car.md:31: a second `## Exercise`
docs/02-my-car.md:1: no `## What can go wrong`
"
    );
}

#[test]
fn code_before_the_page_is_found() {
    let root = repository();
    let code = "<!-- code: chapters/02-my-car/my_car.rs mod street -->\n```rust\n```\n";
    replace(&root, "docs/02-my-car.md", "# My car\n", &format!("# My car\n\n{code}"));
    rewrite(&root);
    let expected = "docs/02-my-car.md:4: code before any page or exchange";
    assert!(all_findings(&root).starts_with(expected));

    let root = repository();
    replace(
        &root,
        "docs/02-my-car.md",
        "<!-- exchange: tests/snapshots/drive.snap 2 -->\n```http",
        "```text",
    );
    let findings = all_findings(&root);
    assert!(findings.contains("code before any page or exchange"), "{findings}");
}

#[test]
fn an_item_is_cut_with_its_attributes_and_the_comments_above_it() {
    let set_car = "\
// Forms post here,
// links do not.
/// Remembers the car.
#[must_use]
fn set_car(car: &str) -> String {
    car.to_owned() // as it came
}";
    assert_eq!(items::cut(CAR, "fn set_car").expect("an item"), set_car);
    assert_eq!(
        items::cut(CAR, "const Car::WHEELS, fn set_car").expect("two items"),
        format!("const WHEELS: u8 = 4;\n\n{set_car}")
    );
    let header = items::cut("//! The file.\nfn main() {}\n", "fn main");
    assert_eq!(header.expect("an item"), "fn main() {}");
}

#[test]
fn items_in_impls_and_modules_are_cut_by_their_path() {
    for (selector, first_line) in [
        ("impl Car", "impl Car {"),
        ("impl From<u8> for Car", "impl From<u8> for Car {"),
        ("impl From<Wheel<u8,4>> for Car", "impl From<Wheel<u8, 4>> for Car {"),
        ("fn <Car as From<u8>>::from", "fn from(wheels: u8) -> Self {"),
        ("fn garage::set_car", "fn set_car() {}"),
        ("fn street::open", "fn open() {}"),
        ("mod street", "mod street {"),
    ] {
        let item = items::cut(CAR, selector).expect("an item");
        assert_eq!(item.lines().next(), Some(first_line), "{selector}");
    }
    let source = "trait Store {\n    type Key;\n    // Slow.\n    fn load(&self);\n}\n";
    let method = items::cut(source, "fn Store::load").expect("an item");
    assert_eq!(method, "// Slow.\nfn load(&self);");
}

#[test]
fn an_item_that_is_missing_or_not_the_only_one_is_told_with_the_others() {
    expect_error(
        "fn set_bike",
        &["no `fn set_bike`", "`fn set_car` (line 7)", "`fn garage::open`"],
    );
    expect_error("fn open", &["`fn garage::open` (line 42)", "`fn street::open` (line 46)"]);
    expect_error(
        "fn Car::from",
        &["`fn <Car as From<u8>>::from`", "`fn <Car as From<Wheel<u8, 4>>>::from`"],
    );
    expect_error(
        "impl From for Car",
        &["`impl From<u8> for Car`", "`impl From<Wheel<u8, 4>> for Car`"],
    );
    expect_error("enum Car", &["no `enum Car`, nor any other `enum`"]);
    expect_error("set_car", &["`set_car` is not a name after one of fn, struct"]);
    expect_error("fn set_car,", &["`` is not a name"]);
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
    ] {
        let marker = format!("<!-- exchange: tests/snapshots/drive.snap {numbers} -->");
        assert_eq!(findings_on(&format!("{marker}\n```http\n{block}```\n")), "", "{numbers}");
    }
    let findings = findings_on("<!-- exchange: tests/snapshots/drive.snap 2-4 -->\n```http\n```\n");
    assert!(findings.contains("exchange 4 of 3 was asked for"), "{findings}");
}
