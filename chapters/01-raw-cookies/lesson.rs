//! What there is to try in chapter 1, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen("Reload the page. The number goes up.", |request| {
            request.opens("/") && request.brings("visits")
        }),
        Step::seen(
            "Open your browser's developer tools, find the cookie “visits” (under Application or \
             Storage), write 999999 into it, and reload.",
            |request| request.opens("/") && request.value_of("visits") == Some("999999"),
        ),
        Step::seen("Press Forget me.", |request| request.posted("/forget")),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps).also("curl -i --cookie visits=999999 {address}")
}
