//! A file that cannot be a library: one line says what happened, and what to do.

use std::path::Path;

use catalog::{Catalog, Error, Problem};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Opens `path`, which must fail, and returns why and the whole message without the folder.
async fn refusal(path: &Path) -> (Problem, String) {
    let error = Catalog::open(path).await.expect_err("it must not open");
    let message = error.to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    let Error::Open { problem, .. } = error else {
        panic!("opening failed, not a query: {error:?}");
    };
    let folder = path.parent().map(|folder| format!("{}/", folder.display()));
    (problem, folder.map_or(message.clone(), |folder| message.replace(&folder, "")))
}

/// Opens a library, changes it, and closes it.
async fn change(path: &Path, statement: &'static str) -> Outcome {
    let library = Catalog::open(path).await?;
    sqlx::raw_sql(statement).execute(library.pool()).await?;
    library.close().await;
    Ok(())
}

#[tokio::test]
async fn a_library_of_a_newer_program() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    change(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'from the future', true, x'00', 0)",
    )
    .await?;

    let (problem, message) = refusal(&path).await;

    assert_eq!(problem, Problem::Newer);
    assert_eq!(
        message,
        "library.sqlite was made by a newer version of this program. \
         Update the program, or move the file away to start with a fresh one."
    );
    Ok(())
}

#[tokio::test]
async fn a_library_whose_migration_was_edited() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    change(&path, "UPDATE _sqlx_migrations SET checksum = x'00'").await?;

    let (problem, message) = refusal(&path).await;

    assert_eq!(problem, Problem::Changed);
    assert_eq!(
        message,
        "library.sqlite was made by a migration that was edited since. \
         Undo the edit, or move the file away to start with a fresh one."
    );
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_database() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");

    for garbage in ["shopping list".to_string(), "milk and bread\n".repeat(5000)] {
        std::fs::write(&path, &garbage)?;

        let (problem, message) = refusal(&path).await;

        assert_eq!(problem, Problem::Damaged);
        assert_eq!(
            message,
            "library.sqlite is not a SQLite database or is damaged. \
             Move it away to start with a fresh one, or restore a copy."
        );
        // It may be somebody's only copy of something else.
        assert_eq!(std::fs::read_to_string(&path)?, garbage);
    }
    Ok(())
}

#[tokio::test]
async fn a_damaged_database() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    change(&path, "SELECT 1").await?;
    let mut bytes = std::fs::read(&path)?;
    // The first 100 bytes say that this is SQLite; the list of tables comes next.
    bytes[100..4096].fill(0xff);
    std::fs::write(&path, bytes)?;

    let (problem, message) = refusal(&path).await;

    assert_eq!(problem, Problem::Damaged);
    assert_eq!(
        message,
        "library.sqlite is not a SQLite database or is damaged. \
         Move it away to start with a fresh one, or restore a copy."
    );
    Ok(())
}

#[tokio::test]
async fn a_folder_that_is_not_there() -> Outcome {
    let folder = tempfile::tempdir()?;

    let (problem, message) = refusal(&folder.path().join("nowhere/library.sqlite")).await;

    assert_eq!(problem, Problem::OutOfReach);
    assert_eq!(
        message,
        "library.sqlite cannot be opened or created. \
         Check that it is a file, that its folder exists, and that you may write there."
    );
    Ok(())
}

#[tokio::test]
async fn a_folder_in_the_place_of_the_file() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    std::fs::create_dir(&path)?;

    assert_eq!(refusal(&path).await.0, Problem::NotAFile);
    Ok(())
}

#[tokio::test]
async fn a_name_of_no_file() -> Outcome {
    for (name, shown) in [("", "\"\""), (":memory:", ":memory:"), ("file:it?mode=memory", "file:")]
    {
        let (problem, message) = refusal(Path::new(name)).await;

        assert_eq!(problem, Problem::NotAFile);
        assert!(message.starts_with(shown), "{message}");
        assert!(
            message.ends_with(
                " is not a file. Name one that is there or can be made. \
                 A library in memory is Catalog::in_memory()."
            ),
            "{message}"
        );
        assert!(!Path::new(name).exists());
    }
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_device() -> Outcome {
    let (problem, message) = refusal(Path::new("/dev/null")).await;

    assert_eq!(problem, Problem::NotAFile);
    assert!(message.starts_with("null is not a file. Name one"), "{message}");
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_name_that_is_not_utf8() -> Outcome {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"libr\xe9.sqlite"));

    let (problem, message) = refusal(&path).await;

    assert_eq!(problem, Problem::NotUtf8);
    assert_eq!(
        message,
        "libr\u{fffd}.sqlite has a name that is not UTF-8, which SQLite cannot open. \
         Rename the file or its folder."
    );
    assert!(!path.exists());
    Ok(())
}

// Also for root: who may write to a file is not what makes SQLite only read this one.
#[tokio::test]
async fn a_file_in_a_format_that_sqlite_can_only_read() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    change(&path, "SELECT 1").await?;
    let mut bytes = std::fs::read(&path)?;
    // "If the write version is 3 or more, the database file must be treated as read-only":
    // https://www.sqlite.org/fileformat.html, section 1.3.3.
    bytes[18] = 3;
    std::fs::write(&path, bytes)?;

    let (problem, message) = refusal(&path).await;

    assert_eq!(problem, Problem::ReadOnly);
    assert!(message.starts_with("library.sqlite can be read but not written."), "{message}");
    Ok(())
}

/// A database that was made with these statements, and not as a library.
async fn theirs(path: &Path, statements: &'static str) -> Result<sqlx::SqlitePool, sqlx::Error> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let theirs = sqlx::SqlitePool::connect_with(options).await?;
    sqlx::raw_sql(statements).execute(&theirs).await?;
    Ok(theirs)
}

#[tokio::test]
async fn a_database_of_another_program_is_left_as_it_was() -> Outcome {
    let folder = tempfile::tempdir()?;
    for (taken, statements) in [
        ("book", "CREATE TABLE Book (id)"),
        ("book", "CREATE TABLE it (id); CREATE VIEW book AS SELECT id FROM it"),
        // The last table that a library makes: by then all the others would be there.
        ("book_instance", "CREATE TABLE book_instance (id)"),
        // It uses sqlx's migrations too, for tables of its own.
        (
            "_sqlx_migrations",
            "CREATE TABLE _sqlx_migrations (version, description, success, checksum);
             INSERT INTO _sqlx_migrations VALUES (1, 'guests', true, x'00')",
        ),
    ] {
        let path = folder.path().join("library.sqlite");
        let theirs = theirs(&path, statements).await?;
        let schema = "SELECT name FROM sqlite_schema";
        let before: Vec<String> = sqlx::query_scalar(schema).fetch_all(&theirs).await?;

        let (problem, message) = refusal(&path).await;

        assert_eq!(problem, Problem::Taken(taken));
        assert_eq!(
            message,
            format!(
                "library.sqlite has a table or a view `{taken}` of another program's. \
                 Choose another file."
            )
        );
        let after: Vec<String> = sqlx::query_scalar(schema).fetch_all(&theirs).await?;
        assert_eq!(after, before);
        theirs.close().await;
        std::fs::remove_file(&path)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_library_whose_tables_were_changed_by_hand() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    change(&path, "ALTER TABLE genre RENAME COLUMN name TO word").await?;

    let (problem, message) = refusal(&path).await;

    assert_eq!(problem, Problem::Other);
    assert_eq!(
        message,
        "library.sqlite could not be made ready as a library. \
         Choose another place, or move the file away to start with a fresh one. \
         The cause: no such column: name"
    );
    Ok(())
}

#[tokio::test]
async fn a_query_that_fails_while_serving() -> Outcome {
    let library = Catalog::in_memory().await?;
    let gone = "DROP TABLE book_instance";
    sqlx::raw_sql(gone).execute(library.pool()).await?;

    let error = library.counts().await.expect_err("it must be refused");

    assert!(matches!(error, Error::Query(_)));
    assert_eq!(error.to_string(), "The library's database did not answer.");
    let cause = std::error::Error::source(&error).expect("a cause").to_string();
    assert!(cause.contains("no such table: book_instance"), "{cause}");
    Ok(())
}

/// Permissions bind everyone but root, so these stories are played by a child process, which is
/// `nobody` where the tests run as root.
#[cfg(unix)]
mod permissions {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    const FILE: &str = "CATALOG_TEST_FILE";

    fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
        fs::set_permissions(path, Permissions::from_mode(mode))
    }

    /// Runs the ignored test `name` on `file`, without root's rights.
    fn play(name: &str, file: &Path) -> Outcome {
        let folder = file.parent().expect("a file in a folder");
        // `nobody` may not be let into the folder where cargo built this program.
        let program_folder = tempfile::tempdir()?;
        set_mode(program_folder.path(), 0o755)?;
        let program = program_folder.path().join("problems");
        // Another process copies. Were it this one, a child that another test starts meanwhile
        // could inherit the file open for writing, and what is open for writing cannot be run.
        let copied = Command::new("cp").arg(std::env::current_exe()?).arg(&program).status()?;
        assert!(copied.success());

        let mut child = Command::new(program);
        child.args(["--ignored", "--exact", name]).env(FILE, file).current_dir(folder);
        let this_is_root = fs::metadata(program_folder.path())?.uid() == 0;
        if this_is_root {
            child.uid(65534).gid(65534);
        }
        let output = child.output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("1 passed"), "{said}");
        Ok(())
    }

    fn file_to_play_on() -> Option<PathBuf> {
        std::env::var_os(FILE).map(PathBuf::from)
    }

    #[tokio::test]
    async fn a_file_that_may_only_be_read() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("library.sqlite");
        change(&path, "SELECT 1").await?;
        set_mode(folder.path(), 0o777)?;
        set_mode(&path, 0o444)?;

        play("permissions::the_file_is_read_only", &path)?;
        Ok(())
    }

    #[tokio::test]
    #[ignore = "a_file_that_may_only_be_read runs it"]
    async fn the_file_is_read_only() -> Outcome {
        let Some(path) = file_to_play_on() else { return Ok(()) };

        let (problem, message) = refusal(&path).await;

        assert_eq!(problem, Problem::ReadOnly);
        assert_eq!(
            message,
            "library.sqlite can be read but not written. \
             Allow writing to the file and its folder, or choose another place."
        );
        Ok(())
    }

    #[tokio::test]
    async fn a_folder_that_may_only_be_read() -> Outcome {
        let folder = tempfile::tempdir()?;
        set_mode(folder.path(), 0o555)?;

        let path = folder.path().join("library.sqlite");
        play("permissions::the_folder_is_read_only", &path)?;

        // Only its owner can remove a folder, and only from a folder that can be written.
        set_mode(folder.path(), 0o755)?;
        assert!(!path.exists());
        Ok(())
    }

    #[tokio::test]
    #[ignore = "a_folder_that_may_only_be_read runs it"]
    async fn the_folder_is_read_only() -> Outcome {
        let Some(path) = file_to_play_on() else { return Ok(()) };

        assert_eq!(refusal(&path).await.0, Problem::OutOfReach);
        Ok(())
    }
}
