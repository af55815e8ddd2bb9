//! What there is to try in chapter 3, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen(
            "Press Change inside. The request sees new wheels, and the next one does not.",
            |request| request.posted("/inside"),
        ),
        Step::seen("Press Change and flag. Now the new wheels stay.", |request| {
            request.posted("/flagged")
        }),
        Step::seen("Press Put back. A copy that is put back stays, too.", |request| {
            request.posted("/put-back")
        }),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps).also("start it with --save-every-request")
}
