//! A table of a million sessions: is a visit slower, and does clearing it disturb the visitors?

use std::{path::Path, time::Duration};

use anyhow::Result;
use sessions::{Id, Record, SqliteStore};
use sha2::{Digest, Sha256};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::{Bench, clients::Cookies, process::Server, server::App, table::Table};

const SMALL: u64 = 1000;

/// The stored session of this number. Its id looks as random as any.
pub fn record(number: u64) -> Record {
    let digest = Sha256::digest(number.to_le_bytes());
    let (half, _) = digest.split_first_chunk().expect("32 bytes");
    Record {
        id: Id(i128::from_le_bytes(*half)),
        data: [("num_visits".to_owned(), 1.into())].into(),
        expiry_date: OffsetDateTime::now_utc() + time::Duration::weeks(2),
    }
}

pub fn measure(bench: &Bench, big: u64, clients: usize) -> Result<()> {
    println!("\n{clients} clients on a table that holds sessions already");
    println!("  own: each client keeps a session; any: each request has another one");
    let mut table = Table::start();
    for own in [true, false] {
        for sessions in [SMALL, big] {
            let folder = filled(bench, sessions, 0)?;
            let server = Server::start_app(App::Durable, folder.path())?;
            let cookies = Cookies::Stored { sessions, own };
            let measured = bench.measure(&bench.load(&server, clients, cookies))?;
            let whose = if own { "own" } else { "any" };
            table.add(&format!("{sessions} stored, {whose}"), None, measured);
        }
    }
    drop(table);

    println!("\n{clients} clients while {big} expired sessions among {big} others are cleared");
    let folder = filled(bench, big, big)?;
    let server = Server::start_app(App::Durable, folder.path())?;
    let cookies = Cookies::Stored { sessions: big, own: true };
    let mut table = Table::start();
    let before = bench.measure(&bench.load(&server, clients, cookies))?;
    table.add("before the clearing", None, before.clone());

    let mut cleared = (0, Duration::ZERO);
    let during = bench.load(&server, clients, cookies).measure_while(|| {
        server.clear()?;
        cleared = server.cleared()?;
        Ok(())
    })?;
    let slower = during.percentile(99).as_secs_f64() / before.percentile(99).as_secs_f64();
    table.add("during it", None, during);
    let after = bench.measure(&bench.load(&server, clients, cookies))?;
    table.add("after it", None, after);
    drop(table);
    let (rows, time) = cleared;
    println!(
        "{rows} rows in {:.1} s; the 99th percentile is {slower:.1} times as long",
        time.as_secs_f64()
    );
    Ok(())
}

/// A folder with a database that holds so many sessions, and so many expired ones among them.
fn filled(bench: &Bench, sessions: u64, expired: u64) -> Result<TempDir> {
    let folder = TempDir::new_in(&bench.folder)?;
    fill(&folder.path().join("library.sqlite"), sessions, expired)?;
    Ok(folder)
}

/// Through SQL, since a million saves would each wait for the disk.
#[tokio::main(flavor = "current_thread")]
async fn fill(database: &Path, sessions: u64, expired: u64) -> Result<()> {
    drop(SqliteStore::open(database).await?);
    let mut db = SqliteConnection::connect(&format!("sqlite://{}", database.display())).await?;
    for (numbers, oldest) in [(0..sessions, "+7 days"), (sessions..sessions + expired, "-8 days")] {
        let mut rows: Vec<(i64, String)> = numbers.map(row).collect();
        // In the order of the table, so that its pages fill one after the other.
        rows.sort();
        for some in rows.chunks(50_000) {
            let insert = "INSERT INTO session (prefix, id_hash, data, expiry_date, version)
                          SELECT value ->> 0, unhex(value ->> 1), '{\"num_visits\":1}',
                              unixepoch('now', ?) + abs(random()) % (7 * 24 * 60 * 60), 1
                          FROM json_each(?)";
            let rows = serde_json::to_string(some)?;
            sqlx::query(insert).bind(oldest).bind(rows).execute(&mut db).await?;
        }
    }
    // What follows should not pay for this.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut db).await?;
    Ok(db.close().await?)
}

/// What the store keeps instead of the id: its hash, in the order of the hash's first bytes.
fn row(number: u64) -> (i64, String) {
    let hash = Sha256::digest(record(number).id.0.to_le_bytes());
    let (prefix, _) = hash.split_first_chunk().expect("32 bytes");
    (i64::from_be_bytes(*prefix), hex::encode(hash))
}
