//! Two servers over one store: one visitor, who goes to both, is counted exactly.
//!
//! `sqlite:` and `file:` need nothing. For the others, say where a server runs:
//!
//! | store | variable | for example |
//! |---|---|---|
//! | PostgreSQL | `TEST_POSTGRES_URL` | `postgres://postgres@127.0.0.1/test` |
//! | Redis or Valkey | `TEST_REDIS_URL` | `redis://127.0.0.1/` |
//!
//! Without its variable, a store's tests are skipped, and a line says so. With it, they fail if
//! the server is not there. What they store stays until it expires; they delete nothing.

use std::{
    collections::BTreeSet,
    env, iter,
    process::ExitCode,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use libtest_mimic::{Arguments, Trial};
use programs::{Line, Server, Signal, chapter, get};
use tempfile::TempDir;

/// How many requests of the visitor are under way at each server.
const AT_ONCE: usize = 4;

/// How often each of them comes again.
const EACH: usize = 10;

/// Its name, and what holds a store to it.
type Promise = (&'static str, fn(&str));

/// What is promised over every store.
const PROMISES: [Promise; 3] = [
    ("visits_to_both_in_turn_are_all_counted", visits_to_both_in_turn_are_all_counted),
    (
        "visits_to_both_at_once_are_all_counted_and_no_two_are_told_the_same",
        visits_to_both_at_once_are_all_counted_and_no_two_are_told_the_same,
    ),
    (
        "when_one_is_killed_amid_many_the_other_goes_on_with_the_count",
        when_one_is_killed_amid_many_the_other_goes_on_with_the_count,
    ),
];

/// What is promised over a store that is a server itself.
const PROMISES_OF_A_LINE: [Promise; 1] = [(
    "while_the_store_is_away_pages_say_so_and_afterwards_the_count_goes_on",
    while_the_store_is_away_pages_say_so_and_afterwards_the_count_goes_on,
)];

fn main() -> ExitCode {
    let mut trials = Vec::new();
    // Each pair of servers gets a folder of its own, so these are new every time.
    for store in ["sqlite:sessions.sqlite", "file:sessions", "cached+sqlite:sessions.sqlite"] {
        trials.extend(PROMISES.map(|promise| trial(store, promise, Some(store.to_owned()))));
    }
    for (server, variable) in [("postgres", "TEST_POSTGRES_URL"), ("redis", "TEST_REDIS_URL")] {
        let url = env::var(variable).ok();
        let promises = PROMISES.iter().chain(&PROMISES_OF_A_LINE);
        if url.is_none() {
            let count = promises.clone().count();
            eprintln!("{variable} is not set: {count} tests of two servers are skipped");
        }
        trials.extend(promises.map(|promise| trial(server, *promise, url.clone())));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &str, (promise, run): Promise, store: Option<String>) -> Trial {
    let is_skipped = store.is_none();
    let test = move || {
        run(&store.expect("a trial that is skipped does not run"));
        Ok(())
    };
    Trial::test(format!("{name}::{promise}"), test).with_ignored_flag(is_skipped)
}

fn visits_to_both_in_turn_are_all_counted(store: &str) {
    let Pair { one, other, cookie, _folder } = Pair::over(store);
    let mut processes = BTreeSet::new();
    for expected in 2..=7 {
        let server = if expected % 2 == 0 { &other } else { &one };
        let page = visit(server, &cookie);
        assert_eq!(count(&page), expected, "{page}");
        processes.insert(between(&page, "server process ", "<").to_owned());
    }
    assert_eq!(processes.len(), 2, "both answered: {processes:?}");
}

fn visits_to_both_at_once_are_all_counted_and_no_two_are_told_the_same(store: &str) {
    let Pair { one, other, cookie, _folder } = Pair::over(store);
    let start = Barrier::new(2 * AT_ONCE);
    let visits = |server| {
        start.wait();
        (0..EACH).map(|_| count(&visit(server, &cookie))).collect::<Vec<_>>()
    };
    let shown = thread::scope(|scope| {
        let servers = [&one, &other].repeat(AT_ONCE).into_iter();
        let visitors: Vec<_> = servers.map(|it| scope.spawn(move || visits(it))).collect();
        visitors.into_iter().flat_map(|it| it.join().expect("no panic")).collect::<Vec<_>>()
    });

    let total = 1 + shown.len() as u64;
    assert_eq!(BTreeSet::from_iter(shown), BTreeSet::from_iter(2..=total));
    assert_eq!(count(&visit(&one, &cookie)), total + 1);
}

fn when_one_is_killed_amid_many_the_other_goes_on_with_the_count(store: &str) {
    let Pair { one, other, cookie, _folder } = Pair::over(store);
    let doomed = one.address().to_owned();
    // Everybody lets go of `is_busy` after several visits, or fails and lets go of it, too.
    let (is_busy, all_are_busy) = mpsc::channel::<()>();
    let is_over = AtomicBool::new(false);

    let shown = thread::scope(|scope| {
        let go_on = |is_busy, visit: &dyn Fn() -> Option<u64>| {
            let several: Vec<u64> = (0..EACH).map_while(|_| visit()).collect();
            drop::<mpsc::Sender<()>>(is_busy);
            several.into_iter().chain(iter::from_fn(visit)).collect::<Vec<_>>()
        };
        let at_the_doomed = || try_to_visit(&doomed, &cookie);
        let at_the_other = || {
            let count = || count(&visit(&other, &cookie));
            (!is_over.load(Ordering::Relaxed)).then(count)
        };
        let (mut cut_off, mut not_cut_off) = (Vec::new(), Vec::new());
        for _ in 0..AT_ONCE {
            let (here, there) = (is_busy.clone(), is_busy.clone());
            cut_off.push(scope.spawn(move || go_on(here, &at_the_doomed)));
            not_cut_off.push(scope.spawn(move || go_on(there, &at_the_other)));
        }
        drop(is_busy);
        let _ = all_are_busy.recv();
        one.stop(Signal::KILL);
        let cut_off: Vec<_> = cut_off.into_iter().map(|visitor| visitor.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        let not_cut_off = not_cut_off.into_iter().map(|visitor| visitor.join());
        let all: Vec<_> = cut_off.into_iter().chain(not_cut_off).collect();
        all.into_iter().flat_map(|shown| shown.expect("no panic")).collect::<Vec<u64>>()
    });

    let answers = 1 + shown.len() as u64;
    let different = BTreeSet::from_iter(shown);
    assert_eq!(1 + different.len() as u64, answers, "no two answers show the same number");
    // A visit that was cut off may have been stored without having been shown. Each of the
    // killed server's visitors had at most one such.
    let next = count(&visit(&other, &cookie));
    let all_counted = answers + 1..=answers + 1 + AT_ONCE as u64;
    assert!(all_counted.contains(&next), "{answers} were answered, and now it says {next}");
    for expected in next + 1..next + 4 {
        assert_eq!(count(&visit(&other, &cookie)), expected);
    }
}

fn while_the_store_is_away_pages_say_so_and_afterwards_the_count_goes_on(url: &str) {
    let line = Line::to(url).expect("the variable holds a URL");
    let Pair { one, other, cookie, _folder } = Pair::over(line.url());
    assert_eq!(count(&visit(&other, &cookie)), 2);

    line.cut();
    for server in [&one, &other, &one] {
        let away = get(server.address(), "/", &cookie);
        assert_eq!((away.status, away.cookie), (503, None), "{}", away.page);
        assert!(away.page.contains("Nothing is lost"), "{}", away.page);
    }

    line.mend();
    for (server, expected) in [(&one, 3), (&other, 4)] {
        assert_eq!(count(&visit(server, &cookie)), expected);
    }
    let (status, log) = one.stop(Signal::TERM);
    assert!(status.success(), "{status}: {log}");
    assert!(log.contains("the session store failed"), "the log has the cause: {log}");
}

/// Two servers over one store, and the cookie of a visitor who was once at the first.
struct Pair {
    one: Server,
    other: Server,
    cookie: String,
    _folder: TempDir,
}

impl Pair {
    fn over(store: &str) -> Pair {
        let folder = TempDir::new().expect("an empty folder");
        let start = || {
            let mut command = chapter(7);
            Server::start(command.current_dir(&folder).args(["--store", store]))
        };
        let (one, other) = (start(), start());
        let first = get(one.address(), "/", "");
        assert_eq!(first.status, 200, "{}", one.log());
        assert_eq!(count(&first.page), 1);
        Pair { one, other, cookie: first.cookie.expect("a session cookie"), _folder: folder }
    }
}

/// The page, which has to be one; otherwise what the server's log says about it.
fn visit(server: &Server, cookie: &str) -> String {
    let answer = get(server.address(), "/", cookie);
    assert_eq!(answer.status, 200, "{}", server.log());
    answer.page
}

/// The number on the page, or nothing if the server is gone.
fn try_to_visit(address: &str, cookie: &str) -> Option<u64> {
    let answer = ureq::get(address).header("Cookie", cookie).call();
    match answer.and_then(|mut response| response.body_mut().read_to_string()) {
        Ok(page) => Some(count(&page)),
        Err(ureq::Error::StatusCode(status)) => panic!("an error page with status {status}"),
        Err(_) => None,
    }
}

fn count(page: &str) -> u64 {
    between(page, "this page ", " time").parse().expect("a number of visits")
}

fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = page.split_once(before).unwrap_or_else(|| panic!("no {before:?} in {page}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after:?} in {page}")).0
}
