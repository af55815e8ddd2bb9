//! The file of a library: who may read it, and what it holds once all is closed.

use std::path::Path;

use catalog::Catalog;

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn add_jules_verne(library: &Catalog) -> Outcome {
    let verne = "INSERT INTO author (first_name, last_name) VALUES ('Jules', 'Verne')";
    sqlx::raw_sql(verne).execute(library.pool()).await?;
    Ok(())
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

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

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
}
