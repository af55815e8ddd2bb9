//! A page that stands whole above is not shown again.

use super::*;

const BASKET: &str = "\
Basket

There is 1 book in it.

[ Add ]

[ Empty it ]

Open it in a second tab.
";

/// A page of the docs: the basket, then these pages as the responses of one exchange block.
fn basket_and_then(pages: &[&str]) -> String {
    let exchanges: Vec<String> =
        pages.iter().map(|page| format!("GET / HTTP/1.1\n\nHTTP/1.1 200 OK\n\n{page}")).collect();
    let root = repository();
    write(&root, "tests/snapshots/basket.snap", &snapshot(BASKET));
    write(&root, "tests/snapshots/more.snap", &snapshot(&exchanges.join("\n###\n\n")));
    write(
        &root,
        "README.md",
        "[2](docs/02-my-car.md)\n\n<!-- page: tests/snapshots/basket.snap -->\n```text\n```\n\n\
         <!-- exchange: tests/snapshots/more.snap -->\n```http\n```\n",
    );
    rewrite(&root);
    assert_eq!(all_findings(&root), "");
    let page = fs::read_to_string(root.path().join("README.md")).expect("the page");
    let (before, exchanges) = page.split_once("```http\n").expect("the exchanges");
    assert!(before.contains(BASKET), "a page of its own stays whole: {before}");
    exchanges
        .trim_end_matches("```\n")
        .replace("GET / HTTP/1.1\n\nHTTP/1.1 200 OK\n\n", "")
        .to_owned()
}

fn snapshot(content: &str) -> String {
    format!("---\nsource: tests/chapter_02.rs\n---\n{content}")
}

#[test]
fn of_a_page_that_was_shown_only_the_new_line_is_shown() {
    let two = BASKET.replace("There is 1 book", "There are 2 books");
    assert_eq!(
        basket_and_then(&[BASKET, &two]),
        "\
Basket
[the same page]

###

Basket
[the same page, but: \"There are 2 books in it.\"]
"
    );
}

#[test]
fn several_new_lines_have_a_line_each_and_what_is_gone_is_told() {
    let other = BASKET.replace("There is 1", "There is no").replace("[ Empty it ]\n\n", "");
    assert_eq!(
        basket_and_then(&[&other, &BASKET.replace("[ Add ]\n\n", "")]),
        "\
Basket
[the same page, but:]
  There is no book in it.
  without: [ Empty it ]

###

Basket

There is 1 book in it.

[ Empty it ]

Open it in a second tab.
"
    );
    let without = BASKET.replace("\nOpen it in a second tab.\n", "");
    let told = "Basket\n[the same page, without: \"Open it in a second tab.\"]\n";
    assert_eq!(basket_and_then(&[&without]), told);
}

#[test]
fn the_same_page_is_true_of_the_whole_one_and_of_the_one_before() {
    let two = BASKET.replace("There is 1 book", "There are 2 books");
    // The third is the whole page again, and not the page right above it.
    let folded = basket_and_then(&[&two, BASKET, BASKET]);
    let told: Vec<&str> = folded.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(
        told,
        [
            "[the same page, but: \"There are 2 books in it.\"]",
            "[the same page, but: \"There is 1 book in it.\"]",
            "[the same page]",
        ]
    );
}

#[test]
fn another_page_a_short_page_and_one_that_changed_a_lot_stay_whole() {
    for page in [
        BASKET.replace("Basket", "Shelf").as_str(),
        "Basket\n\nThere is 1 book in it.\n",
        "Basket\n\nThere are 9 books in it.\n\n[ Borrow ]\n\n[ Return ]\n\nClosed on Sunday.\n",
        "Basket\n\nGone.\n\n[ Empty it ]\n\nOpen it in a second tab.\n",
    ] {
        assert_eq!(basket_and_then(&[page]), page);
    }
    let short = "Not Found\n\nNo such book.\n";
    assert_eq!(basket_and_then(&[short, short]), format!("{short}\n###\n\n{short}"));
}

#[test]
fn a_page_of_the_docs_does_not_fold_what_another_one_shows() {
    let root = repository();
    write(
        &root,
        "tests/snapshots/basket.snap",
        &snapshot(&format!("GET / HTTP/1.1\n\nHTTP/1.1 200 OK\n\n{BASKET}")),
    );
    let block = "<!-- exchange: tests/snapshots/basket.snap -->\n```http\n```\n";
    write(&root, "CONTRIBUTING.md", block);
    write(&root, "README.md", &format!("[2](docs/02-my-car.md)\n\n{block}"));
    rewrite(&root);
    for page in ["CONTRIBUTING.md", "README.md"] {
        let text = fs::read_to_string(root.path().join(page)).expect("the page");
        assert!(text.contains(BASKET), "{text}");
    }
}

#[test]
fn a_page_is_cut_to_the_lines_that_are_asked_for() {
    for (selection, block) in [
        ("from \"There\" to \"Add\"", "[…]\n\nThere is 1 book in it.\n\n[ Add ]\n\n[…]\n"),
        ("from \"Basket\" to \"book\"", "Basket\n\nThere is 1 book in it.\n\n[…]\n"),
        ("from \"Empty\" to \"tab\"", "[…]\n\n[ Empty it ]\n\nOpen it in a second tab.\n"),
    ] {
        let root = repository();
        write(&root, "tests/snapshots/basket.snap", &snapshot(BASKET));
        let marker = format!("<!-- page: tests/snapshots/basket.snap {selection} -->");
        let page = format!("[2](docs/02-my-car.md)\n\n{marker}\n```text\n{block}```\n");
        write(&root, "README.md", &page);
        assert_eq!(all_findings(&root), "", "{selection}");
    }
}
