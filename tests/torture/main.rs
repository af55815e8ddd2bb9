//! What happens to visits if everything goes wrong: one table, for each store that is found.
//!
//! Run: `just torture`, or one story of one store, `just torture --only sqlite --story full-disk`
//! Read: docs/measurements.md
//!
//! Chapter 7 runs in processes of its own, which are this program again. The visitors stay here.
//! They write down each number that a page shows them. When the story is over, every visitor looks
//! at the count once more: `visitors.rs` says how many visits were lost, and how many were counted
//! twice. The exit code is 1 if a store broke a promise, and 2 if the program could not go on.

mod disk;
mod locks;
mod process;
mod server;
mod stage;
mod stores;
mod stories;
mod table;
mod visitors;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use clap::Parser;

use stage::Stage;
use stores::Subject;
use stories::Story;
use table::Table;

/// Kills servers, fills disks and holds locks, and counts what visitors lose by it
#[derive(Debug, Parser)]
struct Options {
    /// Torture this store too, for example redis://127.0.0.1/; may be given several times. SQLite,
    /// file, memory and cookie stores are always there, in new folders
    #[arg(long, value_name = "URL")]
    store: Vec<String>,
    /// How long each story takes, about; a held lock takes longer than that
    #[arg(long, value_name = "N", default_value_t = 4.0)]
    seconds: f64,
    /// Torture only this store, as the table names it; may be given several times
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Play only this story; may be given several times
    #[arg(long, value_name = "STORY")]
    story: Vec<Story>,
    /// Put the stores here; choose a real disk [default: next to this program]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Be the server: how this program starts itself again
    #[arg(long, hide = true)]
    serve: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(url) = &options.serve {
        return server::serve(url);
    }
    match torture(&options) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn torture(options: &Options) -> Result<ExitCode> {
    let parent = match &options.folder {
        Some(folder) => folder.clone(),
        None => std::env::current_exe()?.parent().context("a program has a folder")?.to_owned(),
    };
    let parent = parent.canonicalize()?;
    let time = Duration::from_secs_f64(options.seconds);
    let subjects = stores::find(&options.store)?;
    let mut table = Table::start();
    for subject in subjects.iter().filter(|it| is_chosen(options, it)) {
        for story in Story::ALL {
            if options.story.is_empty() || options.story.contains(&story) {
                // One story that cannot be played is no reason to miss the others.
                let played = Stage::set(subject, time, &parent).and_then(|it| story.play(&it));
                table.add(subject, story, played);
            }
        }
    }
    table.explain();
    Ok(table.exit_code())
}

fn is_chosen(options: &Options, subject: &Subject) -> bool {
    options.only.is_empty() || options.only.contains(&subject.name())
}
