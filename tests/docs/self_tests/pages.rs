//! Links lead somewhere, lists are complete, and a chapter's page has its sections in order.

use super::*;

#[test]
fn a_dead_link_is_found_of_whatever_kind() {
    for link in [
        "nowhere.md",
        "../chapters/02-my-car/your_car.rs",
        "/docs/02-my-car.md",
        "//docs/02-my-car.md",
        "../../chapters/02-my-car/my_car.rs",
        "#nothing",
        "02-my-car.md#nothing",
        "../chapters/02-my-car/my_car.rs#L3",
        "http://localhost:3000/",
        "http://127.0.0.1/",
        // On a code host these would do; in the built book they would not.
        "../chapters/02-my-car",
        "../README.md#the-map",
        "README.md",
    ] {
        let findings = findings_on(&format!("# Top\n\n[link]({link})\n"));
        let expected = format!("docs/more.md:3: `{link}` ");
        assert!(findings.starts_with(&expected), "{link}: {findings}");
        assert_eq!(findings.lines().count(), 1, "{findings}");
    }
    let renamed = findings_on("[x](../chapters/02-my-car/my_car.rs \"no_such_promise\")\n");
    assert!(renamed.contains("has no fn no_such_promise"), "{renamed}");
    for page in ["![x](x.png)\n", "<img src=\"x.png\">\n", "[a][b]\n\n[b]: x.png\n"] {
        assert!(findings_on(page).starts_with("docs/more.md:1: `x.png` finds no file"));
    }
}

#[test]
fn links_that_hold_are_no_finding() {
    let page = "\
# Top & `get_mut`, twice!
## Twice
## Twice
[a](#top--get_mut-twice) [b](#twice-1) [c](02-my-car.md#what-can-go-wrong)
[d](../chapters/02-my-car/my_car.rs) [e](https://localhosts.example/x) <a@example.com>
[f](more.md#twice) `http://127.0.0.1:3000` [g](../chapters/02-my-car/my_car.rs \"set_car\")
";
    assert_eq!(findings_on(page), "");
}

#[test]
fn a_chapter_without_a_page_is_found() {
    let root = repository();
    write(&root, "chapters/03-nested-mutation/main.rs", "");
    assert_eq!(
        all_findings(&root),
        "\
docs/SUMMARY.md:1: no link to docs/03-nested-mutation.md
docs/README.md:1: no link to docs/03-nested-mutation.md
README.md:1: no link to docs/03-nested-mutation.md
docs/03-nested-mutation.md:1: chapters/03-nested-mutation has no page
"
    );
}

#[test]
fn a_page_that_no_list_leads_to_is_found() {
    let root = repository();
    write(&root, "docs/deep/more.md", "# More\n");
    assert_eq!(all_findings(&root), "docs/SUMMARY.md:1: no link to docs/deep/more.md\n");
}

#[test]
fn sections_out_of_order_missing_or_twice_are_found() {
    let root = repository();
    replace(&root, "docs/02-my-car.md", "## Exercise\n", "");
    replace(&root, "docs/02-my-car.md", "## What you see", "## Exercise\n## More\n## What you see");
    let findings = all_findings(&root);
    let expected = "docs/02-my-car.md:9: `## What you see` comes after `## Exercise`\n";
    assert_eq!(findings, expected);

    let root = repository();
    replace(&root, "docs/02-my-car.md", "## What can go wrong", "### What can go wrong");
    replace(&root, "docs/02-my-car.md", "## Exercise\n", "## Exercise\n## Exercise\n");
    assert_eq!(
        all_findings(&root),
        "\
docs/02-my-car.md:36: a second `## Exercise`
docs/02-my-car.md:1: no `## What can go wrong`
"
    );
}

#[test]
fn code_before_the_page_is_found() {
    let root = repository();
    let code = "<!-- code: chapters/02-my-car/my_car.rs mod street -->\n```rust\n```\n";
    replace(&root, "docs/02-my-car.md", "# My car\n", &format!("# My car\n\n{code}"));
    rewrite(&root);
    let expected = "docs/02-my-car.md:4: code before any page or exchange";
    assert!(all_findings(&root).starts_with(expected));

    let root = repository();
    replace(
        &root,
        "docs/02-my-car.md",
        "<!-- exchange: tests/snapshots/drive.snap 2 -->\n```http",
        "```text",
    );
    let findings = all_findings(&root);
    assert!(findings.contains("code before any page or exchange"), "{findings}");
}
