//! Locks: one request at a time writes to a session, in this process and in all others.
//!
//! A lock file for each session would fill the folder, so sessions share the locks, in groups. A
//! request waits for its turn among the requests of this process, and then for the lock file, for
//! which processes compete. So of one process, one request at a time tries a lock file.
//!
//! The system can also wait for a lock file (`File::lock`). But it knows no deadline, and a thread
//! that waits in the system keeps the program from ending. So a lock that is held is tried again
//! after a short pause.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::{sleep, timeout},
};
use tower_sessions::session_store::{Error, Result};

use super::folder::{Folder, Name, blocking, for_owner_only};
use crate::stores::PATIENCE;

/// How many groups of sessions there are, each with its own lock. Servers that share a folder must
/// agree on this number.
const GROUPS: usize = 64;

/// How long until a lock file that another process holds is tried again.
pub(super) const PAUSE: Duration = Duration::from_millis(2);

/// The locks of one folder.
#[derive(Debug)]
pub(super) struct Locks {
    folder: Arc<Folder>,
    /// Where the requests of this process wait, in the order in which they came. The one whose turn
    /// it is tells the next one whether it had to wait for another process.
    turns: [Arc<Mutex<bool>>; GROUPS],
}

/// Released when it is dropped: first the file, then the turn, so that this process's next request
/// finds the file free.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    _turn: OwnedMutexGuard<bool>,
}

impl Locks {
    pub fn new(folder: Arc<Folder>) -> Self {
        Locks { folder, turns: std::array::from_fn(|_| Arc::default()) }
    }

    /// Takes each lock once, so that one that cannot be taken shows at the start: one that hangs in
    /// another process, or one whose file another user has made.
    pub async fn try_out(&self) -> Result<()> {
        for group in 0..GROUPS {
            self.lock_group(group).await?;
        }
        Ok(())
    }

    /// Waits until no other request writes to the session, here or in another process.
    pub async fn lock(&self, name: Name) -> Result<Lock> {
        self.lock_group(name.group(GROUPS)).await
    }

    async fn lock_group(&self, group: usize) -> Result<Lock> {
        let lock = async {
            let mut has_waited = self.turns[group].clone().lock_owned().await;
            if std::mem::take(&mut *has_waited) {
                // Now the other process may be the one that waits, and it tries only now and then.
                // Leave the lock free until it has tried, or a busy process would have the lock
                // again and again, and the other one never.
                sleep(2 * PAUSE).await;
            }
            loop {
                let folder = self.folder.clone();
                if let Some(file) = blocking(move || try_lock(&folder, group)).await? {
                    return Ok(Lock { _file: file, _turn: has_waited });
                }
                *has_waited = true;
                sleep(PAUSE).await;
            }
        };
        // One deadline for both waits. If the request before this one waits for a process that
        // hangs, this request is told so too, and not three seconds later.
        timeout(PATIENCE, lock).await.unwrap_or_else(|_| Err(held(&self.folder, group)))
    }
}

fn lock_file(folder: &Folder, group: usize) -> PathBuf {
    folder.path().join(format!(".lock-{group:02}"))
}

/// The lock, if it is free. The file is opened at each try: if the folder was replaced meanwhile, a
/// file of the old one would be locked, and other processes would lock another.
fn try_lock(folder: &Folder, group: usize) -> Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    let opened = for_owner_only(&mut options).open(lock_file(folder, group));
    let locked = opened.and_then(|file| match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    });
    locked.map_err(|error| folder.failed("lock a session", error))
}

/// What a request that has waited for too long is told.
fn held(folder: &Folder, group: usize) -> Error {
    let (folder, file) = (folder.path().display(), lock_file(folder, group));
    Error::Backend(format!(
        "cannot lock a session in {folder}: its lock was held for {} seconds; end the process that \
         `fuser -v {}` shows, or check the folder's disk if it is this one",
        PATIENCE.as_secs(),
        file.display(),
    ))
}
