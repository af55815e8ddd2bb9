//! What dates are called in a transcript: `<in 14 days>`, `<365 days ago>`.
//!
//! A date is seen a moment after the server wrote it, so it always looks a little too early.
//! Everything here therefore rounds up, towards the future: to whole minutes, or to tens of
//! seconds within two minutes. A moment's delay then changes nothing.

use time::{Duration, OffsetDateTime};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A `Set-Cookie` header with its date named.
///
/// - `Expires` next to a `Max-Age` that agrees with it within a minute is named by the `Max-Age`,
///   which is exact. Alone, it is rounded up as the module says.
/// - The epoch stays `Thu, 01 Jan 1970 00:00:00 GMT`: a removal, the same on every day.
/// - `Max-Age` stays as it was sent, but for one case: above ten minutes, up to 5 seconds short of
///   a whole minute, it is shown as that minute. A server that counts down to a fixed date
///   otherwise says 1209600 in one run and 1209599 in the next.
pub(crate) fn name_dates(set_cookie: &str, now: OffsetDateTime) -> String {
    let Ok(cookie) = cookie::Cookie::parse(set_cookie) else {
        return set_cookie.to_owned();
    };
    let max_age = cookie.max_age().map(|age| settle(age.whole_seconds()));
    let expires = cookie
        .expires_datetime()
        .filter(|date| *date != OffsetDateTime::UNIX_EPOCH)
        .map(|date| in_words(date - now, max_age));

    let attribute = |part: &str| -> String {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key.trim().to_ascii_lowercase().as_str() {
            "expires" => expires.as_ref().map(|words| format!("{key}={words}")),
            // A negative age reads as zero above, and shall be seen as it was sent.
            "max-age" if !value.trim().starts_with('-') => {
                max_age.map(|seconds| format!("{key}={seconds}"))
            }
            _ => None,
        }
        .unwrap_or_else(|| part.to_owned())
    };
    let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
    std::iter::once(pair.to_owned())
        .chain(attributes.split_terminator(';').map(attribute))
        .collect::<Vec<_>>()
        .join(";")
}

fn settle(max_age: i64) -> i64 {
    let short = ceil(max_age, MINUTE) - max_age;
    if max_age > 10 * MINUTE && short <= 5 { max_age + short } else { max_age }
}

fn in_words(until: Duration, max_age: Option<i64>) -> String {
    let seconds = (until.as_seconds_f64()).ceil() as i64;
    let rounded = match max_age {
        Some(max_age) if (max_age - seconds).abs() < MINUTE => max_age,
        _ if ceil(seconds, 10).abs() <= 2 * MINUTE => ceil(seconds, 10),
        _ => ceil(seconds, MINUTE),
    };
    let (count, unit) = match rounded.abs() {
        0 => return "<now>".to_owned(),
        n if n % DAY == 0 => (n / DAY, "day"),
        n if n % HOUR == 0 => (n / HOUR, "hour"),
        n if n % MINUTE == 0 && n > 2 * MINUTE => (n / MINUTE, "minute"),
        n => (n, "second"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if rounded > 0 {
        format!("<in {count} {unit}{plural}>")
    } else {
        format!("<{count} {unit}{plural} ago>")
    }
}

/// The next multiple of `step`, towards the future.
fn ceil(seconds: i64, step: i64) -> i64 {
    -((-seconds).div_euclid(step)) * step
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expires(seconds: f64) -> String {
        in_words(Duration::seconds_f64(seconds), None)
    }

    #[test]
    fn a_date_has_the_same_name_a_moment_later() {
        for delay in [0.0, 0.4, 1.0, 1.9, 4.0] {
            assert_eq!(expires(14.0 * 86400.0 - delay), "<in 14 days>");
            assert_eq!(expires(86400.0 - delay), "<in 1 day>");
            assert_eq!(expires(7200.0 - delay), "<in 2 hours>");
            assert_eq!(expires(1800.0 - delay), "<in 30 minutes>");
            assert_eq!(expires(1770.0 - delay), "<in 30 minutes>");
            assert_eq!(expires(120.0 - delay), "<in 120 seconds>");
            assert_eq!(expires(90.0 - delay), "<in 90 seconds>");
            assert_eq!(expires(-10.0 - delay), "<10 seconds ago>");
            assert_eq!(expires(-365.0 * 86400.0 - delay), "<365 days ago>");
        }
    }

    #[test]
    fn a_max_age_beside_it_makes_a_date_exact() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(1);
        let seen =
            name_dates("a=b; Max-Age=45; Expires=Fri, 02 Jan 1970 00:00:43 GMT; Path=/", now);
        assert_eq!(seen, "a=b; Max-Age=45; Expires=<in 45 seconds>; Path=/");
    }

    #[test]
    fn a_max_age_that_disagrees_is_left_alone_and_so_is_the_date() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(1);
        let seen = name_dates("a=b; Max-Age=0; Expires=Sat, 03 Jan 1970 00:00:00 GMT", now);
        assert_eq!(seen, "a=b; Max-Age=0; Expires=<in 1 day>");
    }

    #[test]
    fn a_long_max_age_is_settled_and_a_short_one_is_not() {
        let now = OffsetDateTime::UNIX_EPOCH;
        assert_eq!(name_dates("a=b; Max-Age=1209598", now), "a=b; Max-Age=1209600");
        assert_eq!(name_dates("a=b; Max-Age=1209000", now), "a=b; Max-Age=1209000");
        assert_eq!(name_dates("a=b; Max-Age=1209030", now), "a=b; Max-Age=1209030");
        assert_eq!(name_dates("a=b; Max-Age=59", now), "a=b; Max-Age=59");
        assert_eq!(name_dates("a=b; Max-Age=-1", now), "a=b; Max-Age=-1");
    }
}
