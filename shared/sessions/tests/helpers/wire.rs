//! A way to a server that breaks, servers that talk nonsense, and words of a refusal.

use std::{
    fmt::Debug,
    io,
    net::{Ipv4Addr, SocketAddr},
};

use sessions::StoreError;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

/// A way to a server, on a port of its own, that can break.
pub struct Wire {
    address: SocketAddr,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// How often it broke. A connection is good until this changes.
    breaks: u64,
    /// Neither side is told that it broke: what is sent is not answered.
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

    /// Neither side hears anything any more, on the connections that there are and on new ones.
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
    // Held open, without an answer, until the wire is dropped.
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

/// An address at which no program listens as long as the socket lives, and what the operating
/// system says to one that tries.
pub fn no_listener() -> (SocketAddr, io::Error, TcpSocket) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a free port");
    let address = socket.local_addr().expect("its address");
    let refused = std::net::TcpStream::connect(address).expect_err("no program listens");
    (address, refused, socket)
}

/// What `open` says of a URL that it cannot use. There is a password in each such URL, and in
/// nothing that is said.
pub fn refusal<S: Debug>(opened: Result<S, StoreError>) -> String {
    match opened {
        Err(StoreError::Backend(words)) => {
            assert!(!words.contains(PASSWORD), "{words}");
            words
        }
        other => panic!("{other:?}"),
    }
}

/// The password in the URLs of these tests.
pub const PASSWORD: &str = "hunter2";
