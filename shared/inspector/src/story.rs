//! One request, or several at once, as a drawing.

use std::{collections::HashMap, time::Duration};

use crate::{
    drawing::{Drawing, Row, Tone},
    names::Names,
    notes::{Answer, Data, End, Question, Request, State, What},
};

/// How many requests one drawing of several has at most.
const AT_ONCE: usize = 8;

/// Longer lists of keys than this are counted and not spelled out.
const SPELLED_OUT: usize = 3;

const BROWSER: usize = 0;
const MIDDLEWARE: usize = 1;
const HANDLER: usize = 2;
const STORE: usize = 3;

/// A key of the record, before and after the request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Change {
    pub key: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl Change {
    pub fn sign(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, Some(_)) => "added",
            (Some(_), None) => "removed",
            (before, after) if before != after => "changed",
            _ => "as before",
        }
    }
}

/// One request as a drawing: from the browser to the store and back.
pub(crate) fn of_one(
    request: &Request,
    all: &[Request],
    names: &mut Names,
    with_times: bool,
) -> Drawing {
    if request.steps.is_empty() {
        let mut drawing = Drawing::new(["browser", "program"]);
        drawing.push(Row::arrow(0, 1, came(request, names)));
        went(request, 1, &mut drawing);
        return drawing;
    }
    let mut drawing = Drawing::new(["browser", "middleware", "handler", "store"]);
    drawing.push(Row::arrow(BROWSER, MIDDLEWARE, came(request, names)));

    // What asks the store before the handler is done, the handler has asked for.
    let is_done = |step: &What| matches!(step, What::Handled(_));
    let done = request.steps.iter().position(|step| is_done(&step.what));
    let done = done.unwrap_or(request.steps.len());
    drawing.push(Row::arrow(MIDDLEWARE, HANDLER, "handles the request"));
    let mut seen = Seen::default();
    for (index, step) in request.steps.iter().enumerate() {
        let asking = if index < done { HANDLER } else { MIDDLEWARE };
        match &step.what {
            What::Asked(question, answer) => {
                drawing.push(Row::arrow(asking, STORE, seen.ask(question)));
                if let Some((_, took, answer)) = answer {
                    let (label, tone) = seen.answer(question, answer);
                    let label = if with_times { timed(label, *took) } else { label };
                    drawing.push(Row::answer(STORE, asking, label).with(tone));
                }
            }
            What::Handled(state) if index == done => {
                let (label, tone) = handled(&state_of(request).unwrap_or(*state));
                drawing.push(Row::answer(HANDLER, MIDDLEWARE, label).with(tone));
            }
            What::Handled(_) => {}
            What::Said { text, is_warning } => {
                let tone = if *is_warning { Tone::Bad } else { Tone::Plain };
                drawing.push(Row::note(asking, text.as_str(), tone));
            }
        }
    }
    if request.more_steps > 0 {
        let more = format!("and {} more steps", request.more_steps);
        drawing.push(Row::note(MIDDLEWARE, more, Tone::Plain));
    }
    if let Some((verdict, tone)) = verdict(request, all) {
        drawing.push(Row::note(MIDDLEWARE, verdict, tone));
    }
    went(request, MIDDLEWARE, &mut drawing);
    drawing
}

/// The requests that ran at the same time as this one, and this one, in the order in which they came.
pub(crate) fn at_once(number: u64, requests: &[Request]) -> Vec<&Request> {
    let end = |request: &Request| request.end.as_ref().map_or(u64::MAX, |end| end.tick);
    let asks =
        |request: &&Request| request.steps.iter().any(|step| matches!(step.what, What::Asked(..)));
    let Some(opened) = requests.iter().find(|request| request.number == number) else {
        return Vec::new();
    };
    let mut group = vec![opened];
    loop {
        let overlaps = |request: &&Request| {
            group.iter().any(|other| request.tick < end(other) && other.tick < end(request))
        };
        let is_new = |request: &&Request| group.iter().all(|it| it.number != request.number);
        let found: Vec<_> = requests.iter().filter(asks).filter(is_new).filter(overlaps).collect();
        if found.is_empty() || group.len() >= AT_ONCE {
            break;
        }
        group.extend(found);
    }
    group.truncate(AT_ONCE);
    group.sort_by_key(|request| request.tick);
    group
}

/// Several requests as one drawing: the first on the left, then the store, then the others. Two
/// that did not run at the same time may share a lane.
pub(crate) fn of_several(requests: &[&Request], all: &[Request], with_times: bool) -> Drawing {
    let mut lanes: Vec<Vec<&Request>> = Vec::new();
    for request in requests {
        let is_free = |lane: &&mut Vec<&Request>| {
            let end = lane.last().and_then(|last| last.end.as_ref());
            end.is_some_and(|end| end.tick < request.tick)
        };
        match lanes.iter_mut().find(is_free) {
            Some(lane) => lane.push(request),
            None => lanes.push(vec![request]),
        }
    }
    let place = |lane: usize| if lane == 0 { 0 } else { lane + 1 };
    let store = 1;
    let mut heads: Vec<String> = lanes.iter().map(|lane| numbers(lane)).collect();
    heads.insert(store, "store".to_owned());

    let mut rows: Vec<(u64, Row)> = Vec::new();
    for (lane, requests) in lanes.iter().enumerate() {
        let place = place(lane);
        for request in requests {
            let Request { method, path, .. } = request;
            rows.push((request.tick, Row::note(place, format!("{method} {path}"), Tone::Plain)));
            let mut seen = Seen::default();
            for step in &request.steps {
                match &step.what {
                    What::Asked(question, answer) => {
                        rows.push((step.tick, Row::arrow(place, store, seen.ask(question))));
                        if let Some((tick, took, answer)) = answer {
                            let (label, tone) = seen.answer(question, answer);
                            let label = if with_times { timed(label, *took) } else { label };
                            rows.push((*tick, Row::answer(store, place, label).with(tone)));
                        }
                    }
                    What::Said { text, is_warning } => {
                        let tone = if *is_warning { Tone::Bad } else { Tone::Plain };
                        rows.push((step.tick, Row::note(place, text.as_str(), tone)));
                    }
                    What::Handled(_) => {}
                }
            }
            if let Some(end) = &request.end {
                let (verdict, tone) = verdict(request, all).unwrap_or_default();
                let label = format!("{}\n{verdict}", status(end));
                let tone = if tone == Tone::Bad { tone } else { tone_of(end) };
                rows.push((end.tick, Row::note(place, label, tone)));
            }
        }
    }
    rows.sort_by_key(|(tick, _)| *tick);
    let mut drawing = Drawing::new(heads);
    rows.into_iter().for_each(|(_, row)| drawing.push(row));
    drawing
}

/// For example `request 3`, or `requests 4, 5`.
fn numbers(requests: &[&Request]) -> String {
    let numbers: Vec<_> = requests.iter().map(|request| request.number.to_string()).collect();
    let plural = if numbers.len() > 1 { "s" } else { "" };
    format!("request{plural} {}", numbers.join(", "))
}

/// The record before and after, key by key; `None` if the store held none.
pub(crate) fn changes(request: &Request) -> Vec<Change> {
    let mut before: Option<&Data> = None;
    let mut after: Option<&Data> = None;
    for step in &request.steps {
        let What::Asked(question, Some((_, _, answer))) = &step.what else { continue };
        match (question, answer) {
            (_, Answer::Found { data, .. }) => {
                before.get_or_insert(data);
                after = Some(data);
            }
            (_, Answer::Stored { .. }) => after = written(question).or(after),
            (Question::Delete { .. }, Answer::Deleted | Answer::Moved { .. }) => after = None,
            _ => {}
        }
    }
    diff(before, after)
}

fn diff(before: Option<&Data>, after: Option<&Data>) -> Vec<Change> {
    let empty = Data::new();
    let (before, after) = (before.unwrap_or(&empty), after.unwrap_or(&empty));
    let mut keys: Vec<_> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let change = |key: &String| Change {
        key: key.clone(),
        before: before.get(key).cloned(),
        after: after.get(key).cloned(),
    };
    keys.into_iter().map(change).collect()
}

fn written(question: &Question) -> Option<&Data> {
    match question {
        Question::Create { data, .. }
        | Question::Replace { data, .. }
        | Question::Save { data, .. } => Some(data),
        _ => None,
    }
}

/// Why the session was saved, or why not. `all` are the requests that are kept.
pub(crate) fn verdict(request: &Request, all: &[Request]) -> Option<(String, Tone)> {
    let end = request.end.as_ref()?;
    if request.steps.is_empty() {
        return None;
    }
    let state = state_of(request).unwrap_or_default();
    let done = request.steps.iter().position(|step| matches!(step.what, What::Handled(_)));
    let answers = || {
        request.steps.iter().enumerate().filter_map(|(index, step)| match &step.what {
            What::Asked(question, Some((_, _, answer))) => Some((index, question, answer)),
            _ => None,
        })
    };
    let stored = answers().rfind(|(_, question, answer)| {
        written(question).is_some() && matches!(answer, Answer::Stored { .. })
    });
    let has_failed = answers().any(|(.., answer)| matches!(answer, Answer::Failed { .. }));
    let was_merged = answers().any(|(.., answer)| matches!(answer, Answer::Conflict));
    let is_gone = answers().any(|(.., answer)| matches!(answer, Answer::Gone));
    let has_moved = answers().any(|(_, question, _)| matches!(question, Question::Move { .. }));
    let is_deleted = answers().any(|(_, question, answer)| {
        matches!(question, Question::Delete { .. })
            && matches!(answer, Answer::Deleted | Answer::Moved { .. })
    });
    let is_error = end.status.is_none_or(|status| status >= 500);

    Some(match stored {
        // What was stored while the handler ran holds, also if its page is an error.
        Some((index, ..)) if done.is_none_or(|done| index < done) => {
            ("stored while the handler ran".to_owned(), Tone::Good)
        }
        Some((_, question, _)) => {
            if let Some(lost) = overwritten(request, question, all) {
                return Some((format!("saved over another request's change: {lost}"), Tone::Bad));
            }
            let why = match (state.modified, state.always, has_moved) {
                (_, _, true) => "it has a new id",
                (Some(true), ..) => "it was modified",
                (_, Some(true), _) => "this site saves after every request",
                _ => "the middleware chose to",
            };
            let merged = if was_merged { ", merged with what another request stored" } else { "" };
            (format!("saved: {why}{merged}"), Tone::Good)
        }
        None if has_failed => ("not saved: the store did not do it".to_owned(), Tone::Bad),
        None if is_gone => ("not saved: another request had ended it".to_owned(), Tone::Bad),
        None if is_deleted => ("ended: its record is deleted".to_owned(), Tone::Good),
        None if is_error && state.modified == Some(true) => {
            ("not saved: the response is an error".to_owned(), Tone::Bad)
        }
        None if state.changed == Some(true) && state.modified == Some(false) => {
            ("changed inside, not marked as modified: not saved".to_owned(), Tone::Bad)
        }
        None if state.modified == Some(true) => {
            ("not saved: there was nothing in it".to_owned(), Tone::Plain)
        }
        None if state.accessed == Some(false) => {
            ("not saved: the handler did not look at it".to_owned(), Tone::Plain)
        }
        None => ("not saved: it was not modified".to_owned(), Tone::Plain),
    })
}

/// A lost update: what another request had stored since this one loaded the session, and what this
/// one then stored in its place. For example `books: 2 → 1`.
fn overwritten(request: &Request, question: &Question, all: &[Request]) -> Option<String> {
    let (session, mine) = (session_of(question), written(question)?);
    let mut loaded: Option<(u64, &Data)> = None;
    let mut stored = None;
    for step in &request.steps {
        match &step.what {
            What::Asked(question, Some((tick, _, Answer::Found { data, .. })))
                if session_of(question) == session =>
            {
                loaded.get_or_insert((*tick, data));
            }
            // The store said so, and the request has merged both.
            What::Asked(_, Some((.., Answer::Conflict))) => return None,
            What::Asked(question, Some((tick, _, Answer::Stored { .. })))
                if session_of(question) == session =>
            {
                stored = Some(*tick);
            }
            _ => {}
        }
    }
    let ((loaded_at, loaded), stored_at) = (loaded?, stored?);
    let others = all.iter().filter(|other| other.number != request.number);
    let between = others.flat_map(|other| &other.steps).filter_map(|step| match &step.what {
        What::Asked(question, Some((tick, _, Answer::Stored { .. })))
            if session_of(question) == session && (loaded_at..stored_at).contains(tick) =>
        {
            Some((*tick, written(question)?))
        }
        _ => None,
    });
    let (_, theirs) = between.max_by_key(|(tick, _)| *tick)?;
    let is_lost = |change: &Change| {
        let key = &change.key;
        theirs.get(key) != loaded.get(key) && mine.get(key) != theirs.get(key)
    };
    let lost: Vec<_> = diff(Some(theirs), Some(mine)).into_iter().filter(is_lost).collect();
    (!lost.is_empty()).then(|| lost.iter().map(in_words).collect::<Vec<_>>().join(", "))
}

fn session_of(question: &Question) -> &str {
    match question {
        Question::Load { session }
        | Question::LoadUncached { session }
        | Question::Create { session, .. }
        | Question::Replace { session, .. }
        | Question::Move { session, .. }
        | Question::Save { session, .. }
        | Question::Delete { session } => session,
    }
}

/// What is known of the session after the handler. A middleware further in knows more of the
/// handler than one further out, and one further out may save all the same.
fn state_of(request: &Request) -> Option<State> {
    let states = request.steps.iter().filter_map(|step| match &step.what {
        What::Handled(state) => Some(*state),
        _ => None,
    });
    states.reduce(|inner, outer| State {
        accessed: inner.accessed.or(outer.accessed),
        modified: inner.modified.or(outer.modified),
        changed: inner.changed.or(outer.changed),
        always: inner.always.or(outer.always),
    })
}

fn handled(state: &State) -> (String, Tone) {
    let (text, tone) = match (state.accessed, state.modified, state.changed) {
        (Some(false), ..) => ("done, without a look at the session", Tone::Plain),
        (_, Some(true), _) => ("done, the session is modified", Tone::Plain),
        (_, _, Some(true)) => ("done, changed inside, flag not set", Tone::Bad),
        _ => ("done, the session is not modified", Tone::Plain),
    };
    (text.to_owned(), tone)
}

/// What the arrow from the browser says.
fn came(request: &Request, names: &mut Names) -> String {
    let mut label = format!("{} {}", request.method, request.path);
    for (name, value) in &request.cookies {
        label += &format!("\nCookie: {name}={}", names.value(name, value));
    }
    label
}

fn went(request: &Request, from: usize, drawing: &mut Drawing) {
    let Some(end) = &request.end else {
        drawing.push(Row::note(from, "still running", Tone::Plain));
        return;
    };
    let mut label = status(end);
    if let Some(location) = &end.location {
        label += &format!("\nLocation: {location}");
    }
    for cookie in &end.set_cookies {
        label += &format!("\nSet-Cookie: {cookie}");
    }
    if let Some(vary) = &end.vary {
        label += &format!("\nVary: {vary}");
    }
    drawing.push(Row::answer(from, BROWSER, label).with(tone_of(end)));
}

/// For example `303 See Other`.
pub(crate) fn status(end: &End) -> String {
    let Some(status) = end.status else {
        return "no answer: the visitor has gone".to_owned();
    };
    let reason = axum::http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default();
    format!("{status} {reason}").trim_end().to_owned()
}

fn tone_of(end: &End) -> Tone {
    if end.status.is_none_or(|status| status >= 400) { Tone::Bad } else { Tone::Plain }
}

fn timed(label: String, took: Duration) -> String {
    format!("{label}\nafter {}", milliseconds(took))
}

/// For example `3.2 ms`, or `40 µs`.
pub(crate) fn milliseconds(took: Duration) -> String {
    match took.as_micros() {
        micros @ ..1000 => format!("{micros} µs"),
        micros => format!("{:.1} ms", micros as f64 / 1000.0),
    }
}

/// What this request has seen of each session so far, to say what a write changes.
#[derive(Default)]
struct Seen(HashMap<String, Data>);

impl Seen {
    fn ask(&self, question: &Question) -> String {
        match question {
            Question::Load { session } => format!("load {session}"),
            Question::LoadUncached { session } => format!("load {session} again"),
            Question::Create { session, data } => {
                format!("create {session}\n{}", spelled_out(None, data))
            }
            Question::Replace { session, version, data } => {
                let version = version.map(|version| format!(" if it is version {version}"));
                let what = spelled_out(self.0.get(session), data);
                format!("replace {session}{}\n{what}", version.unwrap_or_default())
            }
            Question::Move { session, to } => format!("{session} has moved to\n{to}"),
            Question::Save { session, data } => {
                format!("save {session}\n{}", spelled_out(self.0.get(session), data))
            }
            Question::Delete { session } => format!("delete {session}"),
        }
    }

    fn answer(&mut self, question: &Question, answer: &Answer) -> (String, Tone) {
        let version = |version: &Option<u64>, before: &str| match version {
            Some(version) => format!("{before}version {version}"),
            None => String::new(),
        };
        match answer {
            Answer::Found { version: found, data } => {
                if let Question::Load { session } | Question::LoadUncached { session } = question {
                    self.0.insert(session.clone(), data.clone());
                }
                let what = spelled_out(None, data);
                (format!("found{}\n{what}", version(found, ", ")), Tone::Plain)
            }
            Answer::Moved { to } => (format!("moved to {to}"), Tone::Plain),
            Answer::NotFound => ("there is no such session".to_owned(), Tone::Plain),
            Answer::Stored { version: stored } => {
                if let Question::Create { session, data }
                | Question::Replace { session, data, .. }
                | Question::Save { session, data } = question
                {
                    self.0.insert(session.clone(), data.clone());
                }
                (format!("stored{}", version(stored, " as ")), Tone::Good)
            }
            Answer::Conflict => ("conflict: another request was faster".to_owned(), Tone::Bad),
            Answer::Gone => ("gone: the session has ended".to_owned(), Tone::Bad),
            Answer::IdTaken => ("this id is taken".to_owned(), Tone::Bad),
            Answer::Deleted => ("deleted".to_owned(), Tone::Good),
            Answer::Failed { why } => (format!("failed: {why}"), Tone::Bad),
        }
    }
}

/// For example `num_visits: 2 → 3`.
fn in_words(Change { key, before, after }: &Change) -> String {
    match (before, after) {
        (None, Some(after)) => format!("{key}: {after}"),
        (Some(before), Some(after)) => format!("{key}: {before} → {after}"),
        _ => format!("{key}: removed"),
    }
}

/// What a write changes, a key a line.
fn spelled_out(before: Option<&Data>, after: &Data) -> String {
    let changes: Vec<_> =
        diff(before, Some(after)).into_iter().filter(|it| it.before != it.after).collect();
    match (changes.as_slice(), before) {
        ([], None) => "with nothing in it".to_owned(),
        ([], Some(_)) => "with the same data".to_owned(),
        (many, _) if many.len() > SPELLED_OUT => format!("{} keys", many.len()),
        (some, _) => some.iter().map(in_words).collect::<Vec<_>>().join("\n"),
    }
}
