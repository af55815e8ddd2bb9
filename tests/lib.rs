//! A chapter's program as a process of its own, for promises that only a process can break: its
//! address, its signals, its log, its death and restart.
//!
//! What is in this folder, beside that:
//!
//! | file | holds |
//! |---|---|
//! | `chapter_NN.rs` | the promises of a chapter, one visitor's story each; what is shown is in `snapshots/` |
//! | `inspector.rs` | what the page *What just happened* says of each chapter |
//! | `server.rs`, `durable.rs` | what every program promises who starts, stops or kills it |
//! | `two_servers.rs`, `redis_cluster.rs`, `live.rs` | several servers over one store, which has to be there |
//! | `browser.rs` | the same chapters in Chromium, by mouse and keyboard, and whether all can use them |
//! | `exercises.rs` | each solution passes its check, and each starter fails it |
//! | `docs.rs` | the blocks, numbers and links of the docs agree with their sources |
//! | `repository.rs`, `reading.rs`, `copies.rs` | what the README, the manifests and CONTRIBUTING.md claim |
//! | `exercises/` | a package of its own: `just exercises` |
//! | `bench/`, `book/`, `torture/` | tools, as examples of this package: `just bench`, `just book`, `just torture` |
//!
//! `cargo test -p tests --test chapter_04` runs one file. A program that a test starts is built when it
//! is first asked for, with the features that all tests have, so nothing is compiled twice.

mod line;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError},
};

use escargot::{CargoBuild, format::Message};
pub use line::Line;
#[cfg(unix)]
pub use rustix::process::Signal;
use tempfile::NamedTempFile;

/// On Windows a process can only be ended: each of these does that. Tests that depend on the signal
/// are for Unix only.
#[cfg(not(unix))]
#[derive(Clone, Copy, Debug)]
pub struct Signal(());

#[cfg(not(unix))]
#[expect(missing_docs, reason = "the names say it")]
impl Signal {
    pub const INT: Signal = Signal(());
    pub const KILL: Signal = Signal(());
    pub const TERM: Signal = Signal(());
}

/// The programs that have been built in this run, by name.
static PROGRAMS: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());

/// A program and, if it has not been built in this run, cargo's options that build it.
fn program(name: &str, options: &[&str]) -> PathBuf {
    let mut programs = PROGRAMS.lock().unwrap_or_else(PoisonError::into_inner);
    if !programs.contains_key(name) {
        programs.extend(build(options));
    }
    programs[name].clone()
}

/// Builds the programs that these options name, of all packages.
fn build(options: &[&str]) -> impl Iterator<Item = (String, PathBuf)> {
    let messages = CargoBuild::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        // Of all packages, and at least one example: so the dependencies have the features that they
        // have in a test run, and what `cargo test` has compiled is not compiled again.
        .arg("--workspace")
        .args(options)
        .exec()
        .expect("cargo starts");
    messages.filter_map(|message| {
        let message = message.expect("the programs build");
        match message.decode().expect("a message of cargo's") {
            Message::CompilerArtifact(built) => {
                Some((built.target.name.into_owned(), built.executable?.into_owned()))
            }
            _ => None,
        }
    })
}

/// A command that starts chapter `number` on a free port.
pub fn chapter(number: u32) -> Command {
    let (name, exercise) = (format!("chapter-{number}"), format!("exercise-{number}"));
    let mut command = Command::new(program(&name, &["--bin", &name, "--example", &exercise]));
    command.env("PORT", "0").env_remove("RUST_LOG");
    command
}

/// The numbers of all chapters, in order; their programs are built.
pub fn chapters() -> Vec<u32> {
    let numbers = numbers();
    if let Some(last) = numbers.last() {
        let all = ["--bin", "chapter-*", "--example", "exercise-*"];
        program(&format!("chapter-{last}"), &all);
    }
    numbers
}

fn numbers() -> Vec<u32> {
    let folders = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../chapters"));
    let names = folders.expect("a folder of chapters").map(|it| it.expect("an entry").file_name());
    let mut numbers: Vec<u32> =
        names.filter_map(|name| name.to_str()?.split_once('-')?.0.parse().ok()).collect();
    numbers.sort();
    numbers
}

/// A command that starts an example of a package on a free port.
pub fn example(name: &str) -> Command {
    let mut command = Command::new(program(name, &["--example", name]));
    command.env("PORT", "0").env_remove("RUST_LOG");
    command
}

/// The programs that check the answers to the exercises, by name.
pub fn exercises() -> impl Iterator<Item = (String, Command)> {
    numbers().into_iter().map(|number| {
        let name = format!("exercise-{number}");
        let command = Command::new(program(&name, &["--example", "exercise-*"]));
        (name, command)
    })
}

/// The program that lists the exercises: `just exercises`.
pub fn list_of_exercises() -> Command {
    Command::new(program("exercises", &["--bin", "exercises", "--example", "exercise-*"]))
}

/// A server that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    greeting: String,
    address: String,
    log: NamedTempFile,
    output: BufReader<ChildStdout>,
}

impl Server {
    /// Starts the command and waits until it has printed its address.
    ///
    /// # Panics
    ///
    /// With the log, if the program ends without printing an address.
    pub fn start(command: &mut Command) -> Server {
        let log = NamedTempFile::new().expect("a file for the log");
        let stderr = log.reopen().expect("the file for the log");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("the program starts");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));

        let mut greeting = String::new();
        let address = loop {
            let mut line = String::new();
            let length = output.read_line(&mut line).expect("its output is text");
            greeting += &line;
            if length == 0 {
                let log = fs::read_to_string(log.path()).unwrap_or_default();
                panic!("the program ended before it served: {greeting}{log}");
            }
            if let Some((_, rest)) = line.split_once("http://") {
                let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                break format!("http://{}", &rest[..end]);
            }
        };
        Server { child, greeting, address, log, output }
    }

    /// For example `http://127.0.0.1:40123`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What it printed, up to and with the line of its address.
    pub fn greeting(&self) -> &str {
        &self.greeting
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.log.path()).expect("its log");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Waits for the first line of its output, from here on, that contains `text`, and returns it.
    ///
    /// # Panics
    ///
    /// If its output ends before.
    pub fn wait_for(&mut self, text: &str) -> String {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            let length = self.output.read_line(&mut line).expect("its output is text");
            assert!(length > 0, "its output ended without {text:?}");
        }
        line
    }

    /// Presses Enter in its terminal.
    pub fn press_enter(&mut self) {
        let input = self.child.stdin.as_mut().expect("its input is ours");
        input.write_all(b"\n").expect("it reads its input");
    }

    /// Sends the signal, and does not wait.
    #[cfg(unix)]
    pub fn send(&self, signal: Signal) {
        send(&self.child, signal);
    }

    /// Sends the signal, waits for the end, and returns the exit status and the log.
    pub fn stop(mut self, signal: Signal) -> (ExitStatus, String) {
        #[cfg(unix)]
        send(&self.child, signal);
        #[cfg(not(unix))]
        {
            let _ = signal;
            self.child.kill().expect("the program still runs");
        }
        let status = self.child.wait().expect("it ends");
        (status, self.log())
    }
}

#[cfg(unix)]
fn send(child: &Child, signal: Signal) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, signal).expect("the program still runs");
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a server answered.
#[derive(Debug)]
pub struct Answer {
    /// For example 200.
    pub status: u16,
    /// `name=value` of the first cookie that it set.
    pub cookie: Option<String>,
    /// The body.
    pub page: String,
}

/// A GET request with this `Cookie` header; redirects are not followed.
pub fn get(address: &str, path: &str, cookie: &str) -> Answer {
    answer(agent().get(format!("{address}{path}")).header("Cookie", cookie).call())
}

/// A POST request with this `Cookie` header and this form; redirects are not followed.
pub fn post(address: &str, path: &str, cookie: &str, form: &[(&str, &str)]) -> Answer {
    let request = agent().post(format!("{address}{path}")).header("Cookie", cookie);
    answer(request.send_form(form.iter().copied()))
}

/// An agent for one request. It fills its buffers with zeros first; at their usual size, and without
/// optimisations, that takes longer than a page.
fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
    config.input_buffer_size(8 * 1024).output_buffer_size(8 * 1024).build().into()
}

fn answer(response: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = response.expect("the server answers");
    let cookie = response.headers().get("set-cookie").map(|line| {
        let line = line.to_str().expect("a cookie of ASCII characters");
        line.split(';').next().expect("a first part").to_owned()
    });
    let page = response.body_mut().read_to_string().expect("a page");
    Answer { status: response.status().as_u16(), cookie, page }
}
