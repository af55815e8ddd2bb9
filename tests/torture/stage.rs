//! Where a story plays: one store, a folder of its own, and the servers over them.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use anyhow::Result;
use tempfile::TempDir;

use crate::{
    process::Server,
    stores::Subject,
    visitors::{Crowd, Totals},
};

/// How many visitors there are. Each has a session.
pub const VISITORS: usize = 8;

pub struct Stage<'a> {
    pub subject: &'a Subject,
    /// How long the story takes.
    pub time: Duration,
    /// Where the store is, if it is on a disk. The books are in the folder around it, so that a
    /// disk that is full of sessions does not stop the rest of the page.
    pub place: PathBuf,
    folder: TempDir,
}

/// What came out of a story.
#[derive(Default)]
pub struct Report {
    pub totals: Totals,
    /// From the end of the trouble to the next page. `Some(None)` if that was not soon.
    pub again: Option<Option<Duration>>,
    /// In KiB.
    pub peak_memory: u64,
    /// Of newcomers who came in a flood: how many are stored.
    pub stored: Option<u64>,
    pub errors: Vec<String>,
    pub remark: Option<&'static str>,
}

pub enum Played {
    Done(Box<Report>),
    /// And why.
    Skipped(String),
}

/// What ends a trouble.
pub type End = Box<dyn FnOnce() -> Result<()>>;

impl<'a> Stage<'a> {
    pub fn set(subject: &'a Subject, time: Duration, parent: &Path) -> Result<Stage<'a>> {
        let folder = tempfile::Builder::new().prefix("torture-").tempdir_in(parent)?;
        let place = folder.path().join("place");
        fs::create_dir(&place)?;
        Ok(Stage { subject, time, place, folder })
    }

    pub fn start_server(&self) -> Result<Server> {
        self.start_server_on(&self.subject.url(&self.place))
    }

    pub fn start_server_on(&self, url: &str) -> Result<Server> {
        Server::start(url, self.folder.path())
    }

    /// How many requests of one visitor may be under way at one server.
    pub fn at_once(&self) -> usize {
        if self.subject.is_cookie() { 1 } else { 2 }
    }

    /// Visitors go on and on while there is trouble, and after its end. Then a second server looks
    /// at what is stored: the first one must not have remembered what the store does not have.
    pub fn endure(
        &self,
        server: Server,
        warm_up: Duration,
        trouble_lasts: Duration,
        begin: impl FnOnce(&Server) -> Result<End>,
    ) -> Result<Report> {
        let crowd = Crowd::of(VISITORS);
        crowd.arrive(&server.address)?;
        let again = crowd.visit_while(&[&server.address], self.at_once(), || {
            thread::sleep(warm_up);
            let end = begin(&server)?;
            thread::sleep(trouble_lasts);
            end()?;
            let again = crowd.time_to_a_page(&server.address);
            thread::sleep(self.time / 4);
            Ok(again)
        })?;
        let mut report = Report { again: Some(again), ..Report::default() };
        if again.is_some() {
            crowd.look_again(&server.address)?;
            let after = self.start_server()?;
            crowd.look_again(&after.address)?;
            report.note_server(&after);
        }
        report.note_server(&server);
        report.totals = crowd.reckon();
        Ok(report)
    }
}

impl Report {
    pub fn note_server(&mut self, server: &Server) {
        self.peak_memory = self.peak_memory.max(server.peak_memory());
        self.errors.extend(server.errors());
    }

    pub fn done(self) -> Played {
        Played::Done(Box::new(self))
    }
}

/// For the few questions to a database that this program has.
pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(future)
}
