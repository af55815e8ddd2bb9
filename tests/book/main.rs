//! Builds the docs as a book that can be served as a site: book/index.html.
//!
//! Run: `just book`, that is `cargo run -p tests --example book`. Needs mdBook.
//!
//! mdBook makes the pages. Then this program does what mdBook does not:
//!
//! - each source file that a page links to becomes a page of the book, since a site has no
//!   `../chapters` beside it;
//! - HTTP exchanges get colours: the highlighter knows one message, and not several;
//! - drawings are marked, so that docs/book.css can scale them;
//! - every link within the book is followed. The exit code is 1 if one is dead.

mod colours;
mod links;

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("a folder around tests/")?;
    let book = root.join("book");
    run_mdbook(root)?;
    // mdBook copies what is no page, its own settings too.
    fs::remove_file(book.join("book.toml"))?;

    let mut sources = BTreeSet::new();
    for page in pages(&book)? {
        let html = fs::read_to_string(&page)?;
        let html = links::to_pages_of_sources(&html, &mut sources);
        fs::write(&page, colours::colour_exchanges(&colours::mark_drawings(&html)))?;
    }
    let frame = fs::read_to_string(book.join("glossary.html"))?;
    for source in &sources {
        let text = fs::read_to_string(root.join(source)).with_context(|| source.clone())?;
        fs::write(book.join(links::page_of_source(source)), source_page(&frame, source, &text)?)?;
    }

    let pages = pages(&book)?;
    let (number, dead) = links::follow_all(&book, &pages)?;
    ensure!(dead.is_empty(), "{} of {number} links are dead:\n{}", dead.len(), dead.join("\n"));
    println!("The book has {} pages and {number} links, and no link is dead.", pages.len());
    println!("{}", book.join("index.html").display());
    Ok(())
}

fn run_mdbook(root: &Path) -> Result<()> {
    let mut mdbook = Command::new("mdbook");
    mdbook.arg("build").arg(root.join("docs"));
    // The address of the repository stands in one place. While it is a placeholder, no page links
    // to it.
    let repository = env!("CARGO_PKG_REPOSITORY");
    if !repository.contains("/OWNER/") {
        mdbook.env("MDBOOK_OUTPUT__HTML__GIT_REPOSITORY_URL", repository);
        let edit = format!("{repository}/edit/main/docs/{{path}}");
        mdbook.env("MDBOOK_OUTPUT__HTML__EDIT_URL_TEMPLATE", edit);
    }
    let status = mdbook.status().context("mdBook is missing: cargo install mdbook")?;
    ensure!(status.success(), "mdbook: {status}");
    Ok(())
}

fn pages(book: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(book)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "html") {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}

/// A page of the book that shows a source file, in the frame of another page.
fn source_page(frame: &str, source: &str, text: &str) -> Result<String> {
    let (before, rest) = frame.split_once("<main>").context("a page has a <main>")?;
    let (_, after) = rest.split_once("</main>").context("a page's <main> ends")?;
    let before = before.replace("<title>Glossary", &format!("<title>{source}"));
    // "Edit this page".
    let before = before.replace("docs/./glossary.md", source);
    let language = match source.rsplit('.').next() {
        Some("html") => "xml",
        Some("md") => "markdown",
        Some(ending @ ("sql" | "rs")) => ending,
        _ => "plaintext",
    };
    let language = language.replace("rs", "rust");
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Ok(format!(
        "{before}<main>\n<h1>{source}</h1>\n\
         <pre><code class=\"language-{language}\">{text}</code></pre>\n</main>{}",
        without_neighbours(after)
    ))
}

/// Without the arrows to the page before and after: those are the frame's.
fn without_neighbours(html: &str) -> String {
    let mut parts = html.split("<nav ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |html, part| html + part.split_once("</nav>").map_or(part, |it| it.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_page_in_the_frame_of_another() {
        let frame = "<title>Glossary - Book</title><main>Terms</main>\
                     <nav a>before</nav> and <nav b>after</nav> end";
        assert_eq!(
            source_page(frame, "a/b.rs", "a < b").expect("a page"),
            "<title>a/b.rs - Book</title><main>\n<h1>a/b.rs</h1>\n\
             <pre><code class=\"language-rust\">a &lt; b</code></pre>\n</main> and  end"
        );
    }
}
