//! Lists, page by page, and single records.

use std::collections::HashSet;

use catalog::{Author, Book, BookOrder, Catalog, Error, Page, Status};

type Outcome = Result<(), Box<dyn std::error::Error>>;

const ORDERS: [BookOrder; 2] = [BookOrder::Title, BookOrder::Author];

async fn change(library: &Catalog, statement: &'static str) -> Outcome {
    sqlx::raw_sql(statement).execute(library.pool()).await?;
    Ok(())
}

/// Every page of the books, one after the other.
async fn all_books(library: &Catalog, order: BookOrder, per_page: u32) -> Vec<Page<Book>> {
    let mut pages = Vec::new();
    loop {
        let number = pages.len() as u64 + 1;
        let page = library.books(order, per_page, number).await.expect("the library answers");
        let is_last = page.number == page.of;
        pages.push(page);
        if is_last {
            return pages;
        }
    }
}

async fn book(library: &Catalog, title: &str) -> Book {
    let page = library.books(BookOrder::Title, 100, 1).await.expect("the library answers");
    page.items.into_iter().find(|book| book.title == title).expect("it is in the sample")
}

async fn author(library: &Catalog, name: &str) -> Author {
    let page = library.authors(100, 1).await.expect("the library answers");
    page.items.into_iter().find(|author| author.to_string() == name).expect("is in the sample")
}

#[tokio::test]
async fn twenty_nine_books_are_three_pages_of_ten() -> Outcome {
    let library = Catalog::in_memory().await?;

    for order in ORDERS {
        let pages = all_books(&library, order, 10).await;

        let lengths: Vec<usize> = pages.iter().map(|page| page.items.len()).collect();
        assert_eq!(lengths, [10, 10, 9]);
        for (page, number) in pages.iter().zip(1..) {
            assert_eq!((page.number, page.of, page.total), (number, 3, 29));
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_book_stands_on_exactly_one_page_however_long_a_page_is() -> Outcome {
    let library = Catalog::in_memory().await?;
    // The same title by the same author, and by nobody, twice each: only the id tells them apart.
    change(
        &library,
        "INSERT INTO book (title, author_id, summary, isbn) VALUES
             ('Emma', (SELECT id FROM author WHERE last_name = 'Austen'), '', '9780141439501'),
             ('Emma', NULL, '', '9780141439502'), ('Emma', NULL, '', '9780141439503')",
    )
    .await?;

    for order in ORDERS {
        let whole = library.books(order, 100, 1).await?.items;
        assert_eq!(whole.len(), 32);
        for per_page in [1, 2, 7, 10, 31, 32, 33] {
            let pages = all_books(&library, order, per_page).await;
            let books: Vec<Book> = pages.into_iter().flat_map(|page| page.items).collect();
            assert_eq!(books, whole, "{per_page} books a page");
            let ids: HashSet<i64> = books.iter().map(|book| book.id).collect();
            assert_eq!(ids.len(), 32);
        }
    }
    Ok(())
}

#[tokio::test]
async fn books_go_by_title_or_by_author_and_those_without_one_come_last() -> Outcome {
    let library = Catalog::in_memory().await?;

    let by_title = library.books(BookOrder::Title, 100, 1).await?.items;
    assert!(by_title.is_sorted_by_key(|book| book.title.clone()));

    let by_author = library.books(BookOrder::Author, 100, 1).await?.items;
    let (last, others) = by_author.split_last().expect("there are books");
    assert_eq!((&*last.title, &last.author), ("Beowulf", &None));
    assert!(others.is_sorted_by_key(|book| {
        let author = book.author.clone().expect("only Beowulf has none");
        (author.last_name, author.first_name, book.title.clone())
    }));
    assert_eq!(others[0].title, "Emma");
    Ok(())
}

#[tokio::test]
async fn authors_go_by_last_name_and_then_by_first_name() -> Outcome {
    let library = Catalog::in_memory().await?;

    let first = library.authors(10, 1).await?;
    let names: Vec<String> = first.items.iter().map(Author::to_string).collect();

    assert_eq!(names[..3], ["Austen, Jane", "Brontë, Charlotte", "Brontë, Emily"]);
    assert_eq!((first.number, first.of, first.total), (1, 2, 18));
    let second = library.authors(10, 2).await?;
    assert_eq!(second.items.len(), 8);
    assert_eq!(second.items[7].to_string(), "Wilde, Oscar");
    Ok(())
}

#[tokio::test]
async fn a_page_that_does_not_exist_is_empty_and_says_how_many_there_are() -> Outcome {
    let library = Catalog::in_memory().await?;

    for number in [0, 4, 99, i64::MAX.cast_unsigned(), u64::MAX] {
        for order in ORDERS {
            let page = library.books(order, 10, number).await?;
            assert!(!page.exists(), "page {number}");
            assert!(page.items.is_empty());
            assert_eq!((page.number, page.of, page.total), (number, 3, 29));
        }
        assert!(!library.authors(10, number).await?.exists());
    }
    Ok(())
}

#[tokio::test]
async fn the_last_page_is_the_last_also_when_it_is_full() -> Outcome {
    let library = Catalog::in_memory().await?;

    let page = library.authors(9, 2).await?;
    assert_eq!((page.items.len(), page.of), (9, 2));
    assert!(!library.authors(9, 3).await?.exists());

    let page = library.authors(18, 1).await?;
    assert_eq!((page.items.len(), page.of), (18, 1));
    Ok(())
}

#[tokio::test]
async fn no_length_of_a_page_is_too_short_or_too_long() -> Outcome {
    let library = Catalog::in_memory().await?;

    let page = library.books(BookOrder::Title, 0, 29).await?;
    assert_eq!((page.items.len(), page.of), (1, 29), "0 counts as 1");
    let page = library.books(BookOrder::Title, u32::MAX, 1).await?;
    assert_eq!((page.items.len(), page.of), (29, 1));
    Ok(())
}

#[tokio::test]
async fn an_empty_list_is_one_empty_page() -> Outcome {
    let library = Catalog::in_memory().await?;
    change(&library, "DELETE FROM book_instance; DELETE FROM book; DELETE FROM author;").await?;

    let page = library.books(BookOrder::Author, 10, 1).await?;
    assert!(page.exists() && page.items.is_empty());
    assert_eq!((page.of, page.total), (1, 0));
    assert!(library.authors(10, 1).await?.exists());
    assert!(!library.authors(10, 2).await?.exists());
    Ok(())
}

#[tokio::test]
async fn a_book_has_all_its_parts() -> Outcome {
    let library = Catalog::in_memory().await?;

    let id = book(&library, "Frankenstein").await.id;
    let book = library.book(id).await?.expect("it has just been listed");

    assert_eq!(book.title, "Frankenstein");
    assert_eq!(book.author, Some(author(&library, "Shelley, Mary").await));
    assert!(book.summary.starts_with("A student gives life to a being"));
    assert_eq!(book.isbn, "9780141439471");
    assert_eq!(book.language.as_deref(), Some("English"));
    assert_eq!(library.genres_of(id).await?, ["Gothic", "Horror", "Science Fiction"]);
    Ok(())
}

#[tokio::test]
async fn a_book_may_lack_an_author_a_language_genres_and_copies() -> Outcome {
    let library = Catalog::in_memory().await?;
    let beowulf = book(&library, "Beowulf").await;
    assert_eq!(beowulf.author, None);
    assert_eq!(beowulf.language.as_deref(), Some("Old English"));

    change(
        &library,
        "INSERT INTO book (title, summary, isbn) VALUES ('Bare', '', '9780000000000')",
    )
    .await?;
    let bare = book(&library, "Bare").await;
    assert_eq!((&bare.author, &bare.language), (&None, &None));
    assert!(library.genres_of(bare.id).await?.is_empty());
    assert!(library.copies_of(bare.id).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn copies_come_with_their_states_and_those_due_back_last() -> Outcome {
    let library = Catalog::in_memory().await?;

    let id = book(&library, "The War of the Worlds").await.id;
    let copies = library.copies_of(id).await?;

    let seen: Vec<_> = copies.iter().map(|copy| (copy.status, copy.due_back.as_deref())).collect();
    assert_eq!(
        seen,
        [
            (Status::Available, None),
            (Status::Reserved, Some("2027-03-15")),
            (Status::OnLoan, Some("2027-03-26")),
        ]
    );
    assert!(copies.iter().all(|copy| copy.imprint == "Penguin Classics, 2005"));
    assert_eq!(copies[0].id, "c19560f3-f413-41c2-a8f0-823288f98e03");

    let id = book(&library, "The Time Machine").await.id;
    let words: Vec<String> =
        library.copies_of(id).await?.iter().map(|copy| copy.status.to_string()).collect();
    assert_eq!(words, ["Available", "Maintenance", "On loan"]);
    assert_eq!(Status::Reserved.to_string(), "Reserved");
    Ok(())
}

#[tokio::test]
async fn an_author_has_life_dates_where_they_are_known_and_books_by_title() -> Outcome {
    let library = Catalog::in_memory().await?;

    let austen = author(&library, "Austen, Jane").await;
    assert_eq!(library.author(austen.id).await?, Some(austen.clone()));
    assert_eq!(austen.date_of_birth.as_deref(), Some("1775-12-16"));
    assert_eq!(austen.date_of_death.as_deref(), Some("1817-07-18"));
    let titles: Vec<String> =
        library.books_of(austen.id).await?.into_iter().map(|book| book.title).collect();
    assert_eq!(titles, ["Emma", "Persuasion", "Pride and Prejudice", "Sense and Sensibility"]);

    let cervantes = author(&library, "Cervantes, Miguel de").await;
    assert_eq!(cervantes.date_of_birth, None);
    Ok(())
}

#[tokio::test]
async fn an_id_that_nobody_has_is_none() -> Outcome {
    let library = Catalog::in_memory().await?;

    for id in [0, -1, 30, i64::MIN, i64::MAX] {
        assert_eq!(library.book(id).await?, None);
        assert_eq!(library.author(id).await?, None);
        assert!(library.books_of(id).await?.is_empty());
        assert!(library.genres_of(id).await?.is_empty());
        assert!(library.copies_of(id).await?.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_list_that_fails_says_so_and_a_whole_one_can_be_read_after_it() -> Outcome {
    let library = Catalog::in_memory().await?;
    change(&library, "ALTER TABLE author RENAME TO gone").await?;

    // The library in memory has one connection: a failed list that kept it would end the test.
    for order in ORDERS {
        let error = library.books(order, 10, 1).await.expect_err("the authors are gone");
        assert!(matches!(error, Error::Query(_)));
    }
    assert!(library.authors(10, 1).await.is_err());

    change(&library, "ALTER TABLE gone RENAME TO author").await?;
    assert_eq!(library.books(BookOrder::Title, 10, 1).await?.items.len(), 10);
    Ok(())
}

#[tokio::test]
async fn a_state_that_this_program_does_not_know_is_an_error_and_no_panic() -> Outcome {
    let library = Catalog::in_memory().await?;
    change(&library, "PRAGMA ignore_check_constraints = ON; UPDATE book_instance SET status = 'x'")
        .await?;

    let error = library.copies_of(1).await.expect_err("nobody knows x");

    let cause = std::error::Error::source(&error).expect("a cause").to_string();
    assert!(cause.contains("there is no status \"x\""), "{cause}");
    Ok(())
}
