//! Visitors who write down every number that a page shows them, and the reckoning at the end.
//!
//! A visitor's pages show 1, 2, 3 and so on, each number once. `n` is the number on the last page:
//! so many visits are counted.
//!
//! | what a visitor has seen | what it means |
//! |---|---|
//! | a number that is greater than `n` | that visit is lost: the count does not contain it |
//! | the same number on two pages | two visits were counted as one |
//! | no page for a number up to `n` | that visit was counted, and its answer was another one |
//!
//! The last line is no fault if a request got no answer, since its server was killed: it may have
//! been counted before. So those are subtracted. What is left is `extra`: a visitor was told 503,
//! and the visit was counted all the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
    iter,
    ops::AddAssign,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// How long a request may take until it counts as one that gets no answer.
const NO_ANSWER: Duration = Duration::from_secs(30);

/// How long a visitor pauses after an error page, or if no server is there.
const PAUSE: Duration = Duration::from_millis(10);

/// Until a visitor must have seen the count at the end.
pub const SOON: Duration = Duration::from_secs(15);

const COOKIE: &str = "chapter7=";

/// Several visitors. Each has one cookie, also if it is at two places at once.
pub struct Crowd(Vec<Visitor>);

#[derive(Default)]
struct Visitor {
    /// As it stands in the request.
    cookie: Mutex<Option<String>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    numbers: Vec<u64>,
    totals: Totals,
}

/// What has happened to one visitor, or to all of them together.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Pages with a number.
    pub shown: u64,
    /// Numbers that were shown, and that the count has not reached.
    pub lost: u64,
    /// Pages that showed a number which another page had shown.
    pub twice: u64,
    /// Visits that were counted without a page, and not because a server was killed.
    pub extra: u64,
    /// Requests that got no answer. They may be counted, or not.
    pub unknown: u64,
    /// Pages with status 503.
    pub unavailable: u64,
    /// Answers with any other status, which no story asks for.
    pub other: BTreeMap<u16, u64>,
    /// The longest time until a page of any status.
    pub longest: Duration,
}

impl Crowd {
    pub fn of(visitors: usize) -> Crowd {
        Crowd((0..visitors).map(|_| Visitor::default()).collect())
    }

    /// Each visitor comes for the first time, and gets a cookie.
    pub fn arrive(&self, address: &str) -> Result<()> {
        self.0.iter().try_for_each(|visitor| visitor.see_a_page(address).map(drop))
    }

    /// Every visitor is at each of these servers, `at_once` times, and asks for one page after the
    /// other for as long as `during` takes.
    pub fn visit_while<T>(
        &self,
        addresses: &[&str],
        at_once: usize,
        during: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            for visitor in &self.0 {
                for address in addresses.iter().flat_map(|it| iter::repeat_n(it, at_once)) {
                    scope.spawn(|| visitor.visit_until(address, &stop));
                }
            }
            let done = during();
            stop.store(true, Ordering::Relaxed);
            done
        })
    }

    /// How long it takes until a visitor gets a page; `None` if that is not soon.
    pub fn time_to_a_page(&self, address: &str) -> Option<Duration> {
        self.0.first().and_then(|visitor| visitor.see_a_page(address).ok())
    }

    /// Each visitor looks at the count, which is `n` from then on.
    pub fn look_again(&self, address: &str) -> Result<()> {
        self.arrive(address)
    }

    /// The reckoning, after every visitor has looked again.
    pub fn reckon(self) -> Totals {
        let mut totals = Totals::default();
        for visitor in self.0 {
            totals += visitor.seen.into_inner().expect("no visitor panics").reckon();
        }
        totals
    }
}

impl Visitor {
    fn visit_until(&self, address: &str, stop: &AtomicBool) {
        let agent = agent();
        while !stop.load(Ordering::Relaxed) {
            if !self.visit(&agent, address) {
                thread::sleep(PAUSE);
            }
        }
    }

    /// Tries until there is a page, and says how long that took.
    fn see_a_page(&self, address: &str) -> Result<Duration> {
        let (agent, start) = (agent(), Instant::now());
        while !self.visit(&agent, address) {
            if start.elapsed() > SOON {
                bail!("no page from the server within {} seconds", SOON.as_secs());
            }
            thread::sleep(PAUSE);
        }
        Ok(start.elapsed())
    }

    /// One request. Was there a page?
    fn visit(&self, agent: &ureq::Agent, address: &str) -> bool {
        let cookie = self.cookie.lock().expect("no visitor panics").clone();
        let start = Instant::now();
        let answer = request(agent, address, cookie.as_deref());
        let took = start.elapsed();

        let mut seen = self.seen.lock().expect("no visitor panics");
        match answer {
            Ok(answer) => {
                if let Some(cookie) = answer.cookie {
                    *self.cookie.lock().expect("no visitor panics") = cookie;
                }
                seen.note(answer.status, answer.number, took)
            }
            // No server has seen this request, so it is not counted.
            Err(ureq::Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused => false,
            Err(_) => {
                seen.totals.unknown += 1;
                false
            }
        }
    }
}

/// Newcomers without a cookie: each request comes from another one.
pub fn flood(address: &str, clients: usize, time: Duration) -> Totals {
    let seen = Mutex::new(Totals::default());
    let end = Instant::now() + time;
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let agent = agent();
                while Instant::now() < end {
                    let newcomer = Visitor::default();
                    if !newcomer.visit(&agent, address) {
                        thread::sleep(PAUSE);
                    }
                    let seen_once = newcomer.seen.into_inner().expect("no visitor panics");
                    *seen.lock().expect("no visitor panics") += seen_once.reckon();
                }
            });
        }
    });
    seen.into_inner().expect("no visitor panics")
}

impl Seen {
    fn note(&mut self, status: u16, number: Option<u64>, took: Duration) -> bool {
        self.totals.longest = self.totals.longest.max(took);
        match (status, number) {
            (200, Some(number)) => self.numbers.push(number),
            (503, _) => self.totals.unavailable += 1,
            _ => *self.totals.other.entry(status).or_default() += 1,
        }
        status == 200 && number.is_some()
    }

    fn reckon(mut self) -> Totals {
        // The last look came after everything else.
        let counted = self.numbers.last().copied().unwrap_or(0);
        let different: BTreeSet<u64> = self.numbers.iter().copied().collect();
        let in_the_count = different.range(..=counted).count() as u64;

        let totals = &mut self.totals;
        totals.shown = self.numbers.len() as u64;
        totals.lost = different.len() as u64 - in_the_count;
        totals.twice = totals.shown - different.len() as u64;
        totals.extra = (counted - in_the_count).saturating_sub(totals.unknown);
        self.totals
    }
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Totals) {
        self.shown += other.shown;
        self.lost += other.lost;
        self.twice += other.twice;
        self.extra += other.extra;
        self.unknown += other.unknown;
        self.unavailable += other.unavailable;
        for (status, count) in other.other {
            *self.other.entry(status).or_default() += count;
        }
        self.longest = self.longest.max(other.longest);
    }
}

struct Answer {
    status: u16,
    number: Option<u64>,
    /// What becomes of the cookie, if anything does: a new value, or none.
    cookie: Option<Option<String>>,
}

/// One client, with a connection of its own.
fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_global(Some(NO_ANSWER))
        .build()
        .into()
}

fn request(
    agent: &ureq::Agent,
    address: &str,
    cookie: Option<&str>,
) -> Result<Answer, ureq::Error> {
    let mut request = agent.get(address);
    if let Some(cookie) = cookie {
        request = request.header("Cookie", cookie);
    }
    let mut response = request.call()?;
    let lines = response.headers().get_all("set-cookie").iter();
    let ours = lines.filter_map(|line| line.to_str().ok()).find(|line| line.starts_with(COOKIE));
    let cookie = ours.map(|line| {
        let pair = line.split(';').next().unwrap_or_default();
        (pair != COOKIE).then(|| pair.to_owned())
    });
    let page = response.body_mut().read_to_string()?;
    Ok(Answer { status: response.status().as_u16(), number: number(&page), cookie })
}

/// From "You have visited this page 3 times".
fn number(page: &str) -> Option<u64> {
    let (_, rest) = page.split_once("this page ")?;
    rest.split_once(" time")?.0.parse().ok()
}
