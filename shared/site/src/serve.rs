//! The server: its address, its log, its end.

use std::{
    env,
    fmt::Display,
    io::{self, ErrorKind, IsTerminal, Write},
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
    sync::OnceLock,
    time::Duration,
};

use axum::Router;
use clap::{CommandFactory, FromArgMatches, Parser};
use inspector::Inspector;
use lesson::Lesson;
use tokio::{net::TcpListener, time};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, prelude::*, registry};

use crate::{connections, stop::told_to_stop};

/// The options that every chapter has. Chapters with options of their own flatten it into theirs.
#[derive(Debug, Parser)]
pub struct ServerOptions {
    /// Listen on this port of 127.0.0.1; 0 takes any free one
    #[arg(long, env = "PORT", default_value_t = 3000)]
    port: u16,
    /// Leave out /inspector, the pages that show what just happened
    #[arg(long)]
    no_inspector: bool,
    /// Leave out the lesson around the pages: the chapter, what to try, the docs under /read
    #[arg(long)]
    no_lesson: bool,
    #[arg(skip)]
    inspector: OnceLock<Inspector>,
}

impl ServerOptions {
    /// What shows the reader what just happened: put it around the app and its store. With
    /// `--no-inspector` it does nothing. Each call returns the same one.
    pub fn inspector(&self) -> Inspector {
        let inspector = self.inspector.get_or_init(|| match self.no_inspector {
            true => Inspector::off(),
            false => Inspector::new(),
        });
        inspector.clone()
    }

    /// Reads the command line of a program that has no other options. `about` is what `--help`
    /// says the program is.
    pub fn parse_for(about: &'static str) -> Self {
        let matches = Self::command().about(about).long_about(None).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Serves `app` on 127.0.0.1 until Ctrl-C or SIGTERM and returns the process's exit code.
    ///
    /// First it prints the address and what the `lesson` wants the reader to try. The pages get the
    /// lesson as their frame, unless the option `--no-lesson` leaves it out; a program may have none
    /// (`None`). The log goes to the standard error output; the variable `RUST_LOG` chooses how much
    /// of it, for example `RUST_LOG=debug` (default `info`).
    ///
    /// A handler that takes axum's `ConnectInfo<SocketAddr>` gets the address of the other end of its
    /// connection: the visitor's, or that of a proxy in between.
    ///
    /// A connection may idle, or send the head of a request, for 10 seconds. There are 200 at
    /// most, and in a full house the one that has idled longest makes room for a newcomer. The
    /// time and the size of a request's body are limited by [`with_look`](crate::with_look).
    ///
    /// Once told to stop, it takes no new connection, closes the idle ones, gives running
    /// requests one second, and returns. The program then has four seconds to put things in
    /// order, for example to close a database. If it still runs after that, because a thread of
    /// it is blocked, the process ends with exit code 1.
    ///
    /// # Errors
    ///
    /// A port that is taken or not allowed is one line on the standard error output, with the
    /// remedy, and exit code 1.
    pub async fn serve(self, app: Router, lesson: impl Into<Option<Lesson>>) -> ExitCode {
        match self.listen().await {
            Ok(listening) => listening.serve(app, lesson).await,
            Err(code) => code,
        }
    }

    /// As [`serve`](Self::serve); but once told to stop, it calls `told` and goes on serving for
    /// `drain`, so that a proxy can notice and send visitors elsewhere. Then it stops.
    ///
    /// # Errors
    ///
    /// As `serve`.
    pub async fn serve_and_drain(
        self,
        app: Router,
        lesson: impl Into<Option<Lesson>>,
        drain: Duration,
        told: impl FnOnce(),
    ) -> ExitCode {
        match self.listen().await {
            Ok(listening) => listening.serve_and_drain(app, lesson, drain, told).await,
            Err(code) => code,
        }
    }

    /// The first half of [`serve`](Self::serve), for a program that has to know its port first.
    ///
    /// # Errors
    ///
    /// The exit code 1, when the line that `serve` would print has been printed.
    pub async fn listen(self) -> Result<Listening, ExitCode> {
        let inspector = self.inspector();
        let has_lesson = !self.no_lesson;
        log_to_stderr(&inspector);
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let bound = TcpListener::bind(wanted).await;
        match bound.and_then(|it| Ok((it.local_addr()?, it))) {
            Ok((address, listener)) => Ok(Listening { listener, address, inspector, has_lesson }),
            Err(error) => Err(exit_with(cannot_listen(wanted, error))),
        }
    }
}

/// A server that has its port, and answers as soon as it is told what to serve.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    inspector: Inspector,
    has_lesson: bool,
}

impl Listening {
    /// The port of 127.0.0.1 that it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Serves `app`, as [`ServerOptions::serve`] does, which says the rest.
    pub async fn serve(self, app: Router, lesson: impl Into<Option<Lesson>>) -> ExitCode {
        self.serve_and_drain(app, lesson, Duration::ZERO, || {}).await
    }

    async fn serve_and_drain(
        self,
        app: Router,
        lesson: impl Into<Option<Lesson>>,
        drain: Duration,
        told: impl FnOnce(),
    ) -> ExitCode {
        // A reader of the address may press Ctrl-C at once.
        let told_to_stop = told_to_stop(drain);
        let lesson = lesson.into();
        greet(self.address, lesson.as_ref(), &self.inspector);
        let app = match lesson {
            Some(lesson) if self.has_lesson => lesson.around(app),
            _ => app,
        };
        let stop = async {
            let _ = told_to_stop.await;
            told();
            time::sleep(drain).await;
            // Its pages wait for news, and would hold up the end.
            self.inspector.close();
        };
        connections::serve(self.listener, app, stop).await;
        ExitCode::SUCCESS
    }
}

/// Says in one line why the program cannot go on, and gives the exit code 1 to end it with.
pub fn exit_with(problem: impl Display) -> ExitCode {
    eprintln!("error: {problem}");
    ExitCode::FAILURE
}

fn cannot_listen(address: SocketAddr, error: io::Error) -> String {
    let port = address.port();
    let another = if port == 3000 { 3001 } else { 3000 };
    match error.kind() {
        ErrorKind::AddrInUse => format!(
            "port {port} is in use. Stop the program that uses it, or choose another port: \
             --port {another}"
        ),
        ErrorKind::PermissionDenied => format!(
            "this user may not listen on port {port}. Choose one above 1023: --port {another}"
        ),
        _ => format!("cannot listen on {address}: {error}"),
    }
}

fn greet(address: SocketAddr, lesson: Option<&Lesson>, inspector: &Inspector) {
    let address = format!("http://{address}");
    let mut lines = format!("Open {address} in a browser (Ctrl-C stops the server)\n");
    if inspector.is_on() {
        lines += &format!("See what just happened: {address}/inspector\n");
    }
    for hint in lesson.into_iter().flat_map(|lesson| lesson.tries(&address)) {
        lines += &format!("Try: {hint}\n");
    }
    // Unlike `println!`, this does not panic if its reader has gone (`chapter-1 | head -1`).
    let _ = io::stdout().write_all(lines.as_bytes());
}

fn log_to_stderr(inspector: &Inspector) {
    // Not an `EnvFilter`, which understands more and compiles regular expressions for it.
    let chosen: Targets =
        env::var("RUST_LOG").ok().and_then(|it| it.parse().ok()).unwrap_or_default();
    let default = chosen.default_level().unwrap_or(LevelFilter::INFO);
    let filter = Targets::new().with_default(default).with_targets(chosen);
    let log = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    // The codes for colours would be noise in a file. On a terminal, `NO_COLOR` decides.
    let log = if io::stderr().is_terminal() { log } else { log.with_ansi(false) };
    let events = inspector.is_on().then(inspector::events);
    let log = registry().with(log.with_filter(filter)).with(events);
    // An error means that somebody, a test for example, already set a log up: theirs is fine.
    let _ = log.try_init();
}
