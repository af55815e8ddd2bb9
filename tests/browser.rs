//! The promises of the chapters, kept in a real browser: Chromium, driven through its DevTools.
//!
//! Run: `just browser`, that is `cargo test -p tests --test browser`
//! Pictures of the docs: `just screenshots`, that is
//! `cargo test -p tests --test browser -- --ignored screenshots`
//!
//! Needs Chromium (or Chrome) on the `PATH`, and axe-core for the accessibility checks:
//! `npm ci --prefix tests/browser`. Where one is missing, its tests are ignored and a line says
//! so. With `TEST_BROWSER=1`, as in CI, they fail instead.

use std::{env, process::ExitCode, sync::Arc};

use chromium::Chromium;
use libtest_mimic::{Arguments, Trial};
use tokio::runtime::Runtime;

#[path = "browser/accessibility.rs"]
mod accessibility;
#[path = "browser/attacks.rs"]
mod attacks;
#[path = "browser/chromium.rs"]
mod chromium;
#[path = "browser/devtools.rs"]
mod devtools;
#[path = "browser/keyboard.rs"]
mod keyboard;
#[path = "browser/pictures.rs"]
mod pictures;
#[path = "browser/site.rs"]
mod site;
#[path = "browser/stories.rs"]
mod stories;
#[path = "browser/window.rs"]
mod window;

/// The name of a test, and what it does.
type Story = (&'static str, fn(&Runtime));

macro_rules! stories {
    ($($module:ident::$name:ident,)+) => {
        &[$((
            concat!(stringify!($module), "::", stringify!($name)),
            |runtime| runtime.block_on($module::$name()),
        )),+]
    };
}

/// The longest come first, so that none is left alone at the end.
const STORIES: &[Story] = stories![
    pictures::the_docs_show_the_pages_as_they_are,
    attacks::what_is_same_origin_same_site_and_cross_site,
    attacks::what_each_same_site_keeps_away,
    attacks::blocking_third_party_cookies_keeps_images_and_scripts_away,
    attacks::the_origin_check_and_the_token_refuse_what_is_no_page_of_ours,
    attacks::a_cookie_for_other_sites_needs_secure_and_http_to_this_machine_is_enough,
    attacks::without_scripts_a_button_is_enough,
    keyboard::every_link_and_button_is_reached_in_order_and_shows_it,
    keyboard::a_car_is_set_by_keyboard_alone,
    keyboard::the_first_link_skips_to_the_content,
    stories::what_one_story_leaves_behind_no_other_finds,
    stories::the_browser_keeps_the_count_and_sends_it_back,
    stories::forgetting_removes_the_cookie,
    stories::an_edited_cookie_is_believed,
    stories::the_browser_holds_an_id_and_not_the_car,
    stories::a_lesson_ticks_off_what_was_done,
    stories::two_windows_share_a_car,
    stories::a_private_window_has_no_car,
    stories::a_session_cookie_goes_when_the_browser_closes,
    stories::a_change_inside_is_lost_unless_it_is_flagged,
    stories::visits_are_counted_over_restarts_of_browser_and_server,
    stories::a_private_window_counts_apart,
    stories::a_browser_that_refuses_cookies_is_always_on_its_first_visit,
    stories::the_counter_counts_a_browser_that_keeps_cookies,
    stories::the_counter_tells_a_browser_that_refuses_cookies,
    stories::the_cookie_ends_as_it_was_chosen,
    stories::the_cookie_of_a_dead_session_is_removed,
    stories::visits_are_counted_wherever_sessions_are_kept,
    stories::an_encrypted_session_is_the_cookie_and_survives_the_browser,
    stories::preferences_hold_in_every_window_and_after_a_restart,
    stories::a_dismissed_notice_stays_dismissed,
    stories::without_cookies_the_links_carry_the_preferences,
    stories::the_usual_basket_loses_what_another_window_added,
    stories::the_exact_basket_keeps_what_both_windows_added,
    stories::signing_out_holds_against_a_window_that_is_late,
    stories::the_inspector_shows_by_itself_what_another_window_does,
    stories::the_inspector_shows_two_tabs_beside_each_other,
    stories::signing_in_gives_another_cookie_and_keeps_the_visits,
    stories::a_reader_goes_on_to_the_page_that_was_asked_for,
    stories::who_is_remembered_is_signed_in_after_a_restart_of_the_browser,
    stories::one_browser_ends_the_session_of_another,
    stories::back_shows_no_private_page_after_signing_out,
    stories::the_pages_are_dark_for_who_prefers_that,
];

const NEEDING_AXE: &[Story] = stories![
    accessibility::chapter_1_is_for_everybody,
    accessibility::chapter_2_is_for_everybody,
    accessibility::chapter_3_is_for_everybody,
    accessibility::chapter_4_is_for_everybody,
    accessibility::chapter_5_is_for_everybody,
    accessibility::chapter_6_is_for_everybody,
    accessibility::chapter_7_is_for_everybody,
    accessibility::chapter_8_is_for_everybody,
    accessibility::chapter_9_is_for_everybody,
    accessibility::the_inspector_is_for_everybody,
    accessibility::chapter_10_is_for_everybody,
    accessibility::chapter_11_is_for_everybody,
    accessibility::chapter_12_is_for_everybody,
];

/// Not a test: it makes the pictures.
const PICTURES: &[Story] = stories![pictures::screenshots,];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Part of the time a story waits, for a server or for Chromium. That is when others go on.
    arguments.test_threads.get_or_insert(4);

    let runtime = Arc::new(Runtime::new().expect("threads for the tests"));
    let required = env::var("TEST_BROWSER").is_ok_and(|value| value == "1");
    let missing = match arguments.list {
        true => None,
        false => runtime.block_on(Chromium::is_there()).err(),
    };
    if missing.is_none() && !arguments.list {
        // One call of cargo for all of them, before the stories ask for one each.
        programs::chapters();
    }
    let axe_missing = missing.clone().or_else(accessibility::missing);
    if let (Some(what), false) = (&axe_missing, required || arguments.list) {
        let others = if missing.is_some() { STORIES.len() } else { 0 };
        eprintln!("{} tests in a browser are skipped: {what}", others + NEEDING_AXE.len());
    }

    let mut trials = Vec::new();
    for (stories, missing) in [(NEEDING_AXE, &axe_missing), (STORIES, &missing)] {
        let skipped = missing.is_some() && !required;
        trials.extend(stories.iter().map(|story| trial(story, &runtime, missing, skipped)));
    }
    trials.extend(PICTURES.iter().map(|story| trial(story, &runtime, &missing, true)));

    let conclusion = libtest_mimic::run(&arguments, trials);
    runtime.block_on(Chromium::end_all());
    conclusion.exit_code()
}

/// A story as a test, which fails with what is missing if it runs all the same.
fn trial(
    &(name, story): &Story,
    runtime: &Arc<Runtime>,
    missing: &Option<String>,
    ignored: bool,
) -> Trial {
    let (runtime, missing) = (runtime.clone(), missing.clone());
    let run = move || {
        if let Some(missing) = missing {
            return Err(missing.into());
        }
        story(&runtime);
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(ignored)
}
