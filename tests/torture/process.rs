//! A server as a process of its own: its address, its log, its memory, its sudden end.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// How many lines of a server's log are kept: the last ones.
const LOG_LINES: usize = 200;

/// Encrypted cookies have to survive their server, so all servers share this key. It protects
/// nothing.
const SESSION_KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

pub struct Server {
    child: Child,
    /// For example `http://127.0.0.1:40123`.
    pub address: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts this program again, in `folder`, and waits for its address.
    pub fn start(store: &str, folder: &Path) -> Result<Server> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--serve", store])
            .current_dir(folder)
            .env("SESSION_KEYS", SESSION_KEY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("its output is ours")?;
        let log = keep_log(child.stderr.take().context("its log is ours")?);
        let mut server = Server { child, address: String::new(), log };
        match read_address(output) {
            Some(address) => server.address = address,
            None => bail!("the server did not start: {}", server.last_words()),
        }
        Ok(server)
    }

    /// `kill -9`: the process has no chance to write anything down.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// For a limit on its files.
    #[cfg(target_os = "linux")]
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// The most memory it has had at once, in KiB; 0 if the system does not say.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak.unwrap_or_default()
    }

    /// The last errors that it has logged, each different one once.
    pub fn errors(&self) -> Vec<String> {
        let log = self.log.lock().expect("no panic while it is locked");
        let mut errors: Vec<String> = Vec::new();
        for line in log.iter().rev() {
            // The time in front of the level is different in each line.
            let start = line.find("ERROR").or_else(|| line.find("panicked"));
            let Some(error) = start.map(|start| &line[start..]) else { continue };
            if errors.len() < 3 && !errors.iter().any(|it| it == error) {
                errors.push(error.to_owned());
            }
        }
        errors
    }

    fn last_words(&mut self) -> String {
        // It has ended. The thread that reads the log has all of it a moment after that.
        let _ = self.child.wait();
        thread::sleep(Duration::from_millis(100));
        self.log.lock().expect("no panic while it is locked").join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A pipe that is not read fills up, and then the server would wait for it with each line.
fn keep_log(output: ChildStderr) -> Arc<Mutex<Vec<String>>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let kept = log.clone();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut kept = kept.lock().expect("no panic while it is locked");
            if kept.len() == LOG_LINES {
                kept.remove(0);
            }
            kept.push(line);
        }
    });
    log
}

/// From the line `Open http://127.0.0.1:40123 in a browser`.
fn read_address(output: impl Read) -> Option<String> {
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("http://"))?;
    line.split_whitespace().find(|word| word.starts_with("http://")).map(str::to_owned)
}
