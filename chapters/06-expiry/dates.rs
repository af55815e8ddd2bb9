//! What a visitor types, and what the page says: lengths of time, and dates.

use time::{
    Duration, OffsetDateTime, PrimitiveDateTime, format_description::StaticFormatDescription,
    macros::format_description,
};

/// A browser keeps no cookie for longer, even if it is told to (RFC 6265bis section 5.5).
const LONGEST: Duration = Duration::days(400);

/// As `<input type="datetime-local">` sends it: without seconds if they are zero.
const FORM_DATE: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute][optional [:[second]]]");
const PAGE_DATE: StaticFormatDescription = format_description!(
    "[day padding:none] [month repr:long] [year], [hour]:[minute]:[second] UTC"
);

/// The idle time that a visitor typed, if a session can have it.
pub fn idle_time(typed: &str) -> Result<Duration, Problem> {
    let seconds = typed.trim().parse().ok();
    let seconds = seconds.filter(|seconds| (1..=LONGEST.whole_seconds()).contains(seconds));
    seconds.map(Duration::seconds).ok_or_else(|| Problem::NotSeconds(typed.to_owned()))
}

/// The moment that a visitor typed, if a session can end then.
pub fn future(typed: &str) -> Result<OffsetDateTime, Problem> {
    let date = PrimitiveDateTime::parse(typed.trim(), FORM_DATE)
        .map_err(|_| Problem::NotADate(typed.to_owned()))?;
    // A form knows no time zone, so the page says that this one is in UTC.
    let date = date.assume_utc();
    let now = OffsetDateTime::now_utc();
    match date > now && date <= now + LONGEST {
        true => Ok(date),
        false => Err(Problem::OutOfReach(in_words(date))),
    }
}

/// To the second above, as the store keeps it.
pub fn in_words(date: OffsetDateTime) -> String {
    let date = date.saturating_add(Duration::nanoseconds(999_999_999)).truncate_to_second();
    date.format(PAGE_DATE).expect("a date has all of these parts")
}

/// A length of time in its largest whole unit: `14 days`, `30 minutes`, `90 seconds`. None if it is
/// long and not round: there the date says more.
pub fn length(seconds: u64) -> Option<String> {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (unit, name) = units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit))?;
    let count = seconds / unit;
    let plural = if count == 1 { "" } else { "s" };
    (count < 1_000).then(|| format!("{count} {name}{plural}"))
}

/// What a visitor typed that cannot be the end of a session.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error("“{0}” is not a number of seconds from 1 to 34560000, which is 400 days.")]
    NotSeconds(String),
    #[error("“{0}” is not a date of the calendar and a time.")]
    NotADate(String),
    #[error("{0} is not within the next 400 days.")]
    OutOfReach(String),
}
