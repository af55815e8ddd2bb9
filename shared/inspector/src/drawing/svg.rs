//! The drawing as a picture: SVG, with no script and no style of its own unless it stands alone.

use std::fmt::Write;

use super::{Drawing, Row, Tone, wrap};

/// In SVG's user units, which are CSS pixels if the picture is not scaled.
const LANE: usize = 250;
const MARGIN: usize = 20;
const HEAD: usize = 46;
const LINE: usize = 17;
const GAP: usize = 16;
/// How wide a letter of the labels is, more or less.
const LETTER: usize = 8;

/// For a file that an `<img>` shows: a picture has its own paper, so that it can be read on a
/// page of any colour, and follows the reader's system into the dark.
const STYLE: &str = "\
.paper{fill:#fdfcf8}.lane{stroke:#d5cfbf;stroke-width:1.5}.head{fill:#f0ece1;stroke:#d5cfbf}\
text{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#22282a}\
.head-text{font-weight:700}.arrow{stroke:#596367;stroke-width:1.5;fill:none}.tip{fill:#596367}\
.answer{stroke-dasharray:5 4}.dot{fill:#596367}\
.good{fill:#17605b}.bad{fill:#a3262a}.dot.good{fill:#17605b}.dot.bad{fill:#a3262a}\
text.good,text.bad{font-weight:700}\
@media(prefers-color-scheme:dark){.paper{fill:#16191b}.lane{stroke:#3a4245}\
.head{fill:#1e2326;stroke:#3a4245}text{fill:#e6e3da}.arrow{stroke:#a3abac}.tip,.dot{fill:#a3abac}\
.good,.dot.good{fill:#79cfc6}.bad,.dot.bad{fill:#ff9a94}}";

impl Drawing {
    /// The drawing as an SVG file, for the light and for the dark.
    pub fn to_svg_file(&self) -> String {
        let description = self.sentences().into_iter().map(|it| it.text).collect::<Vec<_>>();
        let description = escape(&description.join(". "));
        let prologue = format!("<desc>{description}</desc><style>{STYLE}</style>");
        self.svg("role=\"img\"", &prologue) + "\n"
    }

    /// The drawing as an element of an HTML page that has a style for its classes. It is hidden from
    /// screen readers: the page has the sentences as a list.
    pub fn to_svg_element(&self) -> String {
        self.svg("aria-hidden=\"true\"", "")
    }

    fn svg(&self, role: &str, prologue: &str) -> String {
        let width = 2 * MARGIN + LANE * self.lanes.len();
        let mut body = String::new();
        let mut y = HEAD + MARGIN;
        for row in &self.rows {
            y = draw(row, self.lanes.len(), y, &mut body);
        }
        let height = y + MARGIN;

        let mut lanes = String::new();
        for (index, lane) in self.lanes.iter().enumerate() {
            let (x, box_width) = (centre(index), LANE - 20);
            let left = x - box_width / 2;
            let _ = write!(
                lanes,
                "<line class=\"lane\" x1=\"{x}\" y1=\"{HEAD}\" x2=\"{x}\" y2=\"{height}\"/>\
                 <rect class=\"head\" x=\"{left}\" y=\"10\" width=\"{box_width}\" height=\"30\" rx=\"6\"/>\
                 <text class=\"head-text\" x=\"{x}\" y=\"30\" text-anchor=\"middle\">{}</text>",
                escape(lane)
            );
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" {role}>{prologue}\
             <rect class=\"paper\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>{lanes}{body}</svg>"
        )
    }
}

/// Draws the row from this height on, and says where the next one begins.
fn draw(row: &Row, lanes: usize, top: usize, out: &mut String) -> usize {
    let (left, right) = (centre(row.from.min(row.to)), centre(row.from.max(row.to)));
    let room = match row.is_note() {
        // To the right of its lane, or to the left where there is nothing on the right.
        true => LANE - 24,
        false => right - left - 20,
    };
    let lines: Vec<String> = row.label.iter().flat_map(|line| wrap(line, room / LETTER)).collect();
    let is_last = row.from + 1 == lanes;
    let (x, anchor) = match row.is_note() {
        true if is_last && row.from > 0 => (left - 12, "end"),
        true => (left + 12, "start"),
        false => ((left + right) / 2, "middle"),
    };
    let class = match row.tone {
        Tone::Plain => "",
        Tone::Good => " good",
        Tone::Bad => " bad",
    };
    let mut y = top + LINE;
    let first = y;
    for line in &lines {
        let line = escape(line);
        let _ = write!(
            out,
            "<text class=\"label{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{line}</text>"
        );
        y += LINE;
    }
    if row.is_note() {
        let middle = first - 4;
        let _ = write!(out, "<circle class=\"dot{class}\" cx=\"{left}\" cy=\"{middle}\" r=\"5\"/>");
        return y - LINE + GAP;
    }
    let y = y - LINE + 8;
    let (start, end) = (centre(row.from), centre(row.to));
    let (end, back) = if start < end { (end - 3, end - 11) } else { (end + 3, end + 11) };
    let dashes = if row.is_answer { " answer" } else { "" };
    let (above, below) = (y - 4, y + 4);
    let _ = write!(
        out,
        "<line class=\"arrow{dashes}\" x1=\"{start}\" y1=\"{y}\" x2=\"{back}\" y2=\"{y}\"/>\
         <path class=\"tip\" d=\"M{end} {y} L{back} {above} L{back} {below} Z\"/>"
    );
    y + GAP
}

fn centre(lane: usize) -> usize {
    MARGIN + LANE * lane + LANE / 2
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no way to write them.
            _ if character.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(character),
        }
    }
    escaped
}
