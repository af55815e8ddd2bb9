//! What there is to try in chapter 7, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen("Reload the page. The count goes up.", |request| {
            request.opens("/") && request.brings("chapter7")
        }),
        Step::seen("Open What just happened. It shows what the store was asked.", |request| {
            request.opens("/inspector")
        }),
        Step::after_restart(
            "Start a second server in another terminal, with --port 3001, and open that one. It \
             goes on counting.",
            |request| request.opens("/") && request.brings_from_before("chapter7"),
        ),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps)
}
