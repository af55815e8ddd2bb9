//! Several programs start on the same new file: each finds a library, filled once.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Barrier;

use catalog::Catalog;

const ROUNDS: usize = 10;
const STARTS: usize = 8;
const FILE: &str = "CATALOG_TEST_FILE";
const READY: &str = "ready to open the library";

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Opens the file as a program of its own would, in a runtime of its own.
fn open_and_count(path: &Path) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let library = Catalog::open(path).await?;
        let counts = library.counts().await?;
        assert_eq!((counts.books, counts.copies, counts.authors), (29, 67, 18));
        library.close().await;
        Ok(())
    })
}

#[test]
fn threads_that_start_at_once_all_succeed() -> Outcome {
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("library.sqlite");
        let start = Barrier::new(STARTS);

        std::thread::scope(|scope| {
            for _ in 0..STARTS {
                scope.spawn(|| {
                    start.wait();
                    open_and_count(&path).expect("a start among others succeeds");
                });
            }
        });

        open_and_count(&path)?;
    }
    Ok(())
}

#[test]
fn processes_that_start_at_once_all_succeed() -> Outcome {
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("library.sqlite");
        let mut children =
            (0..STARTS).map(|_| start_child(&path)).collect::<Outcome<Vec<Child>>>()?;

        for child in &mut children {
            wait_until_ready(child)?;
        }
        for child in &mut children {
            // The starting shot: a child waits for the end of its standard input.
            drop(child.stdin.take());
        }

        for child in children {
            let output = child.wait_with_output()?;
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        open_and_count(&path)?;
    }
    Ok(())
}

/// Starts this test program again, to run only `child`.
fn start_child(path: &Path) -> Outcome<Child> {
    let child = Command::new(std::env::current_exe()?)
        .args(["--ignored", "--exact", "--nocapture", "child"])
        .env(FILE, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(child)
}

fn wait_until_ready(child: &mut Child) -> Outcome {
    // The pipe stays open until the child ends, which may have more to print.
    let stdout = child.stdout.as_mut().expect("its output is a pipe");
    for line in BufReader::new(stdout).lines() {
        if line?.contains(READY) {
            return Ok(());
        }
    }
    Err("the child ended before it was ready".into())
}

#[test]
#[ignore = "processes_that_start_at_once_all_succeed runs it"]
fn child() -> Outcome {
    let Some(path) = std::env::var_os(FILE) else { return Ok(()) };
    println!("{READY}");
    std::io::stdin().read_line(&mut String::new())?;

    open_and_count(Path::new(&path))
}
