//! What visitors notice of a deploy, of a server that is killed, and of a store that goes away.
//!
//! The visitors are processes of curl, which speaks HTTP/2 and keeps `__Host-` cookies as browsers
//! do.

use std::{
    env,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    iter,
    net::TcpListener,
    process::{self, Child, ChildStdin, ChildStdout, Command, ExitCode, Output, Stdio},
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread,
};

use libtest_mimic::{Arguments, Trial};
use programs::{Line, Signal, chapter};
use rustix::process::{Pid, kill_process};
use tempfile::{NamedTempFile, TempDir};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../chapters/12-going-live/live.sh");

/// How many visitors visit at the same time, without a pause.
const VISITORS: usize = 4;

/// How often each has visited before the deploy begins.
const BEFORE: usize = 3;

/// What curl ends with if there was no answer over an HTTP/2 connection.
const HTTP2_ERROR: i32 = 16;

/// Its name, and what holds a store to it.
type Promise = (&'static str, fn(&str));

/// Runs each promise over each store that is there.
pub fn run() -> ExitCode {
    let missing: Vec<_> =
        ["nginx", "openssl", "curl"].into_iter().filter(|it| !is_there(it)).collect();
    let mut trials = Vec::new();
    for (name, variable) in [("postgres", "TEST_POSTGRES_URL"), ("redis", "TEST_REDIS_URL")] {
        let store = env::var(variable).ok();
        let why = match (&store, missing.is_empty()) {
            (None, _) => Some(format!("{variable} is not set")),
            (_, false) => Some(format!("{} is missing", missing.join(", "))),
            _ => None,
        };
        if let Some(why) = &why {
            assert!(env::var_os("TEST_LIVE").is_none(), "TEST_LIVE is set, and {why}");
            eprintln!("{why}: the deploys over {name} are skipped");
        }
        let promises: [Promise; 3] = [
            ("both_servers_are_replaced_and_no_visit_is_lost", both_servers_are_replaced),
            ("one_server_is_killed_and_the_visitors_go_on", one_server_is_killed),
            ("the_store_is_away_and_comes_back_and_no_visitor_is_signed_out", the_store_is_away),
        ];
        for (promise, run) in promises {
            let store = store.clone();
            let test = move || {
                run(&store.expect("a trial that is skipped does not run"));
                Ok(())
            };
            let trial = Trial::test(format!("{name}::{promise}"), test);
            trials.push(trial.with_ignored_flag(why.is_some()));
        }
    }
    let mut arguments = Arguments::from_args();
    // Each starts a site of its own, and waits most of the time: for a server that starts or ends.
    arguments.test_threads.get_or_insert(6);
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn is_there(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.any(|folder| folder.join(program).is_file())
}

fn both_servers_are_replaced(store: &str) {
    let mut live = Live::start(store);
    let address = live.address.clone();
    let reader = Visitor::new(&address);
    reader.sign_in();

    let busy = Barrier::new(VISITORS + 2);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..VISITORS {
            scope.spawn(|| {
                let visitor = Visitor::new(&address);
                let mut answered = 0;
                let mut visit = || {
                    answered += 1;
                    // Each answer is a page, and shows one visit more than the one before: none is
                    // lost, and none is counted twice.
                    assert_eq!(visitor.visit(), answered);
                };
                (0..BEFORE).for_each(|_| visit());
                busy.wait();
                while !is_over.load(Ordering::Relaxed) {
                    visit();
                }
                visit();
            });
        }
        scope.spawn(|| {
            busy.wait();
            while !is_over.load(Ordering::Relaxed) {
                reader.is_still_signed_in();
            }
            reader.is_still_signed_in();
        });
        busy.wait();
        // Also if this thread fails: otherwise the visitors would go on for ever.
        let _over = SetAtEnd(&is_over);
        live.replace_both();
    });
}

fn one_server_is_killed(store: &str) {
    let mut live = Live::start(store);
    let address = live.address.clone();
    let busy = Barrier::new(VISITORS + 1);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..VISITORS {
            scope.spawn(|| {
                let visitor = Visitor::new(&address);
                let mut shown: Vec<u64> = (0..BEFORE).map(|_| visitor.visit()).collect();
                busy.wait();
                while !is_over.load(Ordering::Relaxed) {
                    shown.push(visitor.visit());
                }
                shown.push(visitor.visit());
                // nginx asks the other server again for a page that the killed one did not send. The
                // visit may have been counted there already.
                let counted = shown[shown.len() - 1];
                let answered = shown.len() as u64;
                assert!(shown.is_sorted_by(|a, b| a < b), "{shown:?}");
                assert!(counted == answered || counted == answered + 1, "{shown:?}");
            });
        }
        busy.wait();
        let _over = SetAtEnd(&is_over);
        let doomed = Pid::from_raw(live.processes[0]).expect("the number of a process");
        kill_process(doomed, Signal::KILL).expect("the server runs");
        // It starts a new one in its place, and replaces the other, too.
        live.replace_both();
    });
}

fn the_store_is_away(store: &str) {
    let line = Line::to(store).expect("the variable holds a URL");
    let live = Live::start(line.url());
    let (visitor, reader) = (Visitor::new(&live.address), Visitor::new(&live.address));
    reader.sign_in();
    assert_eq!(visitor.visit(), 1);

    line.cut();
    // More often than nginx lets a server fail: it must not take the two for dead.
    for _ in 0..4 {
        let (status, page) = visitor.ask("/", &[]);
        assert_eq!(status, 503, "{page}");
        assert!(page.contains("Nothing is lost"), "{page}");
    }

    line.mend();
    assert_eq!(visitor.visit(), 2);
    reader.is_still_signed_in();
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The script, until it is dropped.
struct Live {
    script: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    log: NamedTempFile,
    /// The servers, in the order in which they were started.
    processes: Vec<i32>,
    address: String,
}

impl Live {
    fn start(store: &str) -> Live {
        let log = NamedTempFile::new().expect("a file for the log");
        let mut script = Command::new("bash")
            .arg(SCRIPT)
            .env("CHAPTER_12", chapter(12).get_program())
            .env("SESSION_STORE", store)
            .env("HTTPS_PORT", free_port().to_string())
            .env("HTTP_PORT", free_port().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.reopen().expect("the file for the log"))
            .spawn()
            .expect("bash starts");
        let input = script.stdin.take().expect("its input");
        let output = BufReader::new(script.stdout.take().expect("its output"));
        let (processes, address) = (Vec::new(), String::new());
        let mut live = Live { script, input, output, log, processes, address };
        let line = live.wait_for("Open https://");
        let address = line.split_whitespace().nth(1).expect("an address after the word");
        live.address = address.to_owned();
        live.wait_for("Try:");
        live
    }

    fn wait_for(&mut self, text: &str) -> String {
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).expect("its output is text");
            if length == 0 {
                let log = fs::read_to_string(self.log.path()).unwrap_or_default();
                panic!("live.sh ended without {text:?}: {log}");
            }
            if let Some((_, process)) = line.split_once("is process ") {
                self.processes.extend(process.trim().trim_end_matches('.').parse::<i32>());
            }
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Presses Enter, and waits for the end of the deploy.
    fn replace_both(&mut self) {
        self.input.write_all(b"\n").expect("it reads its input");
        self.wait_for("Both servers are replaced.");
    }
}

impl Drop for Live {
    /// The script stops all that it has started.
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = kill_process(Pid::from_child(&self.script), Signal::TERM);
        let _ = self.script.wait();
    }
}

/// A port that no other site of this program gets. It is below those that the system gives to a
/// connection: a visitor of another site might get one of these before nginx does.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10000 + process::id() as u16 % 10000;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let next = || Some(first + NEXT.fetch_add(1, Ordering::Relaxed));
    iter::from_fn(next).find(is_free).expect("a free port")
}

/// A browser, as far as curl is one.
struct Visitor<'a> {
    address: &'a str,
    folder: TempDir,
}

impl Visitor<'_> {
    fn new(address: &str) -> Visitor<'_> {
        let folder = TempDir::new().expect("an empty folder");
        File::create(folder.path().join("cookies")).expect("a file for the cookies");
        Visitor { address, folder }
    }

    /// The status and the page.
    ///
    /// A reload of nginx may close a new HTTP/2 connection without having looked at its request, and
    /// says so (GOAWAY, RFC 9113 section 6.8). A browser then sends the request again, over another
    /// connection, and so does this; curl by itself does not.
    fn ask(&self, path: &str, options: &[&str]) -> (u16, String) {
        loop {
            let output = self.curl(path, options);
            if output.status.code() == Some(HTTP2_ERROR) {
                continue;
            }
            let said = String::from_utf8_lossy(&output.stdout);
            let (page, last) = said.rsplit_once('\n').expect("a last line");
            let problem = String::from_utf8_lossy(&output.stderr);
            let (status, version) = last.split_once(' ').expect("two numbers");
            assert_eq!(version, "2", "{path}: {problem}");
            return (status.parse().expect("a status"), page.to_owned());
        }
    }

    fn curl(&self, path: &str, options: &[&str]) -> Output {
        let cookies = self.folder.path().join("cookies");
        Command::new("curl")
            // The certificate is not signed by an authority.
            .args(["--silent", "--show-error", "--insecure", "--http2", "--max-time", "20"])
            .arg("--cookie")
            .arg(&cookies)
            .arg("--cookie-jar")
            .arg(&cookies)
            .args(["--write-out", "\n%{http_code} %{http_version}"])
            .args(options)
            .arg(format!("{}{path}", self.address))
            .output()
            .expect("curl starts")
    }

    /// Visits the home page, and returns the number of visits that it shows.
    fn visit(&self) -> u64 {
        let (status, page) = self.ask("/", &[]);
        assert_eq!(status, 200, "{page}");
        let (_, rest) = page.split_once("this page ").expect("the page shows a count");
        let (count, _) = rest.split_once(' ').expect("a number and a word");
        count.parse().expect("a number")
    }

    /// As a form of the site, which says where it comes from.
    fn post(&self, path: &str, form: &str) {
        let origin = format!("Origin: {}", self.address);
        let (status, page) = self.ask(path, &["--data", form, "--header", &origin]);
        assert_eq!(status, 303, "{path}: {page}");
    }

    fn sign_in(&self) {
        self.post("/sign-in", "name=ada&password=ada-reads&remember=no&next=%2F");
    }

    fn is_still_signed_in(&self) {
        let (status, page) = self.ask("/my-books", &[]);
        assert_eq!(status, 200, "a visitor who is not signed in is sent away: {page}");
        assert!(page.contains("You are signed in as <strong>ada</strong>"), "{page}");
        // A form, too: the proxy may not send it a second time, so the first has to arrive.
        self.post("/theme", "");
    }
}
