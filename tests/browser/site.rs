//! A chapter's program, as a reader starts it.

use std::path::Path;

use programs::{Server, Signal, chapter};
use tempfile::TempDir;

/// A running chapter, in a folder of its own for the files that it makes.
#[derive(Debug)]
pub struct Site {
    number: u32,
    options: Vec<String>,
    server: Server,
    folder: TempDir,
}

impl Site {
    /// Starts chapter `number`.
    pub fn open(number: u32) -> Site {
        Site::open_with(number, &[])
    }

    /// Starts chapter `number` with these options.
    pub fn open_with(number: u32, options: &[&str]) -> Site {
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let folder = TempDir::new().expect("an empty folder");
        Site::start(number, options, folder)
    }

    /// Stops the program and starts it again, with its files and, perhaps, another address.
    pub fn restart(self) -> Site {
        let (status, log) = self.server.stop(Signal::TERM);
        assert!(status.success(), "{log}");
        Site::start(self.number, self.options, self.folder)
    }

    fn start(number: u32, options: Vec<String>, folder: TempDir) -> Site {
        let mut command = chapter(number);
        // What the reader has set for their own chapter 7 is not for this one.
        command.env_remove("SESSION_STORE").env_remove("SESSION_KEYS");
        let server = Server::start(command.args(&options).current_dir(&folder));
        Site { number, options, server, folder }
    }

    /// For example `http://127.0.0.1:40123`.
    pub fn address(&self) -> &str {
        self.server.address()
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits for a line of its output that contains `text`, and returns it.
    pub fn wait_for(&mut self, text: &str) -> String {
        self.server.wait_for(text)
    }

    /// Presses Enter in its terminal.
    pub fn press_enter(&mut self) {
        self.server.press_enter();
    }
}
