//! Chapter 9's promises: the usual way loses one of two changes, the exact way none.
//!
//! No test waits for time to pass. The slow action meets the test at a barrier: once when it has
//! looked at the session, and once more when it may go on.

use std::{
    sync::{Arc, mpsc},
    thread,
};

use axum::http::StatusCode;
use browser::Browser;
use chapter_9::Pause;
use insta::assert_snapshot;
use programs::{Server, Signal, chapter, get, post};
use sessions::{MemoryStore, SqliteStore, Store};
use tempfile::TempDir;
use tokio::sync::Barrier;

/// One visitor with two tabs, who has looked at the basket once.
struct TwoTabs {
    slow: Browser,
    fast: Browser,
    barrier: Arc<Barrier>,
    /// `/usual` or `/exact`.
    way: &'static str,
}

impl TwoTabs {
    async fn open(way: &'static str, store: impl Store + Clone) -> TwoTabs {
        let barrier = Arc::new(Barrier::new(2));
        let meeting = barrier.clone();
        let pause: Pause = Arc::new(move || {
            let meeting = meeting.clone();
            Box::pin(async move {
                meeting.wait().await;
                meeting.wait().await;
            })
        });
        let mut slow = Browser::open(chapter_9::app(store, pause));
        slow.get(way).await;
        slow.take_transcript();
        let fast = slow.second_tab();
        TwoTabs { slow, fast, barrier, way }
    }

    /// Begins `slow_action` in one tab; while it pauses, does the `fast_actions` in the other.
    async fn meanwhile(&mut self, slow_action: &str, fast_actions: &[&str]) {
        let TwoTabs { slow, fast, barrier, way } = self;
        let (slow_action, way) = (format!("{way}/{slow_action}"), *way);
        tokio::join!(slow.post(&slow_action, &[]), async {
            barrier.wait().await;
            for action in fast_actions {
                fast.post(&format!("{way}/{action}"), &[]).await;
            }
            barrier.wait().await;
        });
    }

    /// What the basket's page says afterwards.
    async fn basket(&mut self) -> String {
        self.fast.get(self.way).await;
        self.fast.page().texts("main p").join(" ")
    }

    /// Both tabs' exchanges: the slow one's is written down when its answer comes.
    fn transcript(&self) -> String {
        format!("{}\n\n###\n\n{}", self.slow.transcript(), self.fast.transcript())
    }
}

async fn sqlite() -> (TempDir, SqliteStore) {
    let folder = TempDir::new().expect("an empty folder");
    let store = SqliteStore::open(folder.path().join("s.sqlite")).await.expect("the store opens");
    (folder, store)
}

#[tokio::test]
async fn the_usual_way_loses_a_book_that_was_added_meanwhile() {
    let mut tabs = TwoTabs::open("/usual", MemoryStore::default()).await;
    tabs.meanwhile("add-slowly", &["add", "add"]).await;
    let basket = tabs.basket().await;
    assert!(basket.contains("There is 1 book in"), "three were added: {basket}");
    assert!(basket.contains("3 books were added, 1 is here: 2 were lost."), "{basket}");
    assert_snapshot!("usual_counter", tabs.transcript());
    assert_snapshot!("what_you_see", tabs.fast.page().text());
    assert_snapshot!("the_page", tabs.fast.page().html());
}

#[tokio::test]
async fn the_exact_way_counts_every_book() {
    let (_folder, store) = sqlite().await;
    let mut tabs = TwoTabs::open("/exact", store).await;
    tabs.meanwhile("add-slowly", &["add", "add"]).await;
    let basket = tabs.basket().await;
    assert!(basket.contains("There are 3 books in"), "three were added: {basket}");
    assert!(basket.contains("3 books were added, 3 are here: none was lost."), "{basket}");
    assert_snapshot!("exact_counter", tabs.transcript());
}

#[tokio::test]
async fn the_usual_way_loses_a_change_to_another_key() {
    let mut tabs = TwoTabs::open("/usual", MemoryStore::default()).await;
    tabs.meanwhile("note-slowly", &["add"]).await;
    let basket = tabs.basket().await;
    assert!(basket.contains("There are 0 books in"), "one was added: {basket}");
    assert!(basket.contains("Ask for Emma."), "{basket}");
    assert_snapshot!("usual_two_keys", tabs.transcript());
}

#[tokio::test]
async fn the_exact_way_keeps_changes_to_two_keys() {
    let (_folder, store) = sqlite().await;
    let mut tabs = TwoTabs::open("/exact", store).await;
    tabs.meanwhile("note-slowly", &["add"]).await;
    let basket = tabs.basket().await;
    assert!(basket.contains("There is 1 book in"), "{basket}");
    assert!(basket.contains("Ask for Emma."), "{basket}");
    assert_snapshot!("exact_two_keys", tabs.transcript());
}

#[tokio::test]
async fn the_usual_way_brings_a_session_back_that_was_signed_out() {
    let mut tabs = TwoTabs::open("/usual", MemoryStore::default()).await;
    let cookie =
        format!("chapter9_usual={}", tabs.fast.cookie("chapter9_usual").expect("a session cookie"));
    tabs.meanwhile("note-slowly", &["sign-out"]).await;

    tabs.fast.get_with("/usual", &[("cookie", cookie.as_bytes())]).await;
    assert!(tabs.fast.page().text().contains("Ask for Emma."), "{}", tabs.fast.page().text());
    assert_snapshot!("usual_sign_out", tabs.transcript());
}

#[tokio::test]
async fn the_exact_way_lets_nobody_bring_it_back() {
    for slow_action in ["note-slowly", "add-slowly"] {
        let (_folder, store) = sqlite().await;
        let mut tabs = TwoTabs::open("/exact", store).await;
        let cookie =
            format!("chapter9_exact={}", tabs.fast.cookie("chapter9_exact").expect("a cookie"));
        tabs.meanwhile(slow_action, &["sign-out"]).await;

        assert_eq!(tabs.slow.page().status(), StatusCode::CONFLICT);
        assert!(tabs.slow.page().set_cookies().is_empty());
        assert_eq!(tabs.slow.cookie("chapter9_exact"), None);
        tabs.fast.get_with("/exact", &[("cookie", cookie.as_bytes())]).await;
        assert!(tabs.fast.page().text().contains("no note"), "{}", tabs.fast.page().text());
        if slow_action == "note-slowly" {
            assert_snapshot!("exact_sign_out", tabs.transcript());
        }
    }
}

#[tokio::test]
async fn without_anything_at_the_same_time_both_ways_do_the_same() {
    for way in ["/usual", "/exact"] {
        let mut tabs = TwoTabs::open(way, MemoryStore::default()).await;
        tabs.meanwhile("add-slowly", &[]).await;
        tabs.meanwhile("note-slowly", &[]).await;
        let basket = tabs.basket().await;
        assert!(basket.contains("There is 1 book in"), "{way}: {basket}");
        assert!(basket.contains("Ask for Emma."), "{way}: {basket}");
    }
}

/// Two servers over one database file, and the cookie of a visitor who has been there.
struct TwoServers {
    here: Server,
    there: Server,
    cookie: String,
    _folder: TempDir,
}

fn start_two() -> TwoServers {
    let folder = TempDir::new().expect("an empty folder");
    let start = || Server::start(chapter(9).current_dir(&folder).arg("--until-enter"));
    let (here, there) = (start(), start());
    let answer = get(here.address(), "/exact", "");
    let cookie = answer.cookie.expect("a session cookie");
    TwoServers { here, there, cookie, _folder: folder }
}

#[test]
fn two_servers_lose_no_book_that_one_visitor_adds_at_both() {
    const EACH: usize = 20;
    let servers = start_two();
    thread::scope(|scope| {
        for server in [&servers.here, &servers.there, &servers.here, &servers.there] {
            scope.spawn(|| {
                for _ in 0..EACH {
                    let answer = post(server.address(), "/exact/add", &servers.cookie, &[]);
                    assert_eq!(answer.status, 303, "{}", answer.page);
                }
            });
        }
    });
    let page = get(servers.there.address(), "/exact", &servers.cookie).page;
    assert!(page.contains(&format!("There are {} books in", 4 * EACH)), "{page}");
}

#[test]
fn two_servers_let_nobody_bring_back_what_was_signed_out_at_the_other() {
    for slow_path in ["/exact/note-slowly", "/exact/add-slowly"] {
        let TwoServers { mut here, there, cookie, _folder } = start_two();
        let (address, jar) = (here.address().to_owned(), cookie.clone());
        let (answered, answer) = mpsc::channel();
        thread::spawn(move || answered.send(post(&address, slow_path, &jar, &[])));

        here.wait_for("A slow action waits");
        assert_eq!(post(there.address(), "/exact/sign-out", &cookie, &[]).status, 303);
        here.press_enter();

        let late = answer.recv().expect("an answer");
        assert_eq!((late.status, late.cookie), (409, None), "{}", late.page);
        let page = get(there.address(), "/exact", &cookie).page;
        assert!(page.contains("There are 0 books in") && page.contains("no note"), "{page}");
        let (_, log) = here.stop(Signal::TERM);
        assert!(!log.contains("ERROR"), "{log}");
    }
}

#[test]
fn a_database_that_another_program_keeps_is_a_calm_503_and_then_works_again() {
    let TwoServers { here, cookie, _folder, .. } = start_two();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(_folder.path().join("two-tabs.sqlite"));
    let mut hog = runtime
        .block_on(<sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options))
        .expect("the database opens");
    let lock = |hog: &mut sqlx::SqliteConnection, statement: &'static str| {
        runtime.block_on(sqlx::raw_sql(statement).execute(hog)).expect("the lock changes");
    };

    lock(&mut hog, "BEGIN IMMEDIATE");
    let refused = post(here.address(), "/exact/add", &cookie, &[]);
    assert_eq!((refused.status, refused.cookie), (503, None), "{}", refused.page);
    assert!(refused.page.contains("try again"), "{}", refused.page);

    lock(&mut hog, "ROLLBACK");
    assert_eq!(post(here.address(), "/exact/add", &cookie, &[]).status, 303);
    let page = get(here.address(), "/exact", &cookie).page;
    assert!(page.contains("There is 1 book in"), "{page}");
}

#[tokio::test]
async fn a_page_that_no_visitor_looks_at_starts_no_session() {
    for path in ["/usual", "/exact"] {
        let pause: chapter_9::Pause = std::sync::Arc::new(|| Box::pin(async {}));
        let mut newcomer = Browser::open(chapter_9::app(MemoryStore::default(), pause));
        newcomer.get_with(path, &[("sec-purpose", b"prefetch")]).await;
        assert!(newcomer.page().set_cookies().is_empty(), "{path}");
    }
}
