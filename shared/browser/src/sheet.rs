//! The text that a visitor sees, drawn from HTML onto a sheet of lines.

use scraper::{ElementRef, Node};

/// What the visitor sees inside `element`, without white space at the end of any line.
pub(crate) fn draw(element: ElementRef<'_>) -> String {
    let mut sheet = Sheet::default();
    sheet.children(element);
    let lines: Vec<&str> = sheet.text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

/// What comes between the text so far and the next piece. Of two, the wider one wins.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    #[default]
    None,
    Space,
    Line,
    Paragraph,
    /// Nothing, even if something asks for more: the text after a list item's dash stays next to it.
    Glue,
}

#[derive(Default)]
struct Sheet {
    text: String,
    gap: Gap,
    /// Spaces before each new line, for what stands inside list items.
    indent: usize,
}

impl Sheet {
    fn children(&mut self, parent: ElementRef<'_>) {
        for child in parent.children() {
            match child.value() {
                Node::Text(text) => self.fold(text),
                Node::Element(_) => {
                    ElementRef::wrap(child).into_iter().for_each(|element| self.element(element))
                }
                _ => {}
            }
        }
    }

    fn element(&mut self, element: ElementRef<'_>) {
        if is_unseen(element) {
            return;
        }
        match element.value().name() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "p" | "form" | "fieldset" | "table"
            | "section" | "article" | "aside" | "nav" | "header" | "footer" | "main" | "figure"
            | "blockquote" => self.block(Gap::Paragraph, element),
            // A list inside an item goes on beneath it.
            "ul" | "ol" | "dl" if self.indent > 0 => self.block(Gap::Line, element),
            "ul" | "ol" | "dl" => self.block(Gap::Paragraph, element),
            "div" | "dt" | "legend" | "summary" | "caption" | "figcaption" | "address" => {
                self.block(Gap::Line, element);
            }
            "details" if element.attr("open").is_none() => {
                let summary = element.child_elements().find(|e| e.value().name() == "summary");
                summary.into_iter().for_each(|summary| self.element(summary));
            }
            "details" => self.block(Gap::Paragraph, element),
            "li" => {
                self.widen(Gap::Line);
                self.put("- ");
                self.gap = Gap::Glue;
                self.indented(element);
            }
            "dd" => {
                self.indent += 2;
                self.widen(Gap::Line);
                self.indent -= 2;
                self.indented(element);
            }
            "br" => self.widen(Gap::Line),
            "hr" => {
                self.widen(Gap::Paragraph);
                self.put("---");
                self.widen(Gap::Paragraph);
            }
            "tr" => {
                let cells: Vec<String> = element.child_elements().map(on_one_line).collect();
                self.widen(Gap::Line);
                self.put(&cells.join(" | "));
                self.widen(Gap::Line);
            }
            "pre" => {
                self.widen(Gap::Paragraph);
                self.put(element.text().collect::<String>().trim_end());
                self.widen(Gap::Paragraph);
            }
            "button" => self.control(element, &format!("[ {} ]", on_one_line(element))),
            "textarea" => self.control(element, &field(&element.text().collect::<String>())),
            "select" => self.control(element, &field(&choice(element))),
            "input" => self.input(element),
            "img" => self.fold(element.attr("alt").unwrap_or_default()),
            _ => self.children(element),
        }
    }

    fn input(&mut self, input: ElementRef<'_>) {
        let value = input.attr("value").unwrap_or_default();
        let checked = if input.attr("checked").is_some() { 'x' } else { ' ' };
        let drawn = match input.attr("type").unwrap_or("text") {
            "checkbox" => format!("[{checked}]"),
            "radio" => format!("({checked})"),
            "submit" if value.is_empty() => "[ Submit ]".to_owned(),
            "submit" | "button" | "reset" => format!("[ {value} ]"),
            "password" => field(&"*".repeat(value.chars().count())),
            _ => field(value),
        };
        self.control(input, &drawn);
    }

    fn control(&mut self, element: ElementRef<'_>, drawn: &str) {
        self.put(drawn);
        if element.attr("disabled").is_some() {
            self.put(" (disabled)");
        }
    }

    fn block(&mut self, gap: Gap, element: ElementRef<'_>) {
        self.widen(gap);
        self.children(element);
        self.widen(gap);
    }

    fn indented(&mut self, element: ElementRef<'_>) {
        self.indent += 2;
        self.children(element);
        self.indent -= 2;
        // An empty item must not pull the next one up to its dash.
        if self.gap == Gap::Glue {
            self.gap = Gap::None;
        }
        self.widen(Gap::Line);
    }

    /// Text with its white space folded: any run of it is one space.
    fn fold(&mut self, text: &str) {
        for piece in text.split_inclusive(|c: char| c.is_ascii_whitespace()) {
            let word = piece.trim_end_matches(|c: char| c.is_ascii_whitespace());
            if !word.is_empty() {
                self.put(word);
            }
            if word.len() < piece.len() {
                self.widen(Gap::Space);
            }
        }
    }

    fn widen(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    fn put(&mut self, piece: &str) {
        let margin = " ".repeat(self.indent);
        if !self.text.is_empty() {
            match self.gap {
                Gap::None | Gap::Glue => {}
                Gap::Space => self.text.push(' '),
                Gap::Line => self.text.extend(["\n", &margin]),
                Gap::Paragraph => self.text.extend(["\n\n", &margin]),
            }
        }
        self.text.push_str(piece);
        self.gap = Gap::None;
    }
}

fn is_unseen(element: ElementRef<'_>) -> bool {
    let is_hidden_field = element.attr("type") == Some("hidden");
    element.attr("hidden").is_some()
        || match element.value().name() {
            "head" | "script" | "style" | "template" | "noscript" | "datalist" => true,
            "dialog" => element.attr("open").is_none(),
            "input" => is_hidden_field,
            _ => false,
        }
}

fn on_one_line(element: ElementRef<'_>) -> String {
    draw(element).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn field(value: &str) -> String {
    format!("[{}]", if value.is_empty() { "____" } else { value })
}

/// The text of the option that is selected; of none, the first, as in a browser.
fn choice(select: ElementRef<'_>) -> String {
    let options = || select.descendent_elements().filter(|e| e.value().name() == "option");
    options()
        .find(|option| option.attr("selected").is_some())
        .or_else(|| options().next())
        .map(on_one_line)
        .unwrap_or_default()
}
