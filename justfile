# Short names for commands. Every one of them works without just, too: see README.md.

# List the recipes
[private]
default:
    @just --list --unsorted

# Run a chapter: just run chapter-4 --port 3001
[no-exit-message]
run chapter *options:
    @just chapters | grep -qx {{ quote(chapter) }} || { echo "There is no such chapter. These are:"; just chapters; exit 1; }
    cargo run --package {{ quote(chapter) }} -- {{ options }}

# List the chapters
chapters:
    @grep -ho '^name = "chapter-[0-9]*"' chapters/*/Cargo.toml | cut -d'"' -f2 | uniq

# Run all tests
test:
    cargo test --workspace

# Run all tests, then look at each snapshot that changed
review:
    cargo insta test --review

# Check your answer to an exercise: just exercise 3
[no-exit-message]
exercise number:
    cargo run --quiet --example exercise-{{ number }}

# Rewrite the code, exchange and page blocks of the docs from their sources
docs:
    cargo test --package tests --test docs -- --ignored

# Build the book of the docs: book/index.html
book:
    mdbook build docs

# Measure how many visits a second: just bench, just bench --million
bench *options:
    cargo run --release --package tests --bin bench -- {{ options }}
