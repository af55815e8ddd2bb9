//! The drawing as text, for a terminal and for the alternative text of a picture.

use super::{Drawing, Row, wrap};

/// Between two lanes there is room for a label of about so many characters.
const GAP: usize = 30;

impl Drawing {
    /// The drawing as text, `30` characters to a lane.
    pub fn to_text(&self) -> String {
        let mut heading = String::new();
        for (index, lane) in self.lanes.iter().enumerate() {
            // Over its lane, and behind the heading before it.
            let middle = (index * GAP).saturating_sub(lane.chars().count() / 2);
            let start = middle.max(heading.chars().count() + usize::from(index > 0));
            put(&mut heading, start, lane);
        }
        let mut lines = vec![heading];
        for row in &self.rows {
            self.draw(row, &mut lines);
        }
        let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
        lines.join("\n")
    }

    fn draw(&self, row: &Row, lines: &mut Vec<String>) {
        let (left, right) = (row.from.min(row.to), row.from.max(row.to));
        let is_last = right + 1 == self.lanes.len();
        let room = match row.is_note() {
            true => GAP - 4,
            false => (right - left) * GAP - 4,
        };
        for text in row.label.iter().flat_map(|line| wrap(line, room)) {
            let mut line = self.empty();
            let length = text.chars().count();
            let start = match row.is_note() {
                true if is_last && left > 0 => (left * GAP).saturating_sub(length + 2),
                _ => left * GAP + 2,
            };
            put(&mut line, start, &text);
            lines.push(line);
        }
        if row.is_note() {
            return;
        }
        let dash = if row.is_answer { "- " } else { "--" };
        let mut shaft: Vec<char> = dash.chars().cycle().take((right - left) * GAP - 1).collect();
        match row.from < row.to {
            true => *shaft.last_mut().expect("lanes apart") = '>',
            false => shaft[0] = '<',
        }
        let mut line = self.empty();
        put(&mut line, left * GAP + 1, &shaft.into_iter().collect::<String>());
        lines.push(line);
    }

    /// A line with nothing but the lanes.
    fn empty(&self) -> String {
        let mut line = String::new();
        for index in 0..self.lanes.len() {
            put(&mut line, index * GAP, "|");
        }
        line
    }
}

/// Writes `text` over what stands in the line from this column on.
fn put(line: &mut String, start: usize, text: &str) {
    let mut characters: Vec<char> = line.chars().collect();
    let end = start + text.chars().count();
    if characters.len() < end {
        characters.resize(end, ' ');
    }
    characters.splice(start..end, text.chars());
    *line = characters.into_iter().collect();
}
