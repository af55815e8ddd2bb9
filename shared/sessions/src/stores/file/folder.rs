//! The folder: its files, the order in which they reach the disk, and what is said if one fails.
//!
//! All of this waits for the disk, so it runs on threads that may wait: see [`blocking`].

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::{self, Path, PathBuf},
};

use tempfile::NamedTempFile;
use tokio::task;
use tower_sessions::{
    session::Id,
    session_store::{Error, Result},
};

use crate::stores::record::hash;

/// Runs `work` on a thread that may wait for the disk, while the others go on to serve visitors.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let ended = |error: task::JoinError| Err(Error::Backend(error.to_string()));
    task::spawn_blocking(work).await.unwrap_or_else(ended)
}

/// What a session's files are called before the dot: the hash of its id. See `record.rs`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Name([u8; 32]);

impl Name {
    pub fn of(id: &Id) -> Self {
        Name(hash(id).try_into().expect("SHA-256 has 32 bytes"))
    }

    /// The name, and what follows the dot. `None` for a file that is not ours.
    pub fn parse(file: &str) -> Option<(Name, &str)> {
        let (hex, kind) = file.split_once('.')?;
        let mut hash = [0; 32];
        hex::decode_to_slice(hex, &mut hash).ok()?;
        // Capital letters are hexadecimal too, but this store never writes them.
        let name = Name(hash);
        (name.to_string() == hex).then_some((name, kind))
    }

    /// Which of so many groups it is in. A hash is as good as random, so all get the same share.
    pub fn group(self, groups: usize) -> usize {
        usize::from(self.0[0]) % groups
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder if it is missing.
    pub fn open(path: &Path) -> Result<Folder> {
        // The program may go to another directory later, and the store must not follow it.
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
        let mut temporary = self.temporary(Name::of(&Id::default()))?;
        // A full disk may have room for a file's name, but not for what is in it.
        temporary.write_all(b"{}")?;
        temporary.as_file().sync_all()?;
        fs::read_dir(&self.0)?;
        Ok(())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self, name: Name) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }

    /// A file that goes when it is dropped, unless it got another name by then.
    fn temporary(&self, name: Name) -> io::Result<NamedTempFile<File>> {
        let prefix = format!("{name}.");
        tempfile::Builder::new().prefix(&prefix).suffix(".tmp").make_in(&self.0, |path| {
            for_owner_only(OpenOptions::new().write(true).create_new(true)).open(path)
        })
    }

    pub fn contains(&self, name: Name) -> Result<bool> {
        fs::exists(self.file(name)).map_err(|error| self.failed("read a session", error))
    }

    /// What is in a session's file, if there is one.
    pub fn read(&self, name: Name) -> Result<Option<Vec<u8>>> {
        let content = match fs::read(self.file(name)) {
            // Is the file missing, or the whole folder? A disk that was unplugged signs no visitor
            // out: that is an error, and ends when the disk is back.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                fs::metadata(&self.0).map(|_| None)
            }
            content => content.map(Some),
        };
        content.map_err(|error| self.failed("read a session", error))
    }

    /// Puts this into a session's file. Until the end, the file is the old one.
    pub fn write(&self, name: Name, content: &[u8]) -> Result<()> {
        let write = || {
            let directory = Directory::open(&self.0)?;
            // The content first, to the disk, and then its name. The other way round, a power cut
            // could leave the name to an empty file.
            let mut file = self.temporary(name)?;
            file.as_file_mut().write_all(content)?;
            file.as_file().sync_all()?;
            file.persist(self.file(name))?;
            directory.sync()
        };
        write().map_err(|error| self.failed("store a session", error))
    }

    /// Removes a session's file, if there is one.
    pub fn delete(&self, name: Name) -> Result<()> {
        let delete = || {
            let directory = Directory::open(&self.0)?;
            self.remove(&self.file(name))?;
            // A sign-out, too, has to survive a power cut. This also holds if the file is gone
            // already, since the deletion of that time may have failed at this very step.
            directory.sync()
        };
        delete().map_err(|error| self.failed("delete a session", error))
    }

    /// Removes a session's file, and does not wait for the disk: if it comes back by a power cut,
    /// the clearing will find it again.
    pub fn clear(&self, name: Name) -> Result<()> {
        self.clear_file(&self.file(name))
    }

    /// As `clear`, for any file.
    pub fn clear_file(&self, file: &Path) -> Result<()> {
        self.remove(file).map_err(|error| self.failed("clear sessions", error))
    }

    fn remove(&self, file: &Path) -> io::Result<()> {
        match fs::remove_file(file) {
            // As when reading: the file may be missing, the folder may not.
            Err(error) if error.kind() == ErrorKind::NotFound => fs::metadata(&self.0).map(drop),
            removed => removed,
        }
    }

    /// One line: what was tried, why it failed, what to do. It names no file, since a session's
    /// file stands for a visitor.
    pub fn failed(&self, what: &str, error: io::Error) -> Error {
        let advice = match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                "let this program read and write there, or choose another folder"
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on its disk",
            ErrorKind::FileTooLarge => "raise the limit on the size of files (ulimit -f)",
            ErrorKind::NotFound => "bring the folder back, or start this program again",
            ErrorKind::Unsupported => "choose a folder on a file system that can do that",
            _ if is_too_many_files(&error) => "raise the limit on open files (ulimit -n)",
            _ => "check the folder and its disk",
        };
        Error::Backend(format!("cannot {what} in {}: {error}; {advice}", self.0.display()))
    }
}

fn cannot_be_made(path: &Path, error: io::Error) -> Error {
    let path = path.display();
    Error::Backend(format!(
        "cannot make the folder {path} for the sessions: {error}; \
         make it yourself, or choose another place"
    ))
}

fn make(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    path.parent().map_or(Ok(()), |around| Directory::open(around)?.sync())
}

/// For the server's own user: the files hold what visitors have entered.
pub(super) fn for_owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// The names in a folder, which the disk keeps apart from what is in the files. It is opened before
/// anything is changed: after a change, only the disk itself can fail then. Windows has no such
/// thing.
struct Directory(Option<File>);

impl Directory {
    fn open(folder: &Path) -> io::Result<Directory> {
        Ok(Directory(if cfg!(unix) { Some(File::open(folder)?) } else { None }))
    }

    /// Waits until the disk has the names.
    fn sync(self) -> io::Result<()> {
        self.0.map_or(Ok(()), |directory| directory.sync_all())
    }
}

/// EMFILE and ENFILE, for which `ErrorKind` has no name.
fn is_too_many_files(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}
