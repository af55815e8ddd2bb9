//! What random ids are called in a transcript: session-1, session-2, in the order seen.

/// Shared by a browser, its tabs and its private windows, so that a rotation and a stranger's
/// different id both show.
#[derive(Default)]
pub(crate) struct Names {
    ids: Vec<String>,
}

impl Names {
    /// Gives a name to the value of one cookie, `name=value`, if it looks random.
    pub(crate) fn learn(&mut self, pair: &str) {
        let Some((_, value)) = pair.split_once('=') else {
            return;
        };
        let value = value.trim().trim_matches('"');
        if looks_random(value) && !self.ids.iter().any(|id| id == value) {
            self.ids.push(value.to_owned());
        }
    }

    /// The text with every known id replaced by its name.
    pub(crate) fn apply(&self, text: &str) -> String {
        let mut numbered: Vec<(usize, &String)> = self.ids.iter().enumerate().collect();
        // Longest first: an id may begin with another id, as a signed one does.
        numbered.sort_by_key(|(_, id)| std::cmp::Reverse(id.len()));
        numbered.into_iter().fold(text.to_owned(), |text, (index, id)| {
            text.replace(id.as_str(), &format!("session-{}", index + 1))
        })
    }
}

/// At least 20 characters, all of them from base64's two alphabets (or the dot between an id and
/// its signature), and at least two kinds among capitals, small letters and digits.
///
/// Two kinds, not three: one random id in forty has no digit.
fn looks_random(value: &str) -> bool {
    let is_of_an_id = |c: char| c.is_ascii_alphanumeric() || "-_+/=.".contains(c);
    let kinds = [
        value.contains(|c: char| c.is_ascii_uppercase()),
        value.contains(|c: char| c.is_ascii_lowercase()),
        value.contains(|c: char| c.is_ascii_digit()),
    ];
    value.len() >= 20
        && value.chars().all(is_of_an_id)
        && kinds.into_iter().filter(|has| *has).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::looks_random;

    #[test]
    fn an_id_looks_random() {
        assert!(looks_random("Hq3vN0sX7d_pUu-2eLw8Ag"));
        assert!(looks_random("0f8fad5b-d9cb-469f-a165-70867728950e"));
        assert!(looks_random("uWcQxhPzRgGkVnYtBsLdMa"));
        assert!(looks_random("sealed+base64/TEXT0123456789=="));
    }

    #[test]
    fn what_a_person_would_write_does_not() {
        assert!(!looks_random("1000000"));
        assert!(!looks_random("100000000000000000000000000"));
        assert!(!looks_random("antidisestablishmentarianism"));
        assert!(!looks_random("Mini"));
        assert!(!looks_random("The Adventures of Tom Sawyer, 1876"));
        assert!(!looks_random("2026-07-27T10:00:00Z"));
    }
}
