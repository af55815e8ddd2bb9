//! The library's readers, and what they have borrowed.

use catalog::Catalog;

type Outcome = Result<(), Box<dyn std::error::Error>>;

#[tokio::test]
async fn readers_come_with_a_new_library_only() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    let library = Catalog::open(&path).await?;
    assert_eq!(library.loans().await?.len(), 4);
    sqlx::raw_sql("UPDATE book_instance SET borrower_id = NULL; DELETE FROM reader")
        .execute(library.pool())
        .await?;
    library.close().await;

    let library = Catalog::open(&path).await?;

    assert!(library.credentials("ada").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_number_is_never_given_to_a_second_reader() -> Outcome {
    let library = Catalog::in_memory().await?;
    let last = library.credentials("liz").await?.expect("she is in the sample").reader.id;

    sqlx::raw_sql("DELETE FROM reader WHERE name = 'liz'").execute(library.pool()).await?;
    sqlx::raw_sql("INSERT INTO reader (name, password_hash) VALUES ('zoe', '')")
        .execute(library.pool())
        .await?;

    assert!(library.reader(last).await?.is_none());
    assert!(library.credentials("zoe").await?.expect("she is new").reader.id > last);
    Ok(())
}

#[tokio::test]
async fn the_sample_loans_are_due_in_the_future_on_whatever_day_the_library_is_made() -> Outcome {
    let folder = tempfile::tempdir()?;
    let library = Catalog::open(folder.path().join("library.sqlite")).await?;

    let late: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM book_instance
         WHERE borrower_id IS NOT NULL AND due_back <= date('now', '+1 day')",
    )
    .fetch_one(library.pool())
    .await?;

    assert_eq!(late, 0);
    Ok(())
}

#[tokio::test]
async fn a_reader_who_has_books_cannot_be_deleted() -> Outcome {
    let library = Catalog::in_memory().await?;
    let delete = "DELETE FROM reader WHERE name = 'ada'";

    let error = sqlx::raw_sql(delete).execute(library.pool()).await.expect_err("she has books");

    assert!(error.as_database_error().expect("SQLite refused it").is_foreign_key_violation());
    Ok(())
}

#[tokio::test]
async fn a_copy_that_was_returned_is_on_the_shelf_and_no_loan() -> Outcome {
    let library = Catalog::in_memory().await?;
    let before = library.counts().await?.copies_available;
    let loan = library.loans_of(1).await?.remove(0);

    assert!(library.return_copy(&loan.copy_id).await?);

    assert_eq!(library.counts().await?.copies_available, before + 1);
    assert!(!library.loans_of(1).await?.contains(&loan));
    assert!(!library.return_copy("no such copy").await?);
    Ok(())
}

#[tokio::test]
async fn no_debug_output_shows_a_password_hash() -> Outcome {
    let library = Catalog::in_memory().await?;
    let found = library.credentials("ada").await?.expect("she is in the sample");

    assert!(!format!("{found:?}").contains("argon2"));
    Ok(())
}
