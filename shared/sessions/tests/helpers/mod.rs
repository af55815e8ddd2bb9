//! What the tests of this crate share. A test file says `mod helpers;` and takes what it needs.
//!
//! | file | what it holds |
//! |---|---|
//! | `garage.rs` | sites that remember your car: a plain one, and one whose handlers wait at a gate |
//! | `gate.rs` | where a call waits, so that a test has one order of events and no other |
//! | `cookie.rs` | what a response says about its cookie, and requests with a cookie of one's own |
//! | `record.rs` | records, and what a store has of them |
//! | `watched.rs` | a store that notes its calls, holds them at a gate, and fails if it is told to |
//! | `sqlite.rs` | a fresh file, and SQL on it |
//! | `postgres.rs` | a schema for each test, and SQL in it |
//! | `redis.rs` | Redis, and the key of a session |
//! | `folder.rs` | a fresh folder for sessions, and the files in it |
//! | `child.rs` | this test program once more, as a process of its own |
//! | `logs.rs` | what the framework logs while a test runs |
//! | `two_servers.rs` | one site with two servers over the same sessions |
//! | `wire.rs` | a way to a server that breaks, servers that talk nonsense, words of a refusal |
//! | `outages.rs` | stories of a store whose server is away for a while |
//! | `promise.rs` | stories as tests of a program with its own `main` |

// Each test file is a program of its own, and no one of them uses everything.
#![allow(dead_code, unused_imports, unused_macros)]

pub mod child;
pub mod cookie;
#[cfg(feature = "file")]
pub mod folder;
pub mod garage;
pub mod gate;
pub mod logs;
pub mod outages;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod promise;
pub mod record;
#[cfg(feature = "redis")]
pub mod redis;
pub mod sqlite;
pub mod two_servers;
pub mod watched;
pub mod wire;

pub use cookie::{
    MADE_UP, assert_no_cookie, assert_removed, cookie_of, get_with_cookie, id_of, post_with_cookie,
    the_cookie,
};
#[cfg(feature = "file")]
pub use folder::{files, fresh_folder, open_folder, the_file};
pub use garage::{MANY, garage, in_a_newcomers_request, open, slow_garage, with_a_mini};
pub use gate::{Gate, during};
pub use logs::{listen, logged};
pub(crate) use promise::promises;
pub use promise::{promise, run, url};
pub use record::{create, expired, in_an_hour, load, minutes_ago, record, set_end, stored};
pub use sqlite::{execute, fresh_file, open_sqlite, rows};
pub use two_servers::TwoServers;
pub use watched::{Moment, Watched};
pub use wire::{PASSWORD, Wire, no_listener, refusal, server_that_says};
