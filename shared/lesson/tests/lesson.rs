//! The lesson's promises: a step is ticked off when it is done, and not before; what is read here is
//! the repository's, and nothing else.

use std::{fs, path::PathBuf};

use axum::{
    Router,
    http::{StatusCode, header::SET_COOKIE},
    response::Html,
    routing::{get, post},
};
use browser::Browser;
use lesson::{Lesson, Step, current};
use tempfile::TempDir;

/// A program of chapter 2 in a repository of two chapters.
struct Repository(TempDir);

impl Repository {
    fn new() -> Repository {
        let repository = Repository(TempDir::new().expect("an empty folder"));
        repository.write("docs/01-raw-cookies.md", "# 1 Raw cookies\n");
        repository.write(
            "docs/02-my-car.md",
            "# 2 My car\n\nSee [the code](../chapters/02-my-car/my_car.rs) and\n[a word](glossary.md#set-it).\n",
        );
        repository.write("docs/02-inside.md", "# 2 Inside\n");
        repository.write("chapters/01-raw-cookies/raw_cookies.rs", "");
        repository.write("docs/glossary.md", "# Glossary\n\n## Set it\n\n## Set `it`\n");
        repository.write("chapters/02-my-car/my_car.rs", "// <script>alert(1)</script>\n");
        repository.write("chapters/02-my-car/library.sqlite", "secret");
        repository.write("target/debug/secret.rs", "secret");
        repository
    }

    fn write(&self, path: &str, text: &str) {
        let file = self.0.path().join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("it can be made");
        fs::write(file, text).expect("it can be written");
    }

    fn chapter(&self) -> PathBuf {
        self.0.path().join("chapters/02-my-car")
    }

    /// A program that has just been started.
    fn program(&self) -> Browser {
        let steps = [
            Step::seen("Set.", |request| request.posted("/set")),
            Step::seen("Private.", |request| request.opens("/") && !request.brings("car")),
            Step::after_restart("Again.", |request| request.brings_from_before("car")),
        ];
        let lesson = Lesson::of(&self.chapter().to_string_lossy(), steps);
        Browser::open(lesson.around(app()))
    }
}

fn app() -> Router {
    Router::new()
        .route("/", get(async || Html(page())))
        .route("/set", post(async || [(SET_COOKIE, "car=mini; Path=/")]))
        .route("/refused", post(async || StatusCode::FORBIDDEN))
}

/// What a template would draw.
fn page() -> String {
    let Some(frame) = current() else { return "<main>no lesson</main>".to_owned() };
    let done: String =
        frame.steps.iter().map(|(_, is_done)| u8::from(*is_done).to_string()).collect();
    let title = |chapter: Option<lesson::Chapter>| chapter.map_or("-".to_owned(), |it| it.title);
    format!(
        "<main>{done} {} of {}: {}, before {}, next {}</main>",
        frame.this.number,
        frame.of,
        frame.this.title,
        title(frame.previous),
        title(frame.next)
    )
}

/// Which steps the page says are done.
async fn done(visitor: &mut Browser) -> String {
    visitor.get("/").await.texts("main").concat()[..3].to_owned()
}

#[tokio::test]
async fn a_page_knows_its_chapter_and_its_neighbours() {
    let mut visitor = Repository::new().program();
    let page = visitor.get("/").await.texts("main").concat();
    assert_eq!(page, "000 2 of 2: My car, before Raw cookies, next -");
}

#[tokio::test]
async fn a_program_without_a_lesson_draws_none() {
    let mut visitor = Browser::open(app());
    assert_eq!(visitor.get("/").await.texts("main"), ["no lesson"]);
}

#[tokio::test]
async fn a_step_counts_after_the_ones_before_it() {
    let repository = Repository::new();
    let mut visitor = repository.program();
    // A window without the cookie teaches nothing before there is something that it lacks.
    assert_eq!(done(&mut visitor).await, "000");
    visitor.post("/set", &[]).await;
    assert_eq!(done(&mut visitor).await, "100");
    // The page that does it says so already.
    assert_eq!(done(&mut visitor.private_window()).await, "110");
}

#[tokio::test]
async fn a_form_that_was_refused_is_not_done() {
    let repository = Repository::new();
    let steps = [
        Step::seen("", |request| request.posted("/refused")),
        Step::seen("", |_| true),
        Step::seen("", |_| true),
    ];
    let lesson = Lesson::of(&repository.chapter().to_string_lossy(), steps);
    let mut visitor = Browser::open(lesson.around(app()));
    visitor.post("/refused", &[]).await;
    assert_eq!(done(&mut visitor).await, "000");
}

#[tokio::test]
async fn a_cookie_from_before_the_restart_shows_that_it_was_done() {
    let repository = Repository::new();
    let mut visitor = repository.program();
    visitor.get_with("/", &[("cookie", b"other=1; car=mini")]).await;
    assert_eq!(visitor.page().texts("main").concat()[..3], *"111");

    // Once the program has set the cookie, it can be this program's.
    let mut visitor = repository.program();
    visitor.post("/set", &[]).await;
    assert_eq!(done(&mut visitor).await, "100");
}

#[tokio::test]
async fn the_docs_are_pages_whose_links_lead_somewhere() {
    let repository = Repository::new();
    let mut visitor = repository.program();
    let page = visitor.get("/read/docs/02-my-car.md").await;
    assert_eq!(page.texts("main h1"), ["2 My car"]);
    for link in page.attributes("main a", "href") {
        let address = format!("/read/docs/{}", link.split('#').next().expect("a path"));
        assert_eq!(visitor.get(&address).await.status(), StatusCode::OK, "{address}");
    }
    let glossary = visitor.get("/read/docs/glossary.md").await;
    assert_eq!(glossary.attributes("h2", "id"), ["set-it", "set-it-1"]);
}

#[tokio::test]
async fn a_source_is_shown_as_text() {
    let repository = Repository::new();
    let mut visitor = repository.program();
    let page = visitor.get("/read/chapters/02-my-car/my_car.rs").await;
    assert!(page.text().contains("<script>alert(1)</script>"), "{}", page.text());
    assert!(!page.has("script"), "{}", page.body());
    assert!(page.header("content-security-policy").is_some_and(|it| it.contains("'none'")));
}

#[tokio::test]
async fn nothing_else_can_be_read() {
    let repository = Repository::new();
    let outside = TempDir::new().expect("a folder");
    fs::write(outside.path().join("secret.md"), "secret").expect("a file");
    let mut visitor = repository.program();
    let outside = outside.path().join("secret.md");
    for path in [
        "chapters/02-my-car/library.sqlite",
        "target/debug/secret.rs",
        "docs/../../secret.md",
        "docs/..%2F..%2F..%2Fetc/passwd",
        "docs/nothing.md",
        "docs",
        "",
        &outside.to_string_lossy(),
        &format!("..{}", outside.to_string_lossy()),
    ] {
        let page = visitor.get(&format!("/read/{path}")).await;
        assert_eq!(page.status(), StatusCode::NOT_FOUND, "{path}: {}", page.text());
        assert!(!page.text().contains("secret\n"), "{path}");
    }
}

#[tokio::test]
async fn a_program_that_was_taken_out_of_its_folder_still_has_its_steps() {
    let nowhere = TempDir::new().expect("an empty folder").path().join("chapters/02-my-car");
    let steps = [(); 3].map(|()| Step::seen("Set.", |request| request.posted("/set")));
    let lesson = Lesson::of(&nowhere.to_string_lossy(), steps);
    let mut visitor = Browser::open(lesson.around(app()));
    let page = visitor.get("/").await.texts("main").concat();
    assert_eq!(page, "000 2 of 0: 02-my-car, before -, next -");
    assert_eq!(visitor.get("/read/docs/02-my-car.md").await.status(), StatusCode::NOT_FOUND);
}
