//! The answer to a reader who has tried an exercise: one line, also if their program panics or hangs.

use std::{
    fmt::Display,
    panic::{self, PanicHookInfo},
    process::ExitCode,
    sync::{
        Arc, Mutex,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::Duration,
};

/// How long a check may take. A program that waits for its own lock never answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs the check of an exercise and prints one line: `Solved:` with what has been achieved, or
/// `Not yet.` with what the check saw.
///
/// Returns the exit code of the program, 0 or 1. A panic is a reason like any other, and comes
/// without a backtrace; so does a program that does not answer within ten seconds.
///
/// Meant to be all that a `main` does: while it runs, panics are not printed.
///
/// ```
/// use std::process::ExitCode;
///
/// use axum::{Router, routing::get};
/// use browser::Browser;
///
/// async fn check(app: Router) -> Result<(), String> {
///     let page = Browser::open(app).get("/").await.text();
///     if page == "Welcome" { Ok(()) } else { Err(format!("The page says {page:?}.")) }
/// }
///
/// fn main() -> ExitCode {
///     let app = Router::new().route("/", get(async || "Welcome"));
///     browser::exercise("the visitor is welcome.", async || check(app).await)
/// }
/// ```
pub fn exercise<E: Display>(
    achieved: &str,
    check: impl AsyncFnOnce() -> Result<(), E> + Send + 'static,
) -> ExitCode {
    match run(check, PATIENCE) {
        Ok(()) => {
            println!("Solved: {achieved}");
            ExitCode::SUCCESS
        }
        Err(reason) => {
            println!("Not yet. {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The check's outcome, or why the check has none.
fn run<E: Display>(
    check: impl AsyncFnOnce() -> Result<(), E> + Send + 'static,
    patience: Duration,
) -> Result<(), String> {
    // The first panic is the cause of those that follow it, such as a poisoned lock.
    let first_panic = Arc::new(Mutex::new(None));
    let noted = first_panic.clone();
    let usual_hook = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if let Ok(mut first) = noted.lock() {
            first.get_or_insert_with(|| in_one_line(panic));
        }
    }));

    // In a thread of its own: a panic ends it alone, and if it hangs, it can be left behind.
    let (tell, outcome) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("the system has what a runtime needs");
        let outcome = runtime.block_on(check()).map_err(|reason| format!("{reason:#}"));
        // An error means that no one waits any more.
        let _ = tell.send(outcome);
    });
    let outcome = outcome.recv_timeout(patience);
    panic::set_hook(usual_hook);

    let panicked = first_panic.lock().ok().and_then(|mut first| first.take());
    match (outcome, panicked) {
        (Ok(Ok(())), _) => Ok(()),
        // A layer may have made a page of the panic: then that page is not the point.
        (_, Some(panicked)) => Err(panicked),
        (Ok(Err(reason)), None) => Err(reason),
        (Err(RecvTimeoutError::Timeout), None) => Err(format!(
            "The program has not answered for {} seconds. Does it wait for a lock that it holds?",
            patience.as_secs()
        )),
        (Err(RecvTimeoutError::Disconnected), None) => Err("The program panicked.".to_owned()),
    }
}

fn in_one_line(panic: &PanicHookInfo) -> String {
    let message = panic.payload_as_str().unwrap_or("without a message").replace('\n', " ");
    match panic.location() {
        Some(place) => {
            format!("The program panicked: {message} ({}, line {})", place.file(), place.line())
        }
        None => format!("The program panicked: {message}"),
    }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Duration};

    use super::*;

    type Outcome = Result<(), &'static str>;

    async fn solved() -> Outcome {
        Ok(())
    }

    async fn not_yet() -> Outcome {
        Err("The page says 1.")
    }

    async fn panics() -> Outcome {
        let cars: [&str; 0] = [];
        panic!("there is\nno car in {cars:?}")
    }

    async fn panics_in_a_task() -> Outcome {
        let handler = tokio::spawn(async { panic!("there is no car") });
        handler.await.map_err(|_| "The page says 500.")
    }

    async fn hangs() -> Outcome {
        pending().await
    }

    // One test, since a program has only one panic hook.
    #[test]
    fn every_outcome_is_one_line() {
        assert_eq!(run(solved, PATIENCE), Ok(()));
        assert_eq!(run(not_yet, PATIENCE), Err("The page says 1.".to_owned()));

        let panicked = run(panics, PATIENCE).expect_err("it panics");
        let said = "The program panicked: there is no car in [] (";
        assert!(panicked.starts_with(said), "{panicked}");
        assert!(panicked.contains("exercise.rs, line "), "{panicked}");

        let panicked = run(panics_in_a_task, PATIENCE).expect_err("it panics");
        assert!(panicked.starts_with("The program panicked: there is no car ("), "{panicked}");

        // Until now it was told of no panic, so this one is not taken for one.
        let silent = run(hangs, Duration::from_millis(1)).expect_err("it hangs");
        assert!(silent.starts_with("The program has not answered"), "{silent}");
    }
}
