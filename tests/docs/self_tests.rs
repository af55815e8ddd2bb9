//! The guard fails where it should, and only there: each of its promises on a repository of a
//! few lines, so that none depends on the real docs.
//!
//! Here are that repository and what its tests have in common.

use std::fs;

use tempfile::TempDir;

use crate::checks::{self, Finding};
use crate::links;
use crate::markdown::{Page, read_pages};

#[path = "self_tests/blocks.rs"]
mod blocks;
#[path = "self_tests/fold.rs"]
mod fold;
#[path = "self_tests/frame.rs"]
mod frame;
#[path = "self_tests/items.rs"]
mod items;
#[path = "self_tests/pages.rs"]
mod pages;
#[path = "self_tests/rustdoc.rs"]
mod rustdoc;
#[path = "self_tests/values.rs"]
mod values;

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

const PAGE: &str = "\
# My car

- **You need:** a car.
- **Time:** about 15 minutes, with the exercise
- **Then you can:** change its wheels.

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

## Django and Rust
## What can go wrong
## Exercise
## Check yourself

<details>
<summary>Where is the car?</summary>

On the server.

</details>
<details><summary>Where is the <code>id</code>?</summary>

In the [cookie](#the-code).

</details>

<details>
<summary>Where are the wheels?</summary>

At the car.

</details>
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
    write(&root, "docs/02-my-car.md", PAGE);
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
        crate::values::drifted_values(root, pages),
        crate::rustdoc::shown_hidden_lines(pages),
        crate::rustdoc::long_doc_comments(pages),
        links::dead_links(root, pages),
        links::unlisted_pages(root, pages),
        checks::disordered_pages(root, pages),
        crate::frame::unframed_pages(root, pages),
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

#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    assert_eq!(all_findings(&repository()), "");
}

#[test]
fn an_empty_repository_does_not_pass() {
    let root = tempfile::tempdir().expect("a folder for the test");
    assert!(all_findings(&root).contains("chapters:1: no folder NN-name is here"));
}
