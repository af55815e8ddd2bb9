//! What there is to try in chapter 11, and how the program sees that you have done it.

use site::lesson::{Lesson, Step};

pub fn lesson() -> Lesson {
    let steps = [
        Step::seen("Sign in as Ada.", |request| request.posted("/sign-in")),
        Step::seen(
            "Open the other site, whose address is in the terminal, and let it send its form. \
             Then reload this page.",
            |request| request.posted("/reminders") && request.comes_from_another_origin(),
        ),
        Step::after_restart(
            "Stop this program, start it with --defence origin, and let the other site try again.",
            |request| request.refused("/reminders") && request.comes_from_another_origin(),
        ),
    ];
    Lesson::of(env!("CARGO_MANIFEST_DIR"), steps)
}
