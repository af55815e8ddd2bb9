//! What the blocks of the built book look like.

/// Gives every message of the HTTP exchanges its colours, with the highlighter's class names.
pub fn colour_exchanges(html: &str) -> String {
    in_blocks(html, "language-http", |block| {
        let mut in_head = false;
        let lines: Vec<String> =
            block.lines().map(|line| colour_line(line, &mut in_head)).collect();
        Some(("nohighlight http", lines.join("\n")))
    })
}

/// Marks the blocks that are drawings: their lines must neither be broken nor cut off.
pub fn mark_drawings(html: &str) -> String {
    in_blocks(html, "language-text", |block| {
        let is_drawing = block.contains("--&gt;|") || block.contains("|&lt;--");
        is_drawing.then(|| ("language-text drawing", block.to_owned()))
    })
}

/// Asks for each block of that class whether it becomes another one, of other classes.
fn in_blocks<'a>(
    html: &'a str,
    class: &str,
    change: impl Fn(&'a str) -> Option<(&'static str, String)>,
) -> String {
    let start = format!("<code class=\"{class}\">");
    let mut parts = html.split(&start as &str);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |html, part| {
        let (block, rest) = part.split_once("</code>").unwrap_or((part, ""));
        match change(block) {
            Some((class, block)) => format!("{html}<code class=\"{class}\">{block}</code>{rest}"),
            None => format!("{html}{start}{part}"),
        }
    })
}

/// A line of an exchange. `in_head` says whether headers may come.
fn colour_line(line: &str, in_head: &mut bool) -> String {
    let span = |class, text| format!("<span class=\"hljs-{class}\">{text}</span>");
    if line == "###" {
        return span("comment", line);
    }
    if let Some((method, path)) =
        line.strip_suffix(" HTTP/1.1").and_then(|line| line.split_once(' '))
    {
        *in_head = true;
        return format!("{} {} HTTP/1.1", span("keyword", method), span("string", path));
    }
    if let Some(status) = line.strip_prefix("HTTP/1.1 ") {
        *in_head = true;
        return format!("HTTP/1.1 {}", span("number", status));
    }
    match line.split_once(": ") {
        Some((name, value)) if *in_head => format!("{}: {value}", span("attribute", name)),
        _ => {
            *in_head = false;
            line.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_of_an_exchange_has_its_colours() {
        let html = "<code class=\"language-http\">GET / HTTP/1.1\n\n\
                    HTTP/1.1 200 OK\nVary: Cookie\n\nNote: a page\n\n###\n\nGET /a HTTP/1.1\n</code>!";
        assert_eq!(
            colour_exchanges(html),
            "<code class=\"nohighlight http\">\
             <span class=\"hljs-keyword\">GET</span> <span class=\"hljs-string\">/</span> HTTP/1.1\n\n\
             HTTP/1.1 <span class=\"hljs-number\">200 OK</span>\n\
             <span class=\"hljs-attribute\">Vary</span>: Cookie\n\nNote: a page\n\n\
             <span class=\"hljs-comment\">###</span>\n\n\
             <span class=\"hljs-keyword\">GET</span> <span class=\"hljs-string\">/a</span> HTTP/1.1\
             </code>!"
        );
    }

    #[test]
    fn a_drawing_is_marked_and_a_page_is_not() {
        let drawing = "<code class=\"language-text\">|--&gt;|</code>";
        assert!(mark_drawings(drawing).contains("class=\"language-text drawing\""));
        let page = "<code class=\"language-text\">[ Set ]</code>";
        assert_eq!(mark_drawings(page), page);
    }
}
