//! What the README and the manifests claim about the whole repository.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

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

/// The minimum Rust version that Cargo.toml claims.
fn claimed() -> String {
    let manifest = read("Cargo.toml");
    let (_, rest) = manifest.split_once("\nrust-version = \"").expect("a claim in Cargo.toml");
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
