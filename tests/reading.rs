//! How shared/sessions reads: short files, short functions, comments at the hard lines, and few
//! types to know on the way of a request.
//!
//! Run: `cargo test -p tests --test reading`
//! The figures: `just reading`, that is `cargo test -p tests --test reading -- --ignored --nocapture`

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use proc_macro2::{LineColumn, Span};
use syn::{Item, spanned::Spanned as _, visit::Visit};

/// Lines.
const LONGEST_FILE: usize = 400;
const LONGEST_FUNCTION: usize = 40;

/// From the request to the saved session, in the order in which a reader meets them: a page that
/// reads one key and writes one, over SQLite.
const WAY: [(&str, &[&str]); 7] = [
    ("layer.rs", &["call", "finish"]),
    ("cookie.rs", &["values", "open", "cookie"]),
    ("session/load.rs", &["load", "find", "ask"]),
    ("session/dictionary.rs", &["get", "insert", "extend"]),
    ("session/commit.rs", &["commit", "write", "draft", "accept", "renewal"]),
    ("stores/mod.rs", &["load", "compare_and_swap"]),
    ("stores/sqlite/mod.rs", &["load", "compare_and_swap"]),
];

struct Source {
    name: String,
    text: String,
    file: syn::File,
}

struct Function {
    name: String,
    first_line: usize,
    last_line: usize,
    types: BTreeSet<String>,
}

#[test]
fn every_file_is_short_or_says_why_not() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.text.lines().count() > LONGEST_FILE && !says_why(&source.text))
        .map(|source| source.name)
        .collect();
    assert!(
        long.is_empty(),
        "over {LONGEST_FILE} lines, without `long because` at its head: {long:?}"
    );
}

#[test]
fn every_function_is_short_or_says_why_not() {
    let mut long = Vec::new();
    for source in sources() {
        let lines: Vec<_> = source.text.lines().collect();
        for function in functions(&source.file) {
            let head = &lines[function.first_line.saturating_sub(6)..function.first_line];
            if length(&function) > LONGEST_FUNCTION && !says_why(&head.join("\n")) {
                long.push(format!("{}: {} ({})", source.name, function.name, length(&function)));
            }
        }
    }
    assert!(
        long.is_empty(),
        "over {LONGEST_FUNCTION} lines, without `long because` above: {long:?}"
    );
}

#[test]
fn the_way_of_a_request_is_there_to_be_read() {
    for (name, wanted) in WAY {
        let source = source(name);
        let found: BTreeSet<_> = functions(&source.file).into_iter().map(|it| it.name).collect();
        for function in wanted {
            assert!(found.contains(*function), "{name} has no function {function}");
        }
    }
}

#[test]
#[ignore = "prints figures: just reading"]
fn figures() {
    let sources = sources();
    let lines: usize = sources.iter().map(|source| source.text.lines().count()).sum();
    let longest_file =
        sources.iter().max_by_key(|source| source.text.lines().count()).expect("one");
    let mut all = Vec::new();
    let (mut inside, mut comments) = (0, 0);
    for source in &sources {
        let text: Vec<_> = source.text.lines().collect();
        for function in functions(&source.file) {
            let body = &text[function.first_line..function.last_line];
            inside += body.iter().filter(|line| !line.trim().is_empty()).count();
            comments += body.iter().filter(|line| line.trim_start().starts_with("//")).count();
            all.push((length(&function), function.name, source.name.clone()));
        }
    }
    let own = own_types(&sources);
    let mut met = BTreeSet::new();
    for (name, wanted) in WAY {
        let functions = functions(&source(name).file);
        let on_the_way = functions.into_iter().filter(|it| wanted.contains(&it.name.as_str()));
        met.extend(on_the_way.flat_map(|function| function.types).filter(|it| own.contains(it)));
    }
    let longest = all.iter().max().expect("one");
    println!("files from the request to the saved session: {}", WAY.len());
    println!(
        "own types met on that way: {}: {}",
        met.len(),
        Vec::from_iter(&met).iter().map(|it| it.as_str()).collect::<Vec<_>>().join(", ")
    );
    println!("longest file: {} lines, {}", longest_file.text.lines().count(), longest_file.name);
    println!("longest function: {} lines, {} in {}", longest.0, longest.1, longest.2);
    println!("comments inside functions: {} %", 100 * comments / inside);
    println!("lines of shared/sessions/src: {lines}");
}

fn says_why(text: &str) -> bool {
    text.lines().take(20).any(|line| line.contains("long because"))
}

fn length(function: &Function) -> usize {
    function.last_line - function.first_line + 1
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/sessions/src")
}

fn sources() -> Vec<Source> {
    let mut names = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    names.push(path.strip_prefix(root()).expect("inside").display().to_string())
                }
            }
        }
    }
    // Tests that stand next to the code read by other rules.
    names.retain(|name| !name.ends_with("tests.rs"));
    names.sort();
    names.iter().map(|name| source(name)).collect()
}

fn source(name: &str) -> Source {
    let text =
        fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    Source { name: name.replace('\\', "/"), text, file }
}

/// All functions with a body.
fn functions(file: &syn::File) -> Vec<Function> {
    struct Functions(Vec<Function>);
    impl Functions {
        fn add(&mut self, signature: &syn::Signature, block: Span, mut types: Types) {
            types.visit_signature(signature);
            let (LineColumn { line: first, .. }, LineColumn { line: last, .. }) =
                (signature.span().start(), block.end());
            self.0.push(Function {
                name: signature.ident.to_string(),
                first_line: first,
                last_line: last,
                types: types.0,
            });
        }
    }
    impl<'ast> Visit<'ast> for Functions {
        fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
            self.add(&item.sig, item.block.span(), Types::of(&item.block));
        }
        fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
            self.add(&item.sig, item.block.span(), Types::of(&item.block));
        }
        fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
            let body = item.default.as_ref();
            let types = body.map(Types::of).unwrap_or(Types(BTreeSet::new()));
            self.add(&item.sig, body.map_or(item.sig.span(), |body| body.span()), types);
        }
    }
    let mut functions = Functions(Vec::new());
    functions.visit_file(file);
    functions.0
}

/// All names in a path, among them those of types.
struct Types(BTreeSet<String>);

impl Types {
    fn of(block: &syn::Block) -> Types {
        let mut types = Types(BTreeSet::new());
        types.visit_block(block);
        types
    }
}

impl<'ast> Visit<'ast> for Types {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.extend(path.segments.iter().map(|segment| segment.ident.to_string()));
        syn::visit::visit_path(self, path);
    }
}

fn own_types(sources: &[Source]) -> BTreeSet<String> {
    let items = sources.iter().flat_map(|source| &source.file.items);
    items
        .filter_map(|item| match item {
            Item::Struct(item) => Some(item.ident.to_string()),
            Item::Enum(item) => Some(item.ident.to_string()),
            Item::Trait(item) => Some(item.ident.to_string()),
            Item::Type(item) => Some(item.ident.to_string()),
            _ => None,
        })
        .collect()
}
