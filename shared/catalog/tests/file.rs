//! The file of a library: who may read it.

use std::path::Path;

use catalog::Catalog;

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn add_jules_verne(library: &Catalog) -> Outcome {
    let verne = "INSERT INTO author (first_name, last_name) VALUES ('Jules', 'Verne')";
    sqlx::raw_sql(verne).execute(library.pool()).await?;
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
        Catalog::open(&path).await?.pool().close().await;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o664))?;

        let _open = Catalog::open(&path).await?;

        assert_eq!(mode(&path), 0o664);
        Ok(())
    }
}
