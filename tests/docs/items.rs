//! Cuts single items out of a Rust file: `fn set_car, struct Car, impl Store for Memory`.
//!
//! | selector | the item |
//! |---|---|
//! | `uses` | all `use` lines at the head of the file |
//! | `fn set_car`, `struct Car`, `enum`, `const`, `static`, `type`, `trait`, `mod` | of that name, in the file or in a module written out in it |
//! | `fn demo::set_car` | the one in that module, if several have the name |
//! | `impl Car`, `impl Store for Memory`, `impl From<io::Error> for Problem` | the whole block |
//! | `fn Car::paint`, `const Car::WHEELS`, `type …` | of an impl of that type, or of that trait |
//! | `fn <Car as Display>::fmt` | the one of that impl, if several have the name |

use std::ops::RangeInclusive;

use anyhow::{Context, Result, anyhow, bail};
use proc_macro2::TokenStream;
use syn::spanned::Spanned;
use syn::{Ident, ImplItem, Item, ItemImpl, Path, TraitItem, Type};

use crate::sources::dedented;

const KINDS: [&str; 9] =
    ["fn", "struct", "enum", "const", "static", "type", "trait", "mod", "impl"];

/// An item of the file, and all that a selector may call it.
struct Found {
    kind: &'static str,
    /// The modules around it, outermost first.
    modules: Vec<String>,
    /// Spellings without those modules, from short to long.
    names: Vec<String>,
    /// Counted from 1, with attributes and doc comments.
    lines: RangeInclusive<usize>,
}

/// The items that the selectors name, in their order, with a blank line between them.
pub fn cut(source: &str, selectors: &str) -> Result<String> {
    let file = syn::parse_file(source)
        .map_err(|error| anyhow!("line {}: {error}", error.span().start().line))?;
    let mut found = Vec::new();
    find(&file.items, &[], &mut found);

    let lines: Vec<&str> = source.lines().collect();
    let cuts: Vec<String> = split(selectors)
        .into_iter()
        .map(|selector| match selector {
            "uses" => uses(&file.items, &lines),
            _ => Ok(text_of(the_one(&found, selector)?, &lines)),
        })
        .collect::<Result<_>>()?;
    Ok(cuts.join("\n\n"))
}

/// From the first `use` through the last one before any other item, as they stand.
fn uses(items: &[Item], lines: &[&str]) -> Result<String> {
    let is_use = |item: &&Item| matches!(item, Item::Use(_));
    let mut uses = items.iter().skip_while(|item| !is_use(item)).take_while(is_use);
    let first = uses.next().context("the file uses nothing")?;
    let last = uses.last().unwrap_or(first);
    Ok(dedented(&lines[lines_of(first).start() - 1..*lines_of(last).end()]))
}

fn find(items: &[Item], modules: &[String], found: &mut Vec<Found>) {
    for item in items {
        for (kind, names, lines) in named(item) {
            found.push(Found { kind, modules: modules.to_vec(), names, lines });
        }
    }
    for item in items {
        if let Item::Mod(module) = item
            && let Some((_, inner)) = &module.content
        {
            let path = [modules, &[module.ident.to_string()]].concat();
            find(inner, &path, found);
        }
    }
}

/// The item and, of an impl or a trait, its members.
fn named(item: &Item) -> Vec<(&'static str, Vec<String>, RangeInclusive<usize>)> {
    let one = |kind, name: &Ident| vec![(kind, vec![name.to_string()], lines_of(item))];
    match item {
        Item::Fn(item) => one("fn", &item.sig.ident),
        Item::Struct(item) => one("struct", &item.ident),
        Item::Enum(item) => one("enum", &item.ident),
        Item::Const(item) => one("const", &item.ident),
        Item::Static(item) => one("static", &item.ident),
        Item::Type(item) => one("type", &item.ident),
        Item::Mod(item) => one("mod", &item.ident),
        Item::Trait(of) => {
            let members = of.items.iter().filter_map(|member| {
                let (kind, name) = trait_member(member)?;
                Some((kind, vec![format!("{}::{name}", of.ident)], lines_of(member)))
            });
            members.chain(one("trait", &of.ident)).collect()
        }
        Item::Impl(of) => {
            let owners = owners(of);
            let members = of.items.iter().filter_map(|member| {
                let (kind, name) = impl_member(member)?;
                let names = owners.iter().map(|owner| format!("{owner}::{name}")).collect();
                Some((kind, names, lines_of(member)))
            });
            members.chain([("impl", impl_names(of), lines_of(item))]).collect()
        }
        _ => Vec::new(),
    }
}

fn trait_member(member: &TraitItem) -> Option<(&'static str, String)> {
    match member {
        TraitItem::Fn(member) => Some(("fn", member.sig.ident.to_string())),
        TraitItem::Const(member) => Some(("const", member.ident.to_string())),
        TraitItem::Type(member) => Some(("type", member.ident.to_string())),
        _ => None,
    }
}

fn impl_member(member: &ImplItem) -> Option<(&'static str, String)> {
    match member {
        ImplItem::Fn(member) => Some(("fn", member.sig.ident.to_string())),
        ImplItem::Const(member) => Some(("const", member.ident.to_string())),
        ImplItem::Type(member) => Some(("type", member.ident.to_string())),
        _ => None,
    }
}

/// What stands before `::` in the name of a member: `Car`, `<Car as Display>`.
fn owners(item: &ItemImpl) -> Vec<String> {
    let mut owners = names_of_type(&item.self_ty);
    if let Some((implemented, _)) = &item.trait_ {
        owners.extend(pairs(&owners, &names_of_path(implemented), |owner, name| {
            format!("<{owner} as {name}>")
        }));
    }
    owners
}

fn impl_names(item: &ItemImpl) -> Vec<String> {
    let owners = names_of_type(&item.self_ty);
    match &item.trait_ {
        Some((implemented, _)) => {
            pairs(&names_of_path(implemented), &owners, |name, owner| format!("{name} for {owner}"))
        }
        None => owners,
    }
}

fn pairs(left: &[String], right: &[String], join: fn(&str, &str) -> String) -> Vec<String> {
    left.iter().flat_map(|left| right.iter().map(move |right| join(left, right))).collect()
}

fn names_of_type(of: &Type) -> Vec<String> {
    match of {
        Type::Path(path) => names_of_path(&path.path),
        _ => vec![of.span().source_text().unwrap_or_default()],
    }
}

/// `From`, `From<io::Error>` and `std::convert::From<io::Error>`, so far as they differ.
fn names_of_path(path: &Path) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(last) = path.segments.last() {
        names.push(last.ident.to_string());
        names.extend(last.span().source_text());
    }
    names.extend(path.span().source_text());
    names.dedup();
    names
}

fn lines_of(item: &impl Spanned) -> RangeInclusive<usize> {
    let span = item.span();
    span.start().line..=span.end().line
}

/// The item's lines, and the comments right above it, which belong to it in a reader's eye.
fn text_of(item: &Found, lines: &[&str]) -> String {
    let above = lines[..item.lines.start() - 1]
        .iter()
        .rev()
        .map(|line| line.trim_start())
        .take_while(|line| line.starts_with("//") && !line.starts_with("//!"))
        .count();
    dedented(&lines[item.lines.start() - 1 - above..*item.lines.end()])
}

fn the_one<'a>(found: &'a [Found], selector: &str) -> Result<&'a Found> {
    let (kind, name) =
        selector.split_once(' ').filter(|(kind, _)| KINDS.contains(kind)).with_context(|| {
            let kinds = KINDS.join(", ");
            format!("`{selector}` is not a name after one of {kinds}, nor `uses`")
        })?;
    let name = spaced(name);

    // As in Rust, a bare name means the outermost item; others are reached through their module.
    let of_kind: Vec<&Found> = found.iter().filter(|item| item.kind == kind).collect();
    let mut candidates: Vec<&Found> = of_kind.clone();
    candidates.retain(|item| item.full_names().any(|full| spaced(&full) == name));
    if candidates.is_empty() {
        candidates = of_kind.clone();
        candidates.retain(|item| item.all_names().any(|short| spaced(&short) == name));
    }

    match candidates[..] {
        [one] => Ok(one),
        [] if of_kind.is_empty() => bail!("no `{selector}`, nor any other `{kind}`"),
        [] => bail!("no `{selector}`; there is {}", listed(&of_kind)),
        _ => bail!("`{selector}` may be any of {}", listed(&candidates)),
    }
}

impl Found {
    fn full_names(&self) -> impl Iterator<Item = String> {
        self.names_within(0)
    }

    fn all_names(&self) -> impl Iterator<Item = String> {
        (0..=self.modules.len()).flat_map(|outermost| self.names_within(outermost))
    }

    fn names_within(&self, outermost: usize) -> impl Iterator<Item = String> {
        let around: String =
            self.modules[outermost..].iter().map(|module| format!("{module}::")).collect();
        self.names.iter().map(move |name| format!("{around}{name}"))
    }
}

fn listed(items: &[&Found]) -> String {
    let names: Vec<String> = items
        .iter()
        .map(|item| {
            // The longest spelling tells two impls of one trait apart.
            let name = item.full_names().last().unwrap_or_default();
            format!("`{} {name}` (line {})", item.kind, item.lines.start())
        })
        .collect();
    names.join(", ")
}

/// One spelling for all: the same tokens with the same spaces between them.
fn spaced(code: &str) -> String {
    let tokens: Result<TokenStream, _> = code.parse();
    tokens.map_or_else(|_| code.to_owned(), |tokens| tokens.to_string())
}

/// Splits at the commas that are not inside brackets, as those of `Cache<Memory, Disk>` are.
fn split(selectors: &str) -> Vec<&str> {
    let mut depth = 0;
    selectors
        .split(|letter| {
            match letter {
                '<' | '(' | '[' => depth += 1,
                '>' | ')' | ']' => depth -= 1,
                _ => {}
            }
            letter == ',' && depth == 0
        })
        .map(str::trim)
        .collect()
}
