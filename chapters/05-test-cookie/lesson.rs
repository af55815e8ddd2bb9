//! What there is to try in chapter 5, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen("Open the visit counter, and reload it.", |request| {
            request.opens("/counter") && request.brings("chapter5")
        }),
        Step::seen(
            "Forbid cookies for this site in your browser's settings, and open the counter again.",
            |request| request.opens("/counter/check") && !request.brings("chapter5"),
        ),
        Step::seen(
            "Read the opening hours, still without cookies. They are there for every visitor.",
            |request| request.opens("/hours") && !request.brings("chapter5"),
        ),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps)
        .also("curl --location {address}/counter")
        .also("curl --location --cookie-jar jar --cookie jar {address}/counter")
}
