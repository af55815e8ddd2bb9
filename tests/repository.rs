//! What the README and the manifests claim about the whole repository.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder around tests/")
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What cargo knows about every package that the lock file names, for every system.
fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("a list of packages").clone()
}

/// `1.94` and `1.94.0` are the same version.
fn version(text: &str) -> Vec<u32> {
    let mut numbers: Vec<u32> =
        text.split('.').map(|number| number.parse().expect("a number")).collect();
    numbers.resize(3, 0);
    numbers
}

const MANIFEST: &str = include_str!("../Cargo.toml");

/// The minimum Rust version that Cargo.toml claims.
fn claimed() -> String {
    let (_, rest) = MANIFEST.split_once("\nrust-version = \"").expect("a claim in Cargo.toml");
    rest.split('"').next().expect("the end of a text").to_owned()
}

#[test]
fn no_locked_package_needs_a_newer_rust_than_is_claimed() {
    let claimed = claimed();
    let too_new: Vec<String> = packages()
        .iter()
        .filter_map(|package| {
            let needed = package["rust_version"].as_str()?;
            let is_too_new = version(needed) > version(&claimed);
            let (name, locked) = (&package["name"], &package["version"]);
            is_too_new.then(|| format!("{name} {locked} needs {needed}"))
        })
        .collect();
    assert!(too_new.is_empty(), "Cargo.toml claims {claimed}, but {}", too_new.join(", "));
}

#[test]
fn the_readme_claims_the_rust_version_of_the_manifest() {
    let sentence = format!("[Rust](https://rustup.rs) ({} or later)", claimed());
    assert!(read("README.md").contains(&sentence), "the README does not say {sentence:?}");
}

/// The lists that cannot be loops over the chapters, and what each lacks. Those of the docs are
/// checked by tests/docs.rs.
fn lists_without_a_chapter(root: &Path) -> Vec<String> {
    let mut missing = Vec::new();
    let chapters = fs::read_dir(root.join("chapters")).expect("the chapters");
    for chapter in chapters {
        let folder = chapter.expect("a folder").file_name().to_string_lossy().into_owned();
        let Some((number, _)) = folder.split_once('-') else { continue };
        let n: u32 = number.parse().expect("a chapter's folder begins with its number");
        for (file, line) in [
            (format!("chapters/{folder}/Cargo.toml"), format!("name = \"chapter-{n}\"")),
            (format!("chapters/{folder}/Cargo.toml"), format!("name = \"exercise-{n}\"")),
            ("tests/Cargo.toml".to_owned(), format!("chapter-{n} = {{ path")),
            ("tests/Cargo.toml".to_owned(), format!("name = \"chapter_{number}\"")),
            ("tests/exercises.rs".to_owned(), format!("fn the_solution_of_chapter_{n}_passes")),
            ("tests/browser.rs".to_owned(), format!("chapter_{n}_is_for_everybody")),
        ] {
            let text = fs::read_to_string(root.join(&file)).unwrap_or_default();
            if !text.contains(&line) {
                missing.push(format!("{file}: {line}"));
            }
        }
        for file in [format!("tests/chapter_{number}.rs"), format!("docs/pictures/{folder}.png")] {
            if !root.join(&file).is_file() {
                missing.push(file);
            }
        }
    }
    missing
}

#[test]
fn every_list_has_every_chapter() {
    let missing = lists_without_a_chapter(root());
    assert!(missing.is_empty(), "these are missing:\n{}", missing.join("\n"));
}

#[test]
fn a_chapter_that_the_lists_lack_is_missed_in_each() {
    let folder = TempDir::new().expect("an empty folder");
    fs::create_dir_all(folder.path().join("chapters/99-new")).expect("a folder");
    assert_eq!(
        lists_without_a_chapter(folder.path()),
        [
            "chapters/99-new/Cargo.toml: name = \"chapter-99\"",
            "chapters/99-new/Cargo.toml: name = \"exercise-99\"",
            "tests/Cargo.toml: chapter-99 = { path",
            "tests/Cargo.toml: name = \"chapter_99\"",
            "tests/exercises.rs: fn the_solution_of_chapter_99_passes",
            "tests/browser.rs: chapter_99_is_for_everybody",
            "tests/chapter_99.rs",
            "docs/pictures/99-new.png",
        ]
    );
}

/// The text files at the root, in docs/, shared/, .github/ and .devcontainer/.
fn texts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        if path.is_dir() {
            if !["target", "book", "node_modules", ".git"].contains(&name.as_ref()) {
                texts(&path, found);
            }
        } else if name != "repository.rs" {
            found.push(path);
        }
    }
}

#[test]
fn the_address_of_the_repository_is_in_one_place() {
    let (_, address) = MANIFEST.split_once("\nrepository = \"").expect("an address");
    let address = address.split('"').next().expect("its end");
    let mut files = Vec::new();
    texts(root(), &mut files);
    files.retain(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(address)));
    assert_eq!(files, [root().join("Cargo.toml")]);
}
