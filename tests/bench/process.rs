//! The server as a process of its own, and what the system says about it.

use std::{
    cell::RefCell,
    fs,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::server::App;

pub struct Server {
    child: Child,
    input: RefCell<ChildStdin>,
    output: RefCell<BufReader<ChildStdout>>,
    pub address: SocketAddr,
}

impl Server {
    /// Starts this program again as the server of `app`, with its database in `folder`.
    pub fn start_app(app: App, folder: &Path) -> Result<Server> {
        let name = app.to_possible_value().expect("no row is skipped");
        Server::start(&["--serve", name.get_name()], folder)
    }

    /// Starts this program again, in `folder`.
    pub fn start(arguments: &[&str], folder: &Path) -> Result<Server> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .arg("--folder")
            .arg(folder)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = RefCell::new(child.stdin.take().context("its input")?);
        let output = RefCell::new(BufReader::new(child.stdout.take().context("its output")?));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut server = Server { child, input, output, address };
        server.address.set_port(server.line()?.parse().context("the server did not start")?);
        Ok(server)
    }

    fn line(&self) -> Result<String> {
        let mut line = String::new();
        self.output.borrow_mut().read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Lets the server clear its expired sessions; call [`Server::cleared`] for the result.
    pub fn clear(&self) -> Result<()> {
        Ok(writeln!(self.input.borrow_mut(), "clear")?)
    }

    /// Waits until the clearing has ended: how many it cleared, and in what time.
    pub fn cleared(&self) -> Result<(u64, Duration)> {
        let line = self.line()?;
        let (count, millis) = line.split_once(' ').context("a count and milliseconds")?;
        Ok((count.parse()?, Duration::from_millis(millis.parse()?)))
    }

    pub fn usage(&self) -> Usage {
        Usage::of(&self.child.id().to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a process has used so far. Zero where there is no /proc.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time, in user space and in the kernel.
    pub processor: Duration,
    /// The most memory it had at once, in KiB.
    pub peak_memory: u64,
}

impl Usage {
    pub fn of_clients() -> Usage {
        Usage::of("self")
    }

    fn of(process: &str) -> Usage {
        Usage::read(process).unwrap_or_default()
    }

    fn read(process: &str) -> Option<Usage> {
        // proc_pid_stat(5): the name in brackets may have blanks; utime and stime are the 14th and
        // 15th field, in ticks, of which Linux shows 100 a second.
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;

        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let peak_memory = peak.trim().trim_end_matches(" kB").parse().ok()?;
        Some(Usage { processor: Duration::from_millis(10 * ticks), peak_memory })
    }
}

/// The processor time of everything that runs on this machine.
pub fn busy() -> Duration {
    read_busy().unwrap_or_default()
}

fn read_busy() -> Option<Duration> {
    // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal; in ticks.
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<u64> =
        stat.lines().next()?.split_whitespace().skip(1).flat_map(str::parse).collect();
    let busy: u64 = ticks.get(..3)?.iter().chain(ticks.get(5..8)?).sum();
    Some(Duration::from_millis(10 * busy))
}

/// The kind of file system that holds `folder`, for example ext4.
pub fn file_system(folder: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let holds = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (place, kind) = (words.next()?, words.next()?);
        folder.starts_with(place).then_some((place.len(), kind))
    });
    holds.max().map_or("unknown file system", |(_, kind)| kind).to_owned()
}
