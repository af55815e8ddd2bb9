//! Every page of every chapter can be used by everybody, as far as a program can tell: axe-core
//! finds nothing in it, dark or light, and it fits a wide screen and a phone's.

use std::{fs, sync::OnceLock};

use serde::Deserialize;
use sqlx::{AssertSqlSafe, Connection, SqliteConnection, sqlite::SqliteConnectOptions};

use crate::{attacks::Stage, chromium::Chromium, site::Site, stories, window::Window};

/// The program of axe-core.
static AXE: OnceLock<String> = OnceLock::new();

const AXE_FILE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/browser/node_modules/axe-core/axe.min.js");

/// As wide as a desk's screen.
const WIDE: (u32, u32) = (1280, 900);

/// As narrow as a phone's.
const NARROW: (u32, u32) = (390, 844);

/// What this check needs and does not find.
pub fn missing() -> Option<String> {
    let is_there = fs::exists(AXE_FILE).unwrap_or(false);
    (!is_there).then(|| "axe-core is missing: npm ci --prefix tests/browser".to_owned())
}

// The page for an address where nothing is, is the same in every chapter. It is looked at here,
// and in chapter 8, whose frame has the most in it.
pub async fn chapter_1_is_for_everybody() {
    let site = Site::open(1);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;

    inspect_all(&window, &["/", "/", "/forget", "/nowhere"]).await;
}

pub async fn chapter_2_is_for_everybody() {
    let site = Site::open(2);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;

    // Without a car: three answers, an error for a missing key, another for a wrong method.
    let paths = ["/car", "/car/or-mini", "/car/known", "/everything", "/everything/clear", "/"];
    inspect_all(&window, &paths).await;
    stories::set_car(&window, "beetle").await;
    inspect(&window).await;
    inspect_all(&window, &["/car", "/everything"]).await;

    window.visit("/").await;
    stories::set_car(&window, " ").await;
    assert_eq!(window.text("[role=alert]").await, "A car needs a name.");
    inspect(&window).await;
    window.visit("/").await;
    window.run("document.querySelector('#my_car').name = 'my_bicycle'").await;
    window.press("Set").await;
    assert_eq!(window.heading().await, "Unprocessable Entity");
    inspect(&window).await;
    window.visit("/").await;
    window.run("document.querySelector('#my_car').value = 'vroom '.repeat(20000)").await;
    window.press("Set").await;
    assert_eq!(window.heading().await, "Payload Too Large");
    inspect(&window).await;

    // One word that is wider than the page.
    window.visit("/").await;
    stories::set_car(&window, &"vroom".repeat(12)).await;
    inspect(&window).await;
}

pub async fn chapter_3_is_for_everybody() {
    let visitor = Chromium::start().await;
    for options in [&[][..], &["--save-every-request"]] {
        let site = Site::open_with(3, options);
        let window = visitor.window(&site).await;
        window.visit("/").await;
        inspect(&window).await;
        for button in ["Change inside", "Put back"] {
            window.press(button).await;
            inspect(&window).await;
        }
        inspect_all(&window, &["/inside", "/?saw=wood"]).await;
    }
}

pub async fn chapter_4_is_for_everybody() {
    let site = Site::open(4);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    inspect_all(&window, &["/"]).await;

    let file = SqliteConnectOptions::new().filename(site.folder().join("library.sqlite"));
    let mut tables = SqliteConnection::connect_with(&file).await.expect("the site's database");
    for (lost, heading) in [("book", "Internal Server Error"), ("session", "Service Unavailable")] {
        let rename = format!("ALTER TABLE {lost} RENAME TO lost_{lost}");
        sqlx::query(AssertSqlSafe(rename)).execute(&mut tables).await.expect("the table is there");
        window.visit("/").await;
        assert_eq!(window.heading().await, heading);
        inspect(&window).await;
    }
}

pub async fn chapter_5_is_for_everybody() {
    let site = Site::open(5);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    inspect_all(&window, &["/", "/counter", "/hours"]).await;

    let visitor = Chromium::refusing_cookies().await;
    let window = visitor.window(&site).await;
    window.visit("/counter").await;
    assert_eq!(window.heading().await, "Your visits are not counted");
    inspect(&window).await;
}

pub async fn chapter_6_is_for_everybody() {
    let visitor = Chromium::start().await;
    for options in [&[][..], &["--save-every-request"]] {
        let site = Site::open_with(6, options);
        let window = visitor.window(&site).await;
        inspect_all(&window, &["/expiry/idle", "/"]).await;
        for button in ["Move the bookmark", "When the browser closes", "When idle"] {
            window.press(button).await;
            inspect(&window).await;
        }

        window.run("document.querySelector('#seconds').type = 'text'").await;
        window.fill("seconds", "soon").await;
        window.press("When idle").await;
        assert!(window.text("[role=alert]").await.contains("is not a number of seconds"));
        inspect(&window).await;
    }
}

pub async fn chapter_7_is_for_everybody() {
    let site = Site::open_with(7, &["--store", "file:sessions"]);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    inspect_all(&window, &["/"]).await;

    fs::remove_dir_all(site.folder().join("sessions")).expect("a folder of sessions");
    window.visit("/").await;
    assert_eq!(window.heading().await, "Service Unavailable");
    inspect(&window).await;
}

pub async fn chapter_8_is_for_everybody() {
    let site = Site::open(8);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    let lists =
        ["/", "/books", "/books?page=2", "/books?page=99", "/authors", "/authors?page=soon"];
    let details = ["/books/1", "/books/1000", "/authors/1", "/authors/emma", "/nowhere"];
    inspect_all(&window, &lists).await;
    inspect_all(&window, &details).await;

    for theme in ["light", "dark"] {
        window.visit("/preferences").await;
        window.choose("theme", theme).await;
        inspect(&window).await;
        window.press("Save").await;
        inspect(&window).await;
    }
    window.press("Dismiss").await;
    inspect(&window).await;

    window.visit("/preferences").await;
    window.run("document.querySelector('#per_page').type = 'text'").await;
    window.fill("per_page", "many").await;
    window.press("Save").await;
    assert!(window.text(".note").await.starts_with("Nothing was saved."));
    inspect(&window).await;

    let visitor = Chromium::refusing_cookies().await;
    let window = visitor.window(&site).await;
    window.visit("/preferences").await;
    window.fill("per_page", "5").await;
    window.press("Save").await;
    assert!(window.text("main").await.contains("your browser keeps no cookies"));
    inspect(&window).await;
}

pub async fn chapter_9_is_for_everybody() {
    let mut site = Site::open_with(9, &["--until-enter"]);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    inspect_all(&window, &["/usual", "/usual/add", "/exact"]).await;
    let writing = window.begin_to_press("Write a note slowly").await;
    site.wait_for("A slow action waits");
    site.press_enter();
    writing.wait().await;
    inspect(&window).await;

    let late = stories::write_after_signing_out(&mut site, &visitor).await;
    assert_eq!(late.heading().await, "Conflict");
    inspect(&late).await;
}

pub async fn the_inspector_is_for_everybody() {
    let mut site = Site::open_with(9, &["--until-enter"]);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    // Nothing yet, and then two tabs at once.
    inspect_all(&window, &["/inspector", "/inspector/7"]).await;
    let window = stories::add_in_two_windows(&mut site, &visitor, "/usual").await;
    inspect_all(&window, &["/inspector", "/inspector/3"]).await;
}

pub async fn chapter_10_is_for_everybody() {
    let site = Site::open(10);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    inspect_all(&window, &["/", "/", "/my-books"]).await;
    window.visit("/sign-in").await;
    stories::fill_in(&window, "ada", "wrong").await;
    assert!(window.text(".note").await.starts_with("There is no reader"));
    inspect(&window).await;

    // A second browser of hers, to be ended.
    let elsewhere = Chromium::start().await;
    stories::sign_in(&elsewhere.window(&site).await, "ada", "yes").await;
    stories::sign_in(&window, "ada", "no").await;
    let pages = ["/my-books", "/devices", "/all-books", "/confirm", "/password", "/"];
    inspect_all(&window, &pages).await;
    window.press("Dark pages").await;
    inspect(&window).await;
    window.visit("/password").await;
    window.fill("password", "Casaubon was wrong").await;
    window.fill("again", "Casaubon was right").await;
    window.press("Change password").await;
    assert!(window.text(".note[role=alert]").await.starts_with("Nothing was changed"));
    inspect(&window).await;

    stories::sign_in(&window, "liz", "no").await;
    inspect_all(&window, &["/my-books", "/all-books"]).await;
}

pub async fn chapter_11_is_for_everybody() {
    let stage = Stage::open(&["--same-site", "none", "--defence", "origin"]);
    let visitor = Chromium::start().await;
    let window = visitor.window(stage.library()).await;
    inspect_all(&window, &["/", "/reminders/stop", "/reminders", "/"]).await;
    window.press("Sign in as Ada").await;
    inspect(&window).await;
    window.follow("Stop the reminders").await;
    inspect(&window).await;

    // The other site's pages, too, but for those that leave at once.
    for page in ["/", "/link", "/image", "/fetch"] {
        window.visit_elsewhere(&stage.another_site(page)).await;
        inspect(&window).await;
    }
    window.visit_elsewhere(&stage.another_site("/form")).await;
    window.wait_for(".brand").await;
    assert_eq!(window.heading().await, "Forbidden");
    inspect(&window).await;
}

pub async fn chapter_12_is_for_everybody() {
    let site = Site::open(12);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    inspect_all(&window, &["/", "/sign-in"]).await;
    stories::sign_in(&window, "ada", "no").await;
    inspect_all(&window, &["/my-books", "/devices"]).await;
}

/// Looks at the pages at these addresses.
async fn inspect_all(window: &Window, paths: &[&str]) {
    for path in paths {
        window.visit(path).await;
        inspect(window).await;
    }
}

/// Looks at the page, wide and narrow, light and dark.
///
/// A narrow page has its parts in other places, and a dark one has other colours: neither has
/// other names for them. So all rules are for one look at it, and some are for the others.
async fn inspect(window: &Window) {
    if window.run("return typeof axe === 'undefined'").await == true {
        let axe = AXE.get_or_init(|| fs::read_to_string(AXE_FILE).expect("it is installed"));
        // The DevTools may run a script where the page's policy forbids the page to.
        window.run(axe).await;
        window.run_in_each_page(axe).await;
    }

    let mut findings = Vec::new();
    for (look, (width, height), scheme, rules) in LOOKS {
        window.resize(width, height).await;
        window.prefer(scheme).await;
        if window.run("return document.documentElement.scrollWidth > innerWidth").await == true {
            findings.push(format!("{look}: the page has to be pushed sideways"));
        }
        let found = window.run(&FIND.replace("RULES", rules)).await;
        let found: Vec<Finding> = serde_json::from_value(found).expect("a list of findings");
        findings.extend(found.into_iter().map(|Finding { impact, rule, help, places }| {
            format!("{look}: {impact} {rule}: {help}\n{places}")
        }));
    }
    if !findings.is_empty() {
        panic!("“{}”:\n{}", window.heading().await, findings.join("\n"));
    }
}

/// A look at a page: its name, its size in CSS pixels, its colours, and axe-core's rules for it.
const LOOKS: [(&str, (u32, u32), &str, &str); 3] = [
    ("wide and dark", WIDE, "dark", RULES_OF_COLOURS),
    ("narrow and light", NARROW, "light", RULES_OF_PLACES),
    ("wide and light", WIDE, "light", "undefined"),
];

/// The violations of axe-core's rules, with the HTML of each place.
///
/// There is no sound or film in the pages, which `preload` would wait for. The selectors are not
/// read, and to find them takes time for each place without a violation, too.
const FIND: &str = "return axe.run({
    resultTypes: ['violations'], preload: false, selectors: false, runOnly: RULES
}).then(({ violations }) =>
    violations.map(({ impact, id, help, nodes }) => ({
        impact, rule: id, help, places: nodes.map(node => node.html).join('\\n'),
    }))
)";

const RULES_OF_COLOURS: &str = "{ type: 'rule', values: ['color-contrast', 'link-in-text-block'] }";

const RULES_OF_PLACES: &str =
    "{ type: 'rule', values: ['scrollable-region-focusable', 'target-size'] }";

#[derive(Deserialize)]
struct Finding {
    /// How badly it hurts: `minor`, `moderate`, `serious` or `critical`.
    impact: String,
    rule: String,
    help: String,
    places: String,
}
