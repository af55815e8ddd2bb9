//! Chapter 12's `live.sh`, whole: nginx with TLS, two servers, a store, and visitors during a deploy.
//!
//! It needs nginx, openssl and curl, and the stores that `two_servers.rs` needs. What is missing is
//! skipped, and a line says so; with the variable `TEST_LIVE`, it is a failure.

#[cfg(unix)]
#[path = "live/deploys.rs"]
mod deploys;

#[cfg(unix)]
fn main() -> std::process::ExitCode {
    deploys::run()
}

#[cfg(not(unix))]
fn main() {
    eprintln!("the deploys are skipped: live.sh is for Unix");
}
