//! The lesson around a program's pages: which chapter this is, three things to try, where to read.
//!
//! A chapter says in its `lesson.rs` what there is to try, and how a request shows that the reader
//! has done it:
//!
//! ```
//! use lesson::{Lesson, Step};
//!
//! fn lesson() -> Lesson {
//!     let steps = [
//!         Step::seen("Set a car.", |request| request.posted("/car")),
//!         Step::seen("Open a private window. It has no car.", |request| {
//!             request.opens("/") && !request.brings("chapter2")
//!         }),
//!         Step::after_restart("Stop this program, start it again, and reload.", |request| {
//!             request.brings_from_before("chapter2")
//!         }),
//!     ];
//!     Lesson::of(env!("CARGO_MANIFEST_DIR"), steps)
//! }
//! # lesson();
//! ```
//!
//! [`Lesson::around`] puts the lesson around the app. A template asks [`current`] for the [`Frame`]
//! to draw; `shared/site/templates/base.html` does. The pages need no script: a step is ticked off
//! when the next page is drawn.
//!
//! The pages of `docs/` and the sources of the chapters are served under `/read`, from the folder
//! that the program was built in. So the links go to the text that belongs to this program, also
//! without a network.
//!
//! Nothing here knows a chapter, and nothing is kept: with the program, its ticks go.

extern crate self as lesson;

mod book;
mod read;
mod steps;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
};
use tokio::task_local;

use book::Book;
pub use book::Chapter;
use steps::Progress;
pub use steps::{Noted, STEPS, Step};

/// What a chapter wants its reader to try.
#[derive(Clone, Debug)]
pub struct Lesson {
    book: Arc<Book>,
    steps: [Step; STEPS],
    also: Vec<String>,
}

/// What a page draws around itself.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The chapter that this program is.
    pub this: Chapter,
    /// How many chapters there are.
    pub of: usize,
    /// The chapter before this one.
    pub previous: Option<Chapter>,
    /// The chapter after this one.
    pub next: Option<Chapter>,
    /// What to try, and whether it is done.
    pub steps: Vec<(&'static str, bool)>,
}

impl Frame {
    /// Has the reader done all the steps?
    pub fn is_done(&self) -> bool {
        self.steps.iter().all(|(_, is_done)| *is_done)
    }
}

task_local! {
    /// The frame of the page that this task draws.
    static CURRENT: Frame;
}

/// The frame for the page that this task draws; `None` if there is no lesson around the program.
pub fn current() -> Option<Frame> {
    CURRENT.try_with(Frame::clone).ok()
}

impl Lesson {
    /// The lesson of the chapter in `folder`, which is `env!("CARGO_MANIFEST_DIR")`: the number and
    /// the name of the chapter are the folder's, and its title is the heading of its docs page.
    pub fn of(folder: &str, steps: [Step; STEPS]) -> Lesson {
        Lesson { book: Arc::new(Book::open(Path::new(folder))), steps, also: Vec::new() }
    }

    /// One more thing to try, which only the terminal tells: a command, or an address that is not
    /// known before the program runs. `{address}` stands for the program's address.
    pub fn also(mut self, hint: impl Into<String>) -> Lesson {
        self.also.push(hint.into());
        self
    }

    /// What the terminal tells the reader to try, in order, for a program at this address.
    pub fn tries(&self, address: &str) -> impl Iterator<Item = String> {
        let steps = self.steps.iter().map(|step| step.text.to_owned());
        steps.chain(self.also.iter().map(|hint| hint.replace("{address}", address)))
    }

    /// Gives all pages of `app` a frame, notes which steps the reader has done, and serves the docs
    /// and the sources under `/read`.
    ///
    /// Call it last: a layer wraps what was added before it.
    pub fn around(self, app: Router) -> Router {
        let read = read::routes(self.book.clone());
        let lesson = Arc::new((self, Mutex::new(Progress::default())));
        let app = app.layer(middleware::from_fn(move |request: Request, next: Next| {
            let lesson = lesson.clone();
            async move {
                let (lesson, progress) = &*lesson;
                let progress = || progress.lock().unwrap_or_else(PoisonError::into_inner);
                let (head, body) = request.into_parts();
                // A page that is asked for is ticked off on that page already.
                progress().note(&lesson.steps, Noted::request(&head));
                let frame = lesson.frame(&progress());
                let request = Request::from_parts(head.clone(), body);
                let response = CURRENT.scope(frame, next.run(request)).await;
                progress().note(&lesson.steps, Noted::answered(&head, &response));
                response
            }
        }));
        read.fallback_service(app)
    }

    fn frame(&self, progress: &Progress) -> Frame {
        let Book { chapters, this, .. } = &*self.book;
        let neighbour = |number: u32| chapters.iter().find(|it| it.number == number).cloned();
        Frame {
            this: this.clone(),
            of: chapters.len(),
            previous: this.number.checked_sub(1).and_then(neighbour),
            next: neighbour(this.number + 1),
            steps: self.steps.iter().map(|step| step.text).zip(progress.done).collect(),
        }
    }
}
