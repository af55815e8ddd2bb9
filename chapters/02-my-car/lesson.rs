//! What there is to try in chapter 2, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen("Type a car and press Set.", |request| request.posted("/car")),
        Step::seen(
            "Open Everything in the sidebar. The session holds one key and its value.",
            |request| request.opens("/everything"),
        ),
        Step::seen("Open this address in a private window. It has no car.", |request| {
            request.opens("/") && !request.brings("chapter2")
        }),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps).also("curl -i {address}/car")
}
