//! Stories as tests of a program with its own `main`, which says what it skips.

use std::{env, process::ExitCode};

use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Builder;

/// Each of these stories as a test of its name.
macro_rules! promises {
    ($($story:ident)+) => {
        vec![$($crate::helpers::promise(stringify!($story), $story)),+]
    };
}
pub(crate) use promises;

/// A test that tells this story.
pub fn promise<F>(name: &str, story: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = ()>,
{
    Trial::test(name, move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(story());
        Ok(())
    })
}

/// Runs all of them, or those that need no server where `variable` does not name one.
pub fn run(
    variable: &str,
    example: &str,
    need_server: Vec<Trial>,
    need_none: Vec<Trial>,
) -> ExitCode {
    let arguments = Arguments::from_args();
    let is_missing = env::var_os(variable).is_none();
    if is_missing && !arguments.list {
        let skipped = need_server.len();
        eprintln!(
            "{variable} is not set, so {skipped} tests are skipped; try {variable}={example}"
        );
    }
    let need_server = need_server.into_iter().map(|trial| trial.with_ignored_flag(is_missing));
    libtest_mimic::run(&arguments, need_server.chain(need_none).collect()).exit_code()
}

/// The URL of the server that the tests use.
pub fn url(variable: &str) -> String {
    env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set"))
}
