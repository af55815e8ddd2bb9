//! Databases on the network: their addresses, a line to them that can be cut, a word to Redis.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use anyhow::{Context, Result, bail};

use crate::stage::End;

/// The parts of a URL like `redis://user:password@host:port/number`.
#[derive(Clone)]
pub struct Endpoint {
    scheme: String,
    /// With the `@`, if there is any.
    login: String,
    pub host: String,
    pub port: u16,
    /// From the slash on.
    path: String,
}

impl Endpoint {
    pub fn parse(url: &str) -> Result<Endpoint> {
        let (scheme, rest) = url.split_once("://").context("a URL with ://")?;
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (login, address) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        let default = if scheme == "redis" { 6379 } else { 5432 };
        let (host, port) = match address.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse()?),
            _ => (address, default),
        };
        if host.is_empty() {
            bail!("the URL of the {scheme} server names no host");
        }
        let [scheme, login, host, path] = [scheme, login, host, path].map(str::to_owned);
        Ok(Endpoint { scheme, login, host, port, path })
    }

    fn connect(&self) -> io::Result<TcpStream> {
        TcpStream::connect((self.host.trim_matches(['[', ']']), self.port))
    }

    /// The same URL with another address.
    fn over(&self, port: u16) -> String {
        let Endpoint { scheme, login, path, .. } = self;
        format!("{scheme}://{login}127.0.0.1:{port}{path}")
    }
}

/// One command to Redis, and the first line of its answer, without the sign in front of it.
pub fn redis(server: &Endpoint, command: &[&str]) -> Result<String> {
    let mut connection = BufReader::new(server.connect()?);
    let login = server.login.trim_end_matches('@');
    if !login.is_empty() {
        let (user, password) = login.split_once(':').unwrap_or(("", login));
        let user = if user.is_empty() { "default" } else { user };
        ask_redis(&mut connection, &["AUTH", user, password])?;
    }
    let number = server.path.trim_start_matches('/');
    if !number.is_empty() {
        ask_redis(&mut connection, &["SELECT", number])?;
    }
    ask_redis(&mut connection, command)
}

fn ask_redis(connection: &mut BufReader<TcpStream>, command: &[&str]) -> Result<String> {
    // Redis's documentation, page "Redis serialization protocol": an array of strings, each with
    // its length.
    let mut request = format!("*{}\r\n", command.len());
    for word in command {
        request += &format!("${}\r\n{word}\r\n", word.len());
    }
    connection.get_mut().write_all(request.as_bytes())?;
    let mut answer = String::new();
    connection.read_line(&mut answer)?;
    match answer.trim_end().split_at_checked(1) {
        Some(("+" | ":", answer)) => Ok(answer.to_owned()),
        _ => bail!("Redis answered {answer:?} to {}", command[0]),
    }
}

/// The line to a database, which can be cut.
pub struct Line {
    /// The database's URL by way of this line.
    pub url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_cut: bool,
    connections: Vec<TcpStream>,
}

impl Line {
    pub fn to(server: &Endpoint) -> Result<Line> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = server.over(listener.local_addr()?.port());
        let state = Arc::new(Mutex::new(State::default()));
        let (shared, server) = (state.clone(), server.clone());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                // An error hangs up on this client, and the next one may have more luck.
                let _ = connect(client, &server, &shared);
            }
        });
        Ok(Line { url, state })
    }

    /// Hangs up, and goes on hanging up until the end.
    pub fn cut(&self) -> End {
        let mut state = self.state.lock().expect("no panic while it is locked");
        state.is_cut = true;
        for connection in state.connections.drain(..) {
            // An error means that it is closed already.
            let _ = connection.shutdown(Shutdown::Both);
        }
        let state = self.state.clone();
        Box::new(move || {
            state.lock().expect("no panic while it is locked").is_cut = false;
            Ok(())
        })
    }
}

fn connect(client: TcpStream, server: &Endpoint, state: &Mutex<State>) -> io::Result<()> {
    let mut state = state.lock().expect("no panic while it is locked");
    if state.is_cut {
        return Ok(());
    }
    let server = server.connect()?;
    for connection in [&client, &server] {
        // Without this, each small packet would wait for the one before to be confirmed.
        connection.set_nodelay(true)?;
        state.connections.push(connection.try_clone()?);
    }
    forward(client.try_clone()?, server.try_clone()?);
    forward(server, client);
    Ok(())
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        // Whether it ends or breaks off, the other side is told.
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
}
