//! What happens at the limits of a process. A limit binds a whole process, so these stories are
//! played by a child.

use std::{
    collections::HashSet,
    fs::File,
    path::Path,
    process::{Command, Stdio},
};

use sessions::{Outcome, Record, Store as _};

use crate::{
    helpers::{
        child::{child, ends_well, this_program, told},
        files, fresh_folder, open_folder, record, stored,
    },
    message,
};

/// Runs the ignored test `name` on `folder`, in a shell that sets a limit first.
fn play_within(limit: &str, name: &str, folder: &Path) {
    let test = child(this_program(), &format!("limits::{name}"), folder);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{limit}; exec \"$0\" \"$@\""));
    shell.arg(this_program()).args(test.get_args());
    shell.envs(test.get_envs().filter_map(|(key, value)| Some((key, value?))));
    shell.stdout(Stdio::piped()).stderr(Stdio::piped());
    ends_well(shell.spawn().expect("it starts"));
}

#[tokio::test]
async fn a_write_for_which_there_is_no_room_leaves_the_old_record() {
    let (_around, folder) = fresh_folder();
    open_folder(&folder).await;
    // In blocks of 512 bytes. Without the trap, the signal would end the child.
    play_within("trap '' XFSZ; ulimit -f 16", "there_is_room_for_small_files_only", &folder);
}

#[tokio::test]
#[ignore = "a_write_for_which_there_is_no_room_leaves_the_old_record runs it"]
async fn there_is_room_for_small_files_only() {
    let Some(folder) = told() else { return };
    let store = open_folder(&folder).await;
    let (old, seen) = stored(&store, "mini").await;
    let large = "a limousine ".repeat(5000);

    let new = Record { id: old.id, ..record(&large) };
    for refused in [store.compare_and_swap(seen, &new).await, store.create(&record(&large)).await] {
        assert_eq!(
            message(refused, &folder),
            "cannot store a session in sessions: File too large (os error 27); \
             raise the limit on the size of files (ulimit -f)"
        );
    }

    let found = store.load(&old.id).await.expect("the store answers");
    assert_eq!(found, Some((old.clone(), seen)));
    assert_eq!(files(&folder).len(), 1, "nothing is left over");
    let small = Record { id: old.id, ..record("beetle") };
    let swapped = store.compare_and_swap(seen, &small).await.expect("there is room");
    assert!(matches!(swapped, Outcome::Stored(_)), "{swapped:?}");
}

#[tokio::test]
async fn a_write_while_too_many_files_are_open_leaves_the_old_record() {
    let (_around, folder) = fresh_folder();
    open_folder(&folder).await;
    play_within("ulimit -n 40", "too_many_files_are_open", &folder);
}

#[tokio::test]
#[ignore = "a_write_while_too_many_files_are_open_leaves_the_old_record runs it"]
async fn too_many_files_are_open() {
    let Some(folder) = told() else { return };
    let store = open_folder(&folder).await;
    let (old, seen) = stored(&store, "mini").await;
    let mut open: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let in_sessions = "in sessions: Too many open files (os error 24); raise the limit on open \
                       files (ulimit -n)";

    assert_eq!(
        message(store.load(&old.id).await, &folder),
        format!("cannot read a session {in_sessions}")
    );
    // With each file fewer, a write comes a step farther.
    let mut steps = HashSet::new();
    let new = Record { id: old.id, ..record("beetle") };
    loop {
        match store.compare_and_swap(seen, &new).await {
            Ok(swapped) => break assert!(matches!(swapped, Outcome::Stored(_)), "{swapped:?}"),
            refused => steps.insert(message(refused, &folder)),
        };
        drop(open.pop().expect("by now it has all the files that it needs"));
        let found = store.load(&old.id).await.expect("one file suffices");
        assert_eq!(found, Some((old.clone(), seen)));
    }
    let expected = ["lock", "read", "store"];
    assert_eq!(steps, expected.map(|it| format!("cannot {it} a session {in_sessions}")).into());
}
