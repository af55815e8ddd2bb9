//! Chapter 8's promises: the catalogue reads as each visitor likes it, with and without cookies.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use axum::http::StatusCode;
use browser::{Browser, Page};
use catalog::Catalog;
use chapter_8::Notice;
use insta::assert_snapshot;
use programs::chapter;
#[cfg(unix)]
use programs::{Server, Signal};
use sessions::{Id, MemoryStore, Outcome, Record, SqliteStore, Store, StoreError, Version};
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tokio::sync::Barrier;

const CLOSING_EARLY: Notice =
    Notice { number: 1, text: "From 24 December to 1 January the library closes at 2 p.m." };
const OPEN_LATE: Notice = Notice { number: 2, text: "On Fridays the library is open until 22." };

async fn library() -> Catalog {
    Catalog::in_memory().await.expect("a library in memory")
}

async fn open() -> Browser {
    Browser::open(chapter_8::app(library().await, MemoryStore::default(), CLOSING_EARLY))
}

/// A server's sessions, reached behind its back.
struct Table {
    folder: TempDir,
    rows: SqlitePool,
}

impl Table {
    async fn new() -> Table {
        let folder = TempDir::new().expect("a folder for the database");
        let file = folder.path().join("library.sqlite");
        SqliteStore::open(&file).await.expect("the store makes its table");
        let rows = SqlitePool::connect_lazy_with(SqliteConnectOptions::new().filename(file));
        Table { folder, rows }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("library.sqlite")
    }

    /// A visitor of a server that was started over this file, with this notice.
    async fn visitor(&self, notice: Notice) -> Browser {
        let store = SqliteStore::open(self.file()).await.expect("the store opens");
        Browser::open(chapter_8::app(library().await, store, notice))
    }

    /// What the only session holds, as JSON.
    async fn data(&self) -> String {
        let all = self.all().await;
        let [(data, _)] = &all[..] else { panic!("one session, not {all:?}") };
        data.clone()
    }

    /// Data and version of every row.
    async fn all(&self) -> Vec<(String, i64)> {
        sqlx::query_as("SELECT data, version FROM session")
            .fetch_all(&self.rows)
            .await
            .expect("the table session")
    }

    /// Puts there what another version of the program has left.
    async fn put(&self, data: &str) {
        let put = sqlx::query("UPDATE session SET data = ?").bind(data).execute(&self.rows).await;
        assert_eq!(put.expect("the table session").rows_affected(), 1);
    }
}

/// The same visitor, after the server was started again.
async fn come_back(visitor: &Browser, to: &mut Browser, path: &str) {
    let cookie = format!("chapter8={}", visitor.cookie("chapter8").expect("a session cookie"));
    to.get_with(path, &[("cookie", cookie.as_bytes())]).await;
}

async fn choose(visitor: &mut Browser, per_page: &str, order: &str, theme: &str) {
    let form = [("per_page", per_page), ("order", order), ("theme", theme)];
    visitor.post("/preferences", &form).await;
}

/// How the list of books on this page reads: its length, its first book, its theme.
fn reads(page: &Page) -> (usize, String, Option<String>) {
    assert_eq!(page.status(), StatusCode::OK);
    let books = page.texts("main li a");
    let theme = page.attributes("html", "data-theme").pop();
    (books.len(), books.first().cloned().unwrap_or_default(), theme)
}

/// What a newcomer gets, and anybody whose choice cannot be known.
fn defaults() -> (usize, String, Option<String>) {
    (10, "A Tale of Two Cities".to_owned(), None)
}

fn has_notice(page: &Page) -> bool {
    page.has("aside.notice")
}

#[tokio::test]
async fn a_newcomer_reads_ten_books_a_page_by_title() {
    let mut visitor = open().await;
    visitor.get("/books").await;
    assert_eq!(reads(visitor.page()), defaults());
    assert_snapshot!("what_you_see", visitor.page().text());
    assert_snapshot!("the_page", visitor.page().html());
}

#[tokio::test]
async fn next_and_previous_lead_through_all_books_and_back() {
    let mut visitor = open().await;
    visitor.get("/books").await;
    let mut seen = visitor.page().texts("main li a");
    assert!(!visitor.page().has("a[rel=prev]"));
    while let Some(next) = visitor.page().attributes("a[rel=next]", "href").pop() {
        visitor.get(&next).await;
        seen.extend(visitor.page().texts("main li a"));
    }
    assert_eq!(visitor.page().texts(".pages span"), ["Page 3 of 3"]);
    assert_eq!(seen.len(), 29);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 29, "no book stands on two pages");

    while let Some(previous) = visitor.page().attributes("a[rel=prev]", "href").pop() {
        visitor.get(&previous).await;
    }
    assert_eq!(reads(visitor.page()), defaults());

    visitor.get("/authors").await;
    assert_eq!(visitor.page().texts("main li").len(), 10);
    visitor.get("/authors?page=2").await;
    assert_eq!(visitor.page().texts("main li").len(), 8);
}

#[tokio::test]
async fn what_a_visitor_chooses_holds_on_every_page() {
    let mut visitor = open().await;
    choose(&mut visitor, "5", "author", "light").await;
    visitor.follow().await;
    assert_eq!(reads(visitor.page()), (5, "Emma".to_owned(), Some("light".to_owned())));
    choose(&mut visitor, "5", "author", "dark").await;
    assert_snapshot!("preferences_are_set", visitor.transcript());

    visitor.get("/preferences").await;
    assert_snapshot!("the_form", visitor.page().text());
    assert_snapshot!("the_form_page", visitor.page().html());

    visitor.get("/authors").await;
    assert_eq!(visitor.page().texts("main li").len(), 5);
    for path in ["/", "/books/1", "/authors/1", "/books/999", "/books?page=99"] {
        let page = visitor.get(path).await;
        assert_eq!(page.attributes("html", "data-theme"), ["dark"], "{path}");
    }

    choose(&mut visitor, "100", "title", "light").await;
    visitor.follow().await;
    let all = (29, "A Tale of Two Cities".to_owned(), Some("light".to_owned()));
    assert_eq!(reads(visitor.page()), all);
    assert!(!visitor.page().has(".pages"), "there is one page only");
}

#[tokio::test]
async fn the_choice_is_one_visitors_and_survives_a_restart() {
    let table = Table::new().await;
    let mut visitor = table.visitor(CLOSING_EARLY).await;
    choose(&mut visitor, "7", "author", "light").await;

    let mut stranger = visitor.private_window();
    assert_eq!(reads(stranger.get("/books").await), defaults());

    let mut later = table.visitor(CLOSING_EARLY).await;
    come_back(&visitor, &mut later, "/books").await;
    assert_eq!(reads(later.page()), (7, "Emma".to_owned(), Some("light".to_owned())));
}

#[tokio::test]
async fn with_cookies_no_link_carries_a_preference() {
    let mut visitor = open().await;
    choose(&mut visitor, "5", "author", "dark").await;
    // It is not known yet whether the cookie is kept: this once, they travel in the address too.
    let carrying = "/books?per_page=5&order=author&theme=dark&dismissed=0";
    assert_eq!(visitor.page().header("location"), Some(carrying));

    visitor.follow().await;
    assert!(!visitor.page().has("a[href*=per_page]"), "{}", visitor.page().body());
    assert!(!visitor.page().text().contains("come from the address"));
    assert_eq!(visitor.page().attributes("a[rel=next]", "href"), ["/books?page=2"]);

    choose(&mut visitor, "20", "title", "system").await;
    assert_eq!(visitor.page().header("location"), Some("/books"));
    visitor.post("/books?page=2", &[("notice", "1")]).await;
    assert_eq!(visitor.page().header("location"), Some("/books?page=2"));
}

#[tokio::test]
async fn without_cookies_the_preferences_travel_in_the_links() {
    let mut visitor = open().await.refusing_cookies();
    visitor.post("/", &[("notice", "1")]).await;
    visitor.follow().await;
    visitor.take_transcript();

    let save = "/preferences?per_page=10&order=title&theme=system&dismissed=1";
    assert!(visitor.page().attributes("nav a", "href").contains(&save.to_owned()));
    visitor.post(save, &[("per_page", "5"), ("order", "author"), ("theme", "dark")]).await;
    visitor.follow().await;
    assert_snapshot!("without_cookies", visitor.transcript());
    assert_eq!(reads(visitor.page()), (5, "Emma".to_owned(), Some("dark".to_owned())));

    // Every way on, to the end of the list and to a book, keeps all four.
    let carried = "per_page=5&order=author&theme=dark&dismissed=1";
    for address in visitor.page().attributes("nav a, main a", "href") {
        assert!(address.ends_with(carried), "{address}");
        let page = visitor.get(&address).await;
        assert_eq!(page.status(), StatusCode::OK, "{address}");
        assert_eq!(page.attributes("html", "data-theme"), ["dark"], "{address}");
        assert!(!has_notice(page), "{address}");
        assert!(page.text().contains("your browser keeps no cookies"), "{address}");
    }
    let last = format!("/books?page=6&{carried}");
    assert_eq!(visitor.get(&last).await.texts("main li").len(), 4);

    // And back to the defaults, where nothing has to travel.
    let save = format!("/preferences?{carried}");
    let form = [("per_page", "10"), ("order", "title"), ("theme", "system")];
    visitor.post(&save, &form).await;
    visitor.follow().await;
    assert_eq!(reads(visitor.page()), defaults());
    assert!(!has_notice(visitor.page()), "the notice stays dismissed");
}

#[tokio::test]
async fn a_link_of_somebody_elses_changes_nothing_that_a_visitor_chose() {
    let table = Table::new().await;
    let shared = "/books?per_page=50&order=author&theme=dark&dismissed=9";
    let mut visitor = table.visitor(CLOSING_EARLY).await;
    choose(&mut visitor, "5", "title", "light").await;
    let before = table.all().await;

    visitor.get_from_another_site(shared).await;
    let mine = (5, "A Tale of Two Cities".to_owned(), Some("light".to_owned()));
    assert_eq!(reads(visitor.page()), mine);
    assert!(has_notice(visitor.page()));
    assert!(!visitor.page().has("a[href*=per_page]"));
    assert_eq!(table.all().await, before);

    // Who has chosen nothing yet sees what the link says, is told so, and nothing is kept of it.
    let mut newcomer = visitor.private_window();
    newcomer.get_from_another_site(shared).await;
    assert_eq!(reads(newcomer.page()), (29, "Emma".to_owned(), Some("dark".to_owned())));
    assert!(newcomer.page().text().contains("come from the address of this page"));
    assert!(newcomer.page().set_cookies().is_empty());
    assert_eq!(table.all().await, before);
    newcomer.get("/books").await;
    assert_eq!(reads(newcomer.page()), defaults());

    // A visitor who presses a button there keeps what they saw.
    newcomer.post(shared, &[("notice", "1")]).await;
    newcomer.get("/books").await;
    assert_eq!(reads(newcomer.page()), (29, "Emma".to_owned(), Some("dark".to_owned())));
    // But no link dismisses a notice that is yet to come.
    let mut later = table.visitor(OPEN_LATE).await;
    come_back(&newcomer, &mut later, "/books").await;
    assert!(has_notice(later.page()));
}

#[tokio::test]
async fn a_dismissed_notice_stays_dismissed_for_this_visitor() {
    let mut visitor = open().await;
    visitor.get("/").await;
    assert!(has_notice(visitor.page()));
    visitor.take_transcript();
    visitor.post("/", &[("notice", "1")]).await;
    visitor.follow().await;
    visitor.get("/").await;
    assert_snapshot!("the_notice_is_dismissed", visitor.transcript());

    for path in ["/", "/books", "/books/1", "/authors?page=2", "/authors/1", "/books/999"] {
        assert!(!has_notice(visitor.get(path).await), "{path}");
        assert!(!has_notice(visitor.second_tab().get(path).await), "{path} in another tab");
        assert!(has_notice(visitor.private_window().get(path).await), "{path} to a stranger");
    }
    // Later choices leave it dismissed.
    choose(&mut visitor, "20", "title", "dark").await;
    assert!(!has_notice(visitor.follow().await));
}

#[tokio::test]
async fn a_new_notice_shows_also_to_those_who_dismissed_the_old_one() {
    let table = Table::new().await;
    let mut visitor = table.visitor(CLOSING_EARLY).await;
    choose(&mut visitor, "20", "title", "dark").await;
    visitor.post("/", &[("notice", "1")]).await;

    let mut later = table.visitor(OPEN_LATE).await;
    come_back(&visitor, &mut later, "/books").await;
    assert_eq!(later.page().texts("aside.notice p"), [OPEN_LATE.text]);
    assert_eq!(reads(later.page()).0, 20, "the preferences are still there");
}

#[tokio::test]
async fn only_the_notice_that_was_on_the_page_is_dismissed() {
    let mut visitor =
        Browser::open(chapter_8::app(library().await, MemoryStore::default(), OPEN_LATE));
    // A page from before the new notice is still open, in another tab.
    visitor.post("/", &[("notice", "1")]).await;
    assert!(has_notice(visitor.follow().await));
    // And a notice that is yet to come cannot be dismissed before it is there.
    visitor.post("/", &[("notice", "4294967295")]).await;
    let dismissed = "/?per_page=10&order=title&theme=system&dismissed=2";
    visitor.private_window().post("/", &[("notice", "4294967295")]).await;
    let mut refuser = visitor.private_window().refusing_cookies();
    refuser.post("/", &[("notice", "4294967295")]).await;
    assert_eq!(refuser.page().header("location"), Some(dismissed));

    visitor.post("/", &[("notice", "1")]).await;
    assert!(!has_notice(visitor.follow().await), "an old page brings no notice back");
}

#[tokio::test]
async fn dismissing_the_notice_leads_back_to_the_page_it_was_on() {
    let mut visitor = open().await;
    for path in ["/", "/books", "/books/3", "/authors/3"] {
        let back = format!("{path}?per_page=10&order=title&theme=system&dismissed=1");
        let mut newcomer = visitor.private_window();
        newcomer.post(path, &[("notice", "1")]).await;
        assert_eq!(newcomer.page().header("location"), Some(&*back));
        // The form on the page says the same as this test.
        assert!(visitor.get(path).await.has("aside form[method=post]:not([action])"));
        assert_eq!(visitor.page().attributes("aside input", "value"), ["1"]);
    }
    visitor.post("/authors?page=2&back=//elsewhere.example", &[("notice", "1")]).await;
    let back = "/authors?page=2&per_page=10&order=title&theme=system&dismissed=1";
    assert_eq!(visitor.page().header("location"), Some(back));
}

#[tokio::test]
async fn a_form_that_says_nonsense_is_explained_and_changes_nothing() {
    let table = Table::new().await;
    let mut visitor = table.visitor(CLOSING_EARLY).await;
    choose(&mut visitor, "5", "author", "dark").await;
    let before = table.all().await;

    let nonsense: [&[(&str, &str)]; 13] = [
        &[("per_page", "0")],
        &[("per_page", "-1")],
        &[("per_page", "101")],
        &[("per_page", "10000000")],
        &[("per_page", "99999999999999999999")],
        &[("per_page", "1.5")],
        &[("per_page", "many")],
        &[("per_page", "")],
        &[("per_page", "20"), ("per_page", "30")],
        &[("order", "price")],
        &[("order", "")],
        &[("theme", "Dark")],
        &[("per_page", "20"), ("order", "title"), ("theme", "\"><script>alert(1)</script>")],
    ];
    for form in nonsense {
        let page = visitor.post("/preferences", form).await;
        assert_eq!(page.status(), StatusCode::UNPROCESSABLE_ENTITY, "{form:?}");
        assert!(page.text().contains("Nothing was saved. Results per page are"), "{form:?}");
        assert!(!page.has("script"), "{form:?}");
        // The field holds what was typed, for the visitor to correct. A field that came twice is
        // what no browser sends.
        let typed = form.iter().find(|(name, _)| *name == "per_page").map(|(_, typed)| *typed);
        let comes_twice = form.iter().filter(|(name, _)| *name == "per_page").count() > 1;
        let typed = typed.filter(|_| !comes_twice).unwrap_or_default();
        assert_eq!(page.attributes("input[name=per_page]", "value"), [typed], "{form:?}");
        assert!(page.set_cookies().is_empty(), "{form:?}");
    }
    assert_snapshot!("the_refused_form", visitor.page().text());
    let form = [("per_page", "%FF\u{0}")];
    assert!(visitor.post("/preferences", &form).await.status().is_client_error());
    for notice in ["", "-1", "one", "4294967296"] {
        visitor.post("/", &[("notice", notice)]).await;
        assert!(visitor.page().status().is_client_error(), "{notice:?}");
    }
    assert_eq!(table.all().await, before);
}

#[tokio::test]
async fn the_fewest_and_the_most_results_per_page_are_taken() {
    let mut visitor = open().await;
    for (per_page, expected) in [("1", 1), ("100", 29)] {
        choose(&mut visitor, per_page, "title", "system").await;
        assert_eq!(reads(visitor.follow().await).0, expected);
    }
}

#[tokio::test]
async fn a_link_that_says_nonsense_counts_as_none() {
    let mut visitor = open().await;
    for query in [
        "per_page=0",
        "per_page=-1",
        "per_page=10000000",
        "per_page=many",
        "per_page=",
        "per_page=20&per_page=30",
        "per_page[]=20",
        "order=price",
        "order=title&order=author",
        "theme=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "dismissed=all",
        "dismissed=-1",
        "%FF=%FF&%",
        "&&&=&",
        "colour=red",
    ] {
        let page = visitor.get(&format!("/books?{query}")).await;
        assert_eq!(reads(page), defaults(), "{query}");
        assert!(!page.has("a[href*=per_page]"), "{query}");
        assert!(!page.has("main script") && !page.body().contains("alert"), "{query}");
    }
    // Half a link is no nonsense: what it leaves out has its default.
    let page = visitor.get("/books?per_page=3").await;
    assert_eq!(reads(page), (3, "A Tale of Two Cities".to_owned(), None));
}

#[tokio::test]
async fn a_page_that_the_list_does_not_have_is_a_404_with_a_way_to_the_last_one() {
    let mut visitor = open().await;
    visitor.get("/books?page=99").await;
    assert_snapshot!("page_99_of_3", visitor.transcript());
    let way = visitor.page().attributes("main p a", "href");
    assert_eq!(way, ["/books?page=3"]);
    assert_eq!(reads(visitor.get(&way[0]).await).0, 9);

    for page in [
        "0",
        "-1",
        "4",
        "99",
        "18446744073709551615",
        "18446744073709551616",
        "two",
        "",
        "1.5",
        "1&page=2",
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "%FF",
    ] {
        for (list, last) in [("/books", "/books?page=3"), ("/authors", "/authors?page=2")] {
            let answer = visitor.get(&format!("{list}?page={page}")).await;
            assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{page}");
            assert!(answer.text().contains("This list has no such page."), "{page}");
            assert_eq!(answer.attributes("main p a", "href"), [last], "{page}");
            assert!(!answer.has("script") && !answer.body().contains("alert"), "{page}");
        }
    }

    // How many pages there are is up to the visitor.
    choose(&mut visitor, "20", "title", "dark").await;
    assert_eq!(visitor.get("/books?page=3").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(visitor.page().attributes("main p a", "href"), ["/books?page=2"]);
    choose(&mut visitor, "100", "title", "dark").await;
    assert_eq!(visitor.get("/books?page=2").await.status(), StatusCode::NOT_FOUND);
    assert!(visitor.page().text().contains("It has only one."));
}

#[tokio::test]
async fn a_book_and_an_author_have_their_own_pages() {
    let mut visitor = open().await;
    visitor.post("/", &[("notice", "1")]).await;
    choose(&mut visitor, "100", "title", "system").await;
    visitor.follow().await;
    let books = visitor.page().texts("main li a");
    let addresses = visitor.page().attributes("main li a", "href");
    let address_of = |title: &str| {
        let at = books.iter().position(|book| book == title).expect("it is listed");
        addresses[at].clone()
    };

    visitor.get(&address_of("The War of the Worlds")).await;
    assert_snapshot!("a_book", visitor.page().text());
    let author = visitor.page().attributes("main dd a", "href");
    visitor.get(&author[0]).await;
    assert_snapshot!("an_author", visitor.page().text());
    assert!(
        visitor.page().attributes("main li a", "href").contains(&address_of("The Time Machine"))
    );

    visitor.get(&address_of("Beowulf")).await;
    assert_eq!(visitor.page().status(), StatusCode::OK);
    assert!(visitor.page().text().contains("Author\n  not known"), "{}", visitor.page().text());

    for address in &addresses {
        assert_eq!(visitor.get(address).await.status(), StatusCode::OK, "{address}");
    }
}

#[tokio::test]
async fn an_unknown_book_or_author_is_a_calm_404() {
    let mut visitor = open().await;
    for id in ["0", "-1", "999", "99999999999999999999", "emma", "1.5", "1%2F2", "%3Cscript%3E"] {
        for (list, words) in [
            ("/books", "This library has no such book."),
            ("/authors", "This library has no such author."),
        ] {
            let page = visitor.get(&format!("{list}/{id}")).await;
            assert_eq!(page.status(), StatusCode::NOT_FOUND, "{list}/{id}");
            assert!(page.text().contains(words), "{list}/{id}");
            assert_eq!(page.attributes("main p a", "href"), [list]);
            assert!(!page.has("script"), "{list}/{id}");
        }
    }
    assert_eq!(visitor.get("/books/").await.status(), StatusCode::NOT_FOUND);
    for path in ["/books/%FF", "/authors/%FF"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!page.text().contains("UTF-8"), "words for a developer: {}", page.text());
    }
}

#[tokio::test]
async fn what_the_library_holds_is_shown_as_text_and_never_as_markup() {
    let library = library().await;
    let hostile = "A<script>alert(1)</script>\"'&";
    sqlx::query("INSERT INTO author (first_name, last_name) VALUES (?, ?)")
        .bind(hostile)
        .bind(hostile)
        .execute(library.pool())
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO book (title, author_id, summary, isbn)
         SELECT ?, max(id), ?, '9780000000000' FROM author",
    )
    .bind(hostile)
    .bind(hostile)
    .execute(library.pool())
    .await
    .unwrap();
    let copy = "INSERT INTO book_instance (id, book_id, imprint, status)
                SELECT ?, max(id), ?, 'a' FROM book";
    sqlx::query(copy).bind("x".repeat(36)).bind(hostile).execute(library.pool()).await.unwrap();
    let text: &'static str = "<b>Open</b>";
    let notice = Notice { number: 1, text };
    let mut visitor = Browser::open(chapter_8::app(library, MemoryStore::default(), notice));

    for path in ["/books?per_page=100", "/books/30", "/authors?per_page=100", "/authors/19"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        assert!(page.text().contains("A<script>alert(1)</script>\"'&"), "it is shown by {path}");
        assert!(page.text().contains("<b>Open</b>"), "{path}");
        assert!(!page.has("script") && !page.has("b"), "markup in {path}:\n{}", page.body());
    }
}

#[tokio::test]
async fn an_empty_library_says_so() {
    let library = library().await;
    sqlx::raw_sql("DELETE FROM book_instance; DELETE FROM book; DELETE FROM author;")
        .execute(library.pool())
        .await
        .unwrap();
    let mut visitor = Browser::open(chapter_8::app(library, MemoryStore::default(), CLOSING_EARLY));
    assert!(visitor.get("/books").await.text().contains("There are no books in this library."));
    assert!(visitor.get("/authors").await.text().contains("There are no authors"));
    assert_eq!(visitor.get("/").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn to_browse_writes_nothing() {
    let table = Table::new().await;
    let paths = [
        "/",
        "/books",
        "/books?page=2&per_page=20&theme=dark",
        "/books?page=99",
        "/books/1",
        "/books/999",
        "/authors",
        "/authors/1",
        "/preferences",
        "/nowhere",
    ];
    let mut visitor = table.visitor(CLOSING_EARLY).await;
    for path in paths {
        assert!(visitor.get(path).await.set_cookies().is_empty(), "{path}");
    }
    assert_eq!(table.all().await, []);

    choose(&mut visitor, "5", "author", "dark").await;
    let before = table.all().await;
    for path in paths {
        assert!(visitor.get(path).await.set_cookies().is_empty(), "{path}");
    }
    assert_eq!(table.all().await, before, "not even a version has moved on");
}

#[tokio::test]
async fn every_page_says_that_it_differs_by_visitor() {
    let mut visitor = open().await;
    for path in [
        "/",
        "/books",
        "/books?page=99",
        "/books?per_page=5",
        "/books/1",
        "/books/999",
        "/authors",
        "/authors/1",
        "/preferences",
    ] {
        assert_eq!(visitor.get(path).await.header("vary"), Some("Cookie"), "{path}");
    }
    choose(&mut visitor, "5", "title", "dark").await;
    assert_eq!(visitor.page().header("vary"), Some("Cookie"));
    choose(&mut visitor, "0", "title", "dark").await;
    assert_eq!(visitor.page().header("vary"), Some("Cookie"));
    visitor.post("/", &[("notice", "1")]).await;
    assert_eq!(visitor.page().header("vary"), Some("Cookie"));
}

#[tokio::test]
async fn a_field_that_was_added_later_loses_no_old_choice() {
    let table = Table::new().await;
    let mut visitor = table.visitor(CLOSING_EARLY).await;
    choose(&mut visitor, "5", "author", "dark").await;

    // From before there were themes and notices, and then from before there were orders.
    table.put(r#"{"preferences": {"per_page": 20, "order": "author"}}"#).await;
    visitor.get("/books").await;
    assert_eq!(reads(visitor.page()), (20, "Emma".to_owned(), None));
    table.put(r#"{"preferences": {"per_page": 20}}"#).await;
    visitor.get("/books").await;
    assert_eq!(reads(visitor.page()), (20, "A Tale of Two Cities".to_owned(), None));
    assert!(has_notice(visitor.page()));

    visitor.post("/books", &[("notice", "1")]).await;
    assert_eq!(reads(visitor.follow().await).0, 20);

    // And a field of a program that is newer than this one does no harm.
    table.put(r#"{"preferences": {"per_page": 20, "font": "large"}}"#).await;
    assert_eq!(reads(visitor.get("/books").await).0, 20);
}

#[tokio::test]
async fn a_value_of_an_old_type_falls_back_to_the_defaults_until_the_visitor_chooses() {
    for old in [
        "20",
        "\"20\"",
        "null",
        "[]",
        "[true]",
        r#"{"per_page": "20"}"#,
        r#"{"per_page": 0}"#,
        r#"{"per_page": 10000000}"#,
        r#"{"per_page": 20, "order": "price"}"#,
        r#"{"per_page": 20, "dismissed": -1}"#,
    ] {
        let table = Table::new().await;
        let mut visitor = table.visitor(CLOSING_EARLY).await;
        choose(&mut visitor, "5", "author", "dark").await;
        let data = format!(r#"{{"num_visits": 3, "preferences": {old}}}"#);
        table.put(&data).await;

        for path in ["/books", "/", "/books/1", "/authors", "/authors/1", "/preferences"] {
            let page = visitor.get(path).await;
            assert_eq!(page.status(), StatusCode::OK, "{path} with {old}");
            assert!(!page.has("html[data-theme]"), "{path} with {old}");
        }
        assert_eq!(reads(visitor.get("/books").await), defaults(), "{old}");
        assert_eq!(table.data().await, data, "reading leaves it to the program that wrote it");

        choose(&mut visitor, "20", "author", "light").await;
        visitor.follow().await;
        let chosen = (20, "Emma".to_owned(), Some("light".to_owned()));
        assert_eq!(reads(visitor.page()), chosen, "{old}");
        assert!(table.data().await.contains(r#""num_visits":3"#), "other keys are kept");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_value_of_an_old_type_is_a_warning_in_the_log_that_names_the_key() {
    let table = Table::new().await;
    let server = Server::start(chapter(8).arg("--database").arg(table.file()));
    let at = server.address();
    let answer = programs::post(at, "/preferences", "", &[("per_page", "20")]);
    let cookie = answer.cookie.expect("a session cookie");
    table.put(r#"{"preferences": 20}"#).await;

    let answer = programs::get(at, "/books", &cookie);
    assert_eq!(answer.status, 200);

    let (_, log) = server.stop(Signal::TERM);
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    let [warning] = warnings[..] else { panic!("one warning, not {warnings:?} in\n{log}") };
    assert!(warning.contains("`preferences`"), "{warning}");
    assert!(!log.contains("ERROR"), "{log}");
    let (_, id) = cookie.split_once('=').expect("name=value");
    assert!(!log.contains(id), "no log has a session id: {log}");
}

/// A store at which the next two requests meet: neither goes on before both have loaded.
#[derive(Clone, Debug)]
struct MeetingPlace {
    store: MemoryStore,
    expected: Arc<AtomicU32>,
    both_have_loaded: Arc<Barrier>,
}

impl MeetingPlace {
    fn new() -> MeetingPlace {
        let (store, expected) = (MemoryStore::default(), Arc::default());
        MeetingPlace { store, expected, both_have_loaded: Arc::new(Barrier::new(2)) }
    }
}

#[async_trait]
impl Store for MeetingPlace {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>, StoreError> {
        let found = self.store.load(id).await;
        let fewer = |expected: u32| expected.checked_sub(1);
        if self.expected.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
            self.both_have_loaded.wait().await;
        }
        found
    }
    async fn create(&self, record: &Record) -> Result<Outcome, StoreError> {
        self.store.create(record).await
    }
    async fn compare_and_swap(
        &self,
        expected: Version,
        new: &Record,
    ) -> Result<Outcome, StoreError> {
        self.store.compare_and_swap(expected, new).await
    }
    async fn delete(&self, id: &Id) -> Result<Option<Record>, StoreError> {
        self.store.delete(id).await
    }
}

#[tokio::test]
async fn two_tabs_that_choose_at_once_lose_neither_choice() {
    let store = MeetingPlace::new();
    let mut visitor = Browser::open(chapter_8::app(library().await, store.clone(), CLOSING_EARLY));
    choose(&mut visitor, "5", "title", "light").await;
    visitor.follow().await;
    let mut other = visitor.second_tab();

    store.expected.store(2, Ordering::SeqCst);
    tokio::join!(choose(&mut visitor, "20", "author", "dark"), async {
        other.post("/", &[("notice", "1")]).await;
    });

    visitor.get("/books").await;
    assert_eq!(reads(visitor.page()), (20, "Emma".to_owned(), Some("dark".to_owned())));
    assert!(!has_notice(visitor.page()), "the notice was dismissed in the other tab");
}

#[tokio::test]
async fn no_page_needs_a_script_and_every_field_has_a_label() {
    let mut visitor = open().await;
    for path in ["/", "/books", "/books/1", "/books/999", "/authors", "/authors/1", "/preferences"]
    {
        let page = visitor.get(path).await;
        assert!(!page.has("script, style, [style], [onclick], [onchange]"), "{path}");
        assert_eq!(page.texts("h1").len(), 1, "{path}");
        assert!(page.has("form[method=post] button"), "{path}");
        let labelled = page.attributes("label", "for");
        let fields = page.attributes("input:not([type=hidden]), select, textarea", "id");
        assert_eq!(fields, labelled, "{path}");
    }
}

#[tokio::test]
async fn a_store_or_a_library_that_is_away_is_a_calm_page_and_the_next_request_works() {
    let table = Table::new().await;
    let library = library().await;
    let store = SqliteStore::open(table.file()).await.expect("the store opens");
    let mut visitor = Browser::open(chapter_8::app(library.clone(), store, CLOSING_EARLY));
    choose(&mut visitor, "5", "author", "dark").await;

    sqlx::raw_sql("ALTER TABLE session RENAME TO gone").execute(&table.rows).await.unwrap();
    for path in ["/", "/books", "/preferences"] {
        assert_eq!(visitor.get(path).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
    choose(&mut visitor, "20", "title", "light").await;
    assert_eq!(visitor.page().status(), StatusCode::SERVICE_UNAVAILABLE);
    sqlx::raw_sql("ALTER TABLE gone RENAME TO session").execute(&table.rows).await.unwrap();

    sqlx::raw_sql("ALTER TABLE author RENAME TO gone").execute(library.pool()).await.unwrap();
    for path in ["/", "/books", "/books/1", "/authors", "/authors/1"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert!(!page.text().contains("author"), "{path} tells nothing of the cause");
    }
    sqlx::raw_sql("ALTER TABLE gone RENAME TO author").execute(library.pool()).await.unwrap();

    visitor.get("/books").await;
    assert_eq!(reads(visitor.page()), (5, "Emma".to_owned(), Some("dark".to_owned())));
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_one_line_and_exit_status_1() {
    let folder = TempDir::new().expect("an empty folder");
    let database = Path::new("no/such/folder/library.sqlite");
    let output = chapter(8).current_dir(&folder).arg("--database").arg(database).output().unwrap();
    let line = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert_eq!(line.trim_end().lines().count(), 1, "one line, not:\n{line}");
    assert!(line.contains(&*database.to_string_lossy()), "{line}");
}
