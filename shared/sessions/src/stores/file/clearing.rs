//! Clearing: a walk through the folder, a part of it at a time.

use std::{
    fs::{self, DirEntry, ReadDir},
    path::PathBuf,
};

use tokio::time::timeout;
use tower_sessions::session_store::{Error, Result};

use super::{
    FileStore, content,
    folder::{Folder, Name, blocking},
};
use crate::stores::PATIENCE;

/// How many files are read in one go. A server that stops waits for that long.
const STEP: usize = 1000;

/// Where the walk goes on; `None` for the folder's beginning.
pub(super) type Walk = Option<ReadDir>;

/// What the walk has come across, and what may have to go.
enum Passed {
    /// A record that has expired, unless a request renews it at this moment.
    Expired(Name),
    /// A temporary file of a save that has crashed, unless that save is still running.
    Temporary(Name, PathBuf),
}

impl FileStore {
    /// Deletes up to `limit` expired records.
    pub(super) async fn clear(&self, limit: u64) -> Result<u64> {
        let Ok(mut walk) = timeout(PATIENCE, self.walk.lock()).await else {
            return Err(Error::Backend(format!(
                "cannot clear sessions in {}: this program is clearing them already; try it later",
                self.folder.path().display()
            )));
        };
        let (mut cleared, mut is_last_round) = (0, walk.is_none());
        while cleared < limit {
            let (folder, at) = (self.folder.clone(), walk.take());
            let left = usize::try_from(limit - cleared).unwrap_or(usize::MAX);
            let part = blocking(move || Ok(part_of_the_walk(&folder, at, left)));
            let (rest, passed) = part.await?;
            // Before anything can fail: a file that cannot be read or removed must not be the end
            // of every walk.
            *walk = rest;
            for file in passed? {
                cleared += u64::from(self.clear_file(file).await?);
            }
            // The walk may have gone on from the middle of the folder, so there is another round.
            // After that, it has passed every file.
            if walk.is_none() && std::mem::replace(&mut is_last_round, true) {
                break;
            }
        }
        Ok(cleared)
    }

    /// Was there an expired record to delete?
    async fn clear_file(&self, file: Passed) -> Result<bool> {
        let (Passed::Expired(name) | Passed::Temporary(name, _)) = &file;
        self.locked(*name, move |folder| match file {
            Passed::Expired(name) => {
                // It may have been renewed since the walk passed it.
                let is_expired = folder.has_expired(name)?;
                if is_expired {
                    folder.clear(name)?;
                }
                Ok(is_expired)
            }
            // A save that is running holds the lock, and this holds it now.
            Passed::Temporary(_, path) => folder.clear_file(&path).map(|()| false),
        })
        .await
    }
}

impl Folder {
    fn has_expired(&self, name: Name) -> Result<bool> {
        Ok(self.read(name)?.is_some_and(|json| content::has_expired(&json)))
    }
}

/// The rest of the walk, and the next files that may have to go, up to `limit` of them.
fn part_of_the_walk(folder: &Folder, at: Walk, limit: usize) -> (Walk, Result<Vec<Passed>>) {
    let failed = |error| folder.failed("clear sessions", error);
    let mut walk = match at.map_or_else(|| fs::read_dir(folder.path()), Ok) {
        Ok(walk) => walk,
        Err(error) => return (None, Err(failed(error))),
    };
    let mut passed = Vec::new();
    for _ in 0..STEP {
        if passed.len() == limit {
            break;
        }
        let Some(entry) = walk.next() else { return (None, Ok(passed)) };
        match entry.map_err(failed).and_then(|entry| pass(folder, &entry)) {
            Ok(file) => passed.extend(file),
            Err(error) => return (Some(walk), Err(error)),
        }
    }
    (Some(walk), Ok(passed))
}

fn pass(folder: &Folder, entry: &DirEntry) -> Result<Option<Passed>> {
    Ok(match entry.file_name().to_str().and_then(Name::parse) {
        Some((name, "json")) if folder.has_expired(name)? => Some(Passed::Expired(name)),
        Some((name, kind)) if kind.ends_with(".tmp") => Some(Passed::Temporary(name, entry.path())),
        _ => None,
    })
}
