//! What every store has to keep, told once and run over each of them.
//!
//! A kind of store is one line in [`kinds`] and a [`Place`](place::Place) in `places/`; its tests
//! are called `sqlite::a_session_survives_a_restart` and so on. Run those of one kind with
//! `cargo test -p sessions-by-example --test stores -- sqlite::`.

#[path = "../helpers/mod.rs"]
mod helpers;
mod place;
mod places;
mod stories;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use place::Kind;
use sessions::testing::Expired;

fn kinds() -> Vec<Kind> {
    #[cfg(feature = "redis")]
    use Expired::GoByThemselves;
    use Expired::{Cleared, Stay};
    vec![
        Kind::new("memory", places::memory, Cleared).forgets(),
        Kind::new("one_server", places::one_server, Stay).forgets(),
        Kind::new("sqlite", places::sqlite, Cleared),
        Kind::new("chosen_at_the_start", places::chosen_at_the_start, Cleared),
        #[cfg(feature = "postgres")]
        Kind::new("postgres", places::postgres, Cleared).needs(helpers::postgres::VARIABLE),
        #[cfg(feature = "postgres")]
        Kind::new("serializable_postgres", places::serializable_postgres, Cleared)
            .needs(helpers::postgres::VARIABLE),
        #[cfg(feature = "redis")]
        Kind::new("redis", places::redis, GoByThemselves).needs(helpers::redis::VARIABLE),
        #[cfg(feature = "file")]
        Kind::new("file", places::file, Cleared),
        #[cfg(feature = "cached")]
        Kind::new("cached_memory", places::cached_memory, Cleared).forgets(),
        #[cfg(feature = "cached")]
        Kind::new("cached_sqlite", places::cached_sqlite, Cleared),
    ]
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // PostgreSQL takes 100 connections by default, and a test may open twenty.
    arguments.test_threads.get_or_insert(4);
    let mut trials: Vec<Trial> = Vec::new();
    for kind in kinds() {
        if !arguments.list
            && let Some(variable) = kind.misses()
        {
            eprintln!("{variable} is not set, so the tests of {} are skipped", kind.name);
        }
        trials.extend(stories::of(&kind));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}
