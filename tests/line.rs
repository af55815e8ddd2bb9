//! A line to a database, which can be cut.

use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use anyhow::{Context, Result, anyhow};
use url::Url;

/// A port of this machine, whose connections go on to the database. Clones are the same line.
#[derive(Clone)]
pub struct Line {
    url: Url,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    connections: Vec<TcpStream>,
}

impl Line {
    /// A line to the database of this URL.
    pub fn to(url: &str) -> Result<Line> {
        let mut url = Url::parse(url)?;
        let host = url.host_str().context("the URL names no host")?;
        let port = url.port().unwrap_or(if url.scheme() == "redis" { 6379 } else { 5432 });
        let database = (host.trim_matches(['[', ']']).to_owned(), port);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let here = listener.local_addr()?;
        url.set_ip_host(here.ip()).map_err(|()| anyhow!("the URL takes no host"))?;
        url.set_port(Some(here.port())).map_err(|()| anyhow!("the URL takes no port"))?;

        let line = Line { url, state: Arc::default() };
        let answering = line.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // An error hangs up on this client, and the next one may have more luck.
                let _ = answering.connect(client, &database);
            }
        });
        Ok(line)
    }

    /// The database's URL by way of this line.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Hangs up, and goes on hanging up.
    pub fn cut(&self) {
        let mut state = self.state();
        state.is_cut = true;
        for connection in state.connections.drain(..) {
            // An error means that it is closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// New connections are good again. Those from before do not come back.
    pub fn mend(&self) {
        self.state().is_cut = false;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is locked")
    }

    fn connect(&self, client: TcpStream, database: &(String, u16)) -> io::Result<()> {
        let mut state = self.state();
        if state.is_cut {
            return Ok(());
        }
        let database = TcpStream::connect((database.0.as_str(), database.1))?;
        for connection in [&client, &database] {
            // Without this, each small packet would wait for the one before to be confirmed.
            connection.set_nodelay(true)?;
            state.connections.push(connection.try_clone()?);
        }
        forward(client.try_clone()?, database.try_clone()?);
        forward(database, client);
        Ok(())
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // The other side is told, whether it ends or breaks off.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}
