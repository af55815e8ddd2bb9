//! What there is to try in chapter 6, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen("Move the bookmark. With this change your session begins.", |request| {
            request.posted("/bookmark")
        }),
        Step::seen("Choose 60 idle seconds.", |request| request.posted("/expiry/idle")),
        Step::seen(
            "For a minute do nothing but reload. You were active, and your session has ended.",
            |request| request.opens("/") && !request.brings("chapter6"),
        ),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps).also("cargo run -p chapter-6 -- clear-expired")
}
