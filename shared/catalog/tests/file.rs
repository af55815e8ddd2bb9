//! The file of a library: who may read it, what it holds once all is closed, and what a visitor can
//! be told while it is out of reach.

use catalog::{Catalog, Error};

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn add_jules_verne(library: &Catalog) -> Outcome {
    let verne = "INSERT INTO author (first_name, last_name) VALUES ('Jules', 'Verne')";
    sqlx::raw_sql(verne).execute(library.pool()).await?;
    Ok(())
}

/// All connections that there are, so that the next query needs another one.
async fn all_connections(library: &Catalog) -> Result<Vec<impl Sized>, sqlx::Error> {
    let mut busy = vec![library.pool().acquire().await?];
    while busy.len() < library.pool().size() as usize {
        busy.push(library.pool().acquire().await?);
    }
    Ok(busy)
}

#[tokio::test]
async fn a_closed_library_is_one_file_that_can_be_copied() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    let library = Catalog::open(&path).await?;
    add_jules_verne(&library).await?;

    library.close().await;

    let copy = folder.path().join("copy.sqlite");
    std::fs::copy(&path, &copy)?;
    assert_eq!(Catalog::open(&copy).await?.counts().await?.authors, 19);
    Ok(())
}

#[tokio::test]
async fn closing_waits_for_what_is_under_way() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    let library = Catalog::open(&path).await?;
    let mut change = library.pool().begin().await?;
    let verne = "INSERT INTO author (first_name, last_name) VALUES ('Jules', 'Verne')";
    sqlx::raw_sql(verne).execute(&mut *change).await?;

    let closing = library.close();
    let ending = async {
        // Closing has begun: no query is let in any more, and this one is not cut short.
        assert!(library.counts().await.is_err());
        change.commit().await
    };
    let ((), ended) = tokio::join!(closing, ending);

    ended?;
    let library = Catalog::open(&path).await?;
    assert_eq!(library.counts().await?.authors, 19);
    Ok(())
}

#[tokio::test]
async fn a_library_that_is_out_of_reach_is_worth_another_try() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (here, away) = (folder.path().join("here"), folder.path().join("away"));
    std::fs::create_dir(&here)?;
    let path = here.join("library.sqlite");
    let library = Catalog::open(&path).await?;
    let _busy = all_connections(&library).await?;
    std::fs::rename(&here, &away)?;
    std::fs::create_dir(&here)?;

    let error = library.counts().await.expect_err("there is no file");

    assert!(matches!(error, Error::Query(_)));
    assert!(error.is_temporary(), "{error:?}");
    assert!(!path.exists(), "an empty file is not a library");
    std::fs::remove_dir(&here)?;
    std::fs::rename(&away, &here)?;
    assert_eq!(library.counts().await?.books, 29);
    Ok(())
}

#[tokio::test]
async fn tables_that_are_not_there_are_not_worth_another_try() -> Outcome {
    let library = Catalog::in_memory().await?;
    sqlx::raw_sql("DROP TABLE book_instance").execute(library.pool()).await?;

    let error = library.counts().await.expect_err("the copies are gone");

    assert!(!error.is_temporary());
    let error = Catalog::open("").await.expect_err("it has no name");
    assert!(!error.is_temporary());
    Ok(())
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;
    use std::process::Command;

    use super::*;

    const FILE: &str = "CATALOG_TEST_FILE";

    fn mode(path: &Path) -> u32 {
        let metadata = std::fs::metadata(path);
        metadata.expect("it is there").permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn only_its_owner_may_read_a_new_library() -> Outcome {
        let folder = tempfile::tempdir()?;
        let library = folder.path().join("library.sqlite");
        let link = folder.path().join("link.sqlite");
        symlink(&library, &link)?;

        let open = Catalog::open(&link).await?;
        add_jules_verne(&open).await?;

        assert_eq!(mode(&library), 0o600);
        assert_eq!(mode(&folder.path().join("library.sqlite-wal")), 0o600);
        assert_eq!(mode(&folder.path().join("library.sqlite-shm")), 0o600);
        Ok(())
    }

    #[tokio::test]
    async fn a_library_that_was_there_keeps_its_mode() -> Outcome {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("library.sqlite");
        Catalog::open(&path).await?.close().await;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664))?;

        let _open = Catalog::open(&path).await?;

        assert_eq!(mode(&path), 0o664);
        Ok(())
    }

    #[test]
    fn without_a_file_descriptor_it_is_worth_another_try() -> Outcome {
        let folder = tempfile::tempdir()?;
        let output = Command::new("sh")
            .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
            .arg(std::env::current_exe()?)
            .args(["--ignored", "--exact", "unix::all_file_descriptors_are_in_use"])
            .env(FILE, folder.path().join("library.sqlite"))
            .output()?;

        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("1 passed"), "{said}");
        Ok(())
    }

    #[tokio::test]
    #[ignore = "without_a_file_descriptor_it_is_worth_another_try runs it"]
    async fn all_file_descriptors_are_in_use() -> Outcome {
        let Some(path) = std::env::var_os(FILE) else { return Ok(()) };
        let library = Catalog::open(path).await?;
        let busy = all_connections(&library).await?;
        let mut taken = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            taken.push(file);
        }

        let error = library.counts().await.expect_err("no connection can be opened");
        assert!(error.is_temporary(), "{error:?}");

        drop((taken, busy));
        assert_eq!(library.counts().await?.books, 29);
        Ok(())
    }
}
