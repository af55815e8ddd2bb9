//! Chapter 7's promises: every store keeps what it says it keeps, and says in one line why it
//! cannot. What takes a PostgreSQL or a Redis server is in two_servers.rs.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Command, Output},
    thread,
};

use axum::http::StatusCode;
use browser::Browser;
use catalog::Catalog;
use chapter_7::StoreUrl;
use insta::assert_snapshot;
use programs::{Answer, Server, Signal, chapter, get};
use sessions::{FileStore, Id, Outcome, Record, SqliteStore, Store};
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

const KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// How long a test waits for what happens at once, if it happens.
const WATCHDOG: std::time::Duration = std::time::Duration::from_secs(60);

const NEWER_KEY: &str = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90";

fn folder() -> TempDir {
    TempDir::new().expect("an empty folder")
}

/// A visitor of a server with its sessions in this store, whose paths are within the folder.
async fn visitor(folder: &TempDir, store: &str) -> Browser {
    let store = store.replace(":sessions", &format!(":{}/sessions", folder.path().display()));
    let url: StoreUrl = store.parse().expect("a store");
    let library = Catalog::in_memory().await.expect("a library in memory");
    let sessions = chapter_7::open(&url, Some(KEY)).await.expect("the store opens");
    Browser::open(chapter_7::app(library, &url, sessions.layer))
}

/// The page with a name for what differs from run to run.
fn named(folder: &TempDir, text: &str) -> String {
    let process = format!("server process {}", std::process::id());
    text.replace(&process, "server process 4711")
        .replace(&format!("{}/", folder.path().display()), "")
}

fn visits(visitor: &Browser) -> String {
    visitor.page().texts(".lead").concat()
}

/// Chapter 7 in an empty folder, with its sessions in this store.
fn program(folder: &TempDir, store: &str) -> Command {
    let mut command = chapter(7);
    command.current_dir(folder).args(["--store", store]);
    for variable in ["SESSION_KEYS", "SESSION_STORE", "PGPASSWORD", "PGUSER", "PGDATABASE"] {
        command.env_remove(variable);
    }
    command
}

fn visit(server: &Server, cookie: &str) -> (u32, String) {
    let Answer { status, cookie, page } = get(server.address(), "/", cookie);
    assert_eq!(status, 200, "{page}");
    let count = page.split_once("this page ").and_then(|(_, rest)| rest.split_once(" time"));
    let (count, _) = count.expect("the page shows a count");
    (count.parse().expect("a number"), cookie.expect("each visit sets the cookie"))
}

/// What a program says that ends at once with status 1: one line.
fn refusal(command: &mut Command) -> String {
    // Its port is taken, so that it ends in any case.
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("its address").port().to_string();
    let output = command.env("PORT", port).output();
    let Output { status, stdout, stderr } = output.expect("the program starts");
    let text = String::from_utf8(stderr).expect("text");
    assert_eq!(status.code(), Some(1), "{text}");
    assert!(stdout.is_empty() && text.starts_with("error: "), "{text}");
    assert_eq!(text.trim_end().lines().count(), 1, "one line, not:\n{text}");
    text
}

#[tokio::test]
async fn every_store_counts_visits_1_2_and_3() {
    for store in [
        "memory",
        "sqlite:sessions.sqlite",
        "file:sessions",
        "cookie:",
        "cached+memory",
        "cached+sqlite:sessions.sqlite",
        "cached+file:sessions",
    ] {
        let folder = folder();
        let mut visitor = visitor(&folder, store).await;
        for expected in ["1 time.", "2 times.", "3 times."] {
            visitor.get("/").await;
            assert_eq!(visits(&visitor), format!("You have visited this page {expected}"));
        }
        assert_eq!(named(&folder, &visitor.page().texts("#store").concat()), store);

        let mut stranger = visitor.private_window();
        stranger.get("/").await;
        assert_eq!(visits(&stranger), "You have visited this page 1 time.", "{store}");
    }
}

#[tokio::test]
async fn in_a_store_the_cookie_holds_an_id_and_nothing_else() {
    let folder = folder();
    let mut visitor = visitor(&folder, "sqlite:sessions.sqlite").await;
    visitor.get("/").await;
    let id = visitor.cookie("chapter7").expect("a session cookie");
    visitor.get("/").await;
    assert_eq!(visitor.cookie("chapter7"), Some(id));
    assert_snapshot!("an_id", named(&folder, &visitor.transcript()));
    assert_snapshot!("what_you_see", named(&folder, &visitor.page().text()));
    assert_snapshot!("the_page", named(&folder, &visitor.page().html()));
}

#[tokio::test]
async fn an_encrypted_cookie_is_another_one_with_each_visit() {
    let folder = folder();
    let mut visitor = visitor(&folder, "cookie:").await;
    visitor.get("/").await;
    let first = visitor.cookie("chapter7").expect("a session cookie");
    visitor.get("/").await;
    assert_ne!(visitor.cookie("chapter7"), Some(first));
    assert_snapshot!("an_encrypted_session", named(&folder, &visitor.transcript()));
}

#[tokio::test]
async fn an_encrypted_cookie_that_was_kept_counts_again_from_there() {
    let folder = folder();
    let mut visitor = visitor(&folder, "cookie:").await;
    visitor.get("/").await;
    let kept = visitor.cookie("chapter7").expect("a session cookie");
    visitor.get("/").await;
    visitor.get("/").await;
    assert_eq!(visits(&visitor), "You have visited this page 3 times.");

    visitor.edit_cookie("chapter7", &kept);
    visitor.get("/").await;
    assert_eq!(visits(&visitor), "You have visited this page 2 times.");
}

#[tokio::test]
async fn two_requests_that_bring_one_encrypted_cookie_count_as_one() {
    let folder = folder();
    let mut one = visitor(&folder, "cookie:").await;
    one.get("/").await;
    let cookie = format!("chapter7={}", one.cookie("chapter7").expect("a session cookie"));
    let mut other = one.second_tab();
    for tab in [&mut one, &mut other] {
        tab.get_with("/", &[("cookie", cookie.as_bytes())]).await;
        assert_eq!(visits(tab), "You have visited this page 2 times.");
    }
    one.get("/").await;
    assert_eq!(visits(&one), "You have visited this page 3 times.", "of four visits");
}

#[tokio::test]
async fn an_encrypted_cookie_that_was_tampered_with_is_a_first_visit() {
    let folder = folder();
    let mut visitor = visitor(&folder, "cookie:").await;
    visitor.get("/").await;
    visitor.get("/").await;
    let encrypted = visitor.cookie("chapter7").expect("a session cookie");
    let (first, rest) = encrypted.split_at(1);
    visitor.edit_cookie("chapter7", &format!("{}{rest}", if first == "A" { "B" } else { "A" }));
    visitor.get("/").await;
    assert_eq!(visits(&visitor), "You have visited this page 1 time.");
}

#[tokio::test]
async fn two_servers_share_a_store_that_is_not_in_one_servers_memory() {
    for (store, then) in [
        ("memory", "1 time."),
        ("sqlite:sessions.sqlite", "2 times."),
        ("file:sessions", "2 times."),
        ("cookie:", "2 times."),
        ("cached+memory", "1 time."),
        ("cached+sqlite:sessions.sqlite", "2 times."),
        ("cached+file:sessions", "2 times."),
    ] {
        let folder = folder();
        let mut here = visitor(&folder, store).await;
        let mut there = visitor(&folder, store).await;
        here.get("/").await;
        let cookie = format!("chapter7={}", here.cookie("chapter7").expect("a session cookie"));
        there.get_with("/", &[("cookie", cookie.as_bytes())]).await;
        assert_eq!(visits(&there), format!("You have visited this page {then}"), "{store}");
    }
}

#[tokio::test]
async fn the_page_shows_a_hostile_name_as_text() {
    let folder = folder();
    let visitor = &mut visitor(&folder, "file:sessions<script>alert(1)<").await;
    visitor.get("/").await;
    let store = visitor.page().texts("#store").concat();
    assert!(store.ends_with("sessions<script>alert(1)<"), "{store}");
    assert!(!visitor.page().has("script"), "{}", visitor.page().body());
}

#[tokio::test]
async fn a_store_that_goes_away_is_a_calm_503_and_then_counts_on() {
    for store in ["sqlite:sessions", "file:sessions", "cached+file:sessions"] {
        let folder = folder();
        let visitor = &mut visitor(&folder, store).await;
        visitor.get("/").await;
        let (here, away) = (folder.path().join("sessions"), folder.path().join("away"));
        let is_file = here.is_file();
        take_away(&here, &away, is_file).await;

        visitor.get("/").await;
        assert_eq!(visitor.page().status(), StatusCode::SERVICE_UNAVAILABLE, "{store}");
        assert!(visitor.page().set_cookies().is_empty());

        bring_back(&here, &away, is_file).await;
        visitor.get("/").await;
        assert_eq!(visits(visitor), "You have visited this page 2 times.", "{store}");
    }
}

/// A folder is moved; an open database notices only that its table is gone.
async fn take_away(here: &Path, away: &Path, is_file: bool) {
    match is_file {
        true => run(here, "ALTER TABLE session RENAME TO gone").await,
        false => std::fs::rename(here, away).expect("the folder moves"),
    }
}

async fn bring_back(here: &Path, away: &Path, is_file: bool) {
    match is_file {
        true => run(here, "ALTER TABLE gone RENAME TO session").await,
        false => std::fs::rename(away, here).expect("the folder moves back"),
    }
}

async fn run(file: &Path, statement: &'static str) {
    sqlx::query(statement).execute(&sqlite(file)).await.expect("the table changes its name");
}

fn sqlite(file: &Path) -> SqlitePool {
    SqlitePool::connect_lazy_with(SqliteConnectOptions::new().filename(file))
}

#[tokio::test]
async fn what_has_expired_is_cleared_in_the_background_where_it_would_stay() {
    let folder = folder();
    let files = FileStore::open(folder.path().join("sessions")).await.expect("it opens");
    let table = SqliteStore::open(folder.path().join("sessions.sqlite")).await.expect("it opens");
    let expired = || Record {
        id: Id::default(),
        data: Default::default(),
        expiry_date: OffsetDateTime::now_utc() - Duration::HOUR,
    };
    let created = files.create(&expired()).await.expect("a file");
    assert!(matches!(created, Outcome::Stored(_)), "{created:?}");
    let created = table.create(&expired()).await.expect("a row");
    assert!(matches!(created, Outcome::Stored(_)), "{created:?}");

    let is_gone = async |store: &str| match store {
        "file:sessions" => {
            let files = std::fs::read_dir(folder.path().join("sessions")).expect("the folder");
            let mut names = files.flatten().map(|file| file.file_name());
            !names.any(|name| name.to_string_lossy().ends_with(".json"))
        }
        _ => rows(&folder.path().join("sessions.sqlite")).await == 0,
    };
    for store in ["file:sessions", "sqlite:sessions.sqlite"] {
        assert!(!is_gone(store).await, "it expired a long time ago, and is there");
        let server = Server::start(&mut program(&folder, store));
        // It begins at once. The watchdog turns a server that never does it into a failure.
        let cleared = async {
            while !is_gone(store).await {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(WATCHDOG, cleared).await.expect("it clears its store");
        drop(server);
    }
}

async fn rows(database: &Path) -> i64 {
    let count = sqlx::query_scalar("SELECT count(*) FROM session");
    count.fetch_one(&sqlite(database)).await.expect("the table session")
}

#[test]
fn where_it_says_so_the_count_survives_kill_9_and_elsewhere_it_starts_anew() {
    for (store, keys, then) in [
        ("memory", None, 1),
        ("sqlite:sessions.sqlite", None, 3),
        ("file:sessions", None, 3),
        ("cookie:", Some(KEY), 3),
        ("cookie:", None, 1),
        ("cached+memory", None, 1),
        ("cached+sqlite:sessions.sqlite", None, 3),
        ("cached+file:sessions", None, 3),
    ] {
        let folder = folder();
        let start = || {
            let mut command = program(&folder, store);
            if let Some(keys) = keys {
                command.env("SESSION_KEYS", keys);
            }
            Server::start(&mut command)
        };
        let server = start();
        let (_, cookie) = visit(&server, "");
        let (second, cookie) = visit(&server, &cookie);
        assert_eq!(second, 2, "{store}");
        server.stop(Signal::KILL);

        let (third, _) = visit(&start(), &cookie);
        assert_eq!(third, then, "{store}");
    }
}

#[test]
fn without_an_option_sessions_are_beside_the_books_as_in_chapter_4() {
    let folder = folder();
    let server = Server::start(chapter(7).current_dir(&folder).env_remove("SESSION_STORE"));
    let page = get(server.address(), "/", "").page;
    assert!(page.contains("sqlite:library.sqlite"), "{page}");
    let files: Vec<_> = std::fs::read_dir(&folder).expect("the folder").collect();
    assert!(
        files
            .iter()
            .flatten()
            .all(|file| { file.file_name().to_string_lossy().starts_with("library.sqlite") })
    );
}

#[test]
fn the_variable_chooses_the_store_and_the_option_wins() {
    let folder = folder();
    let by_variable = || {
        let mut command = chapter(7);
        command.current_dir(&folder).env("SESSION_STORE", "memory");
        command
    };
    let page = get(Server::start(&mut by_variable()).address(), "/", "").page;
    assert!(page.contains(">memory<"), "{page}");
    let server = Server::start(by_variable().args(["--store", "cached+memory"]));
    assert!(get(server.address(), "/", "").page.contains(">cached+memory<"));
}

#[test]
fn without_keys_a_warning_says_how_to_make_one() {
    let folder = folder();
    let (_, log) = Server::start(&mut program(&folder, "cookie:")).stop(Signal::TERM);
    assert_eq!(
        log,
        "warning: SESSION_KEYS is not set. Sessions are encrypted with a new key, and end with this \
         server. Make a key that stays: export SESSION_KEYS=$(openssl rand -hex 32)\n"
    );
    let with_keys = &mut program(&folder, "cookie:");
    let (_, log) = Server::start(with_keys.env("SESSION_KEYS", KEY)).stop(Signal::TERM);
    assert_eq!(log, "");
}

#[test]
fn an_old_key_still_opens_and_the_newest_seals() {
    let folder = folder();
    let start = |keys: &str| Server::start(program(&folder, "cookie:").env("SESSION_KEYS", keys));
    let (_, encrypted_with_old) = visit(&start(KEY), "");

    let both = start(&format!("{NEWER_KEY},{KEY}"));
    let (count, encrypted_with_newer) = visit(&both, &encrypted_with_old);
    assert_eq!(count, 2);

    let newer = start(NEWER_KEY);
    assert_eq!(visit(&newer, &encrypted_with_newer).0, 3);
    assert_eq!(visit(&newer, &encrypted_with_old).0, 1, "the old key was taken away");
}

#[test]
fn keys_that_are_none_are_refused_without_being_shown() {
    let folder = folder();
    for (keys, what) in [
        ("", "encryption key 1 is empty"),
        ("secret", "encryption key 1 holds other characters than hex digits"),
        (&KEY[1..], "encryption key 1 has 63 hex digits"),
        (&format!("{KEY},{KEY}00"), "encryption key 2 has 66 hex digits"),
        (&format!("{KEY},"), "encryption key 2 is empty"),
    ] {
        let line = refusal(program(&folder, "cookie:").env("SESSION_KEYS", keys));
        assert!(line.starts_with("error: SESSION_KEYS: "), "{line}");
        assert!(line.contains(what) && line.contains("openssl rand -hex 32"), "{line}");
        assert!(!line.contains("secret") && !line.contains(&KEY[1..9]), "{line}");
    }
}

#[test]
fn what_is_not_a_store_is_one_line_that_lists_the_stores() {
    let folder = folder();
    for (store, shown) in [
        ("", "\"\""),
        ("sqlite", "\"sqlite\""),
        ("sqlite:", "\"sqlite:\""),
        ("file:", "\"file:\""),
        ("memory:", "\"memory:\""),
        ("cookie", "\"cookie\""),
        ("cookie:x", "\"cookie:\""),
        ("postgre://toad:secret@localhost/test", "\"postgre:\""),
        ("postgres:toad:secret@localhost", "\"postgres:\""),
        ("redis:6379", "\"redis:\""),
        ("rediss://localhost/", "\"rediss:\""),
        ("cached+", "\"\""),
        ("cached+mysql://toad:secret@localhost", "\"mysql:\""),
        ("Memory\n", "\"Memory\\n\""),
    ] {
        assert_eq!(
            refusal(&mut program(&folder, store)),
            format!(
                "error: {shown} is not a store; there are memory, sqlite:FILE, \
                 postgres://…, redis://…, file:FOLDER and cookie:, and cached+ in front of any \
                 but cookie:\n"
            )
        );
    }
    assert_eq!(
        refusal(&mut program(&folder, "cached+cookie:")),
        "error: cached+cookie: has nothing to cache, since each request brings its session along; \
         say cookie: alone\n"
    );
    assert_eq!(
        refusal(&mut program(&folder, "cached+cached+memory")),
        "error: a cache in front of a cache has no use; say cached+ once\n"
    );
    assert_eq!(std::fs::read_dir(&folder).expect("the folder").count(), 0, "nothing was made");
}

#[test]
fn a_url_that_cannot_be_right_is_one_line_without_the_password() {
    let folder = folder();
    let remedy = "in its password, write %40 for @, %2F for /, %3A for :, %3F for ? and %23 for #";
    for (url, problem) in [
        ("postgres://toad:sec/ret@localhost/test", "invalid port number"),
        ("postgres://toad:12/ret@localhost/test", "an @ after the host"),
        ("redis://toad:12?ret@localhost/", "an @ after the host"),
        ("redis://toad:12#ret@localhost/", "an @ after the host"),
        ("cached+redis://[::1", "invalid IPv6 address"),
    ] {
        assert_eq!(
            refusal(&mut program(&folder, url)),
            format!("error: the URL of the store cannot be right ({problem}); {remedy}\n")
        );
    }
}

#[test]
fn a_store_that_is_not_there_is_one_line_with_the_remedy() {
    let folder = folder();
    // No program listens on a port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    let refused = TcpStream::connect(port).expect_err("no program listens");
    for cached in ["", "cached+"] {
        let url = format!("{cached}postgres://toad:secret@{port}/test");
        assert_eq!(
            refusal(&mut program(&folder, &url)),
            format!(
                "error: cannot keep sessions in PostgreSQL at {port}, database \"test\", user \
                 \"toad\" ({refused}): start the server, or correct the host and the port in the \
                 URL\n"
            )
        );
        let url = format!("{cached}redis://toad:secret@{port}/");
        assert_eq!(
            refusal(&mut program(&folder, &url)),
            format!(
                "error: cannot keep sessions in Redis at {port}, database 0, user \"toad\" \
                 ({refused}): start the server, or correct the host and the port in the URL\n"
            )
        );
    }
}

#[test]
fn a_wrong_password_is_one_line_that_does_not_repeat_it() {
    let folder = folder();
    let port = answering(|client| {
        // A client may ask for TLS first, in eight bytes. Here it gets none, and then it is not
        // let in (PostgreSQL's documentation, section "Message Formats").
        if hear(client) == 8 {
            say(client, b"N");
            hear(client);
        }
        let fields = b"SFATAL\0C28P01\0Mpassword authentication failed for user \"toad\"\0\0";
        let length = u32::try_from(4 + fields.len()).expect("a short message");
        say(client, &[b"E", &length.to_be_bytes()[..], fields].concat());
    });
    assert_eq!(
        refusal(&mut program(&folder, &format!("postgres://toad:secret@127.0.0.1:{port}/test"))),
        format!(
            "error: cannot keep sessions in PostgreSQL at 127.0.0.1:{port}, database \"test\", user \
             \"toad\" (password authentication failed for user \"toad\"): correct the user and the \
             password in the URL\n"
        )
    );

    let port = answering(|client| {
        hear(client);
        // It asks for its name to be noted, too.
        let refused = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
        say(client, format!("{refused}+OK\r\n+OK\r\n").as_bytes());
        hear(client);
    });
    assert_eq!(
        refusal(&mut program(&folder, &format!("redis://:secret@127.0.0.1:{port}/"))),
        format!(
            "error: cannot keep sessions in Redis at 127.0.0.1:{port}, database 0 (the password is \
             refused): correct the password in the URL, redis://:PASSWORD@HOST:PORT\n"
        )
    );
}

#[test]
fn a_folder_or_file_that_cannot_be_is_one_line_with_the_remedy() {
    let folder = folder();
    std::fs::write(folder.path().join("note"), "no folder").expect("a file");
    let at = folder.path().display();
    for cached in ["", "cached+"] {
        let refusal = |store: &str| refusal(&mut program(&folder, &format!("{cached}{store}")));
        assert_eq!(
            refusal("file:note"),
            format!(
                "error: {at}/note is not a folder, so no sessions can be kept in it; choose \
                 another place\n"
            )
        );
        assert_eq!(
            refusal("file:no/such/folder"),
            format!(
                "error: cannot make the folder {at}/no/such/folder for the sessions: No such file \
                 or directory (os error 2); make it yourself, or choose another place\n"
            )
        );
        assert_eq!(
            refusal("sqlite:no/such/folder.sqlite"),
            "error: cannot keep sessions in no/such/folder.sqlite (unable to open database file): \
             check that it is a file, that its folder exists, and that you may write there\n"
        );
    }
}

#[test]
fn neither_help_nor_a_log_nor_the_page_has_a_password() {
    let folder = folder();
    let url = "postgres://toad:secret@localhost/test";
    let help = chapter(7).arg("--help").env("SESSION_STORE", url).output().expect("it starts");
    let help = String::from_utf8(help.stdout).expect("text");
    assert!(help.contains("SESSION_STORE") && !help.contains("secret"), "{help}");

    for url in
        [url, "redis://toad:secret@localhost/test", "postgres://localhost/test?password=secret"]
    {
        let store: StoreUrl = url.parse().expect("a store");
        let (scheme, _) = url.split_once(':').expect("a URL");
        assert_eq!(store.to_string(), format!("{scheme}://localhost/test"));
    }
    let program = &mut program(&folder, "cookie:");
    let server = Server::start(program.env("SESSION_KEYS", KEY).env("RUST_LOG", "trace"));
    let (_, cookie) = visit(&server, "");
    visit(&server, &cookie);
    let (_, log) = server.stop(Signal::TERM);
    let (_, encrypted) = cookie.split_once('=').expect("name=value");
    assert!(log.contains("TRACE") && !log.contains(KEY) && !log.contains(encrypted), "{log}");
}

#[test]
fn no_place_logs_a_session_id() {
    for store in ["memory", "sqlite:s.sqlite", "file:sessions", "cached+file:sessions"] {
        let folder = folder();
        let server = Server::start(program(&folder, store).env("RUST_LOG", "trace"));
        let (_, cookie) = visit(&server, "");
        visit(&server, &cookie);
        let (_, log) = server.stop(Signal::TERM);
        let (_, id) = cookie.split_once('=').expect("name=value");
        assert!(log.contains("TRACE") && !log.contains(id), "{store} logs the id");
        assert!(!log.contains("ERROR"), "{store}: {log}");
    }
}

/// A server that says the same to every client, on a free port.
fn answering(answer: fn(&mut TcpStream)) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    thread::spawn(move || {
        for client in listener.incoming() {
            answer(&mut client.expect("a connection"));
        }
    });
    port
}

/// How many bytes come in one go.
fn hear(client: &mut TcpStream) -> usize {
    client.read(&mut [0; 4096]).expect("the client says something")
}

fn say(client: &mut TcpStream, answer: &[u8]) {
    client.write_all(answer).expect("the client listens");
}

#[tokio::test]
async fn what_no_visitor_looks_at_is_not_counted() {
    let folder = folder();
    for store in ["memory", "cookie:", "file:sessions"] {
        let mut visitor = visitor(&folder, store).await;
        visitor.get("/").await;
        visitor.get_with("/", &[("sec-purpose", b"prefetch")]).await;
        assert_eq!(visits(&visitor), "You have visited this page 1 time.", "{store}");
        visitor.get("/").await;
        assert_eq!(visits(&visitor), "You have visited this page 2 times.", "{store}");
    }
}

#[test]
fn an_sqlite_url_is_read_as_sqlx_reads_it() {
    for (text, shown) in [
        ("sqlite:library.sqlite", "sqlite:library.sqlite"),
        ("sqlite://library.sqlite", "sqlite:library.sqlite"),
        ("sqlite:///var/lib/library.sqlite", "sqlite:/var/lib/library.sqlite"),
    ] {
        let url: StoreUrl = text.parse().expect("a store");
        assert_eq!(url.to_string(), shown, "{text}");
    }
    assert!("sqlite://".parse::<StoreUrl>().is_err(), "no file");
    assert!("sqlite://library.sqlite?mode=rwc".parse::<StoreUrl>().is_err(), "options");
}
