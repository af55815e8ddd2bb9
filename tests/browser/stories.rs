//! What visitors do with a browser, and what they see.

use std::env;

use serde_json::json;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use time::{Duration, OffsetDateTime};

use crate::{
    chromium::Chromium,
    site::Site,
    window::{Cookie, Window},
};

/// The other stories trust in this one.
pub async fn what_one_story_leaves_behind_no_other_finds() {
    let site = Site::open(2);
    for has_a_profile in [false, true, false, true] {
        let visitor = match has_a_profile {
            true => Chromium::with_a_profile().await,
            false => Chromium::start().await,
        };
        let window = visitor.window(&site).await;
        window.visit("/").await;
        assert_eq!(window.lead().await, "Your session remembers no car yet.");
        set_car(&window, "beetle").await;
    }
}

pub async fn the_browser_keeps_the_count_and_sends_it_back() {
    let site = Site::open(1);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;

    window.visit("/").await;
    assert_eq!(window.lead().await, "You have visited this page 1 time.");
    assert!(window.text("main").await.contains("No cookie at all"));

    window.visit("/").await;
    assert_eq!(window.lead().await, "You have visited this page 2 times.");
    assert_eq!(window.text("pre").await, "Cookie: visits=1");

    let cookie = window.cookie("visits").await.expect("it is kept");
    assert_eq!((cookie.value.as_str(), cookie.path.as_str()), ("2", "/"));
    assert_is_guarded(&window, &cookie).await;
    assert_eq!(days_left(&cookie), Some(365));
}

pub async fn forgetting_removes_the_cookie() {
    let site = Site::open(1);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    window.visit("/").await;

    window.press("Forget me").await;

    // The page that follows sets the cookie again. That it came without one, it says.
    assert!(window.text("main").await.contains("No cookie at all"));
    assert_eq!(window.lead().await, "You have visited this page 1 time.");
}

pub async fn an_edited_cookie_is_believed() {
    let site = Site::open(1);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;

    window.edit_cookie("visits", "999999").await;
    window.visit("/").await;

    assert_eq!(window.lead().await, "You have visited this page 1000000 times.");
}

pub async fn the_browser_holds_an_id_and_not_the_car() {
    let site = Site::open(2);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    assert!(window.cookie("chapter2").await.is_none(), "who stores nothing needs no cookie");

    set_car(&window, "beetle").await;
    assert_eq!(window.lead().await, "Your session remembers your car: beetle.");
    let cookie = window.cookie("chapter2").await.expect("it is kept");
    assert!(!cookie.value.contains("beetle"));
    assert_is_guarded(&window, &cookie).await;
    assert_eq!(days_left(&cookie), None, "it is kept until the browser closes");

    window.press("Delete").await;
    assert_eq!(window.lead().await, "Your session remembers no car yet.");
    let same = window.cookie("chapter2").await.expect("it is still kept");
    assert_eq!(same.value, cookie.value);
}

pub async fn a_lesson_ticks_off_what_was_done() {
    let site = Site::open(2);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    let done = "return document.querySelectorAll('.steps .done').length";
    window.visit("/").await;
    assert_eq!(window.run("return document.title").await, "My car · Chapter 2: My car");
    assert_eq!(window.run(done).await, 0);

    set_car(&window, "beetle").await;
    assert_eq!(window.run(done).await, 1);
    window.follow("Everything").await;
    assert_eq!(window.run(done).await, 2);
    let private = visitor.private_window(&site).await;
    private.visit("/").await;
    assert_eq!(private.run(done).await, 3);

    window.follow("Read the chapter").await;
    assert_eq!(window.heading().await, "2 My car");
}

pub async fn two_windows_share_a_car() {
    let site = Site::open(2);
    let visitor = Chromium::start().await;
    let (one, other) = (visitor.window(&site).await, visitor.window(&site).await);
    one.visit("/").await;
    set_car(&one, "beetle").await;

    other.visit("/car").await;
    assert_eq!(other.lead().await, "beetle");

    other.visit("/").await;
    other.press("Clear everything").await;
    one.follow("Everything").await;
    assert!(!one.text("main").await.contains("beetle"));
}

pub async fn a_private_window_has_no_car() {
    let site = Site::open(2);
    let visitor = Chromium::start().await;
    let (window, private) = (visitor.window(&site).await, visitor.private_window(&site).await);
    window.visit("/").await;
    set_car(&window, "beetle").await;

    private.visit("/").await;
    assert_eq!(private.lead().await, "Your session remembers no car yet.");

    set_car(&private, "limousine").await;
    window.follow("Get my_car").await;
    assert_eq!(window.lead().await, "beetle");
}

pub async fn a_session_cookie_goes_when_the_browser_closes() {
    let site = Site::open(2);
    let mut visitor = Chromium::with_a_profile().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    set_car(&window, "beetle").await;

    visitor.restart().await;

    let window = visitor.window(&site).await;
    window.visit("/").await;
    assert_eq!(window.lead().await, "Your session remembers no car yet.");
    assert!(window.cookie("chapter2").await.is_none());
}

pub async fn a_change_inside_is_lost_unless_it_is_flagged() {
    let site = Site::open(3);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;

    for (button, outcome) in
        [("Change inside", "lost."), ("Change and flag", "kept."), ("Put back", "kept.")]
    {
        window.press(button).await;
        let note = window.text(".note").await;
        assert!(note.ends_with(outcome), "{button}: {note}");
    }
}

pub async fn visits_are_counted_over_restarts_of_browser_and_server() {
    let site = Site::open(4);
    let mut visitor = Chromium::with_a_profile().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    let cookie = window.cookie("chapter4").await.expect("it is kept");
    assert_is_guarded(&window, &cookie).await;
    assert_eq!(days_left(&cookie), Some(14));

    visitor.restart().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    assert_eq!(window.lead().await, "You have visited this page 2 times.");

    let site = site.restart();
    let window = visitor.window(&site).await;
    window.visit("/").await;
    assert_eq!(window.lead().await, "You have visited this page 3 times.");
}

pub async fn a_private_window_counts_apart() {
    let site = Site::open(4);
    let visitor = Chromium::start().await;
    let (window, private) = (visitor.window(&site).await, visitor.private_window(&site).await);

    for expected in ["You have visited this page 1 time.", "You have visited this page 2 times."] {
        window.visit("/").await;
        assert_eq!(window.lead().await, expected);
    }
    private.visit("/").await;
    assert_eq!(private.lead().await, "You have visited this page 1 time.");
}

pub async fn a_browser_that_refuses_cookies_is_always_on_its_first_visit() {
    let site = Site::open(4);
    let visitor = Chromium::refusing_cookies().await;
    let window = visitor.window(&site).await;

    for _ in 0..3 {
        window.visit("/").await;
        assert_eq!(window.lead().await, "You have visited this page 1 time.");
        assert!(window.cookie("chapter4").await.is_none());
    }
}

pub async fn the_counter_counts_a_browser_that_keeps_cookies() {
    let site = Site::open(5);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;

    for expected in ["You have visited this page 1 time.", "You have visited this page 2 times."] {
        window.follow("Visit counter").await;
        assert_eq!(window.lead().await, expected);
        assert_eq!(window.path().await, "/counter");
    }
}

pub async fn the_counter_tells_a_browser_that_refuses_cookies() {
    let site = Site::open(5);
    let visitor = Chromium::refusing_cookies().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;

    for link in ["Visit counter", "try again"] {
        window.follow(link).await;
        assert_eq!(window.heading().await, "Your visits are not counted");
        assert!(window.cookie("chapter5").await.is_none());
    }

    window.follow("opening hours").await;
    assert_eq!(window.lead().await, "Monday to Saturday, 9 to 17 o'clock.");
}

pub async fn the_cookie_ends_as_it_was_chosen() {
    let site = Site::open(6);
    let mut visitor = Chromium::with_a_profile().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    window.press("Move the bookmark").await;
    window.press("As the site's default says").await;
    let cookie = window.cookie("chapter6").await.expect("it is kept");
    assert_is_guarded(&window, &cookie).await;
    assert_eq!(days_left(&cookie), Some(14));

    visitor.restart().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    assert_eq!(window.lead().await, "Your bookmark is at page 2.");

    window.press("When the browser closes").await;
    let cookie = window.cookie("chapter6").await.expect("it is kept for now");
    assert_eq!(days_left(&cookie), None);

    visitor.restart().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    assert!(window.lead().await.starts_with("You have no session"));
    assert!(window.cookie("chapter6").await.is_none());
}

pub async fn the_cookie_of_a_dead_session_is_removed() {
    let site = Site::open(6);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    window.press("When the browser closes").await;
    assert!(window.cookie("chapter6").await.is_some());

    let two_weeks = 1_209_600;
    // And the second up to which its end was rounded.
    let_pass(&site, two_weeks + 1).await;
    window.visit("/").await;

    assert!(window.lead().await.starts_with("You have no session"));
    assert!(window.cookie("chapter6").await.is_none());
}

pub async fn visits_are_counted_wherever_sessions_are_kept() {
    let visitor = Chromium::start().await;
    let servers = ["TEST_POSTGRES_URL", "TEST_REDIS_URL"].map(|variable| env::var(variable).ok());
    let places = ["memory", "sqlite:sessions.sqlite", "file:sessions", "cached+file:sessions"];
    let places = places.map(String::from).into_iter().chain(servers.into_iter().flatten());
    for place in places {
        let site = Site::open_with(7, &["--store", &place]);
        let (window, other) = (visitor.window(&site).await, visitor.window(&site).await);
        for (count, window) in [("1 time", &window), ("2 times", &window), ("3 times", &other)] {
            window.visit("/").await;
            let lead = format!("You have visited this page {count}.");
            assert_eq!(window.lead().await, lead, "with {place}");
        }
        let cookie = window.cookie("chapter7").await.expect("it is kept");
        assert_is_guarded(&window, &cookie).await;
        // The next place is to find a stranger.
        window.forget_cookies().await;
    }
}

pub async fn an_encrypted_session_is_the_cookie_and_survives_the_browser() {
    let site = Site::open_with(7, &["--store", "cookie:"]);
    let mut visitor = Chromium::with_a_profile().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    let cookie = window.cookie("chapter7").await.expect("it is kept");
    assert_is_guarded(&window, &cookie).await;
    assert_eq!(days_left(&cookie), Some(14));

    visitor.restart().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    assert_eq!(window.lead().await, "You have visited this page 2 times.");
    let next = window.cookie("chapter7").await.expect("it is kept");
    assert_ne!(next.value, cookie.value, "it holds the count");
}

pub async fn preferences_hold_in_every_window_and_after_a_restart() {
    let site = Site::open(8);
    let mut visitor = Chromium::with_a_profile().await;
    let (window, private) = (visitor.window(&site).await, visitor.private_window(&site).await);
    prefer_five_in_the_dark(&window).await;
    let cookie = window.cookie("chapter8").await.expect("it is kept");
    assert_is_guarded(&window, &cookie).await;

    let other = visitor.window(&site).await;
    other.visit("/books").await;
    assert_eq!(books_in_the_dark(&other).await, (5, true));
    private.visit("/books").await;
    assert_eq!(books_in_the_dark(&private).await, (10, false));

    visitor.restart().await;
    let window = visitor.window(&site).await;
    window.visit("/books").await;
    assert_eq!(books_in_the_dark(&window).await, (5, true));
}

pub async fn a_dismissed_notice_stays_dismissed() {
    let site = Site::open(8);
    let mut visitor = Chromium::with_a_profile().await;
    let window = visitor.window(&site).await;
    window.visit("/books?page=2").await;
    assert!(has_notice(&window).await);

    window.press("Dismiss").await;
    assert!(!has_notice(&window).await);
    assert!(window.text(".pages").await.contains("Page 2 of 3"), "the visitor is where they were");

    visitor.restart().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    assert!(!has_notice(&window).await);
}

pub async fn without_cookies_the_links_carry_the_preferences() {
    let site = Site::open(8);
    let visitor = Chromium::refusing_cookies().await;
    let window = visitor.window(&site).await;
    prefer_five_in_the_dark(&window).await;
    assert!(window.cookie("chapter8").await.is_none());

    window.follow("Next").await;
    assert_eq!(books_in_the_dark(&window).await, (5, true));
    window.press("Dismiss").await;
    assert!(!has_notice(&window).await);
    window.follow("Authors").await;
    window.follow("Books").await;
    assert_eq!(books_in_the_dark(&window).await, (5, true));
    assert!(!has_notice(&window).await);
    assert!(window.text(".note").await.contains("your browser keeps no cookies"));
}

async fn prefer_five_in_the_dark(window: &Window) {
    window.prefer("light").await;
    window.visit("/preferences").await;
    window.fill("per_page", "5").await;
    window.choose("theme", "dark").await;
    window.press("Save").await;
    assert_eq!(books_in_the_dark(window).await, (5, true));
}

/// How many books the page lists, and whether it is dark.
async fn books_in_the_dark(window: &Window) -> (u64, bool) {
    let books = window.run("return document.querySelectorAll('main li').length").await;
    (books.as_u64().expect("a number"), is_dark(window).await)
}

async fn has_notice(window: &Window) -> bool {
    window.run("return document.querySelector('.notice') !== null").await == true
}

pub async fn the_usual_basket_loses_what_another_window_added() {
    let mut site = Site::open_with(9, &["--until-enter"]);
    let visitor = Chromium::start().await;

    let window = add_in_two_windows(&mut site, &visitor, "/usual").await;

    assert_eq!(window.lead().await, "There is 1 book in your basket.");
}

pub async fn the_exact_basket_keeps_what_both_windows_added() {
    let mut site = Site::open_with(9, &["--until-enter"]);
    let visitor = Chromium::start().await;

    let window = add_in_two_windows(&mut site, &visitor, "/exact").await;

    assert_eq!(window.lead().await, "There are 3 books in your basket.");
}

/// Adds a book slowly in one window and meanwhile two in another; the first one shows the outcome.
pub async fn add_in_two_windows(site: &mut Site, visitor: &Chromium, basket: &str) -> Window {
    let fast = visitor.window(site).await;
    let slow = visitor.window(site).await;
    fast.visit(basket).await;
    slow.visit(basket).await;

    let adding = slow.begin_to_press("Add a book slowly").await;
    site.wait_for("A slow action waits");
    fast.press("Add a book").await;
    fast.press("Add a book").await;
    assert_eq!(fast.lead().await, "There are 2 books in your basket.");
    site.press_enter();
    adding.wait().await;
    slow
}

pub async fn signing_out_holds_against_a_window_that_is_late() {
    let mut site = Site::open_with(9, &["--until-enter"]);
    let visitor = Chromium::start().await;

    let late = write_after_signing_out(&mut site, &visitor).await;
    assert_eq!(late.heading().await, "Conflict");

    late.visit("/exact").await;
    assert_eq!(late.lead().await, "There are 0 books in your basket.");
    assert!(late.text("main").await.contains("You have written no note."));
}

/// Signs out in one window while another, which shows the outcome, still writes a note.
pub async fn write_after_signing_out(site: &mut Site, visitor: &Chromium) -> Window {
    let window = visitor.window(site).await;
    let late = visitor.window(site).await;
    window.visit("/exact").await;
    window.press("Add a book").await;
    let before = window.cookie("chapter9_exact").await.expect("it is kept");

    late.visit("/exact").await;
    let writing = late.begin_to_press("Write a note slowly").await;
    site.wait_for("A slow action waits");
    window.press("Sign out").await;
    let after = window.cookie("chapter9_exact").await.expect("the basket's page starts a session");
    assert_ne!(before.value, after.value, "signing out ends the session");
    site.press_enter();
    writing.wait().await;
    late
}

pub async fn signing_in_gives_another_cookie_and_keeps_the_visits() {
    let site = Site::open(10);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;
    window.visit("/").await;
    let before = window.cookie("chapter10").await.expect("it is kept");
    assert!(window.text("main code").await.starts_with(&before.value[..4]));

    sign_in(&window, "ada", "no").await;

    let after = window.cookie("chapter10").await.expect("it is kept");
    assert_ne!(before.value, after.value);
    assert_is_guarded(&window, &after).await;
    assert_eq!(window.lead().await, "You have visited this page 3 times.");
    let ids = format!("{}… {}…", &before.value[..4], &after.value[..4]);
    let shown = window.run(
        "return [...document.querySelectorAll('main code')].map(it => it.textContent).join(' ')",
    );
    assert_eq!(shown.await, json!(ids));
}

pub async fn a_reader_goes_on_to_the_page_that_was_asked_for() {
    let site = Site::open(10);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    window.visit("/my-books").await;
    assert_eq!(
        (window.path().await.as_str(), window.heading().await.as_str()),
        ("/sign-in", "Sign in")
    );

    fill_in(&window, "ada", "wrong").await;
    assert!(window.text(".note").await.starts_with("There is no reader"));
    fill_in(&window, "ada", "ada-reads").await;

    assert_eq!(window.heading().await, "My borrowed books");
    assert!(window.text("main").await.contains("Middlemarch"));
}

pub async fn who_is_remembered_is_signed_in_after_a_restart_of_the_browser() {
    let site = Site::open(10);
    let mut visitor = Chromium::with_a_profile().await;
    for (remember, heading) in [("no", "Sign in"), ("yes", "My borrowed books")] {
        let window = visitor.window(&site).await;
        sign_in(&window, "ada", remember).await;
        let cookie = window.cookie("chapter10").await.expect("it is kept");
        assert_eq!(days_left(&cookie), (remember == "yes").then_some(90));

        visitor.restart().await;

        let window = visitor.window(&site).await;
        window.visit("/my-books").await;
        assert_eq!(window.heading().await, heading, "{remember}");
    }
}

pub async fn one_browser_ends_the_session_of_another() {
    let site = Site::open(10);
    let (here, there) = (Chromium::start().await, Chromium::start().await);
    let (here, there) = (here.window(&site).await, there.window(&site).await);
    sign_in(&there, "ada", "no").await;
    sign_in(&here, "ada", "no").await;

    here.visit("/devices").await;
    assert!(here.text("main").await.contains("Chrome on Linux, this one."));
    here.press("Sign out there").await;

    there.visit("/my-books").await;
    assert_eq!(there.heading().await, "Sign in");
    here.visit("/my-books").await;
    assert_eq!(here.heading().await, "My borrowed books");
    sign_in(&there, "ada", "no").await;
    here.visit("/devices").await;
    here.press("Sign out everywhere").await;
    for window in [&here, &there] {
        window.visit("/my-books").await;
        assert_eq!(window.heading().await, "Sign in");
    }
}

pub async fn back_shows_no_private_page_after_signing_out() {
    let site = Site::open(10);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    sign_in(&window, "ada", "no").await;
    window.follow("My borrowed books").await;
    assert!(window.text("main").await.contains("Middlemarch"));
    window.press("Sign out").await;

    window.go_back().await;

    assert_eq!(window.heading().await, "Sign in");
}

/// Signs a reader of the sample in.
pub async fn sign_in(window: &Window, name: &str, remember: &str) {
    window.visit("/sign-in").await;
    window.choose("remember", remember).await;
    let password = if name == "liz" { "liz-lends".to_owned() } else { format!("{name}-reads") };
    fill_in(window, name, &password).await;
    assert_eq!(window.heading().await, "Local Library Home");
}

/// Sends the form that this window shows.
pub async fn fill_in(window: &Window, name: &str, password: &str) {
    window.fill("name", name).await;
    window.fill("password", password).await;
    window.press("Sign in").await;
}

pub async fn the_pages_are_dark_for_who_prefers_that() {
    let site = Site::open(4);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;

    for scheme in ["light", "dark"] {
        window.prefer(scheme).await;
        assert_eq!(is_dark(&window).await, scheme == "dark");
    }
}

pub async fn the_inspector_shows_by_itself_what_another_window_does() {
    let site = Site::open(4);
    let visitor = Chromium::start().await;
    let inspector = visitor.window(&site).await;
    let window = visitor.window(&site).await;
    inspector.visit("/inspector").await;
    assert!(inspector.text("main").await.contains("Nothing yet."));

    window.visit("/").await;
    inspector.wait_for("#request-1[aria-current]").await;
    assert_eq!(inspector.heading().await, "GET /");

    // One that was opened stays, and the list goes on.
    inspector.visit("/inspector/1").await;
    window.visit("/?again").await;
    inspector.wait_for("#request-2").await;
    assert_eq!(inspector.heading().await, "GET /");
    window.follow("What just happened").await;
    assert_eq!(window.heading().await, "GET /?again");
}

pub async fn the_inspector_shows_two_tabs_beside_each_other() {
    let mut site = Site::open_with(9, &["--until-enter"]);
    let visitor = Chromium::start().await;
    let window = add_in_two_windows(&mut site, &visitor, "/usual").await;

    window.visit("/inspector/3").await;
    assert_eq!(window.heading().await, "POST /usual/add-slowly");
    let verdict = "The session: saved over another request's change: books: 2 → 1.";
    assert_eq!(window.text(".verdict").await, verdict);
    let lanes = "return [...document.querySelectorAll('figure:last-of-type .head-text')]
        .map(it => it.textContent).join()";
    assert_eq!(window.run(lanes).await, "request 3,store,requests 4, 5, 6, 7");
}

/// Is the page's letter brighter than its paper?
async fn is_dark(window: &Window) -> bool {
    let look = window.run(
        "const { color, backgroundColor } = getComputedStyle(document.documentElement);
        return [color, backgroundColor].map(colour => colour.match(/\\d+/g).map(Number))",
    );
    let [ink, paper]: [Vec<u32>; 2] = serde_json::from_value(look.await).expect("two colours");
    let (ink, paper): (u32, u32) = (ink.iter().sum(), paper.iter().sum());
    assert!(ink.abs_diff(paper) > 300, "the page can be read");
    ink > paper
}

/// Sets a car on chapter 2's home page.
pub async fn set_car(window: &Window, car: &str) {
    window.fill("my_car", car).await;
    window.press("Set").await;
}

/// Makes the sessions of chapter 6 so many seconds older.
pub async fn let_pass(site: &Site, seconds: i64) {
    let file = SqliteConnectOptions::new().filename(site.folder().join("sessions.sqlite"));
    let mut table = SqliteConnection::connect_with(&file).await.expect("the site's database");
    let update = sqlx::query("UPDATE session SET expiry_date = expiry_date - ?").bind(seconds);
    let updated = update.execute(&mut table).await.expect("the table session");
    assert_ne!(updated.rows_affected(), 0, "there is a session");
}

/// Scripts cannot read the cookie, and other sites' forms do not send it.
async fn assert_is_guarded(window: &Window, cookie: &Cookie) {
    assert!(cookie.http_only);
    assert_eq!(cookie.same_site.as_deref(), Some("Lax"));
    assert_eq!(window.run("return document.cookie").await, json!(""));
}

/// The days until the browser drops the cookie, begun ones counted; none if it is when it closes.
fn days_left(cookie: &Cookie) -> Option<i64> {
    if cookie.expires < 0.0 {
        return None;
    }
    let end = OffsetDateTime::UNIX_EPOCH + Duration::seconds_f64(cookie.expires);
    let left = end - OffsetDateTime::now_utc();
    Some((left + Duration::DAY - Duration::SECOND).whole_days())
}
