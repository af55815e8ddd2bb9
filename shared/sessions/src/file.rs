//! Sessions as files in a folder, one file a session.

use std::{
    collections::HashMap,
    fmt,
    fs::{self, File, OpenOptions, ReadDir},
    io::{self, ErrorKind, Write as _},
    path::{self, Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::NamedTempFile;
use time::OffsetDateTime;
use tokio::{sync::Mutex, task};
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::{
    row::hash,
    store::{Replaced, Store, Version},
};

/// Locks for this many groups of sessions: a lock file a session would fill the folder.
const LOCKS: usize = 64;

/// How many files the clearing looks at in one go. A server that stops waits for that long.
const STEP: usize = 1000;

/// A store in a folder, exact also when several servers on one machine use the folder.
///
/// A session is a JSON file, which you can read, copy and delete with the tools you know:
///
/// ```json
/// {"version":3,"expiry_date":1798761600,"data":{"num_visits":3}}
/// ```
///
/// A file's name is the SHA-256 hash of the session's id, in hexadecimal. An id is nowhere in the
/// folder, so a copy of it does not let anybody take a session over. The files can be read by the
/// server's own user alone (mode 0600), and so can the folder if the store has made it (0700).
///
/// A save writes a new file beside the old one, waits until the disk has it, and then gives it the
/// old one's name. Whatever happens meanwhile, be it a power cut, the session is the old one or
/// the new one. Each save waits for the disk twice and shares that wait with no other, so expect
/// fewer visits per second than from [`SqliteStore`](crate::SqliteStore).
///
/// Whoever writes holds a lock on one of 64 files named `.lock-` and a number. Other servers on
/// the machine wait for it, as long as it takes. The lock goes when its process ends, however it
/// ends. Deleting lock files while a server runs lets two writers in at once. A folder on another
/// machine will do only if its file system passes locks on.
///
/// [`clear_expired`](Store::clear_expired) has no list of dates to look into: it reads the files
/// one after the other and goes on from where it stopped the last time. Once it has found all that
/// has expired, it has read each file up to twice. It also removes what a crash in the middle of a
/// save has left behind. Files that are not the store's are left alone, and so are records that
/// cannot be decoded.
#[derive(Clone)]
pub struct FileStore {
    folder: Arc<Folder>,
    /// Where this process's own writers queue up. A thread that waits for a lock can do nothing
    /// else, so only one of each group gets that far.
    turns: Arc<[Arc<Mutex<()>>]>,
    /// Where the clearing goes on; `None` for the folder's beginning.
    walk: Arc<Mutex<Option<ReadDir>>>,
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("folder", &self.folder.0).finish_non_exhaustive()
    }
}

impl FileStore {
    /// Opens the folder, and makes it where it is missing. The folder around it has to be there.
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
    /// [`Error::Backend`], in one line that says what to do, where the folder cannot be made or is
    /// something else than a folder, and where this program may not read, write or lock files in
    /// it.
    pub async fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let path = folder.as_ref().to_owned();
        let folder = blocking(move || Folder::open(&path)).await?;
        Ok(FileStore {
            folder: Arc::new(folder),
            turns: (0..LOCKS).map(|_| Arc::default()).collect(),
            walk: Arc::default(),
        })
    }

    /// Work during which nobody else, on this server or another, writes to sessions of these
    /// groups.
    async fn alone<T: Send + 'static>(
        &self,
        mut groups: Vec<usize>,
        work: impl FnOnce(&Folder) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        // Everybody takes them in the same order: two who each want both do not block each other.
        groups.sort_unstable();
        groups.dedup();
        let mut turns = Vec::new();
        for &group in &groups {
            turns.push(self.turns[group].clone().lock_owned().await);
        }
        let folder = self.folder.clone();
        blocking(move || {
            // A request that is given up does not end this work, so the turns stay with it.
            let _turns = turns;
            let locks: io::Result<Vec<_>> =
                groups.iter().map(|&group| folder.lock(group)).collect();
            let _locks = locks.map_err(|error| folder.failed("lock a session", error))?;
            work(&folder)
        })
        .await
    }
}

/// On a thread that may wait for the disk: the others serve visitors.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let ended = |error: task::JoinError| Err(Error::Backend(error.to_string()));
    task::spawn_blocking(work).await.unwrap_or_else(ended)
}

/// What a session's files are called, before the dot.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Name(String);

impl Name {
    fn of(id: &Id) -> Self {
        Name(hash(id).iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The name, and what follows the dot. `None` for a file that is not ours.
    fn parse(file: &str) -> Option<(Name, &str)> {
        let (name, kind) = file.split_once('.')?;
        let is_hash = name.len() == 64 && name.bytes().all(|it| b"0123456789abcdef".contains(&it));
        is_hash.then(|| (Name(name.to_owned()), kind))
    }

    /// Which of the locks is its own.
    fn group(&self) -> usize {
        let start = usize::from_str_radix(&self.0[..2], 16).expect("hexadecimal digits");
        start % LOCKS
    }
}

/// What is in a file.
#[derive(Debug, Deserialize, Serialize)]
struct Stored {
    /// One more with each write.
    version: u64,
    /// Seconds since 1970, UTC.
    expiry_date: i64,
    data: HashMap<String, Value>,
}

impl Stored {
    fn of(record: &Record, version: u64) -> Self {
        let expiry_date = record.expiry_date.unix_timestamp();
        Stored { version, expiry_date, data: record.data.clone() }
    }
}

fn is_past(expiry_date: i64) -> bool {
    expiry_date <= OffsetDateTime::now_utc().unix_timestamp()
}

/// The folder. All of its calls wait for the disk.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn open(path: &Path) -> Result<Folder> {
        // The program may go to another directory later, and the store is to stay where it is.
        let path = path::absolute(path).map_err(|error| cannot_be_made(path, error))?;
        match make(&path) {
            Ok(()) => {}
            // It was there before, or another server was faster.
            Err(_) if path.is_dir() => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let path = path.display();
                return Err(Error::Backend(format!(
                    "{path} is not a folder, so no sessions can be kept in it; choose another place"
                )));
            }
            Err(error) => return Err(cannot_be_made(&path, error)),
        }
        let folder = Folder(path);
        folder.try_out().map_err(|error| folder.failed("keep sessions", error))?;
        Ok(folder)
    }

    /// Does what every visitor will need, so that what is not allowed shows at the start.
    fn try_out(&self) -> io::Result<()> {
        let _lock = self.lock(0)?;
        // To make a file, a full disk may have room yet.
        let mut temporary = self.temporary(&Name::of(&Id::default()))?;
        temporary.write_all(b"{}")?;
        temporary.as_file().sync_all()?;
        fs::read_dir(&self.0)?;
        Ok(())
    }

    fn file(&self, name: &Name) -> PathBuf {
        self.0.join(format!("{}.json", name.0))
    }

    /// Waits until no other process holds this lock. Its file is opened anew each time: an open
    /// file would stay locked under the feet of whoever replaced the folder.
    fn lock(&self, group: usize) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let file = for_owner_only(&mut options).open(self.0.join(format!(".lock-{group:02}")))?;
        file.lock()?;
        Ok(file)
    }

    /// A file that goes when it is dropped, unless it got another name by then.
    fn temporary(&self, name: &Name) -> io::Result<NamedTempFile<File>> {
        let prefix = format!("{}.", name.0);
        tempfile::Builder::new().prefix(&prefix).suffix(".tmp").make_in(&self.0, |path| {
            for_owner_only(OpenOptions::new().write(true).create_new(true)).open(path)
        })
    }

    /// The record, be it expired.
    fn read(&self, name: &Name) -> Result<Option<Stored>> {
        let Some(json) = self.content(name)? else { return Ok(None) };
        serde_json::from_slice(&json).map(Some).map_err(decode)
    }

    fn alive(&self, name: &Name) -> Result<Option<Stored>> {
        Ok(self.read(name)?.filter(|stored| !is_past(stored.expiry_date)))
    }

    fn content(&self, name: &Name) -> Result<Option<Vec<u8>>> {
        let content = match fs::read(self.file(name)) {
            // A folder that is gone, a disk that was unplugged: that signs nobody out.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::metadata(&self.0).map(|_| None)
            }
            content => content.map(Some),
        };
        content.map_err(|error| self.failed("read a session", error))
    }

    fn is_taken(&self, name: &Name) -> Result<bool> {
        fs::exists(self.file(name)).map_err(|error| self.failed("read a session", error))
    }

    fn write(&self, name: &Name, stored: &Stored) -> Result<()> {
        let json = serde_json::to_vec(stored).map_err(|error| Error::Encode(error.to_string()))?;
        self.put(name, &json).map_err(|error| self.failed("store a session", error))
    }

    /// The order matters. Were the name given first, a power cut could leave it to an empty file.
    fn put(&self, name: &Name, json: &[u8]) -> io::Result<()> {
        let names = Names::of(&self.0)?;
        let mut file = self.temporary(name)?;
        file.as_file_mut().write_all(json)?;
        file.as_file().sync_all()?;
        file.persist(self.file(name))?;
        names.sync()
    }

    fn delete(&self, name: &Name) -> Result<()> {
        let delete = || {
            let names = Names::of(&self.0)?;
            self.remove(&self.file(name))?;
            // A sign-out, too, has to survive a power cut.
            names.sync()
        };
        delete().map_err(|error| self.failed("delete a session", error))
    }

    /// Removes a file that may be gone already.
    fn remove(&self, file: &Path) -> io::Result<()> {
        match fs::remove_file(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => fs::metadata(&self.0).map(drop),
            removed => removed,
        }
    }

    /// The next files that may have to go, up to `limit` of them, and where to go on.
    fn next(&self, mut walk: ReadDir, limit: usize) -> Result<(Vec<Passed>, Option<ReadDir>)> {
        let mut found = Vec::new();
        for _ in 0..STEP {
            if found.len() == limit {
                break;
            }
            let Some(entry) = walk.next() else { return Ok((found, None)) };
            let entry = entry.map_err(|error| self.failed("clear sessions", error))?;
            let file = entry.file_name();
            match file.to_str().and_then(Name::parse) {
                Some((name, "json")) if self.has_expired(&name)? => {
                    found.push(Passed::Expired(name));
                }
                Some((name, kind)) if kind.ends_with(".tmp") => {
                    found.push(Passed::LeftOver(name, entry.path()));
                }
                _ => {}
            }
        }
        Ok((found, Some(walk)))
    }

    fn has_expired(&self, name: &Name) -> Result<bool> {
        #[derive(Deserialize)]
        struct Date {
            expiry_date: i64,
        }
        let json = self.content(name)?.unwrap_or_default();
        // What cannot be decoded may be worth a look, but it has no date.
        let date = serde_json::from_slice::<Date>(&json);
        Ok(date.is_ok_and(|date| is_past(date.expiry_date)))
    }

    /// One line: what was tried, why it failed, what to do. It names no file, since a file is a
    /// visitor.
    fn failed(&self, what: &str, error: io::Error) -> Error {
        let advice = match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "let this program read and write there, or choose another folder"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on its disk",
            ErrorKind::FileTooLarge => "raise the limit on the size of files (ulimit -f)",
            ErrorKind::NotFound => "bring the folder back, or start this program again",
            _ if is_too_many_files(&error) => "raise the limit on open files (ulimit -n)",
            _ => "check the folder and its disk",
        };
        Error::Backend(format!("cannot {what} in {}: {error}; {advice}", self.0.display()))
    }
}

/// What the clearing has come across.
#[derive(Debug)]
enum Passed {
    Expired(Name),
    /// A temporary file whose writer has ended, or writes at this moment.
    LeftOver(Name, PathBuf),
}

fn cannot_be_made(path: &Path, error: io::Error) -> Error {
    let path = path.display();
    Error::Backend(format!(
        "cannot make the folder {path} for the sessions: {error}; \
         make it yourself, or choose another place"
    ))
}

fn make(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    path.parent().map_or(Ok(()), |around| Names::of(around)?.sync())
}

fn for_owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// The names in a folder, which the disk keeps apart from what is in the files. Opened before
/// anything is changed, so that nothing can fail between a change and the wait for the disk but
/// the disk. Windows has no such thing.
struct Names(Option<File>);

impl Names {
    fn of(folder: &Path) -> io::Result<Names> {
        Ok(Names(if cfg!(unix) { Some(File::open(folder)?) } else { None }))
    }

    /// Waits until the disk has them.
    fn sync(self) -> io::Result<()> {
        self.0.map_or(Ok(()), |folder| folder.sync_all())
    }
}

/// EMFILE and ENFILE, for which `ErrorKind` has no name.
fn is_too_many_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

fn decode(error: impl std::error::Error) -> Error {
    Error::Decode(error.to_string())
}

#[async_trait]
impl SessionStore for FileStore {
    async fn create(&self, record: &mut Record) -> Result<()> {
        loop {
            let (name, stored) = (Name::of(&record.id), Stored::of(record, 1));
            let created = self.alone(vec![name.group()], move |folder| {
                let is_free = !folder.is_taken(&name)?;
                if is_free {
                    folder.write(&name, &stored)?;
                }
                Ok(is_free)
            });
            if created.await? {
                return Ok(());
            }
            record.id = Id::default();
        }
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (name, mut stored) = (Name::of(&record.id), Stored::of(record, 1));
        self.alone(vec![name.group()], move |folder| {
            match folder.read(&name) {
                Ok(Some(old)) => stored.version = old.version.wrapping_add(1),
                // What cannot be decoded nobody has seen, and it is replaced.
                Ok(None) | Err(Error::Decode(_)) => {}
                Err(error) => return Err(error),
            }
            folder.write(&name, &stored)
        })
        .await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        Ok(self.load_versioned(id).await?.map(|(record, _)| record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let name = Name::of(id);
        self.alone(vec![name.group()], move |folder| folder.delete(&name)).await
    }
}

#[async_trait]
impl Store for FileStore {
    async fn load_versioned(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        // Without a lock: a name leads to the whole old record or to the whole new one.
        let (folder, name) = (self.folder.clone(), Name::of(id));
        let found = blocking(move || folder.alive(&name)).await?;
        let Some(Stored { version, expiry_date, data }) = found else { return Ok(None) };
        let expiry_date = OffsetDateTime::from_unix_timestamp(expiry_date).map_err(decode)?;
        Ok(Some((Record { id: *id, data, expiry_date }, Version(version))))
    }

    async fn replace(&self, old: &Id, seen: Version, new: &mut Record) -> Result<Replaced> {
        loop {
            let (old_name, new_name) = (Name::of(old), Name::of(&new.id));
            let moves = old_name != new_name;
            let version = if moves { 1 } else { seen.0.wrapping_add(1) };
            let stored = Stored::of(new, version);
            let groups = vec![old_name.group(), new_name.group()];
            let replaced = self.alone(groups, move |folder| {
                if moves && folder.is_taken(&new_name)? {
                    return Ok(None);
                }
                match folder.alive(&old_name)? {
                    None => return Ok(Some(Replaced::Gone)),
                    Some(old) if old.version != seen.0 => return Ok(Some(Replaced::Changed)),
                    Some(_) => folder.write(&new_name, &stored)?,
                }
                if moves {
                    folder.delete(&old_name)?;
                }
                Ok(Some(Replaced::Done(Version(version))))
            });
            match replaced.await? {
                Some(replaced) => return Ok(replaced),
                // Somebody has the new id already.
                None => new.id = Id::default(),
            }
        }
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        let limit = u64::from(limit);
        let mut place = self.walk.lock().await;
        let (mut cleared, mut from_the_start) = (0, false);
        while cleared < limit {
            let walk = place.take();
            // It may have gone on in the middle, so one more round. After that it has seen all.
            if walk.is_none() && std::mem::replace(&mut from_the_start, true) {
                break;
            }
            let (folder, left) = (self.folder.clone(), (limit - cleared) as usize);
            let (found, walk) = blocking(move || {
                let walk = match walk {
                    Some(walk) => walk,
                    None => fs::read_dir(&folder.0)
                        .map_err(|error| folder.failed("clear sessions", error))?,
                };
                folder.next(walk, left)
            })
            .await?;
            *place = walk;
            for passed in found {
                cleared += u64::from(self.clear(passed).await?);
            }
        }
        Ok(cleared)
    }
}

impl FileStore {
    /// Was there an expired record to delete? It may have been renewed since it was passed.
    async fn clear(&self, passed: Passed) -> Result<bool> {
        let (Passed::Expired(name) | Passed::LeftOver(name, _)) = &passed;
        self.alone(vec![name.group()], move |folder| {
            let (file, counts) = match passed {
                Passed::Expired(name) if !folder.has_expired(&name)? => return Ok(false),
                Passed::Expired(name) => (folder.file(&name), true),
                // Its writer would hold the lock, so it has none any more.
                Passed::LeftOver(_, file) => (file, false),
            };
            folder.remove(&file).map_err(|error| folder.failed("clear sessions", error))?;
            Ok(counts)
        })
        .await
    }
}
