//! Chapter 6's promises: a session ends when it was to end, and then leaves nothing behind.
//!
//! No test waits: `Table::let_pass` ages what is stored, which is all that time would do to it.

use std::path::{Path, PathBuf};

use axum::http::StatusCode;
use browser::Browser;
use insta::assert_snapshot;
use programs::chapter;
#[cfg(unix)]
use programs::{Server, Signal};
use sessions::SqliteStore;
use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use time::{
    Duration, OffsetDateTime, PrimitiveDateTime, format_description::StaticFormatDescription,
    macros::format_description,
};

const TWO_WEEKS: i64 = 1_209_600;

/// A server's SQLite file, reached behind its back.
struct Table {
    folder: TempDir,
    rows: SqlitePool,
}

impl Table {
    async fn new() -> Table {
        let folder = TempDir::new().expect("a folder for the database");
        let file = folder.path().join("sessions.sqlite");
        SqliteStore::open(&file).await.expect("the store makes its table");
        let rows = SqlitePool::connect_lazy_with(SqliteConnectOptions::new().filename(file));
        Table { folder, rows }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("sessions.sqlite")
    }

    /// A visitor of a server over this file.
    async fn visitor(&self, save_every_request: bool) -> Browser {
        let store = SqliteStore::open(self.file()).await.expect("the store opens");
        Browser::open(chapter_6::app(store, save_every_request))
    }

    /// Makes everything stored so much older.
    async fn let_pass(&self, seconds: i64) {
        sqlx::query("UPDATE session SET expiry_date = expiry_date - ?")
            .bind(seconds)
            .execute(&self.rows)
            .await
            .expect("the table session");
    }

    async fn add_expired(&self, count: u32) {
        sqlx::query(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
             INSERT INTO session SELECT i, randomblob(32), '{}', unixepoch() - i, 1 FROM n",
        )
        .bind(count)
        .execute(&self.rows)
        .await
        .expect("the table session");
    }

    /// Data, expiry date and version of every row.
    async fn all(&self) -> Vec<(String, i64, i64)> {
        sqlx::query_as("SELECT data, expiry_date, version FROM session ORDER BY expiry_date")
            .fetch_all(&self.rows)
            .await
            .expect("the table session")
    }

    /// How long the only session still lasts, to the minute above. The store keeps whole seconds,
    /// rounded up.
    async fn minutes_left(&self) -> i64 {
        let all = self.all().await;
        let [(_, expiry_date, _)] = &all[..] else { panic!("one session, not {all:?}") };
        (expiry_date - OffsetDateTime::now_utc().unix_timestamp() - 1 + 59).div_euclid(60)
    }
}

/// The text with the dates of the page named as a transcript names those of a cookie.
fn dated(text: &str) -> String {
    let parts: Vec<&str> = text.split(" UTC").collect();
    let (last, before) = parts.split_last().expect("one part at least");
    let named = before.iter().map(|part| {
        // A date is the last four words: `9 December 2026, 21:05:33`.
        let cut = part.rmatch_indices([' ', '>']).nth(3).map_or(0, |(at, _)| at + 1);
        let (text, date) = part.split_at(cut);
        match distance(date) {
            Some(distance) => format!("{text}<in {distance}>"),
            None => format!("{part} UTC"),
        }
    });
    named.collect::<String>() + last
}

fn distance(date: &str) -> Option<String> {
    let date = PrimitiveDateTime::parse(date, SHOWN).ok()?.assume_utc();
    // To the minute above: the date was written a moment ago, and rounded up to a whole second.
    let left = (date - OffsetDateTime::now_utc()).as_seconds_f64() - 1.0;
    let minutes = (left / 60.0).ceil() as i64;
    Some(match minutes {
        days if days % 1440 == 0 => format!("{} days", days / 1440),
        minutes => format!("{minutes} minutes"),
    })
}

/// A date as the page shows it, before ` UTC`.
const SHOWN: StaticFormatDescription =
    format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute]:[second]");

/// A moment as the form sends it and as the page shows it.
fn moment(from_now: Duration) -> (String, String) {
    let moment = OffsetDateTime::now_utc() + from_now;
    let sent = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    (moment.format(sent).unwrap(), moment.format(SHOWN).unwrap() + " UTC")
}

fn has_no_session(visitor: &Browser) -> bool {
    visitor.page().texts(".lead").concat().starts_with("You have no session")
}

#[tokio::test]
async fn the_page_says_when_the_session_ends() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    visitor.get("/").await;
    assert!(has_no_session(&visitor));
    assert!(visitor.page().set_cookies().is_empty());
    assert_snapshot!("a_newcomer", dated(&visitor.page().text()));

    visitor.post("/expiry/idle", &[("seconds", "1800")]).await;
    table.let_pass(600).await;
    visitor.get("/").await;
    assert_snapshot!("what_you_see", dated(&visitor.page().text()));
    assert_snapshot!("the_page", dated(&visitor.page().html()));
}

#[tokio::test]
async fn each_choice_tells_the_browser_when_to_drop_the_cookie() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    let (date, _) = moment(Duration::days(30));

    visitor.post("/expiry/browser", &[]).await;
    visitor.post("/expiry/idle", &[("seconds", "1800")]).await;
    visitor.post("/expiry/date", &[("date", &date)]).await;
    visitor.post("/expiry/default", &[]).await;

    let sent = date.replace(':', "%3A");
    assert_snapshot!("four_choices", visitor.transcript().replace(&sent, "<in 30 days>"));
}

#[tokio::test]
async fn until_the_browser_closes() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    visitor.post("/expiry/browser", &[]).await;
    let page = visitor.follow().await.text();
    assert!(page.contains("Your session ends when you close the browser."), "{page}");
    assert!(page.contains("it lasts 14 days, until"), "the record stays for the default: {page}");
    assert_eq!(table.minutes_left().await * 60, TWO_WEEKS);

    visitor.restart();
    visitor.get("/").await;
    assert!(has_no_session(&visitor));
}

#[tokio::test]
async fn until_a_date_whatever_is_changed_before() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    let (date, shown) = moment(Duration::days(30));
    visitor.post("/expiry/date", &[("date", &date)]).await;
    visitor.follow().await;
    assert_eq!(visitor.page().texts("#stored"), [&*shown]);
    assert!(visitor.page().text().contains(&format!("until {shown}.")));

    visitor.post("/bookmark", &[]).await;
    visitor.follow().await;
    assert_eq!(visitor.page().texts("#stored"), [&*shown]);
    assert_eq!(visitor.page().texts(".lead"), ["Your bookmark is at page 2."]);
}

#[tokio::test]
async fn a_date_without_seconds_is_a_whole_minute() {
    // Browsers leave seconds out where they are zero.
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    let (date, shown) = moment(Duration::days(30));
    let (date, shown) =
        (&date[..16], format!("{}:00 UTC", &shown[..shown.len() - ":00 UTC".len()]));
    visitor.post("/expiry/date", &[("date", date)]).await;
    visitor.follow().await;
    assert_eq!(visitor.page().texts("#stored"), [&*shown]);
}

#[tokio::test]
async fn the_default_undoes_a_choice_and_survives_closing_the_browser() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    visitor.post("/expiry/idle", &[("seconds", "1800")]).await;
    visitor.post("/bookmark", &[]).await;
    visitor.post("/expiry/default", &[]).await;
    assert_eq!(table.minutes_left().await * 60, TWO_WEEKS);

    visitor.restart();
    visitor.get("/").await;
    assert_eq!(visitor.page().texts(".lead"), ["Your bookmark is at page 2."]);
}

#[tokio::test]
async fn the_default_alone_starts_no_session() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    visitor.post("/expiry/default", &[]).await;
    assert!(visitor.page().set_cookies().is_empty());
    assert_eq!(table.all().await, []);
}

#[tokio::test]
async fn a_choice_lasts_over_later_requests_and_a_restart_of_the_server() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    visitor.post("/expiry/browser", &[]).await;
    let cookie = format!("chapter6={}", visitor.cookie("chapter6").expect("a session cookie"));

    let later = table.visitor(true).await;
    for mut visitor in [visitor, later] {
        visitor.get_with("/", &[("cookie", cookie.as_bytes())]).await;
        let page = visitor.page().text();
        assert!(page.contains("when you close the browser"), "{page}");
        let renewed = visitor.page().set_cookies().concat();
        assert!(!renewed.contains("Max-Age") && !renewed.contains("Expires"), "{renewed}");
    }
}

#[tokio::test]
async fn reading_alone_keeps_nothing_alive() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    visitor.post("/expiry/idle", &[("seconds", "1800")]).await;
    visitor.take_transcript();

    let mut left = Vec::new();
    let mut transcript = Vec::new();
    for _ in 0..2 {
        table.let_pass(600).await;
        visitor.get("/").await;
        transcript.push(dated(&visitor.take_transcript()));
        left.push(table.minutes_left().await);
    }
    assert_eq!(left, [20, 10]);

    // And the second up to which its end was rounded.
    table.let_pass(601).await;
    visitor.get("/").await;
    transcript.push(dated(&visitor.take_transcript()));
    assert!(has_no_session(&visitor));
    assert_eq!(visitor.cookie("chapter6"), None);
    assert_snapshot!("an_active_reader_is_not_active", transcript.join("\n\n###\n\n"));
}

#[tokio::test]
async fn a_change_keeps_the_session_alive() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    visitor.post("/expiry/idle", &[("seconds", "1800")]).await;
    table.let_pass(600).await;
    visitor.take_transcript();

    visitor.post("/bookmark", &[]).await;
    assert_eq!(table.minutes_left().await, 30);
    assert_snapshot!("a_change_is_activity", visitor.transcript());
}

#[tokio::test]
async fn saving_on_every_request_makes_reading_count() {
    let table = Table::new().await;
    let mut visitor = table.visitor(true).await;
    visitor.post("/expiry/idle", &[("seconds", "1800")]).await;
    visitor.take_transcript();

    for _ in 0..4 {
        table.let_pass(600).await;
        visitor.get("/").await;
        assert!(!has_no_session(&visitor));
        assert_eq!(table.minutes_left().await, 30);
    }
    let transcript = dated(&visitor.transcript());
    let (first, _) = transcript.split_once("\n\n###\n\n").expect("several exchanges");
    assert_snapshot!("saving_on_every_request", first);
}

#[tokio::test]
async fn saving_on_every_request_gives_no_session_to_a_stranger() {
    let table = Table::new().await;
    let mut visitor = table.visitor(true).await;
    visitor.get("/").await;
    assert!(visitor.page().set_cookies().is_empty());
    assert_eq!(table.all().await, []);
}

#[tokio::test]
async fn what_cannot_be_an_end_is_explained_and_changes_nothing() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    visitor.post("/expiry/idle", &[("seconds", "1800")]).await;
    let before = table.all().await;

    let refused = "is not a number of seconds from 1 to 34560000";
    let seconds =
        ["0", "-1", "soon", "1000000000000", "34560001", "1.5", "", "99999999999999999999"];
    for seconds in seconds {
        visitor.post("/expiry/idle", &[("seconds", seconds)]).await;
        assert_eq!(visitor.page().status(), StatusCode::BAD_REQUEST);
        let page = visitor.page().text();
        assert!(page.contains(&format!("“{seconds}” {refused}")), "for {seconds:?}: {page}");
        assert_eq!(
            visitor.page().attributes("#seconds", "value"),
            [seconds],
            "it can be corrected"
        );
    }

    let no_date = ["2027-02-31T12:00", "", "tomorrow", "2027-06-01", "12027-06-01T12:00"];
    for date in no_date {
        visitor.post("/expiry/date", &[("date", date)]).await;
        assert_eq!(visitor.page().status(), StatusCode::BAD_REQUEST);
        let page = visitor.page().text();
        assert!(page.contains(&format!("“{date}” is not a date of the calendar")), "{page}");
    }

    let (past, _) = moment(-Duration::SECOND);
    let (too_far, _) = moment(Duration::days(401));
    for date in ["1970-01-01T00:00", &past, &too_far, "9999-12-31T23:59"] {
        visitor.post("/expiry/date", &[("date", date)]).await;
        assert_eq!(visitor.page().status(), StatusCode::BAD_REQUEST);
        let page = visitor.page().text();
        assert!(page.contains("is not within the next 400 days"), "for {date:?}: {page}");
    }

    visitor.post("/expiry/idle", &[("minutes", "3")]).await;
    assert!(visitor.page().status().is_client_error());
    assert_eq!(table.all().await, before);
}

#[tokio::test]
async fn the_longest_idle_time_and_the_longest_date_are_taken() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    visitor.post("/expiry/idle", &[("seconds", "34560000")]).await;
    assert_eq!(visitor.page().status(), StatusCode::SEE_OTHER);
    let (date, _) = moment(Duration::days(400));
    visitor.post("/expiry/date", &[("date", &date)]).await;
    assert_eq!(visitor.page().status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_hostile_number_is_shown_as_text_and_never_as_markup() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    let hostile = "<script>alert(1)</script>\"><img src=x>";
    for (path, field) in [("/expiry/idle", "seconds"), ("/expiry/date", "date")] {
        let page = visitor.post(path, &[(field, hostile)]).await;
        assert!(page.text().contains("<script>alert(1)"), "it is shown by {path}");
        assert!(!page.has("script") && !page.has("img"), "markup from {path}:\n{}", page.body());
    }
}

#[tokio::test]
async fn clear_expired_removes_what_has_expired_and_says_how_many() {
    let table = Table::new().await;
    let mut visitor = table.visitor(false).await;
    visitor.post("/bookmark", &[]).await;
    let alive = table.all().await;
    // More than one step takes.
    table.add_expired(1201).await;

    for expected in ["Expired sessions removed: 1201\n", "Expired sessions removed: 0\n"] {
        let output = chapter(6)
            .arg("clear-expired")
            .arg("--database")
            .arg(table.file())
            .output()
            .expect("the program starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.is_empty(), "{}: {told}", output.status);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
        assert_eq!(table.all().await, alive);
    }
}

#[test]
fn clear_expired_says_in_one_line_why_it_cannot() {
    let folder = TempDir::new().expect("an empty folder");
    std::fs::write(folder.path().join("garbage.sqlite"), "no database ".repeat(200)).unwrap();
    for database in ["sessions.sqlite", "no/such/folder.sqlite", "garbage.sqlite", "."] {
        let output = chapter(6)
            .current_dir(&folder)
            .args(["clear-expired", "--database", database])
            .output()
            .expect("the program starts");
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert_eq!(line.trim_end().lines().count(), 1, "one line, not:\n{line}");
        assert!(line.starts_with("error: ") && line.contains(database), "{line}");
        assert!(output.stdout.is_empty());
    }
    assert!(!folder.path().join("sessions.sqlite").exists(), "looking for it made it");
}

#[test]
fn the_server_says_in_one_line_why_it_cannot_use_a_database() {
    let folder = TempDir::new().expect("an empty folder");
    let database = Path::new("no/such/folder/sessions.sqlite");
    let output = chapter(6).current_dir(&folder).arg("--database").arg(database).output().unwrap();
    let line = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{line}");
    assert_eq!(line.trim_end().lines().count(), 1, "one line, not:\n{line}");
    assert!(line.contains(&*database.to_string_lossy()), "{line}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_server_clears_in_the_background_and_stops_cleanly() {
    let table = Table::new().await;
    table.add_expired(1201).await;
    let server = Server::start(chapter(6).arg("--database").arg(table.file()));

    // It begins at once, so there is nothing to wait for but its work. The watchdog turns a
    // server that never does it into a failure.
    let cleared = async {
        while !table.all().await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let watchdog = std::time::Duration::from_secs(60);
    tokio::time::timeout(watchdog, cleared).await.expect("it clears its store");

    let (status, log) = server.stop(Signal::TERM);
    assert!(status.success(), "{status}: {log}");
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
}
