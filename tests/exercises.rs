//! Every exercise can be solved, and none comes solved.
//!
//! `check.rs` runs the same check against the reader's answer (`just exercise 3`) and, here,
//! against the solution and the starter.
//!
//! Once you have solved an exercise, its starter is no starter any more: its test then passes,
//! except where `CI` is set.

#![allow(dead_code, missing_docs)]

use std::env;

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post},
};
use sessions::{
    Error, MemoryStore, Session, SessionLayer,
    testing::{self, Expired},
};

#[path = "../chapters/01-raw-cookies/check.rs"]
mod check_1;
#[path = "../chapters/10-signing-in/check.rs"]
mod check_10;
#[path = "../chapters/11-another-sites-form/check.rs"]
mod check_11;
#[path = "../chapters/12-going-live/check.rs"]
mod check_12;
#[path = "../chapters/02-my-car/check.rs"]
mod check_2;
#[path = "../chapters/03-nested-mutation/check.rs"]
mod check_3;
#[path = "../chapters/04-visit-counter/check.rs"]
mod check_4;
#[path = "../chapters/05-test-cookie/check.rs"]
mod check_5;
#[path = "../chapters/06-expiry/check.rs"]
mod check_6;
#[path = "../chapters/07-stores/check.rs"]
mod check_7;
#[path = "../chapters/08-preferences/check.rs"]
mod check_8;
#[path = "../chapters/09-two-tabs/check.rs"]
mod check_9;
#[path = "../chapters/01-raw-cookies/solution.rs"]
mod solution_1;
#[path = "../chapters/10-signing-in/solution.rs"]
mod solution_10;
#[path = "../chapters/11-another-sites-form/solution.rs"]
mod solution_11;
#[path = "../chapters/12-going-live/solution.rs"]
mod solution_12;
#[path = "../chapters/02-my-car/solution.rs"]
mod solution_2;
#[path = "../chapters/03-nested-mutation/solution.rs"]
mod solution_3;
#[path = "../chapters/04-visit-counter/solution.rs"]
mod solution_4;
#[path = "../chapters/05-test-cookie/solution.rs"]
mod solution_5;
#[path = "../chapters/06-expiry/solution.rs"]
mod solution_6;
#[path = "../chapters/07-stores/solution.rs"]
mod solution_7;
#[path = "../chapters/08-preferences/solution.rs"]
mod solution_8;
#[path = "../chapters/09-two-tabs/solution.rs"]
mod solution_9;

#[tokio::test]
async fn the_solution_of_chapter_1_passes() -> anyhow::Result<()> {
    check_1::check(solution_1::app()).await
}

#[tokio::test]
async fn the_starter_of_chapter_1_sends_one_cookie() {
    assert_starter_fails(
        check_1::check(check_1::exercise::app()).await,
        "The dark button's response has 1 Set-Cookie header, and 2 are needed.",
    );
}

#[tokio::test]
async fn the_solution_of_chapter_2_passes() -> anyhow::Result<()> {
    check_2::check(solution_2::app()).await
}

#[tokio::test]
async fn the_starter_of_chapter_2_has_nothing_to_undo() {
    assert_starter_fails(
        check_2::check(check_2::exercise::app()).await,
        "After mini and then beetle, undo answers 404 Not Found: Your session has no \
         previous_car.",
    );
}

#[tokio::test]
async fn the_solution_of_chapter_3_passes() -> anyhow::Result<()> {
    check_3::check(solution_3::app()).await
}

#[tokio::test]
async fn the_starter_of_chapter_3_loses_the_paint() {
    assert_starter_fails(
        check_3::check(check_3::exercise::app()).await,
        "The car was painted green, and on the next request it is red.",
    );
}

#[tokio::test]
async fn the_solution_of_chapter_4_passes() -> anyhow::Result<()> {
    check_4::check(solution_4::app).await
}

#[tokio::test]
async fn the_starter_of_chapter_4_compares_a_visit_with_itself() {
    assert_starter_fails(
        check_4::check(check_4::exercise::app).await,
        "Two books came in, but the page says \"New books since your last visit: 0\".",
    );
}

#[tokio::test]
async fn the_solution_of_chapter_5_passes() -> anyhow::Result<()> {
    check_5::check(solution_5::app()).await
}

#[tokio::test]
async fn the_starter_of_chapter_5_believes_every_browser() {
    assert_starter_fails(
        check_5::check(check_5::exercise::app()).await,
        "A browser that refuses cookies is told \"In your basket: Emma\", and loses it at once.",
    );
}

#[tokio::test]
async fn the_solution_of_chapter_6_passes() -> anyhow::Result<()> {
    check_6::check(solution_6::app()).await
}

#[tokio::test]
async fn the_starter_of_chapter_6_remembers_every_visitor() {
    assert_starter_fails(
        check_6::check(check_6::exercise::app()).await,
        "The box was empty and the browser was closed, yet the site says \"Hello, Ada.\"",
    );
}

#[tokio::test]
async fn the_solution_of_chapter_7_passes() -> anyhow::Result<()> {
    check_7::check(solution_7::Shelf::default()).await
}

#[tokio::test]
async fn the_starter_of_chapter_7_writes_back_what_was_ended() {
    assert_starter_fails(
        check_7::check(check_7::exercise::Shelf::default()).await,
        "A visitor signed out while another request still ran. Its save came late, and the \
         session is back.",
    );
}

#[tokio::test]
async fn the_solution_of_chapter_7_meets_every_requirement_of_a_store() {
    testing::check(async || solution_7::Shelf::default(), Expired::Stay).await;
}

#[tokio::test]
async fn the_solution_of_chapter_8_passes() -> anyhow::Result<()> {
    check_8::check(solution_8::app()).await
}

#[tokio::test]
async fn the_starter_of_chapter_8_forgets_what_tuesdays_visitor_chose() {
    assert_starter_fails(
        check_8::check(check_8::exercise::app()).await,
        "Tuesday's visitor chose {\"per_page\": 20}, and now the page says \"10 results per page, \
         by title\".",
    );
}

#[tokio::test]
async fn the_solution_of_chapter_9_passes() -> anyhow::Result<()> {
    check_9::check(solution_9::app).await
}

#[tokio::test]
async fn the_starter_of_chapter_9_lets_a_fourth_book_in() {
    assert_starter_fails(
        check_9::check(check_9::exercise::app).await,
        "Two tabs went for the third place, and the basket holds 4 books.",
    );
}

// Without a pause between the two, they would rarely meet by themselves.
#[tokio::test]
async fn in_chapter_9_a_look_before_the_update_never_passes() {
    async fn add_book(session: Session) -> Result<StatusCode, Error> {
        if session.get::<u32>("books")? >= Some(3) {
            return Ok(StatusCode::CONFLICT);
        }
        session.update("books", |books: &mut u32| *books += 1).await?;
        Ok(StatusCode::OK)
    }
    let app = |store| {
        Router::new()
            .route(
                "/",
                get(async |session: Session| session.require::<u32>("books").unwrap().to_string()),
            )
            .route("/start", post(async |session: Session| session.insert("books", 2)))
            .route("/add", post(add_book))
            .layer(SessionLayer::new(store))
    };

    let error = check_9::check(app).await.expect_err("the fourth book is in the basket");
    assert_eq!(
        error.to_string(),
        "Two tabs went for the third place, and the basket holds 4 books."
    );
}

#[tokio::test]
async fn the_solution_of_chapter_10_passes() -> anyhow::Result<()> {
    check_10::check(solution_10::app()).await
}

#[tokio::test]
async fn the_starter_of_chapter_10_lets_the_attacker_read_along() {
    assert_starter_fails(
        check_10::check(check_10::exercise::app()).await,
        "An attacker planted an id. The visitor signed in, and now the attacker reads: \"You are \
         ada. Basket: Emma. Note: My diary is behind Middlemarch.\"",
    );
}

#[tokio::test]
async fn the_solution_of_chapter_11_passes() -> anyhow::Result<()> {
    check_11::check(solution_11::app()).await
}

#[tokio::test]
async fn the_starter_of_chapter_11_believes_a_form_without_a_referer() {
    assert_starter_fails(
        check_11::check(check_11::exercise::app()).await,
        "A form of http://localhost:3001, without a Referer, has changed the address to \
         mallory@evil.example.",
    );
}

#[tokio::test]
async fn the_solution_of_chapter_12_passes() -> anyhow::Result<()> {
    check_12::check(solution_12::app(MemoryStore::default())).await
}

#[tokio::test]
async fn the_starter_of_chapter_12_believes_a_visitor_who_comes_past_the_proxy() {
    assert_starter_fails(
        check_12::check(check_12::exercise::app(MemoryStore::default())).await,
        "A visitor who came past the proxy wrote X-Forwarded-Proto: https. The site believed it, \
         and answered 200 OK with 1 cookie.",
    );
}

#[test]
fn a_program_that_is_not_solved_says_so_in_one_line() {
    for (name, mut program) in programs::exercises() {
        let output = program.env("RUST_BACKTRACE", "1").output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout);
        if output.status.success() && env::var_os("CI").is_none() {
            println!("You solved {name}.");
            continue;
        }
        assert_eq!(output.status.code(), Some(1), "{name}: {said}");
        assert!(said.starts_with("Not yet. ") && said.lines().count() == 1, "{name}: {said}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
    }
}

#[test]
fn the_list_has_a_line_for_each_exercise_and_ends_well() {
    let output = programs::list_of_exercises().args(["--format", "tsv"]).output();
    let output = output.expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    for ((number, _), line) in programs::exercises().zip(text.lines()) {
        let cells: Vec<&str> = line.split('\t').collect();
        let (state, start) = match cells[1] {
            "solved" if env::var_os("CI").is_none() => ("solved", "Solved: "),
            _ => ("open", "Not yet. "),
        };
        assert_eq!(cells[..2], [number.trim_start_matches("exercise-"), state], "{line}");
        assert!(cells.len() == 3 && cells[2].starts_with(start), "{line}");
    }
    assert_eq!(text.lines().count(), programs::exercises().count());
}

#[test]
fn the_next_exercise_comes_with_its_file_and_a_hint() {
    let output = programs::list_of_exercises().arg("--next").output().expect("it starts");
    let said = String::from_utf8(output.stdout).expect("text");
    if said.contains("You have solved them all.") && env::var_os("CI").is_none() {
        return;
    }
    for part in ["Exercise ", "\nNot yet. ", "\nEdit chapters/", "\nHint: "] {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
    assert!(output.status.success());
}

fn assert_starter_fails(outcome: anyhow::Result<()>, reason: &str) {
    match outcome {
        Err(error) => assert_eq!(
            error.to_string(),
            reason,
            "exercise.rs is neither the starter nor solved: `just exercise N` tells more"
        ),
        Ok(()) if env::var_os("CI").is_none() => println!("You solved this exercise."),
        Ok(()) => panic!("the starter passes its own check: there is nothing to solve"),
    }
}
