//! What the README and CONTRIBUTING.md tell a reader to do, done in a copy of the repository.
//!
//! Run: `cargo test -p tests --test copies -- --ignored`
//! Needs cargo-insta. What the copy compiles is kept in target/copy.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder around tests/")
}

/// One copy at a time: all are compiled into target/copy, and cargo takes each for the same packages.
static ONLY_COPY: Mutex<()> = Mutex::new(());

/// The repository in another folder, for changes that are not meant to stay.
struct Copy(
    TempDir,
    #[expect(dead_code, reason = "held until the copy goes")] MutexGuard<'static, ()>,
);

impl Copy {
    fn new() -> Copy {
        let only = ONLY_COPY.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = TempDir::new().expect("an empty folder");
        copy_folder(root(), folder.path()).expect("the repository can be copied");
        Copy(folder, only)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    /// Writes `new` in the place of the one `old` in the file.
    fn edit(&self, file: &str, old: &str, new: &str) {
        let text = self.read(file);
        assert_eq!(text.matches(old).count(), 1, "{file} has {old:?} once");
        fs::write(self.path(file), text.replace(old, new)).expect("the file can be written");
    }

    /// The files, named from the root, that hold this text.
    fn files_with(&self, text: &str) -> Vec<String> {
        let mut files = Vec::new();
        list_files(self.0.path(), &mut files).expect("the copy can be listed");
        let holds = |file: &PathBuf| fs::read_to_string(file).is_ok_and(|it| it.contains(text));
        let named = |file: PathBuf| {
            let file = file.strip_prefix(self.0.path()).expect("a file of the copy");
            file.to_string_lossy().replace('\\', "/")
        };
        files.into_iter().filter(holds).map(named).collect()
    }

    /// Runs a command line, such as `cargo test -p tests`, in the copy.
    fn run(&self, line: &str) -> Output {
        let mut words = line.split_whitespace();
        Command::new(words.next().expect("a program"))
            .args(words)
            .current_dir(self.0.path())
            .env("CARGO_TARGET_DIR", root().join("target/copy"))
            // As in a terminal. In CI, insta writes no new snapshot.
            .env_remove("CI")
            .output()
            .unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn succeed(&self, line: &str) {
        let output = self.run(line);
        assert!(output.status.success(), "{line}\n{}", said(&output));
    }

    fn fail(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(!output.status.success(), "{line} succeeded");
        said(&output)
    }
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

/// What is no part of the repository: .gitignore names it.
const LEFT_OUT: [&str; 4] = [".git", "target", "book", "tests/browser/node_modules"];

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if LEFT_OUT.iter().any(|path| from == root().join(path)) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::create_dir(&to)?;
            copy_folder(&from, &to)?;
        } else {
            // Not `fs::copy`, which may keep the date: then cargo would take what was compiled from
            // an earlier copy.
            fs::write(&to, fs::read(&from)?)?;
        }
    }
    Ok(())
}

fn list_files(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => list_files(&entry.path(), files)?,
            false => files.push(entry.path()),
        }
    }
    Ok(())
}

/// The text between the first `before` and the next `after`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before:?}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after:?} after {before:?}")).0
}

#[test]
#[ignore = "compiles a copy of the repository: cargo test -p tests --test copies -- --ignored"]
fn the_readmes_change_something_works_as_it_says() {
    let copy = Copy::new();
    let readme = copy.read("README.md");
    let section = between(&readme, "\n## Change something\n", "\n## ");
    let sentence = between(section, "for example \"", "\"");
    let template = between(section, "in\n`", "`");
    assert!(section.contains("run `cargo insta test --review`"));
    assert!(section.contains("Then `just docs`"));
    let just_docs = between(&readme, "| `just docs` | `", "`");

    // No test but the snapshots repeats it, and the docs show it.
    let mut files = copy.files_with(sentence);
    files.retain(|file| !file.starts_with("tests/snapshots/"));
    files.sort();
    assert_eq!(files, ["README.md", template, "docs/02-my-car.md"]);

    copy.edit(template, sentence, "There is nothing here.");

    // `--review` shows what this leaves to be reviewed, and `accept` answers it with yes.
    let verdict = copy.fail("cargo insta test -p tests --test chapter_02");
    assert!(verdict.contains("1 snapshot to review"), "{verdict}");
    copy.succeed("cargo insta accept");
    copy.succeed("cargo test -p tests --test chapter_02");

    let drifted = copy.fail("cargo test -p tests --test docs");
    assert!(drifted.contains("There is nothing here."), "{drifted}");
    copy.succeed(just_docs);
    assert!(copy.read("docs/02-my-car.md").contains("There is nothing here."));
    copy.succeed("cargo test -p tests --test chapter_02 --test docs");
}

/// A chapter made as CONTRIBUTING.md says, from chapter 5.
#[test]
#[ignore = "compiles a copy of the repository: cargo test -p tests --test copies -- --ignored"]
fn a_new_chapter_is_picked_up_by_all() {
    let copy = Copy::new();
    let renamed = |text: String| {
        text.replace("chapter-5", "chapter-99")
            .replace("chapter_5", "chapter_99")
            .replace("exercise-5", "exercise-99")
            .replace("exercise 5", "exercise 99")
            .replace("The test cookie: a browser", "The test cookie again: a browser")
    };
    let (from, to) = (copy.path("chapters/05-test-cookie"), copy.path("chapters/99-again"));
    fs::create_dir(&to).expect("a folder");
    copy_folder(&from, &to).expect("a chapter can be copied");
    let mut files = Vec::new();
    list_files(&to, &mut files).expect("the chapter can be listed");
    for file in files {
        let text = fs::read_to_string(&file).expect("a text");
        fs::write(&file, renamed(text)).expect("the file can be written");
    }
    copy.fail("cargo test -p tests --test repository");

    let page =
        renamed(copy.read("docs/05-test-cookie.md")).replace("# 5 Test cookie", "# 99 Again");
    fs::write(copy.path("docs/99-again.md"), page).expect("a page");
    let picture = fs::read(copy.path("docs/pictures/05-test-cookie.png")).expect("a picture");
    fs::write(copy.path("docs/pictures/99-again.png"), picture).expect("a picture");
    fs::write(
        copy.path("tests/chapter_99.rs"),
        "//! Chapter 99's promises.\n\n#[tokio::test]\nasync fn it_answers() {\n    \
         let mut visitor = browser::Browser::open(chapter_99::app(sessions::MemoryStore::default()));\n    \
         visitor.get(\"/\").await;\n}\n",
    )
    .expect("a test");
    let add = |file: &str, before: &str, line: &str| {
        copy.edit(file, before, &format!("{line}{before}"));
    };
    add(
        "tests/Cargo.toml",
        "[[test]]\nname = \"server\"",
        "[[test]]\nname = \"chapter_99\"\npath = \"chapter_99.rs\"\n\n",
    );
    add("tests/Cargo.toml", "futures-util", "chapter-99 = { path = \"../chapters/99-again\" }\n");
    add(
        "tests/exercises.rs",
        "#[tokio::test]\nasync fn the_solution_of_chapter_1_passes",
        "#[path = \"../chapters/99-again/check.rs\"]\nmod check_99;\n\
         #[path = \"../chapters/99-again/solution.rs\"]\nmod solution_99;\n\n\
         #[tokio::test]\nasync fn the_solution_of_chapter_99_passes() -> anyhow::Result<()> {\n    \
         check_99::check(solution_99::app()).await\n}\n\n",
    );
    add(
        "tests/browser.rs",
        "];\n\n/// Not a test",
        "    accessibility::chapter_99_is_for_everybody,\n",
    );
    add(
        "tests/browser/accessibility.rs",
        "pub async fn chapter_1_is_for_everybody",
        "pub async fn chapter_99_is_for_everybody() {}\n\n",
    );
    add("docs/SUMMARY.md", "\n# Reference", "- [99 Again](99-again.md)\n");
    add("docs/README.md", "\nEach chapter needs only", "| [99 Again](99-again.md) | | |\n");
    add("README.md", "\nStart with [the reader's map]", "| 99 | | [Again](docs/99-again.md) | |\n");
    let page = copy.read("docs/99-again.md");
    let minutes = between(&page, "- **Time:** about ", " minutes");
    let row = format!("| [99 Again](99-again.md) | {minutes} | |\n");
    add("docs/teaching.md", "\nEach page ends with three questions", &row);

    copy.succeed("cargo test -p tests --test repository --test chapter_99 --test docs");
    copy.succeed("cargo test -p tests --test exercises 99");
    let output = copy.run("cargo test -p tests --test exercises solved -- --nocapture");
    assert!(output.status.success(), "{}", said(&output));
    copy.succeed("cargo test -p tests --test server help_says");
}

/// The commands of docs/adopt.md, in a new program outside the workspace.
#[test]
#[ignore = "compiles a copy of the repository: cargo test -p tests --test copies -- --ignored"]
fn a_site_elsewhere_depends_on_it_as_adopt_md_says() {
    let copy = Copy::new();
    for line in ["git init --quiet", "git add --all"] {
        copy.succeed(line);
    }
    copy.succeed("git -c user.name=reader -c user.email=reader@localhost commit --quiet -m copy");

    let folder = TempDir::new().expect("an empty folder");
    let site = folder.path().join("site");
    let adopt = copy.read("docs/adopt.md");
    let commands = between(&adopt, "\n```sh\n", "\n```\n");
    let script = format!("set -e; cargo init --quiet --name site\n{commands}\ncargo test --quiet");
    fs::create_dir(&site).expect("a folder");
    // As in the repository, so that what has been compiled for it need not be compiled again.
    fs::write(site.join("Cargo.lock"), copy.read("Cargo.lock")).expect("a lock file");
    fs::create_dir(site.join("src")).expect("a folder");
    let example = copy.read("shared/sessions/examples/count.rs");
    fs::write(site.join("src/main.rs"), example).expect("a program");

    let output = Command::new("sh")
        .args(["-c", &script])
        .current_dir(&site)
        .env("REPOSITORY", format!("file://{}", copy.0.path().display()))
        .env("CARGO_TARGET_DIR", root().join("target/copy"))
        .output()
        .expect("a shell");
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("1 passed"), "{}", said(&output));
}

/// As on Windows, for the compiler: no item for Unix or Linux, and nothing that only they have.
#[test]
#[ignore = "compiles a copy of the repository: cargo test -p tests --test copies -- --ignored"]
fn what_only_unix_has_is_left_out_elsewhere() {
    let copy = Copy::new();
    for file in copy.files_with("unix").into_iter().chain(copy.files_with("linux")) {
        if !file.ends_with(".rs") && !file.ends_with("Cargo.toml") || file == "tests/copies.rs" {
            continue;
        }
        let text = copy
            .read(&file)
            .replace("cfg(unix)", "cfg(any())")
            .replace("cfg(not(unix))", "cfg(all())")
            .replace("cfg_attr(not(unix)", "cfg_attr(all()")
            .replace("target_os = \"linux\"", "target_os = \"none\"")
            .replace("os::unix", "os::not_here")
            .replace("signal::unix", "signal::not_here");
        fs::write(copy.path(&file), text).expect("the file can be written");
    }

    let output = copy.run("cargo check --workspace --all-targets --quiet");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", said(&output));
}
