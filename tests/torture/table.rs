//! The table, a line as soon as it is known, and what is wrong with it.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;

use crate::{
    stage::{Played, Report},
    stores::Subject,
    stories::Story,
    visitors::SOON,
};

/// Columns: what a plain terminal of 100 characters holds.
const HEAD: &str = "store         story         shown   lost  twice  extra  unknown   503s \
                    wait ms  again ms    MiB";

/// No request waits longer for its page. A request waits five seconds for its store at most; the
/// rest is for a machine that is busy.
const LONGEST_WAIT: Duration = Duration::from_secs(6);

#[derive(Default)]
pub struct Table {
    is_broken: bool,
    has_errors: bool,
}

impl Table {
    pub fn start() -> Table {
        println!("{HEAD}");
        Table::default()
    }

    pub fn add(&mut self, subject: &Subject, story: Story, played: Result<Played>) {
        let (name, title) = (subject.name(), story.title());
        match played {
            Ok(Played::Done(report)) => {
                println!("{name:<13} {title:<11} {}", figures(&report));
                let broken = broken_promises(&report, subject, story);
                self.is_broken |= !broken.is_empty();
                broken.iter().for_each(|promise| println!("  BROKEN: {promise}"));
                remarks(&report, subject, story).iter().for_each(|line| println!("  {line}"));
                if !broken.is_empty() {
                    report.errors.iter().for_each(|line| println!("  log: {line}"));
                }
            }
            Ok(Played::Skipped(why)) => println!("{name:<13} {title:<11} skipped: {why}"),
            Err(error) => {
                self.has_errors = true;
                println!("{name:<13} {title:<11} cannot be played: {error:#}");
            }
        }
    }

    pub fn exit_code(&self) -> ExitCode {
        match (self.is_broken, self.has_errors) {
            (true, _) => ExitCode::from(1),
            (false, true) => ExitCode::from(2),
            (false, false) => ExitCode::SUCCESS,
        }
    }

    pub fn explain(&self) {
        println!(
            "\nlost: shown, and missing from the count; twice: a number that two pages showed\n\
             extra: counted without a page; unknown: no answer, since the server was killed\n\
             wait: the longest time until a page, a 503 page included; again: from the end of the\n\
             trouble to the next page; MiB: the largest memory of a server"
        );
        println!(
            "{}",
            if self.is_broken { "A promise is broken." } else { "No promise is broken." }
        );
    }
}

fn figures(report: &Report) -> String {
    let totals = &report.totals;
    let again = match report.again {
        Some(Some(again)) => again.as_millis().to_string(),
        Some(None) => "never".to_owned(),
        None => "-".to_owned(),
    };
    format!(
        "{:>7} {:>6} {:>6} {:>6} {:>8} {:>6} {:>8} {again:>9} {:>6.1}",
        totals.shown,
        totals.lost,
        totals.twice,
        totals.extra,
        totals.unknown,
        totals.unavailable,
        totals.longest.as_millis(),
        report.peak_memory as f64 / 1024.0,
    )
}

fn broken_promises(report: &Report, subject: &Subject, story: Story) -> Vec<String> {
    let totals = &report.totals;
    let mut broken = Vec::new();
    if totals.lost + totals.twice > 0 && subject.excuse(story).is_none() {
        broken.push("every page that shows a number is counted, once".to_owned());
    }
    // A 503 page does not say whether the visit was counted. Only a visit that was counted more
    // often than it was asked for is wrong.
    if totals.extra > totals.unavailable {
        broken.push("no visit is counted twice".to_owned());
    }
    if story != Story::Kill && totals.unknown > 0 {
        broken.push(format!("{} requests got no answer", totals.unknown));
    }
    for (status, count) in &totals.other {
        broken.push(format!("{count} answers with status {status} instead of 200 or 503"));
    }
    if totals.longest > LONGEST_WAIT {
        broken.push(format!("no request waits longer than {} seconds", LONGEST_WAIT.as_secs()));
    }
    if let Some(None) = report.again {
        broken.push(format!("right again within {} seconds, without a restart", SOON.as_secs()));
    }
    broken
}

fn remarks(report: &Report, subject: &Subject, story: Story) -> Vec<String> {
    let totals = &report.totals;
    let mut remarks: Vec<String> = report.remark.map(str::to_owned).into_iter().collect();
    if let Some(excuse) = subject.excuse(story).filter(|_| totals.lost + totals.twice > 0) {
        remarks.push(format!("expected: {excuse}"));
    }
    if (1..=totals.unavailable).contains(&totals.extra) {
        remarks.push(format!("{} visits were counted in spite of a 503 page", totals.extra));
    }
    if story.is_trouble() && totals.unavailable == 0 {
        remarks.push("no page said 503: the trouble was not noticed".to_owned());
    }
    if !story.is_trouble() && totals.unavailable > 0 {
        remarks.push("503 pages, although nothing was wrong with the store".to_owned());
    }
    if let Some(stored) = report.stored {
        remarks.push(format!("{stored} sessions stored"));
    }
    remarks
}
