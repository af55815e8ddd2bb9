//! Who uses no mouse reaches everything, and sees where they are.

use serde::Deserialize;

use crate::{
    chromium::Chromium,
    site::Site,
    window::{Key, Window},
};

/// The pages on which there is something to press.
const PAGES: [(u32, &[&str]); 11] = [
    (1, &["/", "/nowhere"]),
    (2, &["/", "/everything"]),
    (3, &["/"]),
    (4, &["/"]),
    (5, &["/", "/hours", "/counter"]),
    (6, &["/"]),
    (7, &["/"]),
    (8, &["/", "/books?page=2", "/books/1", "/authors", "/authors/1", "/preferences"]),
    (9, &["/usual", "/exact"]),
    (10, &["/", "/sign-in"]),
    (11, &["/"]),
];

pub async fn every_link_and_button_is_reached_in_order_and_shows_it() {
    let visitor = Chromium::start().await;
    for (number, paths) in PAGES {
        let site = Site::open(number);
        let window = visitor.window(&site).await;
        for path in paths {
            window.visit(path).await;
            walk_through(&window, &format!("chapter {number}, {path}")).await;
        }
    }
}

/// From the top of the page to its end with the Tab key.
async fn walk_through(window: &Window, page: &str) {
    let number_of_stops = window.run(&format!("return ({STOPS}).length")).await;
    let number_of_stops = number_of_stops.as_u64().expect("a number");
    assert!(number_of_stops >= 2, "{page}: the skip link and one more, at least");

    for expected in 0..number_of_stops {
        let mut focus = next_focus(window).await;
        // A field for a date has parts, and the Tab key stops at each.
        for _ in 0..10 {
            if focus.stop.is_none_or(|stop| stop == expected) {
                break;
            }
            focus = next_focus(window).await;
        }
        assert_eq!(focus.stop, Some(expected), "{page}: the focus is at {}", focus.name);
        assert!(focus.ring >= 2.0, "{page}: {} has the focus and no ring", focus.name);
        assert!(focus.is_in_sight, "{page}: {} has the focus, out of sight", focus.name);
    }
}

async fn next_focus(window: &Window) -> Focus {
    window.keys([Key::Tab]).await;
    let focus = window.run(&FOCUS.replace("STOPS", STOPS)).await;
    serde_json::from_value(focus).expect("the script returns these fields")
}

/// What a visitor can follow, press or fill, in the order of the page.
const STOPS: &str = "[...document.querySelectorAll(
    'a[href], button:enabled, input:enabled:not([type=hidden]), select:enabled'
)]";

const FOCUS: &str = "
    const element = document.activeElement, place = element.getBoundingClientRect();
    const stop = STOPS.indexOf(element), style = getComputedStyle(element);
    const ring = style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth);
    const room = ring + parseFloat(style.outlineOffset);
    return {
        stop: stop < 0 ? null : stop,
        name: element.outerHTML.slice(0, 80),
        ring,
        is_in_sight: place.width > 0 && place.top >= room && place.left >= room
            && place.bottom <= innerHeight - room && place.right <= innerWidth - room,
    };
";

/// The element that has the keyboard's focus.
#[derive(Deserialize)]
struct Focus {
    /// Which of the stops it is.
    stop: Option<u64>,
    name: String,
    /// The width of its outline, in CSS pixels.
    ring: f64,
    /// Can all of it be seen, and the ring around it?
    is_in_sight: bool,
}

pub async fn a_car_is_set_by_keyboard_alone() {
    let site = Site::open(2);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;

    // The link to the content, three links of the lesson, five of the site, the field.
    window.keys([Key::Tab; 10]).await;
    // What is in the field is selected on arrival, so typing replaces it.
    window.keys("beetle".chars().map(Key::Letter)).await;
    window.key_to_next_page(Key::Enter).await;

    assert_eq!(window.lead().await, "Your session remembers your car: beetle.");
}

pub async fn the_first_link_skips_to_the_content() {
    let site = Site::open(2);
    let visitor = Chromium::start().await;
    let window = visitor.window(&site).await;
    window.visit("/").await;

    window.keys([Key::Tab, Key::Enter]).await;
    window.keys([Key::Tab]).await;

    // Past the links of the lesson and of the site, to the first thing in it.
    assert_eq!(window.run("return document.activeElement.id").await, "my_car");
}
