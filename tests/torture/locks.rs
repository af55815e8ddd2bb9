//! Locks that another program holds: this one.

use std::{
    fs::{self, File},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use sqlx::{Connection, PgConnection, SqliteConnection, raw_sql};

use crate::{
    stage::{End, block_on},
    stores::sqlite_url,
};

/// SQLite lets one connection write at a time, and this is the one.
pub fn hold_sqlite(place: &Path) -> Result<End> {
    let db = block_on(async {
        let mut db = SqliteConnection::connect(&sqlite_url(place)).await?;
        raw_sql("PRAGMA busy_timeout = 10000; BEGIN IMMEDIATE").execute(&mut db).await?;
        anyhow::Ok(db)
    })?;
    Ok(Box::new(move || Ok(block_on(db.close())?)))
}

/// PostgreSQL lets reads go on, so requests get as far as their write, which waits. That is the harder
/// case: a write that waits in PostgreSQL may still be done when its request has given up.
pub fn hold_table(url: &str) -> Result<End> {
    // The connection belongs to its runtime, so that has to live as long.
    let runtime = tokio::runtime::Runtime::new()?;
    let db = runtime.block_on(async {
        let mut db = PgConnection::connect(url).await?;
        raw_sql("BEGIN; LOCK TABLE session IN EXCLUSIVE MODE").execute(&mut db).await?;
        anyhow::Ok(db)
    })?;
    Ok(Box::new(move || Ok(runtime.block_on(db.close())?)))
}

/// The lock files of the file store, as `flock` would hold them.
pub fn hold_files(folder: &Path) -> Result<End> {
    let mut held = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".lock-")) {
            let file = File::options().write(true).open(path)?;
            file.lock()?;
            held.push(file);
        }
    }
    ensure!(!held.is_empty(), "no lock files in {}", folder.display());
    Ok(Box::new(move || {
        drop(held);
        Ok(())
    }))
}

/// Redis has no locks. A pause is like one: it answers no command until the time is over.
pub fn pause_redis(url: &str, time: Duration) -> Result<End> {
    let millis = time.as_millis().to_string();
    let mut redis = redis::Client::open(url)?.get_connection()?;
    redis::cmd("CLIENT").arg(&["PAUSE", &millis, "ALL"]).exec(&mut redis)?;
    // It ends by itself: Redis would answer no command that ends it.
    let end = Instant::now() + time;
    Ok(Box::new(move || {
        thread::sleep(end.saturating_duration_since(Instant::now()));
        Ok(())
    }))
}
