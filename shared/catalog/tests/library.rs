//! What a library holds, when it is new and after that.

use catalog::{Catalog, Counts};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const SAMPLE: Counts = Counts { books: 29, copies: 67, copies_available: 39, authors: 18 };

/// The first column of every row.
async fn column(library: &Catalog, query: &'static str) -> Vec<String> {
    sqlx::query_scalar(query).fetch_all(library.pool()).await.expect("the query fits the tables")
}

async fn change(library: &Catalog, statement: &'static str) -> Result<(), sqlx::Error> {
    let result = sqlx::raw_sql(statement).execute(library.pool()).await;
    result.map(drop)
}

#[tokio::test]
async fn a_new_file_is_filled_with_the_sample() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");

    let library = Catalog::open(&path).await?;

    assert!(path.exists());
    assert_eq!(library.counts().await?, SAMPLE);
    Ok(())
}

#[tokio::test]
async fn a_library_can_be_opened_and_counted_in_a_task_of_its_own() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");

    let task = tokio::spawn(async move { Catalog::open(path).await?.counts().await });

    assert_eq!(task.await??, SAMPLE);
    Ok(())
}

#[tokio::test]
async fn a_second_start_finds_the_same_library() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    let library = Catalog::open(&path).await?;
    let copies = column(&library, "SELECT id FROM book_instance ORDER BY id").await;
    library.close().await;

    let library = Catalog::open(&path).await?;

    assert_eq!(library.counts().await?, SAMPLE);
    assert_eq!(column(&library, "SELECT id FROM book_instance ORDER BY id").await, copies);
    Ok(())
}

#[tokio::test]
async fn a_library_that_was_emptied_stays_empty() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    let library = Catalog::open(&path).await?;
    let everything = "DELETE FROM book_instance; DELETE FROM book; DELETE FROM author;";
    change(&library, everything).await?;
    library.close().await;

    let library = Catalog::open(&path).await?;

    let counts = library.counts().await?;
    assert_eq!((counts.books, counts.copies, counts.authors), (0, 0, 0));
    Ok(())
}

#[tokio::test]
async fn a_library_in_memory_is_filled_and_private() -> Outcome {
    let library = Catalog::in_memory().await?;
    let other = Catalog::in_memory().await?;

    change(&library, "DELETE FROM book_instance").await?;

    assert_eq!(library.counts().await?.copies, 0);
    assert_eq!(other.counts().await?, SAMPLE);
    Ok(())
}

#[tokio::test]
async fn every_kind_of_record_is_counted_for_itself() -> Outcome {
    let library = Catalog::in_memory().await?;

    change(
        &library,
        "INSERT INTO author (first_name, last_name) VALUES ('Jules', 'Verne');
         UPDATE book_instance SET status = 'o' WHERE status = 'r';
         DELETE FROM book_instance WHERE id = (SELECT id FROM book_instance WHERE status = 'a');",
    )
    .await?;

    let counts = library.counts().await?;
    assert_eq!(
        counts,
        Counts {
            copies: SAMPLE.copies - 1,
            copies_available: SAMPLE.copies_available - 1,
            authors: SAMPLE.authors + 1,
            ..SAMPLE
        }
    );
    Ok(())
}

#[tokio::test]
async fn the_file_outlives_a_power_cut_and_readers_never_wait() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("library.sqlite");
    let library = Catalog::open(&path).await?;

    // Two at once: the pool's second connection was not the one that made the file.
    let mut first = library.pool().acquire().await?;
    let mut second = library.pool().acquire().await?;

    for connection in [&mut *first, &mut *second] {
        let (journal, synchronous, foreign_keys, busy_timeout): (String, i64, i64, i64) =
            sqlx::query_as(
                "SELECT journal_mode, synchronous, foreign_keys, timeout
                 FROM pragma_journal_mode, pragma_synchronous,
                      pragma_foreign_keys, pragma_busy_timeout",
            )
            .fetch_one(connection)
            .await?;
        assert_eq!(journal, "wal");
        assert_eq!(synchronous, 2, "2 is FULL");
        assert_eq!(foreign_keys, 1);
        assert_eq!(busy_timeout, 5000, "milliseconds");
    }
    Ok(())
}

#[tokio::test]
async fn the_sample_fills_three_pages_of_ten() -> Outcome {
    let library = Catalog::in_memory().await?;

    let counts = library.counts().await?;
    assert!(counts.books >= 25);
    assert!(counts.authors >= 12);
    assert!(counts.copies >= 60);
    let states = "SELECT DISTINCT status FROM book_instance ORDER BY status";
    assert_eq!(column(&library, states).await, ["a", "d", "o", "r"]);
    Ok(())
}

#[tokio::test]
async fn every_isbn_of_the_sample_has_a_valid_check_digit() -> Outcome {
    let library = Catalog::in_memory().await?;

    let isbns = column(&library, "SELECT isbn FROM book").await;

    assert_eq!(isbns.len(), 29);
    for isbn in isbns {
        let digits: Vec<u32> = isbn.chars().filter_map(|digit| digit.to_digit(10)).collect();
        assert_eq!(digits.len(), 13, "{isbn}");
        // ISO 2108: digits count once and three times in turn, and ten divides the sum.
        let weights = [1, 3].into_iter().cycle();
        let sum: u32 = digits.iter().zip(weights).map(|(digit, w)| digit * w).sum();
        assert_eq!(sum % 10, 0, "{isbn}");
    }
    Ok(())
}

// The sample names its rows by title and name, so a misspelt one would leave a gap.
#[tokio::test]
async fn no_record_of_the_sample_misses_a_part() -> Outcome {
    let library = Catalog::in_memory().await?;
    let nothing: [&str; 0] = [];

    let anonymous = "SELECT title FROM book WHERE author_id IS NULL";
    assert_eq!(column(&library, anonymous).await, ["Beowulf"]);
    let no_language = "SELECT title FROM book WHERE language_id IS NULL";
    assert_eq!(column(&library, no_language).await, nothing);
    let no_copy = "SELECT title FROM book WHERE id NOT IN (SELECT book_id FROM book_instance)";
    assert_eq!(column(&library, no_copy).await, nothing);
    let no_genre = "SELECT title FROM book WHERE id NOT IN (SELECT book_id FROM book_genre)";
    assert_eq!(column(&library, no_genre).await, nothing);
    let no_book = "SELECT id FROM book_instance WHERE book_id IS NULL";
    assert_eq!(column(&library, no_book).await, nothing);
    let no_death = "SELECT last_name FROM author WHERE date_of_death IS NULL";
    assert_eq!(column(&library, no_death).await, nothing);
    let idle = "SELECT last_name FROM author WHERE id NOT IN
                (SELECT author_id FROM book WHERE author_id IS NOT NULL)";
    assert_eq!(column(&library, idle).await, nothing);
    Ok(())
}

#[tokio::test]
async fn a_copy_is_due_back_when_it_is_on_loan_or_reserved() -> Outcome {
    let library = Catalog::in_memory().await?;

    let due = "SELECT DISTINCT status FROM book_instance
               WHERE due_back IS NOT NULL ORDER BY status";
    assert_eq!(column(&library, due).await, ["o", "r"]);
    let not_due = "SELECT DISTINCT status FROM book_instance
                   WHERE due_back IS NULL ORDER BY status";
    assert_eq!(column(&library, not_due).await, ["a", "d"]);
    Ok(())
}

#[tokio::test]
async fn a_new_library_has_three_late_copies_on_whatever_day_it_is_made() -> Outcome {
    let folder = tempfile::tempdir()?;
    let library = Catalog::open(folder.path().join("library.sqlite")).await?;

    let late = "SELECT imprint FROM book_instance WHERE due_back < date('now')";
    assert_eq!(column(&library, late).await.len(), 3);
    // Twenty if midnight has passed since.
    let next = "SELECT imprint FROM book_instance
                WHERE due_back BETWEEN date('now', '+20 days') AND date('now', '+21 days')";
    assert_eq!(column(&library, next).await.len(), 1);
    let others = "SELECT imprint FROM book_instance WHERE due_back > date('now', '+21 days')";
    assert_eq!(column(&library, others).await.len(), 18);
    Ok(())
}

#[tokio::test]
async fn the_sample_has_titles_that_a_page_must_escape() -> Outcome {
    let library = Catalog::in_memory().await?;

    let titles = column(&library, "SELECT title FROM book").await;

    for character in ['&', '\'', 'é'] {
        assert!(titles.iter().any(|title| title.contains(character)));
    }
    Ok(())
}

#[tokio::test]
async fn a_genre_and_a_language_exist_once_in_any_case() -> Outcome {
    let library = Catalog::in_memory().await?;

    for statement in [
        "INSERT INTO genre (name) VALUES ('gOTHIC')",
        "INSERT INTO language (name) VALUES ('english')",
    ] {
        let error = change(&library, statement).await.expect_err("it must be refused");
        assert!(error.as_database_error().expect("SQLite refused it").is_unique_violation());
    }
    Ok(())
}

#[tokio::test]
async fn an_isbn_has_13_characters_and_belongs_to_one_book() -> Outcome {
    let library = Catalog::in_memory().await?;

    for statement in [
        "INSERT INTO book (title, summary, isbn) VALUES ('Short', '', '978014143951')",
        "INSERT INTO book (title, summary, isbn) VALUES ('Long', '', '97801414395180')",
    ] {
        let error = change(&library, statement).await.expect_err("it must be refused");
        assert!(error.as_database_error().expect("SQLite refused it").is_check_violation());
    }
    let again = "INSERT INTO book (title, summary, isbn) VALUES ('Again', '', '9780141439518')";
    let error = change(&library, again).await.expect_err("it must be refused");
    assert!(error.as_database_error().expect("SQLite refused it").is_unique_violation());
    Ok(())
}

#[tokio::test]
async fn a_state_or_a_date_that_does_not_exist_is_refused() -> Outcome {
    let library = Catalog::in_memory().await?;

    for statement in [
        "UPDATE book_instance SET status = 'x'",
        "UPDATE book_instance SET due_back = '2027-02-30'",
        "UPDATE book_instance SET due_back = 'soon'",
        "UPDATE author SET date_of_birth = '16 Dec 1775'",
        "UPDATE author SET date_of_death = '1817-7-18'",
    ] {
        let error = change(&library, statement).await.expect_err("it must be refused");
        assert!(
            error.as_database_error().expect("SQLite refused it").is_check_violation(),
            "{statement}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_book_outlives_its_author_but_not_before_its_copies() -> Outcome {
    let library = Catalog::in_memory().await?;

    let error = change(&library, "DELETE FROM book WHERE title = 'Dracula'")
        .await
        .expect_err("it must be refused");
    assert!(error.as_database_error().expect("SQLite refused it").is_foreign_key_violation());

    let author = "DELETE FROM author WHERE last_name = 'Stoker'";
    change(&library, author).await?;
    let language = "DELETE FROM language WHERE name = 'English'";
    change(&library, language).await?;
    let dracula = "SELECT title FROM book
                   WHERE title = 'Dracula' AND author_id IS NULL AND language_id IS NULL";
    assert_eq!(column(&library, dracula).await, ["Dracula"]);
    Ok(())
}

#[tokio::test]
async fn a_page_of_books_or_authors_is_read_without_sorting() -> Outcome {
    let library = Catalog::in_memory().await?;

    for (list, index) in [
        (
            "EXPLAIN QUERY PLAN SELECT * FROM book ORDER BY title, author_id, id LIMIT 10",
            "SCAN book USING INDEX book_by_title",
        ),
        (
            "EXPLAIN QUERY PLAN SELECT * FROM author ORDER BY last_name, first_name, id LIMIT 10",
            "SCAN author USING INDEX author_by_name",
        ),
    ] {
        let plan: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(list).fetch_all(library.pool()).await?;
        let steps: Vec<String> = plan.into_iter().map(|(_, _, _, step)| step).collect();
        assert_eq!(steps, [index]);
    }
    Ok(())
}
