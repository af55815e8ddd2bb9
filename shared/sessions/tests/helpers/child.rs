//! This test program once more, as a process of its own.

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Where the parent has put what the child is to work on.
const PLACE: &str = "SESSIONS_TEST_PLACE";

/// This program again, to run only the ignored test `name`, which finds `place` with [`told`].
pub fn child(program: impl AsRef<OsStr>, name: &str, place: &Path) -> Command {
    let mut child = Command::new(program);
    child
        .args(["--ignored", "--exact", "--nocapture", name])
        .env(PLACE, place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    child
}

pub fn this_program() -> PathBuf {
    env::current_exe().expect("a path to this program")
}

/// What the parent says; `None` if no parent has started this program.
pub fn told() -> Option<PathBuf> {
    env::var_os(PLACE).map(PathBuf::from)
}

/// What the child has written, once it has ended well.
#[track_caller]
pub fn ends_well(child: Child) -> String {
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
    said
}

/// Runs the ignored test `name` on `place`, without root's rights: root may write everywhere.
#[cfg(unix)]
pub fn play_without_roots_rights(name: &str, place: &Path) {
    use std::os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    };

    let around = tempfile::TempDir::new().expect("a folder for the program");
    let open_to_all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(around.path(), open_to_all).expect("its mode is set");
    // That user may not be let into the folder where cargo built this program. Another process
    // copies: were it this one, a child that another test starts meanwhile could inherit the file
    // open for writing, and what is open for writing cannot be run.
    let program = around.path().join("test");
    let copied = Command::new("cp").arg(this_program()).arg(&program).status();
    assert!(copied.expect("cp runs").success());

    let mut child = child(&program, name, place);
    child.current_dir(around.path());
    let this_is_root = std::fs::metadata(around.path()).expect("its metadata").uid() == 0;
    if this_is_root {
        child.uid(65534).gid(65534);
    }
    ends_well(child.spawn().expect("it starts"));
}
