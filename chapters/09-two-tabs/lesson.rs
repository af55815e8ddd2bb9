//! What there is to try in chapter 9, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen(
            "Open a second tab. Add a book slowly in one and, while that runs, two in the other. \
             Two are lost.",
            |request| request.posted("/usual/add-slowly"),
        ),
        Step::seen("Do the same in the exact basket. None is lost.", |request| {
            request.posted("/exact/add-slowly")
        }),
        Step::seen(
            "Start something slow, and sign out in the other tab before it ends.",
            |request| request.posted("/usual/sign-out") || request.posted("/exact/sign-out"),
        ),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps)
}
