//! Numbers in the pages' sentences that the code decides.
//!
//! ````text
//! A form may send 64 KiB<!-- value: shared/site/src/look.rs const BODY_LIMIT --> at most.
//! ````
//!
//! The page says the number once, in its own words (docs/words.rs), and the comment right after
//! them says where the code has it. The two are compared as numbers, or as lengths of time.

use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use syn::spanned::Spanned;
use syn::{BinOp, Expr, ExprLit, Item, Lit};

use crate::checks::Finding;
use crate::markdown::Page;
use crate::markers::Marker;
use crate::{items, sources, words};

/// What the words say, and what the code says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Number(u64),
    Milliseconds(u64),
}

impl Value {
    /// So many times this one; nothing if that is too large to be meant.
    pub fn times(self, count: u64) -> Option<Value> {
        match self {
            Value::Number(number) => number.checked_mul(count).map(Value::Number),
            Value::Milliseconds(time) => time.checked_mul(count).map(Value::Milliseconds),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::Milliseconds(time) if time % 1000 == 0 => write!(f, "{} seconds", time / 1000),
            Value::Milliseconds(time) => write!(f, "{time} milliseconds"),
        }
    }
}

/// The marked numbers that differ from their source, or whose source cannot be had.
pub fn drifted_values(root: &Path, pages: &[Page]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages {
        for comment in &page.loose_comments {
            // A malformed marker is for `loose_markers` to report, once.
            if let Ok(Marker::Value { path, place }) = Marker::read(&comment.text)
                && let Err(error) = compare(root, &page.text[..comment.start], &path, &place)
            {
                findings.push(Finding::new(&page.path, comment.line, format!("{error:#}")));
            }
        }
    }
    findings
}

/// Compares the number at the end of `text` with the one that stands at that place of the file.
fn compare(root: &Path, text: &str, path: &str, place: &str) -> Result<()> {
    let (words, said) = words::at_the_end_of(text)
        .with_context(|| format!("no number ends right before `value: {path} {place}`"))?;
    let (code, value) = sources::read(root, path)
        .and_then(|source| code_at(&source, place))
        .with_context(|| format!("\"{words}\" is held to `{place}` in {path}"))?;
    ensure!(
        said == value,
        "the page says \"{words}\", and `{place}` in {path} is {value}: `{code}`"
    );
    Ok(())
}

/// The number as the code has it, `14 * 24 * 60 * 60`, and what that comes to.
fn code_at(source: &str, place: &str) -> Result<(String, Value)> {
    let after = place.strip_suffix('"').and_then(|place| place.split_once(" after \""));
    let expression = match after {
        Some((selector, text)) => following(&items::cut(source, selector)?, text)?,
        None => initialiser(source, place)?,
    };
    let value = evaluate(&expression)?;
    Ok((text_of(&expression), value))
}

/// What a constant is set to.
fn initialiser(source: &str, place: &str) -> Result<Expr> {
    ensure!(
        place.starts_with("const ") || place.starts_with("static "),
        "write `const NAME`, `static NAME`, or an item and the text before the number in it, as \
         `impl Default for Settings after \"age:\"`"
    );
    match syn::parse_str(&items::cut(source, place)?) {
        Ok(Item::Const(item)) => Ok(*item.expr),
        Ok(Item::Static(item)) => Ok(*item.expr),
        _ => bail!("one constant is meant, with a value"),
    }
}

/// What comes after the text, up to the comma, the semicolon, the quote or the bracket that ends
/// it.
fn following(item: &str, text: &str) -> Result<Expr> {
    ensure!(!text.is_empty(), "`after \"\"` says nothing");
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_';
    let begins_a_name = text.starts_with(is_name);
    // `age:` is not the end of `cookie_age:`.
    let found: Vec<usize> = item
        .match_indices(text)
        .map(|(at, _)| at)
        .filter(|&at| !(begins_a_name && item[..at].ends_with(is_name)))
        .collect();
    let [at] = found[..] else {
        bail!("\"{text}\" stands there {} times: quote what stands there once", found.len());
    };

    let rest = &item[at + text.len()..];
    let mut depth = 0;
    let end = rest.find(|letter| {
        match letter {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            _ => {}
        }
        depth < 0 || depth == 0 && [',', ';', '"'].contains(&letter)
    });
    let code = rest[..end.unwrap_or(rest.len())].trim();
    syn::parse_str(code).map_err(|_| anyhow!("after \"{text}\" comes `{code}`, which is no number"))
}

fn evaluate(expression: &Expr) -> Result<Value> {
    let number = match expression {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
            number.base10_parse().ok().map(Value::Number)
        }
        Expr::Paren(inner) => Some(evaluate(&inner.expr)?),
        // A cast that would cut a number off is for the compiler's lints to report.
        Expr::Cast(inner) => Some(evaluate(&inner.expr)?),
        Expr::Binary(both) => match (evaluate(&both.left)?, &both.op, evaluate(&both.right)?) {
            (Value::Number(left), BinOp::Add(_), Value::Number(right)) => {
                left.checked_add(right).map(Value::Number)
            }
            (left, BinOp::Mul(_), Value::Number(right)) => left.times(right),
            _ => None,
        },
        Expr::Call(call) => match (unit_of(&call.func), call.args.first()) {
            (Some(unit), Some(count)) => match evaluate(count)? {
                Value::Number(count) => unit.times(count),
                Value::Milliseconds(_) => None,
            },
            _ => None,
        },
        _ => None,
    };
    number.with_context(|| {
        format!(
            "`{}` is not made of whole numbers, `+`, `*`, `as` and the like of \
             `Duration::from_secs(5)`",
            text_of(expression)
        )
    })
}

/// One second for `Duration::from_secs`: std's names, and those of the crate `time`.
fn unit_of(function: &Expr) -> Option<Value> {
    let Expr::Path(path) = function else { return None };
    let names: Vec<String> = path.path.segments.iter().map(|part| part.ident.to_string()).collect();
    let [.., of, name] = &names[..] else { return None };
    let milliseconds = match name.as_str() {
        "from_millis" | "milliseconds" => 1,
        "from_secs" | "seconds" => 1000,
        "from_mins" | "minutes" => 60 * 1000,
        "from_hours" | "hours" => 60 * 60 * 1000,
        "days" => 24 * 60 * 60 * 1000,
        "weeks" => 7 * 24 * 60 * 60 * 1000,
        _ => return None,
    };
    (of == "Duration").then_some(Value::Milliseconds(milliseconds))
}

fn text_of(expression: &Expr) -> String {
    expression.span().source_text().unwrap_or_default()
}
