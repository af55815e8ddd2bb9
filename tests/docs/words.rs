//! Numbers in plain words: `64 KiB`, `two weeks`, `1 209 600`, `a minute`.

use crate::values::Value;

/// The number with which the text ends, in its own words and as a value.
///
/// It may be bold or code: what Markdown puts after it does not count. A unit belongs to it, and
/// a number without one is only a number: the comment in `500<!-- … --> records` is in the right
/// place.
pub fn at_the_end_of(text: &str) -> Option<(&str, Value)> {
    let text = text.trim_end_matches(['*', '_', '`']);
    let is_word = |letter: char| letter.is_alphanumeric();
    if !text.ends_with(is_word) {
        return None;
    }
    let mut starts: Vec<usize> =
        text.rmatch_indices(char::is_whitespace).map(|(at, space)| at + space.len()).collect();
    starts.push(0);
    starts.truncate(LONGEST);
    // The longest number comes first, so that `1 209 600 bytes` is not 600 bytes.
    starts.into_iter().rev().find_map(|start| {
        let words = text[start..].trim_start_matches(|letter| !is_word(letter));
        let value = value(&words.split_whitespace().collect::<Vec<_>>())?;
        Some((words, value))
    })
}

/// How many words may make up a number with its unit.
const LONGEST: usize = 5;

fn value(words: &[&str]) -> Option<Value> {
    let (last, before) = words.split_last()?;
    match unit(last) {
        Some(unit) => unit.times(count(before)?),
        None => count(words).map(Value::Number),
    }
}

fn unit(word: &str) -> Option<Value> {
    let second = |count: u64| Value::Milliseconds(count * 1000);
    Some(match word.strip_suffix('s').unwrap_or(word) {
        "byte" => Value::Number(1),
        "KiB" => Value::Number(1024),
        "MiB" => Value::Number(1024 * 1024),
        "millisecond" => Value::Milliseconds(1),
        "second" => second(1),
        "minute" => second(60),
        "hour" => second(60 * 60),
        "day" => second(24 * 60 * 60),
        "week" => second(7 * 24 * 60 * 60),
        _ => return None,
    })
}

fn count(words: &[&str]) -> Option<u64> {
    const NAMES: [&str; 13] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    if let [word] = words {
        let word = word.to_lowercase();
        if ["a", "an"].contains(&word.as_str()) {
            return Some(1);
        }
        if let Some(number) = NAMES.iter().position(|name| *name == word) {
            return u64::try_from(number).ok();
        }
    }
    figures(&words.join(","))
}

/// `1209600`, or in groups of three: `1,209,600`, `1_209_600`, and `1 209 600`.
fn figures(text: &str) -> Option<u64> {
    let groups: Vec<&str> = text.split([',', '_']).collect();
    let is_grouped = groups[0].len() <= 3 && groups[1..].iter().all(|group| group.len() == 3);
    let digits = groups.concat();
    let is_number = digits.bytes().all(|digit| digit.is_ascii_digit());
    (is_number && (groups.len() == 1 || is_grouped)).then(|| digits.parse().ok())?
}
