//! What the reader is asked to try, and how a request shows that it is done.

use std::fmt;

use axum::{
    http::{
        Method, StatusCode,
        header::{COOKIE, SET_COOKIE},
        request::Parts,
    },
    response::Response,
};

/// How many steps a lesson has.
pub const STEPS: usize = 3;

/// One thing to try.
#[derive(Clone)]
pub struct Step {
    pub(crate) text: &'static str,
    is_done: IsDone,
}

#[derive(Clone)]
enum IsDone {
    /// A request shows it, once the steps before it are done.
    Seen(fn(&Noted) -> bool),
    /// A request shows it and, by that, the steps before it.
    AfterRestart(fn(&Noted) -> bool),
}

impl Step {
    /// A step that is done when `is_done` is true of a request. It is asked twice: when the request
    /// arrives, and when it is answered.
    ///
    /// A step counts only after the ones before it: a private window teaches nothing before there is
    /// something that it lacks.
    pub const fn seen(text: &'static str, is_done: fn(&Noted) -> bool) -> Step {
        Step { text, is_done: IsDone::Seen(is_done) }
    }

    /// A step for which the program is stopped and started again.
    ///
    /// The ticks go with the program. So this step counts by itself, and ticks off those before it,
    /// which led up to it.
    pub const fn after_restart(text: &'static str, is_done: fn(&Noted) -> bool) -> Step {
        Step { text, is_done: IsDone::AfterRestart(is_done) }
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_tuple("Step").field(&self.text).finish()
    }
}

/// A request, as it arrives or as it was answered.
#[derive(Debug)]
pub struct Noted<'a> {
    request: &'a Parts,
    status: Option<StatusCode>,
    sets_a_cookie: bool,
    /// Has this program set no cookie so far?
    is_before_any_cookie: bool,
}

impl<'a> Noted<'a> {
    pub(crate) fn request(request: &'a Parts) -> Noted<'a> {
        Noted { request, status: None, sets_a_cookie: false, is_before_any_cookie: false }
    }

    pub(crate) fn answered(request: &'a Parts, response: &Response) -> Noted<'a> {
        let sets_a_cookie = response.headers().contains_key(SET_COOKIE);
        Noted {
            request,
            status: Some(response.status()),
            sets_a_cookie,
            is_before_any_cookie: false,
        }
    }

    /// Is this a request for the page at this path?
    pub fn opens(&self, path: &str) -> bool {
        self.request.method == Method::GET && self.path() == path
    }

    /// Was a form sent to this address, and was it not refused?
    pub fn posted(&self, path: &str) -> bool {
        let is_taken = self.status.is_some_and(|it| it.is_success() || it.is_redirection());
        self.request.method == Method::POST && self.path() == path && is_taken
    }

    /// Was a form sent to this address, and was it refused (with a 4xx status)?
    pub fn refused(&self, path: &str) -> bool {
        let is_refused = self.status.is_some_and(|it| it.is_client_error());
        self.request.method == Method::POST && self.path() == path && is_refused
    }

    /// Does the request bring a cookie of this name?
    pub fn brings(&self, cookie: &str) -> bool {
        self.value_of(cookie).is_some()
    }

    /// The value of the request's cookie of this name, as it was sent.
    pub fn value_of(&self, cookie: &str) -> Option<&str> {
        let lines = self.request.headers.get_all(COOKIE).iter();
        let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
        let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        pairs.find_map(|(name, value)| (name == cookie).then_some(value))
    }

    /// Does the request bring a cookie of this name although the program has set none since it
    /// started? Then the cookie is from before, or from another program.
    pub fn brings_from_before(&self, cookie: &str) -> bool {
        self.is_before_any_cookie && self.brings(cookie)
    }

    /// Does a page of another origin send the request? Browsers say so (`Sec-Fetch-Site`, W3C Fetch
    /// Metadata).
    pub fn comes_from_another_origin(&self) -> bool {
        let site = self.request.headers.get("sec-fetch-site").map(|value| value.as_bytes());
        matches!(site, Some(b"cross-site" | b"same-site"))
    }

    /// The path that is asked for.
    pub fn path(&self) -> &str {
        self.request.uri.path()
    }
}

/// Which steps are done, since the program started.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) done: [bool; STEPS],
    /// Has a cookie been set since the program started?
    has_set_a_cookie: bool,
}

impl Progress {
    /// Ticks off at most one step: a request that would do for two shows only the first.
    pub(crate) fn note(&mut self, steps: &[Step; STEPS], mut noted: Noted) {
        noted.is_before_any_cookie = !self.has_set_a_cookie;
        let next = self.done.iter().position(|is_done| !is_done).unwrap_or(STEPS);
        for (at, step) in steps.iter().enumerate().skip(next) {
            let is_done = match step.is_done {
                IsDone::Seen(is_done) => at == next && is_done(&noted),
                IsDone::AfterRestart(is_done) => is_done(&noted),
            };
            if is_done {
                self.done[..=at].fill(true);
                break;
            }
        }
        self.has_set_a_cookie |= noted.sets_a_cookie;
    }
}
