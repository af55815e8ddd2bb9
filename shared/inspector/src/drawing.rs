//! A sequence diagram: as a picture, as text, and as sentences.
//!
//! The pages of the inspector and the docs use the same three, so the picture, its text and what a
//! screen reader says cannot tell different stories.

mod svg;
mod text;

/// Lanes from left to right, and from top to bottom what happens between them.
///
/// ```
/// use inspector::{Drawing, Row, Tone};
///
/// let mut drawing = Drawing::new(["browser", "server"]);
/// drawing.push(Row::arrow(0, 1, "GET /"));
/// drawing.push(Row::answer(1, 0, "200 OK"));
/// drawing.push(Row::note(1, "counted", Tone::Good));
/// assert_eq!(drawing.sentences()[0].text, "browser to server: GET /");
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Drawing {
    pub(crate) lanes: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// One thing that happens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    pub(crate) from: usize,
    /// The same lane for a note.
    pub(crate) to: usize,
    /// What is written at it, a line each.
    pub(crate) label: Vec<String>,
    pub(crate) is_answer: bool,
    pub(crate) tone: Tone,
}

/// Is it as one would wish?
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Tone {
    /// There is nothing to point out.
    #[default]
    Plain,
    /// Something was kept.
    Good,
    /// Something was lost, refused or failed.
    Bad,
}

/// One row in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sentence {
    /// For example `browser to server: GET /`.
    pub text: String,
    /// As its row has it.
    pub tone: Tone,
}

impl Drawing {
    /// A drawing with these lanes, and nothing in it yet.
    pub fn new(lanes: impl IntoIterator<Item = impl Into<String>>) -> Drawing {
        Drawing { lanes: lanes.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row below those that are there.
    ///
    /// # Panics
    ///
    /// If the drawing has no such lane.
    pub fn push(&mut self, row: Row) {
        assert!(row.from.max(row.to) < self.lanes.len(), "there is no such lane: {row:?}");
        self.rows.push(row);
    }

    /// Without the first characters of ids, and without dates.
    pub(crate) fn the_same_in_every_run(mut self) -> Drawing {
        for line in self.rows.iter_mut().flat_map(|row| &mut row.label) {
            while let Some(id) = line.find(" (").filter(|at| line[at + 2..].contains("…)")) {
                let end = line[id..].find("…)").expect("it is there") + id + "…)".len();
                line.replace_range(id..end, "");
            }
            // An encrypted cookie begins with other letters each time.
            if let (Some(value), Some(rest)) = (line.find('='), line.find("… (")) {
                line.replace_range(value + 1..rest, "");
            }
            if let Some((before, after)) = line.split_once("; Expires=") {
                let rest = after.split_once(';').map(|(_, rest)| format!(";{rest}"));
                *line = format!("{before}{}", rest.unwrap_or_default());
            }
        }
        self
    }

    /// The rows in words, from top to bottom.
    pub fn sentences(&self) -> Vec<Sentence> {
        let sentence = |row: &Row| {
            let (from, to) = (&self.lanes[row.from], &self.lanes[row.to]);
            let label = row.label.join(", ");
            let text = match row.is_note() {
                true => format!("{from}: {label}"),
                false => format!("{from} to {to}: {label}"),
            };
            Sentence { text, tone: row.tone }
        };
        self.rows.iter().map(sentence).collect()
    }
}

impl Row {
    /// An arrow from one lane to another. Each line of `label` stays a line.
    pub fn arrow(from: usize, to: usize, label: impl Into<String>) -> Row {
        let label: String = label.into();
        let label = label.lines().map(str::to_owned).collect();
        Row { from, to, label, is_answer: false, tone: Tone::Plain }
    }

    /// An arrow back, drawn with dashes.
    pub fn answer(from: usize, to: usize, label: impl Into<String>) -> Row {
        Row { is_answer: true, ..Row::arrow(from, to, label) }
    }

    /// Something that happens within one lane.
    pub fn note(lane: usize, label: impl Into<String>, tone: Tone) -> Row {
        Row { tone, ..Row::arrow(lane, lane, label) }
    }

    /// The same row in another tone.
    #[must_use]
    pub fn with(self, tone: Tone) -> Row {
        Row { tone, ..self }
    }

    pub(crate) fn is_note(&self) -> bool {
        self.from == self.to
    }
}

/// Breaks a line between words, and a word that is longer than a line wherever it must.
pub(crate) fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let words = line.split(' ').flat_map(|word| {
        let mut pieces = vec![String::new()];
        for character in word.chars() {
            if pieces.last().is_some_and(|piece| piece.chars().count() == width) {
                pieces.push(String::new());
            }
            pieces.last_mut().expect("there is a first one").push(character);
        }
        pieces
    });
    for word in words {
        let current = lines.last_mut().expect("there is a first one");
        let has_room = current.chars().count() + 1 + word.chars().count() <= width;
        match (current.is_empty(), has_room) {
            (true, _) => current.push_str(&word),
            (false, true) => {
                current.push(' ');
                current.push_str(&word);
            }
            (false, false) => lines.push(word),
        }
    }
    lines
}
