//! The visitors: as little code as can speak HTTP/1.1 and keep a cookie.
//!
//! A client library would take more processor time than the server that it measures. All clients
//! share one thread, so that they leave the other cores to the server.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    big_table,
    process::{self, Server, Usage},
};

/// What the clients send as their cookie.
#[derive(Clone, Copy, Debug)]
pub enum Cookies {
    /// What the server has set last.
    Kept,
    /// None, whatever the server sets.
    None,
    /// What came with the last response: a sealed session is another one each time.
    Renewed,
    /// Sessions that were stored before: each client one of its `own`, or any for each request.
    Stored { sessions: u64, own: bool },
}

pub struct Load<'a> {
    pub server: &'a Server,
    pub clients: usize,
    pub cookies: Cookies,
    pub warm_up: Duration,
}

/// What came out of one cell.
#[derive(Clone, Debug)]
pub struct Measured {
    pub elapsed: Duration,
    /// How long each request took, shortest first.
    pub times: Vec<Duration>,
    /// The server's processor time.
    pub server: Duration,
    /// The clients'.
    pub clients: Duration,
    /// That of other programs.
    pub others: Duration,
    /// The server's, in KiB.
    pub peak_memory: u64,
}

impl Measured {
    pub fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }

    pub fn percentile(&self, percent: usize) -> Duration {
        self.times[(self.times.len() - 1) * percent / 100]
    }

    pub fn server_per_request(&self) -> Duration {
        self.server / self.times.len() as u32
    }

    /// Which part of the time the clients' one thread was busy. Near 1 it is what is measured.
    pub fn clients_busy(&self) -> f64 {
        self.clients.as_secs_f64() / self.elapsed.as_secs_f64()
    }

    /// Which part of one core other programs took meanwhile. It should be next to nothing.
    pub fn others_busy(&self) -> f64 {
        self.others.as_secs_f64() / self.elapsed.as_secs_f64()
    }
}

impl Load<'_> {
    pub fn measure(&self, time: Duration) -> Result<Measured> {
        self.measure_while(|| {
            thread::sleep(time);
            Ok(())
        })
    }

    /// Warms up, then measures for as long as `during` takes.
    pub fn measure_while(&self, during: impl FnOnce() -> Result<()>) -> Result<Measured> {
        let stop = Arc::new(AtomicBool::new(false));
        let visitors = self.visitors();
        let warm = Arc::new(Barrier::new(2));
        let thread = {
            let (stop, warm, warm_up) = (stop.clone(), warm.clone(), self.warm_up);
            thread::spawn(move || run(visitors, warm_up, &warm, &stop))
        };
        warm.wait();
        let (server, clients) = (self.server.usage(), Usage::of_clients());
        let (busy, start) = (process::busy(), Instant::now());
        let done = during();
        let (elapsed, busy) = (start.elapsed(), process::busy() - busy);
        let (server_after, clients_after) = (self.server.usage(), Usage::of_clients());
        stop.store(true, Ordering::Relaxed);
        let mut times = thread.join().expect("no client panics")?;
        done?;
        ensure!(!times.is_empty(), "no request was answered in time");
        times.sort();
        let server = server_after.processor - server.processor;
        let clients = clients_after.processor - clients.processor;
        Ok(Measured {
            elapsed,
            times,
            server,
            clients,
            others: busy.saturating_sub(server + clients),
            peak_memory: server_after.peak_memory,
        })
    }

    fn visitors(&self) -> Vec<Visitor> {
        (0..self.clients as u64)
            .map(|number| Visitor {
                address: self.server.address,
                number,
                cookies: self.cookies,
                cookie: None,
            })
            .collect()
    }
}

/// Warms up, meets the measuring thread at `warm`, and collects the times until `stop`.
#[tokio::main(flavor = "current_thread")]
async fn run(
    visitors: Vec<Visitor>,
    warm_up: Duration,
    warm: &Barrier,
    stop: &Arc<AtomicBool>,
) -> Result<Vec<Duration>> {
    static TURN: AtomicU64 = AtomicU64::new(0);
    let counting = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = visitors
        .into_iter()
        .map(|visitor| tokio::spawn(visitor.visit(counting.clone(), stop.clone(), &TURN)))
        .collect();
    tokio::time::sleep(warm_up).await;
    warm.wait();
    counting.store(true, Ordering::Relaxed);
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("no client panics")?);
    }
    Ok(times)
}

struct Visitor {
    address: std::net::SocketAddr,
    number: u64,
    cookies: Cookies,
    /// As it stands in the request.
    cookie: Option<String>,
}

impl Visitor {
    async fn visit(
        mut self,
        counting: Arc<AtomicBool>,
        stop: Arc<AtomicBool>,
        turn: &AtomicU64,
    ) -> Result<Vec<Duration>> {
        let mut connection = TcpStream::connect(self.address).await?;
        connection.set_nodelay(true)?;
        let (mut times, mut request, mut response) = (Vec::new(), String::new(), Vec::new());
        while !stop.load(Ordering::Relaxed) {
            self.choose_cookie(turn);
            request.clear();
            request.push_str("GET / HTTP/1.1\r\nHost: localhost\r\n");
            if let Some(cookie) = &self.cookie {
                request.extend(["Cookie: ", cookie, "\r\n"]);
            }
            request.push_str("\r\n");

            let counts = counting.load(Ordering::Relaxed);
            let start = Instant::now();
            connection.write_all(request.as_bytes()).await?;
            read_response(&mut connection, &mut response).await?;
            if counts {
                times.push(start.elapsed());
            }
            self.keep_cookie(&response)?;
        }
        Ok(times)
    }

    fn choose_cookie(&mut self, turn: &AtomicU64) {
        let Cookies::Stored { sessions, own } = self.cookies else { return };
        if own && self.cookie.is_some() {
            return;
        }
        let number = if own { self.number } else { turn.fetch_add(1, Ordering::Relaxed) };
        // Neighbours in the order of numbers are no neighbours in the table, which is in the
        // order of hashes.
        self.cookie = Some(format!("chapter4={}", big_table::record(number % sessions).id));
    }

    /// Every client of the server must get what it is owed: a page, and the cookie it had.
    fn keep_cookie(&mut self, response: &[u8]) -> Result<()> {
        let set = header(response, b"set-cookie: ").map(|line| {
            let end = line.iter().position(|byte| *byte == b';').unwrap_or(line.len());
            &line[..end]
        });
        let Some(set) = set else { return Ok(()) };
        match (self.cookies, &self.cookie) {
            (Cookies::Kept, None) | (Cookies::Renewed, _) => {
                self.cookie = Some(String::from_utf8(set.to_vec())?);
            }
            (Cookies::Kept, Some(kept)) => {
                ensure!(kept.as_bytes() == set, "the session was lost");
            }
            _ => {}
        }
        Ok(())
    }
}

async fn read_response(connection: &mut TcpStream, response: &mut Vec<u8>) -> Result<()> {
    response.clear();
    loop {
        let read = connection.read_buf(response).await?;
        ensure!(read > 0, "the server closed the connection");
        let Some(head) = response.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            continue;
        };
        ensure!(
            response.starts_with(b"HTTP/1.1 200 "),
            "not a page: {}",
            String::from_utf8_lossy(response)
        );
        let length = header(response, b"content-length: ").context("a length")?;
        let length: usize = std::str::from_utf8(length)?.parse()?;
        let end = head + 4 + length;
        while response.len() < end {
            let read = connection.read_buf(response).await?;
            ensure!(read > 0, "the server closed the connection");
        }
        return Ok(());
    }
}

/// The value of a header; hyper writes names in small letters.
fn header<'a>(response: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    response
        .split(|byte| *byte == b'\n')
        .take_while(|line| *line != b"\r")
        .find_map(|line| line.strip_prefix(name))
        .map(|value| value.trim_ascii_end())
}
