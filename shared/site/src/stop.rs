//! The signals that end a server, and its end, also if something still blocks.

use std::{process, thread, time::Duration};

use tokio::{runtime, sync::oneshot};

use crate::connections::GRACE;

/// How long a program may take, after its last request, for what it has to put in order.
const CLOSING: Duration = Duration::from_secs(4);

/// Resolves at the first Ctrl-C or SIGTERM after this call, however late it is awaited.
///
/// From then on the process has `drain`, [`GRACE`] and [`CLOSING`]; after that it ends with exit code 1.
/// Otherwise one thread that waits for a lock would keep it: at its end, `#[tokio::main]` waits
/// for all threads of `spawn_blocking`, for ever if need be.
pub fn told_to_stop(drain: Duration) -> oneshot::Receiver<()> {
    // A thread and a runtime of its own, since all threads of the other runtime may be blocked.
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime that waits for signals");
    let signal = {
        let _inside = runtime.enter();
        first_signal()
    };
    let (tell, told) = oneshot::channel();
    thread::spawn(move || {
        runtime.block_on(signal);
        let _ = tell.send(());
        thread::sleep(drain + GRACE + CLOSING);
        // Not a word: it may be the log that blocks.
        process::exit(1);
    });
    told
}

#[cfg(unix)]
fn first_signal() -> impl Future<Output = ()> + Send {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).expect("a handler for Ctrl-C");
    let mut terminate = signal(SignalKind::terminate()).expect("a handler for SIGTERM");
    async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
async fn first_signal() {
    let _ = tokio::signal::ctrl_c().await;
}
