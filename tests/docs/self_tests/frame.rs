//! A chapter's page says what it takes, and ends with three questions.

use super::*;

const CHAPTER: &str = "docs/02-my-car.md";

#[track_caller]
fn expect_finding(old: &str, new: &str, words: &str) {
    let root = repository();
    replace(&root, CHAPTER, old, new);
    let findings = all_findings(&root);
    assert!(findings.contains(words), "{findings}");
    assert_eq!(findings.lines().count(), 1, "{findings}");
}

#[test]
fn a_box_that_is_missing_or_lacks_a_line_is_found() {
    let problem = "docs/02-my-car.md:1: the title is followed by a list of three lines";
    expect_finding("- **You need:** a car.\n", "", problem);
    expect_finding("- **You need:** a car.\n", "- **You need:**\n", problem);
    expect_finding("- **You need:**", "You need a car.\n\n- **You need:**", problem);
    expect_finding("change its wheels.\n", "change.\n- **And:** more\n", problem);
    expect_finding("- **Then you can:** change its wheels.\n", "", problem);
}

#[test]
fn an_item_of_the_box_may_go_over_the_end_of_a_line() {
    let root = repository();
    replace(&root, CHAPTER, "need:** a car.\n", "need:** a car\n  with wheels.\n");
    assert_eq!(all_findings(&root), "");
}

#[test]
fn a_wrong_time_is_found_and_the_right_one_told() {
    let right = "`- **Time:** about 15 minutes, with the exercise`";
    expect_finding("about 15 minutes", "about 20 minutes", right);
    expect_finding(", with the exercise", "", right);
}

#[test]
fn the_time_grows_with_words_and_with_lines_of_rust_and_with_nothing_else() {
    let page = |text: &str| Page::parse("docs/x.md", text);
    let minutes = |text: &str| crate::frame::minutes(&page(text));
    assert_eq!(minutes(""), 10);
    assert_eq!(minutes("One."), 15);
    assert_eq!(minutes(&"one, - <!-- two --> ".repeat(600)), 15);
    assert_eq!(minutes(&"`one` ".repeat(601)), 20);
    let code = |language: &str, lines: usize| {
        format!("```{language}\n{}```\n", "let x = 1;\n\n".repeat(lines))
    };
    assert_eq!(minutes(&code("rust", 50)), 15);
    assert_eq!(minutes(&code("rust,ignore", 51)), 20);
    assert_eq!(minutes(&code("http", 999)), 10);
    // Five minutes, in two halves.
    assert_eq!(minutes(&format!("{}\n{}", "one ".repeat(300), code("rust", 25))), 15);
}

#[test]
fn a_first_block_without_the_use_lines_of_its_file_is_found() {
    let root = repository();
    replace(&root, "chapters/02-my-car/my_car.rs", "const MY_CAR", "use std::fmt;\n\nconst MY_CAR");
    let finding = "docs/02-my-car.md:22: the first block of Rust begins with \
                   `code: chapters/02-my-car/my_car.rs uses, …`\n";
    assert_eq!(all_findings(&root), finding);

    replace(&root, CHAPTER, "my_car.rs const MY_CAR", "my_car.rs uses, const MY_CAR");
    rewrite(&root);
    assert_eq!(all_findings(&root), "");
}

#[test]
fn questions_that_are_missing_too_many_or_not_markdown_are_found() {
    let third =
        "\n<details>\n<summary>Where are the wheels?</summary>\n\nAt the car.\n\n</details>\n";
    let two = "3 questions are asked in a section, not 2";
    expect_finding(third, "", two);
    expect_finding(third, &format!("{third}{third}"), "not 4");
    let tight = third.replace("\n\nAt", "\nAt");
    expect_finding(third, &tight, "question 3: blank lines go before and after");
    let tight = third.replace("car.\n\n", "car.\n");
    expect_finding(third, &tight, "question 3: blank lines go before and after");
    expect_finding("<code>id</code>", "`id`", "question 2: a summary is HTML");
    expect_finding("Where is the car?", "", "question 1: a question and its answer");
    expect_finding("<summary>Where is the car?</summary>\n", "", "question 1: write `<summary>");
    expect_finding("## Check yourself\n", "", "no `## Check yourself`");
    expect_finding(
        third,
        &format!("{third}\n## More\n"),
        "ends with its questions, not with `More`",
    );
}
