//! A visit whose page was shown is never lost, also when the server is killed in the middle of many.

#![cfg(unix)]

use std::{sync::Barrier, thread};

use programs::{Server, Signal, chapter};
use tempfile::TempDir;

const VISITORS: usize = 8;

struct Visitor {
    cookie: String,
    shown: u64,
}

impl Visitor {
    /// Visits once. If there is no answer any more, nothing was shown.
    fn visit(&mut self, address: &str) -> Result<(), ureq::Error> {
        let mut response = ureq::get(address).header("Cookie", &self.cookie).call()?;
        let set = response.headers().get("set-cookie").expect("each visit sets the cookie");
        let set = set.to_str().expect("a cookie of ASCII characters");
        let cookie = set.split(';').next().expect("a first part").to_owned();
        let page = response.body_mut().read_to_string()?;
        let (_, rest) = page.split_once("this page ").expect("the page shows a count");
        let (count, _) = rest.split_once(' ').expect("a number and a word");
        self.shown = count.parse().expect("a number");
        self.cookie = cookie;
        Ok(())
    }
}

#[test]
fn no_visit_that_was_shown_is_lost_by_kill_9_amid_many() {
    let folder = TempDir::new().expect("an empty folder");
    let server = Server::start(chapter(4).current_dir(&folder));
    let address = server.address().to_owned();

    let busy = Barrier::new(VISITORS + 1);
    let visitors: Vec<Visitor> = thread::scope(|scope| {
        let visits: Vec<_> = (0..VISITORS)
            .map(|_| {
                scope.spawn(|| {
                    let mut visitor = Visitor { cookie: "none=0".to_owned(), shown: 0 };
                    for _ in 0..5 {
                        visitor.visit(&address).expect("the server still runs");
                    }
                    busy.wait();
                    while visitor.visit(&address).is_ok() {}
                    visitor
                })
            })
            .collect();
        busy.wait();
        server.stop(Signal::KILL);
        visits.into_iter().map(|visit| visit.join().expect("no panic")).collect()
    });

    let server = Server::start(chapter(4).current_dir(&folder));
    for mut visitor in visitors {
        let shown = visitor.shown;
        visitor.visit(server.address()).expect("the server answers");
        // The visit that was cut off may have been stored without having been shown.
        let next = visitor.shown;
        assert!(next == shown + 1 || next == shown + 2, "{shown} was shown, then {next}");
    }
}

#[test]
fn after_a_clean_stop_the_one_file_holds_every_visit() {
    let folder = TempDir::new().expect("an empty folder");
    let server = Server::start(chapter(4).current_dir(&folder));
    let mut visitor = Visitor { cookie: "none=0".to_owned(), shown: 0 };
    for _ in 0..3 {
        visitor.visit(server.address()).expect("the server answers");
    }
    server.stop(Signal::TERM);

    let elsewhere = TempDir::new().expect("an empty folder");
    let (from, to) = (folder.path(), elsewhere.path());
    std::fs::copy(from.join("library.sqlite"), to.join("library.sqlite")).expect("a copy");

    let server = Server::start(chapter(4).current_dir(&elsewhere));
    visitor.visit(server.address()).expect("the server answers");
    assert_eq!(visitor.shown, 4);
}
