//! A disk that is full: a small file system of our own, or a limit on what the server may write.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Result;

use crate::{process::Server, stage::End};

/// Large enough for a new store, and soon full.
const SIZE: &str = "size=8m";

/// What the disk is filled with.
const FILLER: &str = "filler";

pub struct Disk {
    place: PathBuf,
    /// If not, a limit on the server's files takes its place.
    pub is_mounted: bool,
}

impl Disk {
    /// Mounts a file system in memory, for which one has to be root. Without it, the disk is the
    /// one that is there.
    pub fn mount(place: &Path) -> Disk {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(place);
        let mounted = mount.stdout(Stdio::null()).stderr(Stdio::null()).status();
        Disk { place: place.to_owned(), is_mounted: mounted.is_ok_and(|it| it.success()) }
    }

    /// The server finds no room from here on, until the end.
    pub fn fill(&self, server: &Server) -> Result<End> {
        if !self.is_mounted {
            return limit_files(server);
        }
        let path = self.place.join(FILLER);
        let mut filler = File::create(&path)?;
        for block in [&[1; 64 * 1024][..], &[1; 512][..]] {
            loop {
                match filler.write_all(block) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(Box::new(move || Ok(fs::remove_file(path)?)))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted {
            // Lazily: a server that is about to end may still have files open.
            let _ = Command::new("umount").arg("-l").arg(&self.place).status();
        }
    }
}

/// No file may grow, and none may be written at all. The log goes to a pipe, which is no file.
#[cfg(target_os = "linux")]
fn limit_files(server: &Server) -> Result<End> {
    use rustix::process::{Resource, Rlimit, prlimit};
    let pid = server.pid();
    // The upper limit stays, or the server could not get the old one back.
    let old = rustix::process::getrlimit(Resource::Fsize);
    let nothing = Rlimit { current: Some(0), maximum: old.maximum };
    prlimit(Some(pid), Resource::Fsize, nothing)?;
    Ok(Box::new(move || Ok(prlimit(Some(pid), Resource::Fsize, old).map(drop)?)))
}

#[cfg(not(target_os = "linux"))]
fn limit_files(_: &Server) -> Result<End> {
    anyhow::bail!("a full disk needs the right to mount one")
}
