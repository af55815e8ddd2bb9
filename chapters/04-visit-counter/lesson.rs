//! What there is to try in chapter 4, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen("Reload the page. The count goes up.", |request| {
            request.opens("/") && request.brings("chapter4")
        }),
        Step::seen(
            "Open this address in a private window. That is another visitor, with a count of \
             their own.",
            |request| request.opens("/") && !request.brings("chapter4"),
        ),
        Step::after_restart(
            "Stop this program with Ctrl-C, start it again, and reload. It goes on counting.",
            |request| request.opens("/") && request.brings_from_before("chapter4"),
        ),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps)
}
