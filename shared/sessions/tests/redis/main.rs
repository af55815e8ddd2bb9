//! Sessions in Redis or Valkey: what is under a key, for how long, and what is refused at the
//! start.
//!
//! The variable `TEST_REDIS_URL` names a server. The tests use keys of their own there, and leave
//! none that does not expire. What every store promises, and what happens while the server is away,
//! is in `tests/stores`.

mod at_the_start;
#[path = "../helpers/mod.rs"]
mod helpers;
mod keys;

use std::process::ExitCode;

fn main() -> ExitCode {
    let (at_the_start, need_none) = at_the_start::promises();
    let need_server = [keys::promises(), at_the_start].into_iter().flatten().collect();
    helpers::run(helpers::redis::VARIABLE, "redis://127.0.0.1/", need_server, need_none)
}
