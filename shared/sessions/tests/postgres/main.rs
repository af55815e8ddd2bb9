//! Sessions in PostgreSQL: what is in the table, who may use it, and what is refused at the start.
//!
//! The variable `TEST_POSTGRES_URL` names a server whose user may create schemas and users; each
//! test has a schema of its own and drops it in the end. What every store promises, and what
//! happens while the server is away, is in `tests/stores`.

mod at_the_start;
#[path = "../helpers/mod.rs"]
mod helpers;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    let (at_the_start, need_none) = at_the_start::promises();
    let need_server = [table::promises(), at_the_start].into_iter().flatten().collect();
    let variable = helpers::postgres::VARIABLE;
    helpers::run(variable, "postgres://postgres@127.0.0.1/test", need_server, need_none)
}
