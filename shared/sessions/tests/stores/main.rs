//! What every store has to keep, told once and run over each of them.
//!
//! A kind of store is one line in [`kinds`] and a [`Place`](place::Place) in `places.rs`; its tests
//! are called `sqlite::a_session_survives_a_restart` and so on. Run those of one kind with
//! `cargo test -p sessions --test stores -- sqlite::`.

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
    use Expired::{Cleared, Stay};
    vec![
        Kind::new("memory", places::memory, Cleared).forgets(),
        Kind::new("one_server", places::one_server, Stay).forgets(),
        Kind::new("sqlite", places::sqlite, Cleared),
        Kind::new("chosen_at_the_start", places::chosen_at_the_start, Cleared),
        // To add: postgres (Cleared, needs TEST_POSTGRES_URL), redis (GoByThemselves, needs
        // TEST_REDIS_URL), file (Cleared), cached (as the store behind it), each after a line
        // #[cfg(feature = "…")], with a place of its name in places.rs.
    ]
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
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
