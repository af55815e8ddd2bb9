//! The six stories.

use std::{fs, thread, time::Duration};

use anyhow::Result;
use clap::ValueEnum;
use programs::Line;

use crate::{
    disk::Disk,
    locks,
    stage::{End, Played, Report, Stage, VISITORS},
    stores::{self, Kind},
    visitors::{self, Crowd},
};

/// How often the server is killed.
const KILLS: u32 = 4;

/// How long a lock is held: longer than any request may wait, which is five seconds.
const HELD: Duration = Duration::from_secs(7);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Story {
    /// kill -9, again and again, while visitors are coming
    Kill,
    /// Two servers, and each visitor is at both at once
    TwoServers,
    /// The store's disk is full for a while
    FullDisk,
    /// Another program holds the store's lock for seven seconds
    HeldLock,
    /// The database, the file or the folder is away for a while
    Stopped,
    /// Newcomers only, as many as the server can serve
    Flood,
}

impl Story {
    pub const ALL: [Story; 6] = [
        Story::Kill,
        Story::TwoServers,
        Story::FullDisk,
        Story::HeldLock,
        Story::Stopped,
        Story::Flood,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Story::Kill => "kill -9",
            Story::TwoServers => "two servers",
            Story::FullDisk => "full disk",
            Story::HeldLock => "held lock",
            Story::Stopped => "stopped",
            Story::Flood => "flood",
        }
    }

    pub fn play(self, stage: &Stage) -> Result<Played> {
        match self {
            Story::Kill => kill(stage),
            Story::TwoServers => two_servers(stage),
            Story::FullDisk => full_disk(stage),
            Story::HeldLock => held_lock(stage),
            Story::Stopped => stopped(stage),
            Story::Flood => flood(stage),
        }
    }

    /// Does this story make pages with status 503?
    pub fn is_trouble(self) -> bool {
        matches!(self, Story::FullDisk | Story::HeldLock | Story::Stopped)
    }
}

fn kill(stage: &Stage) -> Result<Played> {
    let (crowd, mut report) = (Crowd::of(VISITORS), Report::default());
    for round in 0..KILLS {
        let server = stage.start_server()?;
        let address = server.address.clone();
        // With the first request after a restart, each visitor finds out what was lost.
        crowd.arrive(&address)?;
        crowd.visit_while(&[&address], stage.at_once(), || {
            // Not at the same point each time.
            thread::sleep(stage.time / KILLS + Duration::from_millis(37 * u64::from(round)));
            report.note_server(&server);
            server.kill()
        })?;
    }
    let server = stage.start_server()?;
    crowd.look_again(&server.address)?;
    report.note_server(&server);
    report.totals = crowd.reckon();
    Ok(report.done())
}

fn two_servers(stage: &Stage) -> Result<Played> {
    let (crowd, mut report) = (Crowd::of(VISITORS), Report::default());
    let servers = [stage.start_server()?, stage.start_server()?];
    let [one, other] = [&servers[0].address, &servers[1].address];
    crowd.arrive(one)?;
    crowd.visit_while(&[one, other], 1, || {
        thread::sleep(stage.time);
        Ok(())
    })?;
    crowd.look_again(other)?;
    servers.iter().for_each(|server| report.note_server(server));
    report.totals = crowd.reckon();
    Ok(report.done())
}

fn full_disk(stage: &Stage) -> Result<Played> {
    let why_not = match stage.subject.kind {
        Kind::Sqlite | Kind::File => return fill_the_disk(stage),
        Kind::Memory | Kind::Cookie => "nothing is on a disk",
        Kind::Postgres(_) | Kind::Redis(_) => "its disk is its server's, and not ours to fill",
    };
    Ok(Played::Skipped(why_not.to_owned()))
}

fn fill_the_disk(stage: &Stage) -> Result<Played> {
    // Dropped last: the file system has to outlive the server that writes to it.
    let disk = Disk::mount(&stage.place);
    let server = stage.start_server()?;
    // No warm-up: SQLite's log would have become so large that no later visit needs more room.
    let report = stage.endure(server, Duration::ZERO, stage.time / 2, |server| disk.fill(server));
    let mut report = report?;
    if !disk.is_mounted {
        report.remark = Some("not root, so this was a limit on what the server may write");
    }
    Ok(report.done())
}

fn held_lock(stage: &Stage) -> Result<Played> {
    let place = stage.place.clone();
    let hold: Box<dyn FnOnce() -> Result<End>> = match &stage.subject.kind {
        Kind::Sqlite => Box::new(move || locks::hold_sqlite(&place)),
        Kind::File => Box::new(move || locks::hold_files(&stores::folder(&place))),
        Kind::Postgres(url) => Box::new(|| locks::hold_table(url)),
        Kind::Redis(url) => Box::new(|| locks::pause_redis(url, HELD)),
        Kind::Memory | Kind::Cookie => {
            return Ok(Played::Skipped("no other program can lock it".to_owned()));
        }
    };
    Ok(stage.endure(stage.start_server()?, stage.time / 4, HELD, |_| hold())?.done())
}

fn stopped(stage: &Stage) -> Result<Played> {
    let path = match &stage.subject.kind {
        Kind::Sqlite => stores::sqlite_file(&stage.place),
        Kind::File => stores::folder(&stage.place),
        Kind::Postgres(url) | Kind::Redis(url) => {
            let line = Line::to(url)?;
            let server = stage.start_server_on(&stage.subject.url_over(line.url()))?;
            return Ok(stage
                .endure(server, stage.time / 4, stage.time / 2, |_| {
                    line.cut();
                    let line = line.clone();
                    let mend: End = Box::new(move || {
                        line.mend();
                        Ok(())
                    });
                    Ok(mend)
                })?
                .done());
        }
        Kind::Memory | Kind::Cookie => {
            return Ok(Played::Skipped("there is nothing to stop but the server".to_owned()));
        }
    };
    let away = path.with_extension("away");
    let report = stage.endure(stage.start_server()?, stage.time / 4, stage.time / 2, |_| {
        fs::rename(&path, &away)?;
        Ok(Box::new(move || Ok(fs::rename(&away, &path)?)))
    })?;
    Ok(report.done())
}

fn flood(stage: &Stage) -> Result<Played> {
    let (server, mut report) = (stage.start_server()?, Report::default());
    let before = stage.subject.count(&stage.place)?;
    let mut totals = visitors::flood(&server.address, 2 * VISITORS, stage.time);
    let stored = stage.subject.count(&stage.place)?;
    if let (Some(before), Some(after)) = (before, stored) {
        let stored = after - before;
        // Every page was a newcomer's, so there is a session for each.
        totals.lost = totals.shown.saturating_sub(stored);
        totals.extra = stored.saturating_sub(totals.shown + totals.unknown);
        report.stored = Some(stored);
    }
    report.totals = totals;
    report.note_server(&server);
    Ok(report.done())
}
