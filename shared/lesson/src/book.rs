//! The chapters, as the folder `docs/` has them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One chapter.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// Chapters count from 1.
    pub number: u32,
    /// For example `My car`.
    pub title: String,
    /// The name of its folder and of its page, for example `02-my-car`.
    pub name: String,
}

impl Chapter {
    /// Where this program serves the chapter's docs page.
    pub fn page(&self) -> String {
        format!("/read/docs/{}.md", self.name)
    }

    /// The name of the file that holds the chapter, for example `my_car.rs`.
    pub fn file(&self) -> String {
        let (_, subject) = self.name.split_once('-').unwrap_or(("", &self.name));
        format!("{}.rs", subject.replace('-', "_"))
    }

    /// Where this program serves that file.
    pub fn source(&self) -> String {
        format!("/read/chapters/{}/{}", self.name, self.file())
    }
}

#[derive(Debug)]
pub(crate) struct Book {
    /// The folder with `docs/` and `chapters/`.
    pub(crate) root: PathBuf,
    /// In their order. Empty if the program was taken away from its folder.
    pub(crate) chapters: Vec<Chapter>,
    pub(crate) this: Chapter,
}

impl Book {
    /// `folder` is a chapter's: `…/chapters/02-my-car`.
    pub(crate) fn open(folder: &Path) -> Book {
        let root = folder.ancestors().nth(2).unwrap_or(folder).to_owned();
        let pages = fs::read_dir(root.join("docs")).into_iter().flatten().flatten();
        let mut chapters: Vec<Chapter> =
            pages.filter_map(|page| chapter(&root, &page.path())).collect();
        chapters.sort_by_key(|chapter| chapter.number);

        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let this = chapters.iter().find(|chapter| chapter.name == name).cloned();
        let this = this.unwrap_or_else(|| Chapter {
            number: number(&name).unwrap_or_default(),
            title: name.clone(),
            name,
        });
        Book { root, chapters, this }
    }
}

/// The chapter of a page whose name is as `02-my-car.md` and whose heading is as `# 2 My car`.
fn chapter(root: &Path, page: &Path) -> Option<Chapter> {
    let name = page.file_name()?.to_str()?.strip_suffix(".md")?.to_owned();
    let number = number(&name)?;
    // A page within a chapter, as `04-inside.md`, is no chapter: there is no program of this name.
    if !root.join("chapters").join(&name).is_dir() {
        return None;
    }
    let text = fs::read_to_string(page).ok()?;
    let title = text.lines().next()?.strip_prefix(&format!("# {number} "))?.to_owned();
    Some(Chapter { number, title, name })
}

fn number(name: &str) -> Option<u32> {
    name.split_once('-')?.0.parse().ok()
}
