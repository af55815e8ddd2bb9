//! What there is to try in chapter 10, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen(
            "Look at the id of your session on the home page, sign in as ada, and look again.",
            |request| request.posted("/sign-in"),
        ),
        Step::seen("Sign in as ada in a private window, too.", |request| {
            request.posted("/sign-in")
        }),
        Step::seen("In the first window, end the other one on the page Your devices.", |request| {
            request.path().ends_with("/end") && request.posted(request.path())
        }),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps)
}
