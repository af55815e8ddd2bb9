//! Promises that need a server which is not everywhere, and ways to it that break.

pub mod outages;

use std::{
    env,
    fmt::Debug,
    io,
    net::{Ipv4Addr, SocketAddr},
    process::ExitCode,
};

use libtest_mimic::{Arguments, Trial};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::Builder,
    sync::watch,
};
use tower_sessions::session_store;

/// Each of these stories as a test of its name.
macro_rules! promises {
    ($($story:ident)+) => {
        vec![$($crate::services::promise(stringify!($story), $story)),+]
    };
}
pub(crate) use promises;

/// A test that tells this story.
pub fn promise<F>(name: &str, story: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    Trial::test(name, move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(story());
        Ok(())
    })
}

/// Runs all of them, or those that need no server where `variable` does not name one.
pub fn run(
    variable: &str,
    example: &str,
    need_server: Vec<Trial>,
    need_none: Vec<Trial>,
) -> ExitCode {
    let arguments = Arguments::from_args();
    let is_missing = env::var_os(variable).is_none();
    if is_missing && !arguments.list {
        let skipped = need_server.len();
        eprintln!(
            "{variable} is not set, so {skipped} tests are skipped; try {variable}={example}"
        );
    }
    let need_server = need_server.into_iter().map(|trial| trial.with_ignored_flag(is_missing));
    libtest_mimic::run(&arguments, need_server.chain(need_none).collect()).exit_code()
}

/// The URL of the server that the tests use.
pub fn url(variable: &str) -> String {
    env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set"))
}

/// A way to a server, on a port of its own, that can break.
pub struct Wire {
    address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// How often it broke. A connection is good until this changes.
    breaks: u64,
    /// Nobody is told that it broke: what is sent is not answered.
    silently: bool,
    is_broken: bool,
}

impl Wire {
    /// A wire to the server at `host:port`.
    pub async fn to(server: String) -> Wire {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (state, changes) = watch::channel(State::default());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server.clone(), changes.clone()));
            }
        });
        Wire { address, state }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All connections end, and so does each new one.
    pub fn cut(&self) {
        self.break_off(false);
    }

    /// Nobody hears anything any more, neither on the connections that there are nor on new ones.
    pub fn fall_silent(&self) {
        self.break_off(true);
    }

    fn break_off(&self, silently: bool) {
        self.state.send_modify(|state| {
            *state = State { breaks: state.breaks + 1, silently, is_broken: true };
        });
    }

    /// From now on, new connections are good. Those from before do not come back.
    pub fn mend(&self) {
        self.state.send_modify(|state| state.is_broken = false);
    }
}

async fn carry(mut client: TcpStream, server: String, mut state: watch::Receiver<State>) {
    let at_first = *state.borrow_and_update();
    if !at_first.is_broken {
        let mut server = TcpStream::connect(server).await.expect("the server is there");
        tokio::select! {
            // In this order: what is sent after the break must not pass.
            biased;
            _ = state.wait_for(|now| now.breaks != at_first.breaks) => {}
            _ = copy_bidirectional(&mut client, &mut server) => return,
        }
    }
    let is_silent = state.borrow().silently;
    // Held open, with nobody at the other end, until the wire is dropped.
    while is_silent && state.changed().await.is_ok() {}
}

/// A server that says this to whatever it hears.
pub async fn server_that_says(answer: fn(heard: &[u8]) -> Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut heard = [0; 4096];
            while let Ok(length @ 1..) = client.read(&mut heard).await {
                // An error means that the client has heard enough.
                let _ = client.write_all(&answer(&heard[..length])).await;
            }
        }
    });
    address
}

/// An address at which nobody listens as long as the socket lives, and what the operating system
/// says to whoever tries.
pub fn nobody() -> (SocketAddr, io::Error, TcpSocket) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let address = socket.local_addr().expect("its address");
    let refused = std::net::TcpStream::connect(address).expect_err("nobody listens");
    (address, refused, socket)
}

/// What `open` says of a URL that it cannot use. There is a password in each such URL, and in
/// nothing that is said.
pub fn refusal<S: Debug>(opened: session_store::Result<S>) -> String {
    match opened {
        Err(session_store::Error::Backend(words)) => {
            assert!(!words.contains(PASSWORD), "{words}");
            words
        }
        other => panic!("{other:?}"),
    }
}

/// The password in the URLs of these tests.
pub const PASSWORD: &str = "hunter2";
