//! What there is to try in chapter 8, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen("On the page Preferences, ask for 20 books a page.", |request| {
            request.posted("/preferences")
        }),
        Step::seen("Dismiss the notice.", |request| {
            ["/", "/books", "/authors"].iter().any(|path| request.posted(path))
        }),
        Step::seen(
            "Open the books in a private window. There are ten a page, and the notice is back.",
            |request| request.opens("/books") && !request.brings("chapter8"),
        ),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps)
}
