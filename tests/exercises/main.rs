//! Which exercises are solved, and which comes next.
//!
//! Run: `just exercises`, that is `cargo run --quiet -p exercises`
//! Try: `just watch` while you edit one. It checks again whenever you save.
//!
//! It builds the program of each exercise, with one call of cargo, and runs them. An exercise that
//! does not compile is reported like one that is not solved, and hides no other.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, ExitCode, Output, Stdio},
    thread,
};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

/// Shows which exercises are solved, and which comes next.
#[derive(Debug, Parser)]
struct Options {
    /// Shows only the first exercise that is not solved, and what its check saw.
    #[arg(long, conflicts_with = "format")]
    next: bool,
    /// How to print the list.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For a reader.
    Text,
    /// For a program: number, "solved" or "open", and a sentence, with tabs between them.
    Tsv,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        // Right or wrong answers: to look at them has worked.
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let exercises = exercises()?;
    let programs = build()?;
    if options.next {
        return show_next(&exercises, &programs);
    }
    // All at once: one that never answers holds up no other.
    let verdicts: Vec<Verdict> = thread::scope(|scope| {
        let checks: Vec<_> =
            exercises.iter().map(|it| scope.spawn(|| it.check(&programs))).collect();
        checks.into_iter().map(|it| it.join().expect("a check does not panic")).collect()
    });
    match options.format {
        Format::Text => show_all(&exercises, &verdicts),
        Format::Tsv => {
            for (exercise, verdict) in exercises.iter().zip(&verdicts) {
                let state = if verdict.is_solved { "solved" } else { "open" };
                println!("{}\t{state}\t{}", exercise.number, verdict.sentence);
            }
        }
    }
    Ok(())
}

fn show_all(exercises: &[Exercise], verdicts: &[Verdict]) {
    let width = exercises.iter().map(|it| it.title.chars().count()).max().unwrap_or_default();
    for (Exercise { number, title, .. }, verdict) in exercises.iter().zip(verdicts) {
        let state = if verdict.is_solved { "solved" } else { "not yet" };
        println!("{number:2}  {title:width$}  {state}");
    }
    let next = exercises.iter().zip(verdicts).find(|(_, verdict)| !verdict.is_solved);
    match next {
        Some((next, _)) => println!("\nNext: {}\nThen: {}", next.file, next.command()),
        None => println!("\nYou have solved them all."),
    }
}

fn show_next(exercises: &[Exercise], programs: &Programs) -> Result<()> {
    for exercise in exercises {
        let verdict = exercise.check(programs);
        if !verdict.is_solved {
            println!("Exercise {}: {}\n\n{}\n", exercise.number, exercise.title, verdict.sentence);
            if let Some(errors) = programs.errors.get(&exercise.program()) {
                println!("{errors}");
            }
            println!("Edit {}", exercise.file);
            for hint in hints(&fs::read_to_string(root().join(&exercise.file))?) {
                println!("{hint}");
            }
            return Ok(());
        }
    }
    println!("You have solved them all.");
    Ok(())
}

#[derive(Debug)]
struct Exercise {
    number: u32,
    title: String,
    /// From the root of the repository.
    file: String,
}

impl Exercise {
    fn command(&self) -> String {
        let number = self.number;
        format!("just exercise {number}, that is cargo run --quiet --example exercise-{number}")
    }

    fn program(&self) -> String {
        format!("exercise-{}", self.number)
    }

    fn check(&self, programs: &Programs) -> Verdict {
        match programs.files.get(&self.program()) {
            Some(program) => match Command::new(program).stdin(Stdio::null()).output() {
                Ok(output) => Verdict::of(&output),
                Err(error) => {
                    Verdict::open(format!("Not yet. Its program does not start: {error}"))
                }
            },
            None => Verdict::open(format!(
                "Not yet. It does not compile; just exercise {} shows why.",
                self.number
            )),
        }
    }
}

/// The exercises of all chapters, in order.
fn exercises() -> Result<Vec<Exercise>> {
    let mut exercises = Vec::new();
    for folder in fs::read_dir(root().join("chapters"))? {
        let folder =
            folder?.file_name().into_string().ok().context("a folder has a strange name")?;
        let file = format!("chapters/{folder}/exercise.rs");
        let text = fs::read_to_string(root().join(&file)).with_context(|| file.clone())?;
        let number = folder.split('-').next().and_then(|it| it.parse().ok());
        let number = number.with_context(|| format!("chapters/{folder} has no number"))?;
        // `//! Exercise 3: a loan that cannot be forgotten.` A reader may have written another line.
        let first = text.lines().next().unwrap_or_default();
        let title = first.strip_prefix("//! Exercise ").and_then(|it| it.split_once(": "));
        let title =
            title.map_or(file.as_str(), |(_, title)| title.trim_end_matches('.')).to_owned();
        exercises.push(Exercise { number, title, file });
    }
    exercises.sort_by_key(|it| it.number);
    Ok(exercises)
}

/// What the comments of an exercise say that is to be done, one line each.
fn hints(text: &str) -> Vec<String> {
    let mut hints: Vec<String> = Vec::new();
    let mut is_open = false;
    for line in text.lines().map(str::trim) {
        let comment = line.strip_prefix("// ");
        match comment {
            Some(said) if said.starts_with("TODO:") || said.starts_with("Hint:") => {
                hints.push(said.to_owned());
            }
            Some(said) if is_open => {
                let hint = hints.last_mut().expect("one is open");
                hint.push(' ');
                hint.push_str(said);
            }
            _ => {}
        }
        is_open = comment.is_some() && !hints.is_empty();
    }
    hints
}

#[derive(Debug, PartialEq)]
struct Verdict {
    is_solved: bool,
    sentence: String,
}

impl Verdict {
    fn open(sentence: String) -> Verdict {
        Verdict { is_solved: false, sentence: sentence.replace(['\t', '\n'], " ") }
    }

    /// What the program of an exercise, which has ended, said.
    fn of(output: &Output) -> Verdict {
        let said = String::from_utf8_lossy(&output.stdout);
        // The reader's program may print lines of its own.
        let find = |start| said.lines().rfind(|line| line.starts_with(start)).map(str::to_owned);
        match (find("Solved: "), find("Not yet. ")) {
            (Some(sentence), _) if output.status.success() => Verdict { is_solved: true, sentence },
            (_, Some(sentence)) => Verdict::open(sentence),
            _ => Verdict::open(format!(
                "Not yet. Its program ended without an answer ({}).",
                output.status
            )),
        }
    }
}

/// What came of building the programs, by their names.
#[derive(Debug, Default)]
struct Programs {
    files: BTreeMap<String, PathBuf>,
    /// What the compiler says about those that are not there.
    errors: BTreeMap<String, String>,
}

fn build() -> Result<Programs> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut building = Command::new(cargo)
        // Of all packages, so that their dependencies are those of `cargo test --workspace`.
        .args(["build", "--workspace", "--example", "exercise-*", "--keep-going"])
        .args(["--message-format", "json"])
        .current_dir(root())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo does not start")?;
    let messages = BufReader::new(building.stdout.take().context("cargo says nothing")?);
    let mut programs = Programs::default();
    for message in messages.lines() {
        let message: serde_json::Value = serde_json::from_str(&message?)?;
        let Some(name) = message["target"]["name"].as_str() else { continue };
        if let Some(file) = message["executable"].as_str() {
            programs.files.insert(name.to_owned(), file.into());
        } else if message["message"]["level"] == "error" {
            let said = message["message"]["rendered"].as_str().unwrap_or_default();
            programs.errors.entry(name.to_owned()).or_default().push_str(said);
        }
    }
    // It fails if one exercise does not compile. The others are there.
    building.wait()?;
    Ok(programs)
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn ended(status: i32, stdout: &str) -> Output {
        use std::{os::unix::process::ExitStatusExt, process::ExitStatus};

        Output { status: ExitStatus::from_raw(status), stdout: stdout.into(), stderr: Vec::new() }
    }

    #[cfg(unix)]
    #[test]
    fn what_a_program_says_is_found_among_what_its_reader_prints() {
        let solved = Verdict::of(&ended(0, "car: mini\nSolved: nothing is lost.\n"));
        assert!(solved.is_solved);
        assert_eq!(solved.sentence, "Solved: nothing is lost.");

        let open = Verdict::of(&ended(1 << 8, "Solved: I hope\nNot yet. The page says 1.\nbye\n"));
        assert!(!open.is_solved);
        assert_eq!(open.sentence, "Not yet. The page says 1.");
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_was_killed_is_not_solved() {
        let killed = Verdict::of(&ended(6, "Solved: I hope\n"));
        assert!(!killed.is_solved);
        let sentence = "Not yet. Its program ended without an answer (signal: 6 (SIGABRT)).";
        assert_eq!(killed.sentence, sentence);
    }

    #[test]
    fn an_exercise_that_does_not_compile_says_how_to_see_why() {
        let exercise = Exercise { number: 3, title: String::new(), file: String::new() };
        let verdict = exercise.check(&Programs::default());
        let sentence = "Not yet. It does not compile; just exercise 3 shows why.";
        assert_eq!(verdict, Verdict::open(sentence.to_owned()));
    }

    #[test]
    fn hints_are_read_with_all_of_their_lines() {
        let text = "fn f() {\n    // TODO: send\n    // both.\n    // Hint: look\n    go();\n    // A \
                    word.\n}\n// Hint: here";
        assert_eq!(hints(text), ["TODO: send both.", "Hint: look", "Hint: here"]);
    }

    #[test]
    fn every_exercise_has_a_title_and_a_hint() {
        for exercise in exercises().expect("they can be read") {
            let text = fs::read_to_string(root().join(&exercise.file)).expect("a file");
            // Where it is not solved yet.
            if text.contains("TODO:") {
                assert_ne!(exercise.title, exercise.file, "its first line is `//! Exercise N: …`");
                assert!(hints(&text).iter().any(|it| it.starts_with("Hint:")), "{text}");
            }
        }
    }
}
