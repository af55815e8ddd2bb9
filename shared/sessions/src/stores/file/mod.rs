//! Sessions as files in a folder, one file a session.
//!
//! This file has what a store does, in plain steps. `folder.rs` has the files, and the order in
//! which they reach the disk. `locks.rs` lets one request at a time write to a session.
//! `content.rs` has a record as JSON, and `clearing.rs` finds what has expired.

mod clearing;
mod content;
mod folder;
mod locks;
#[cfg(test)]
mod tests;

use std::{fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use tokio::sync::Mutex;
use tower_sessions::{
    session::{Id, Record},
    session_store::Result,
};

use super::{Outcome, Store, Version, record::now};
use clearing::Walk;
use folder::{Folder, Name, blocking};
use locks::Locks;

/// A store in a folder, exact also when several servers on one machine use the folder.
///
/// A session is a JSON file, which you can read, copy and delete with the tools you know:
///
/// ```json
/// {"version":3,"expiry_date":1798761600,"data":{"num_visits":3}}
/// ```
///
/// A file's name is the SHA-256 hash of the session's id, in hexadecimal. No id is in the folder,
/// so a copy of the folder does not let its reader take a session over. Only the server's own user
/// can read the files (mode 0600), and the folder if the store has made it (0700).
///
/// A save writes a new file next to the old one, waits until the disk has it, and then gives it the
/// old one's name. Even after a power cut, the session is the old one or the
/// new one. Each save waits for the disk twice and shares that wait with no other, so expect fewer
/// visits per second than from [`SqliteStore`](crate::SqliteStore).
///
/// A request that writes holds a lock on one of 64 files, `.lock-00` to `.lock-63`. Requests on
/// other servers wait for it, for three seconds at most: then they get an error that names the
/// file. The system releases a lock when its process ends, however it ends. Do not delete lock
/// files while a server runs, or two requests could write at the same time. A folder on another
/// machine will do only if its file system passes locks on.
///
/// [`clear_expired`](Store::clear_expired) has no index by date: it reads the files one after the
/// other, and goes on from the file at which it stopped the last time. It also removes what a crash
/// in the middle of a save has left behind. Files that are not the store's stay, and so do records
/// that cannot be decoded.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use sessions::{FileStore, Record, Store};
/// use time::{Duration, OffsetDateTime};
///
/// # let around = tempfile::tempdir()?;
/// # let folder = around.path().join("sessions");
/// let expiry_date = OffsetDateTime::now_utc() + Duration::HOUR;
/// let record = Record { id: Default::default(), data: Default::default(), expiry_date };
/// let outcome = FileStore::open(&folder).await?.create(&record).await?;
///
/// // A program that opens the folder later finds it there.
/// let found = FileStore::open(&folder).await?.load(&record.id).await?;
/// assert!(found.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct FileStore {
    folder: Arc<Folder>,
    locks: Arc<Locks>,
    /// How far the clearing has come.
    walk: Arc<Mutex<Walk>>,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("folder", &self.folder.path()).finish_non_exhaustive()
    }
}

impl FileStore {
    /// Opens the folder, and makes it if it is missing. The folder around it has to be there.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use sessions::{FileStore, SessionLayer};
    ///
    /// # let around = tempfile::tempdir()?;
    /// # let folder = around.path().join("sessions");
    /// let layer = SessionLayer::new(FileStore::open(folder).await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Backend`](crate::StoreError::Backend), in one line that says what to do: the folder
    /// cannot be made or is something else than a folder; this program may not read, write or lock
    /// files in it; another process holds one of its locks for more than three seconds.
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let path = folder.as_ref().to_owned();
        let folder = Arc::new(blocking(move || Folder::open(&path)).await?);
        let locks = Locks::new(folder.clone());
        locks.try_out().await?;
        Ok(FileStore { folder, locks: Arc::new(locks), walk: Arc::default() })
    }

    /// Work during which no other request, on this server or another, writes to the session.
    async fn locked<T: Send + 'static>(
        &self,
        name: Name,
        work: impl FnOnce(&Folder) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let lock = self.locks.lock(name).await?;
        let folder = self.folder.clone();
        blocking(move || {
            // The work goes on if its request is given up, so the lock goes with the work.
            let _lock = lock;
            work(&folder)
        })
        .await
    }
}

#[async_trait]
impl Store for FileStore {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        // No lock: a name leads to the whole old record or to the whole new one.
        let (folder, id) = (self.folder.clone(), *id);
        blocking(move || current(&folder, &id)).await
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        const FIRST: Version = Version(1);
        let (name, json) = (Name::of(&record.id), content::encode(record, FIRST)?);
        self.locked(name, move |folder| {
            if folder.contains(name)? {
                return Ok(Outcome::IdTaken);
            }
            folder.write(name, &json)?;
            Ok(Outcome::Stored(FIRST))
        })
        .await
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        let (id, next) = (new.id, expected.next());
        let json = content::encode(new, next)?;
        self.locked(Name::of(&id), move |folder| match current(folder, &id)? {
            None => Ok(Outcome::Missing),
            Some((_, version)) if version != expected => Ok(Outcome::Conflict),
            Some(_) => {
                folder.write(Name::of(&id), &json)?;
                Ok(Outcome::Stored(next))
            }
        })
        .await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        let (name, id) = (Name::of(id), *id);
        self.locked(name, move |folder| {
            let found = folder.read(name)?;
            // The file goes first, so that a record that cannot be decoded is gone too.
            folder.delete(name)?;
            let record = found.map(|json| content::decode(&id, &json)).transpose()?;
            Ok(record.map(|(record, _)| record))
        })
        .await
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        self.clear(limit.into()).await
    }
}

/// The record and its version, unless it has expired.
fn current(folder: &Folder, id: &Id) -> Result<Option<(Record, Version)>> {
    let Some(json) = folder.read(Name::of(id))? else { return Ok(None) };
    let (record, version) = content::decode(id, &json)?;
    let is_alive = record.expiry_date.unix_timestamp() > now();
    Ok(is_alive.then_some((record, version)))
}
