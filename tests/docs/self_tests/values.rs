//! A number in a sentence is held to the code, whichever of the two changes.

use super::*;
use crate::values::Value;
use crate::words;

const SETTINGS: &str = "\
/// In bytes. The age is another matter.
pub const LIMIT: usize = 64 * 1024;
const HEADER: usize = (12 + 16) as usize;
static PATIENCE: Duration = Duration::from_millis(1500);
const LONGEST: time::Duration = time::Duration::days(400);
const EVERY: u64 = 24 * HOUR;
const BOOKS: &str = \"books\";

struct Options {
    #[arg(long, default_value_t = 3000)]
    port: u16,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { cookie_age: 1, age: Duration::from_secs(14 * 24 * 60 * 60), limit: LIMIT }
    }
}

impl Settings {
    const MOST: u32 = 3;

    fn cookie() -> &'static str {
        \"Max-Age=31536000\"
    }
}

fn serve() {
    start(a, Duration::from_secs(60));
    start(b, Duration::from_secs(60));
}
";

/// A repository with such settings, and a page that holds this sentence.
fn with_sentence(sentence: &str) -> TempDir {
    let root = repository();
    write(&root, "settings.rs", SETTINGS);
    write(&root, "README.md", &format!("[2](docs/02-my-car.md)\n\n{sentence}\n"));
    root
}

#[track_caller]
fn expect_finding(sentence: &str, words: &[&str]) {
    let findings = all_findings(&with_sentence(sentence));
    assert_eq!(findings.lines().count(), 1, "{sentence}\n{findings}");
    for word in words {
        assert!(findings.contains(word), "{findings} does not say {word:?}");
    }
}

#[test]
fn a_number_that_the_code_says_too_is_no_finding() {
    for sentence in [
        "At most 64 KiB<!-- value: settings.rs const LIMIT --> fit.",
        "At most **65,536 bytes**<!-- value: settings.rs const LIMIT -->.",
        "| most |\n|---|\n| `65536`<!-- value: settings.rs const LIMIT --> |",
        "It has 28<!-- value: settings.rs const HEADER --> bytes.",
        "Within 1500 milliseconds<!-- value: settings.rs static PATIENCE -->.",
        "Not beyond 400 days<!-- value: settings.rs const LONGEST -->.",
        "Three<!-- value: settings.rs const Settings::MOST --> books.",
        "Two weeks<!-- value: settings.rs impl Default for Settings after \"age:\" -->.",
        "For 1 209 600 seconds<!-- value: settings.rs impl Default for Settings after \"age:\" -->.",
        "Port 3000<!-- value: settings.rs struct Options after \"default_value_t =\" -->.",
        "For 31536000<!-- value: settings.rs fn Settings::cookie after \"Max-Age=\" --> seconds.",
        "Once a minute<!-- value: settings.rs fn serve after \"start(a,\" -->, it does.",
        // Over the end of a line, as far as the sentence goes there.
        "- Two\n  weeks<!-- value: settings.rs\n  impl Default for Settings after \"age:\" -->, so.",
    ] {
        assert_eq!(all_findings(&with_sentence(sentence)), "", "{sentence}");
    }
}

#[test]
fn a_number_that_changes_in_the_code_or_in_the_page_is_found() {
    let root = with_sentence("At most 64 KiB<!-- value: settings.rs const LIMIT --> fit.");
    replace(&root, "settings.rs", "64 * 1024;", "128 * 1024;");
    assert_eq!(
        all_findings(&root),
        "README.md:3: the page says \"64 KiB\", and `const LIMIT` in settings.rs is 131072: \
         `128 * 1024`\n"
    );

    replace(&root, "README.md", "64 KiB", "128 KiB");
    assert_eq!(all_findings(&root), "");

    replace(&root, "README.md", "128 KiB", "120 KiB");
    assert!(all_findings(&root).contains("the page says \"120 KiB\""));
}

#[test]
fn a_number_and_a_time_are_never_equal() {
    expect_finding(
        "For 400<!-- value: settings.rs const LONGEST --> days.",
        &["the page says \"400\"", "is 34560000 seconds: `time::Duration::days(400)`"],
    );
    expect_finding(
        "For three seconds<!-- value: settings.rs const Settings::MOST -->.",
        &["the page says \"three seconds\"", "is 3: `3`"],
    );
}

#[test]
fn a_source_that_was_moved_or_renamed_is_named() {
    for (source, problem) in [
        ("config.rs const LIMIT", "there is no file config.rs"),
        ("settings.rs const MOST", "no `const MOST`; there is `const LIMIT` (line 1)"),
        ("settings.rs impl Default for Config after \"age:\"", "no `impl Default for Config`"),
        (
            "settings.rs impl Default for Settings after \"limits:\"",
            "\"limits:\" stands there 0 times",
        ),
    ] {
        let (path, place) = source.split_once(' ').expect("a file and a place");
        expect_finding(
            &format!("At most 64 KiB<!-- value: {source} --> fit."),
            &["README.md:3: ", &format!("\"64 KiB\" is held to `{place}` in {path}: "), problem],
        );
    }
}

#[test]
fn what_is_no_number_is_told() {
    for (place, problem) in [
        ("const BOOKS", "`\"books\"` is not made of whole numbers"),
        ("const EVERY", "`HOUR` is not made of whole numbers"),
        ("impl Default for Settings after \"limit:\"", "`LIMIT` is not made of whole numbers"),
        ("fn serve after \"start(\"", "\"start(\" stands there 2 times"),
        ("fn serve after \"\"", "says nothing"),
        ("struct Options after \"port\"", "which is no number"),
        ("fn serve", "write `const NAME`, `static NAME`, or an item and the text before"),
        ("const LIMIT, const HEADER", "one constant is meant"),
    ] {
        expect_finding(&format!("At most 64 KiB<!-- value: settings.rs {place} -->."), &[problem]);
    }
}

#[test]
fn a_value_marker_stands_right_after_a_number() {
    for sentence in [
        "Many<!-- value: settings.rs const LIMIT --> fit.",
        "At most 64 KiB <!-- value: settings.rs const LIMIT --> fit.",
        "At most 64 KiB\n<!-- value: settings.rs const LIMIT -->\nfit.",
        "<!-- value: settings.rs const LIMIT -->",
    ] {
        expect_finding(sentence, &["no number ends right before `value: settings.rs const LIMIT`"]);
    }
    expect_finding(
        "<!-- value: settings.rs const LIMIT -->\n```rust\n```",
        &["a number goes right before this, not a fence after it"],
    );
    for marker in [
        "value",
        "value: ",
        "value: settings.rs",
        "value: site.html x",
        "Value: settings.rs const LIMIT",
        "vlaue: settings.rs const LIMIT",
    ] {
        expect_finding(&format!("At most 64 KiB<!-- {marker} --> fit."), &["README.md:3: "]);
    }
}

#[test]
fn a_value_marker_does_not_take_the_place_of_a_fences_own() {
    let code =
        "<!-- code: settings.rs const Settings::MOST -->\n```rust\nconst MOST: u32 = 3;\n```";
    let value = "<!-- value: settings.rs const Settings::MOST -->";
    assert_eq!(all_findings(&with_sentence(&format!("Three{value}\n\n{code}"))), "");

    let findings = all_findings(&with_sentence(&format!("Three{value}\n\n```rust\n```")));
    assert_eq!(findings, "README.md:5: a rust fence without a source\n");
}

#[test]
fn numbers_are_read_with_all_their_words_and_no_more() {
    let number = |number| Some(Value::Number(number));
    let seconds = |count: u64| Some(Value::Milliseconds(count * 1000));
    for (text, words, value) in [
        ("about 27,300", "27,300", number(27_300)),
        ("(10_000", "10_000", number(10_000)),
        ("all 1 209 600", "1 209 600", number(1_209_600)),
        ("1 209 600 bytes", "1 209 600 bytes", number(1_209_600)),
        ("| 2 MiB", "2 MiB", number(2 * 1024 * 1024)),
        ("within a minute", "a minute", seconds(60)),
        ("Twelve hours", "Twelve hours", seconds(12 * 3600)),
        ("version 3, 500", "500", number(500)),
        ("27,30", "", None),
        ("x500", "", None),
        ("4 KB", "", None),
        ("half a dozen", "", None),
        ("", "", None),
    ] {
        let read = words::at_the_end_of(text);
        assert_eq!(read.map(|(_, value)| value), value, "{text}");
        assert_eq!(read.map_or("", |(words, _)| words), words, "{text}");
    }
}
