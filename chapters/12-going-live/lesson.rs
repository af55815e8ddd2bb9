//! What there is to try in chapter 12, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen("Sign in as ada.", |request| request.posted("/sign-in")),
        Step::seen(
            "Open /readyz, as a proxy does. It answers 200 until the server is told to stop.",
            |request| request.opens("/readyz"),
        ),
        Step::after_restart(
            "Stop this program with Ctrl-C, start it again, and reload. You are still signed in.",
            |request| request.opens("/") && request.brings_from_before("chapter12"),
        ),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps)
}
