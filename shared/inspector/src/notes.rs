//! What was noted of each request, and how much of it is kept.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::names::Names;

/// How many requests are kept; the oldest goes first.
const REQUESTS: usize = 200;

/// How much is kept of one request, so that no request can fill the memory.
const STEPS: usize = 100;
#[cfg(any(feature = "sessions", feature = "tower-sessions"))]
const KEYS: usize = 50;
const CHARACTERS: usize = 300;

/// Notes what happens in a program, and shows it at `/inspector`.
///
/// Clones share their notes. See the [crate's page](crate) for what it shows and why it has no
/// place in production.
#[derive(Clone, Default)]
pub struct Inspector(pub(crate) Option<Arc<Inner>>);

pub(crate) struct Inner {
    began: Instant,
    notes: Mutex<Notes>,
    /// Counts the changes, so that a page can wait for the next.
    pub changes: watch::Sender<u64>,
    pub closing: watch::Sender<bool>,
}

#[derive(Default)]
pub(crate) struct Notes {
    pub requests: VecDeque<Request>,
    pub names: Names,
    counted: u64,
    ticks: u64,
}

/// What the store holds under an id, as far as it is kept here: keys, and values as JSON.
pub(crate) type Data = BTreeMap<String, String>;

/// A request, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub number: u64,
    pub method: String,
    /// With the query.
    pub path: String,
    /// Name and value, as they came. They leave this module as [`Names`] shows them.
    pub cookies: Vec<(String, String)>,
    pub tick: u64,
    /// Since the program began.
    pub began: Duration,
    pub steps: Vec<Step>,
    /// How many steps there were that are not kept.
    pub more_steps: usize,
    pub end: Option<End>,
}

/// The response.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub tick: u64,
    /// `None` if the request was given up before there was one.
    pub status: Option<u16>,
    pub took: Duration,
    pub set_cookies: Vec<String>,
    pub vary: Option<String>,
    pub location: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub tick: u64,
    pub what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The store was asked.
    Asked(Question, Option<(u64, Duration, Answer)>),
    /// The handler is done, and this is the state of its session.
    Handled(State),
    /// What a library said of this request.
    Said { text: String, is_warning: bool },
}

/// What a session's middleware says of the session after the handler, as far as it says it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State {
    /// Did the handler look at it?
    pub accessed: Option<bool>,
    /// Is it to be saved?
    pub modified: Option<bool>,
    /// Is it another one than was loaded?
    pub changed: Option<bool>,
    /// Does this site save after every request?
    pub always: Option<bool>,
}

#[derive(Clone, Debug)]
#[cfg_attr(not(all(feature = "sessions", feature = "tower-sessions")), allow(dead_code))]
pub(crate) enum Question {
    Load {
        session: String,
    },
    /// Around a cache.
    LoadUncached {
        session: String,
    },
    Create {
        session: String,
        data: Data,
    },
    /// Only if it is still in this version.
    Replace {
        session: String,
        version: Option<u64>,
        data: Data,
    },
    /// Leave a note of where the session has gone.
    Move {
        session: String,
        to: String,
    },
    /// Over what is there, in any version.
    Save {
        session: String,
        data: Data,
    },
    Delete {
        session: String,
    },
}

#[derive(Clone, Debug)]
#[cfg_attr(not(all(feature = "sessions", feature = "tower-sessions")), allow(dead_code))]
pub(crate) enum Answer {
    Found {
        version: Option<u64>,
        data: Data,
    },
    /// There is a note: the session is another one now.
    Moved {
        to: String,
    },
    NotFound,
    Stored {
        version: Option<u64>,
    },
    Conflict,
    Gone,
    IdTaken,
    Deleted,
    Failed {
        why: String,
    },
}

impl Inspector {
    /// An inspector that notes and shows.
    pub fn new() -> Inspector {
        Inspector(Some(Arc::new(Inner {
            began: Instant::now(),
            notes: Mutex::default(),
            changes: watch::Sender::new(0),
            closing: watch::Sender::new(false),
        })))
    }

    /// An inspector that does nothing and shows nothing, and costs nothing.
    pub fn off() -> Inspector {
        Inspector(None)
    }

    /// Does it note anything?
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Forgets all requests. What still runs is not shown any more.
    pub fn empty(&self) {
        if let Some(inner) = &self.0 {
            inner.notes().requests.clear();
            inner.has_changed();
        }
    }

    /// Ends the connections of the pages that wait for news, so that a server can stop.
    pub fn close(&self) {
        if let Some(inner) = &self.0 {
            inner.closing.send_replace(true);
        }
    }
}

/// Not what was noted: it has no place in a log.
impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector").field("is_on", &self.is_on()).finish_non_exhaustive()
    }
}

impl Inner {
    pub fn notes(&self) -> MutexGuard<'_, Notes> {
        // What a panic left half noted is still worth showing.
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn has_changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Begins to note a request, and says under which number.
    pub fn begin(&self, method: &str, path: &str, cookies: Vec<(String, String)>) -> u64 {
        let began = self.began.elapsed();
        let mut notes = self.notes();
        notes.counted += 1;
        let number = notes.counted;
        let tick = notes.tick();
        if notes.requests.len() == REQUESTS {
            notes.requests.pop_front();
        }
        notes.requests.push_back(Request {
            number,
            method: shortened(method),
            path: shortened(path),
            cookies,
            tick,
            began,
            steps: Vec::new(),
            more_steps: 0,
            end: None,
        });
        drop(notes);
        self.has_changed();
        number
    }
}

impl Notes {
    /// What comes later has a larger number.
    pub fn tick(&mut self) -> u64 {
        self.ticks += 1;
        self.ticks
    }

    /// `None` if it is not kept any more.
    pub fn request(&mut self, number: u64) -> Option<&mut Request> {
        self.requests.iter_mut().rev().find(|request| request.number == number)
    }

    /// Adds a step to a request, and returns its place.
    pub fn add(&mut self, number: u64, what: What) -> Option<usize> {
        let tick = self.tick();
        let request = self.request(number)?;
        if request.steps.len() == STEPS {
            request.more_steps += 1;
            return None;
        }
        request.steps.push(Step { tick, what });
        Some(request.steps.len() - 1)
    }
}

/// As much of a text as is kept.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// As many keys as are kept, of values that are written out already.
#[cfg(any(feature = "sessions", feature = "tower-sessions"))]
pub(crate) fn kept<'a>(entries: impl Iterator<Item = (&'a String, &'a serde_json::Value)>) -> Data {
    let mut entries: Vec<_> = entries.collect();
    entries.sort_by_key(|(key, _)| *key);
    let left_out = entries.len().saturating_sub(KEYS);
    let mut data: Data = entries
        .into_iter()
        .take(KEYS)
        .map(|(key, value)| (shortened(key), shortened(&value.to_string())))
        .collect();
    if left_out > 0 {
        data.insert("…".to_owned(), format!("and {left_out} more keys"));
    }
    data
}
