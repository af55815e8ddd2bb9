//! A page taken apart: its fences with the comment above each, its headings, its links.

use std::collections::HashMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd};

/// One Markdown file.
#[derive(Debug, Default)]
pub struct Page {
    /// From the repository's root, with `/`: `docs/02-my-car.md`.
    pub path: String,
    /// Lines end in `\n` here, whatever the file has.
    pub text: String,
    /// Whether the file has Windows line endings, to write it back with them.
    pub crlf: bool,
    pub fences: Vec<Fence>,
    /// The comments that no fence follows.
    pub loose_comments: Vec<Comment>,
    pub headings: Vec<Heading>,
    pub links: Vec<Link>,
    /// How many words a reader reads, outside the fences.
    pub words: usize,
}

#[derive(Debug)]
pub struct Fence {
    pub line: usize,
    /// The first word after the backticks: `rust` of `rust,ignore`.
    pub language: String,
    /// What a reader sees, without the indentation of a list around it.
    pub body: String,
    /// Where the body stands in the page's text, with that indentation.
    pub span: Range<usize>,
    pub indent: String,
    /// The backticks or tildes that open it.
    pub ticks: String,
    pub closed: bool,
    /// The comment above it, if only blank lines are between.
    pub comment: Option<Comment>,
}

#[derive(Debug)]
pub struct Comment {
    pub line: usize,
    /// What stands between `<!--` and `-->`.
    pub text: String,
    /// Where in the page's text the comment begins.
    pub start: usize,
    /// Where it ends.
    end: usize,
}

#[derive(Debug)]
pub struct Heading {
    pub line: usize,
    pub level: HeadingLevel,
    pub title: String,
    /// What a link calls it, after the `#`.
    pub slug: String,
}

#[derive(Debug)]
pub struct Link {
    pub line: usize,
    pub target: String,
    /// What a reader sees on pointing at it.
    pub title: String,
}

/// The pages at the root, the README of each crate under shared/, and every page under docs/.
pub fn read_pages(root: &Path) -> Result<Vec<Page>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".md") {
            paths.push(name);
        }
    }
    for entry in fs::read_dir(root.join("shared")).into_iter().flatten() {
        let path = format!("shared/{}/README.md", entry?.file_name().to_string_lossy());
        if root.join(&path).is_file() {
            paths.push(path);
        }
    }
    if root.join("docs").is_dir() {
        find_pages(root, "docs", &mut paths)?;
    }
    paths.sort();
    paths.iter().map(|path| read_page(root, path)).collect()
}

pub fn read_page(root: &Path, path: &str) -> Result<Page> {
    let text = fs::read_to_string(root.join(path)).with_context(|| format!("reading {path}"))?;
    Ok(Page::parse(path, &text))
}

fn find_pages(root: &Path, folder: &str, paths: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            find_pages(root, &path, paths)?;
        } else if path.ends_with(".md") {
            paths.push(path);
        }
    }
    Ok(())
}

impl Page {
    /// Longer than a function should be: one pass over the events, and a step for each kind.
    pub fn parse(path: &str, file: &str) -> Page {
        let text = file.replace("\r\n", "\n");
        let mut page =
            Page { path: path.to_owned(), crlf: file.contains("\r\n"), ..Page::default() };

        let mut slugs = HashMap::new();
        let mut heading = None;
        let mut in_fence = false;
        // The latest comment, until a fence takes it or something else shows that none will.
        let mut comment: Option<Comment> = None;

        // Heading attributes (`{#id}`) stay off: a code host would show them as text.
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS;
        for (event, span) in Parser::new_ext(&text, options).into_offset_iter() {
            match event {
                // The lines of a block of HTML follow as events of their own, so take it whole.
                Event::Start(Tag::HtmlBlock) => {
                    page.links.extend(html_links(&text, &span));
                    for next in comments(&text, &span) {
                        page.loose_comments.extend(comment.replace(next));
                    }
                }
                // A comment within a line belongs to that line, not to a fence below it.
                Event::InlineHtml(_) => {
                    page.links.extend(html_links(&text, &span));
                    page.loose_comments.extend(comments(&text, &span));
                }
                Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                    let fence = Fence::open(&text, &span, &info);
                    page.add_fence(fence, comment.take(), &text[..span.start]);
                    in_fence = true;
                }
                Event::End(TagEnd::CodeBlock) => in_fence = false,
                Event::Start(Tag::Heading { level, .. }) => {
                    heading = Some((line_of(&text, span.start), level, String::new()));
                }
                Event::End(TagEnd::Heading(_)) => {
                    if let Some((line, level, title)) = heading.take() {
                        let slug = unique(&mut slugs, slug(&title));
                        page.headings.push(Heading { line, level, title, slug });
                    }
                }
                Event::Text(words) | Event::Code(words) => {
                    if !in_fence {
                        let is_word = |word: &&str| word.contains(char::is_alphanumeric);
                        page.words += words.split_whitespace().filter(is_word).count();
                    }
                    if let Some((_, _, title)) = &mut heading {
                        title.push_str(&words);
                    } else if in_fence && let Some(fence) = page.fences.last_mut() {
                        fence.body.push_str(&words);
                    }
                }
                Event::Start(Tag::Link { link_type: LinkType::Email, .. }) => {}
                Event::Start(
                    Tag::Link { dest_url, title, .. } | Tag::Image { dest_url, title, .. },
                ) => {
                    let line = line_of(&text, span.start);
                    let (target, title) = (dest_url.into_string(), title.into_string());
                    page.links.push(Link { line, target, title });
                }
                _ => {}
            }
        }
        page.loose_comments.extend(comment);
        page.text = text;
        page
    }

    /// `before` is the page's text up to the fence. The comment is the fence's own if only the
    /// line's end and blank lines are between them.
    fn add_fence(&mut self, mut fence: Fence, comment: Option<Comment>, before: &str) {
        let is_its_own = |comment: &Comment| {
            let gap = before.get(comment.end..);
            gap.is_some_and(|gap| gap.contains('\n') && gap.trim().is_empty())
        };
        match comment {
            Some(comment) if is_its_own(&comment) => fence.comment = Some(comment),
            other => self.loose_comments.extend(other),
        }
        self.fences.push(fence);
    }
}

impl Fence {
    /// The body is still to come, in events of its own.
    fn open(text: &str, span: &Range<usize>, info: &str) -> Fence {
        let line_start = text[..span.start].rfind('\n').map_or(0, |end| end + 1);
        let whole = text[line_start..span.end].trim_end_matches('\n');
        let first_line = whole.lines().next().unwrap_or_default();

        let at = first_line.find(['`', '~']).unwrap_or_default();
        let ticks: String = first_line[at..]
            .chars()
            .take_while(|&tick| first_line[at..].starts_with(tick))
            .collect();

        let last_line = whole.rfind('\n').map(|end| end + 1);
        let closing = last_line.filter(|&start| {
            let line = whole[start..].trim();
            line.starts_with(&ticks) && line.chars().all(|tick| ticks.contains(tick))
        });
        let body_start = (line_start + first_line.len() + 1).min(span.end);
        let body_end = closing.map_or(span.end, |start| line_start + start);

        Fence {
            line: line_of(text, span.start),
            language: info.split([',', ' ', '{']).next().unwrap_or_default().to_lowercase(),
            body: String::new(),
            span: body_start..body_end,
            indent: first_line[..at].to_owned(),
            ticks,
            closed: closing.is_some(),
            comment: None,
        }
    }
}

fn comments(text: &str, html: &Range<usize>) -> Vec<Comment> {
    let mut comments = Vec::new();
    let mut at = html.start;
    while let Some(open) = text[at..html.end].find("<!--").map(|found| at + found) {
        let inner = open + "<!--".len();
        let Some(close) = text[inner..html.end].find("-->").map(|found| inner + found) else {
            break;
        };
        at = close + "-->".len();
        comments.push(Comment {
            line: line_of(text, open),
            text: text[inner..close].trim().to_owned(),
            start: open,
            end: at,
        });
    }
    comments
}

/// The targets of `<a href="…">` and `<img src="…">`.
fn html_links(text: &str, html: &Range<usize>) -> Vec<Link> {
    let tags = &text[html.clone()];
    ["href=\"", "src=\""]
        .iter()
        .flat_map(|attribute| tags.match_indices(attribute))
        .filter_map(|(at, attribute)| {
            let (target, _) = tags[at + attribute.len()..].split_once('"')?;
            let line = line_of(text, html.start + at);
            Some(Link { line, target: target.to_owned(), title: String::new() })
        })
        .collect()
}

/// GitHub's rule, and mdBook's for any heading without `--`, which mdBook prints as a dash.
fn slug(title: &str) -> String {
    title
        .to_lowercase()
        .chars()
        .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter))
        .map(|letter| if letter == ' ' { '-' } else { letter })
        .collect()
}

/// A second `## Exercise` of a page is `#exercise-1`.
fn unique(taken: &mut HashMap<String, usize>, slug: String) -> String {
    let before = taken.entry(slug.clone()).or_default();
    *before += 1;
    match *before - 1 {
        0 => slug,
        count => format!("{slug}-{count}"),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}
