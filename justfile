# Short names for commands. Every one of them works without just, too: see README.md.

# List the recipes
[private]
default:
    @just --list --unsorted

# Run a chapter: just run chapter-4 --port 3001, or just run 4 --port 3001
[no-exit-message]
run chapter *options:
    @just chapters | grep -qx {{ quote("chapter-" + trim_start_match(chapter, "chapter-")) }} || { echo "There is no such chapter. These are:"; just chapters; exit 1; }
    cargo run --package {{ quote("chapter-" + trim_start_match(chapter, "chapter-")) }} -- {{ options }}

# List the chapters
chapters:
    @grep -ho '^name = "chapter-[0-9]*"' chapters/*/Cargo.toml | cut -d'"' -f2 | uniq

# Run all tests
test:
    cargo test --workspace

# Run all tests, then look at each snapshot that changed
review:
    cargo insta test --review

# Check your answer to an exercise: just exercise 3, or just exercise chapter-3
[no-exit-message]
exercise chapter:
    cargo run --quiet --example {{ quote("exercise-" + trim_start_match(chapter, "chapter-")) }}

# List the exercises: which are solved, and which comes next
exercises *options:
    @cargo run --quiet --package exercises -- {{ options }}

# Check the next exercise whenever you save; needs: cargo install --locked watchexec-cli
watch:
    watchexec --watch chapters --exts rs,html --restart --clear -- cargo run --quiet --package exercises -- --next

# Run two servers over one store, on ports 3001 and 3002: just two-servers redis://localhost/
[no-exit-message]
two-servers store="sqlite:library.sqlite":
    cargo build --package chapter-7
    @SESSION_STORE={{ quote(store) }} cargo run --quiet --package chapter-7 -- --port 3001 & \
    SESSION_STORE={{ quote(store) }} cargo run --quiet --package chapter-7 -- --port 3002; wait

# Run chapter 12 as it goes live: nginx, two servers, a store: just live, or just live redis://localhost/
[no-exit-message]
live store="":
    bash chapters/12-going-live/live.sh {{ quote(store) }}

# Run the tests in a real browser; they need Chromium and: npm ci --prefix tests/browser
browser:
    cargo test --package tests --test browser

# Take the pictures of the docs again, in a real browser
screenshots:
    cargo test --package tests --test browser -- --ignored screenshots

# Rewrite the code, exchanges, pages and drawings of the docs from their sources
docs:
    cargo test --package tests --test inspector --test docs -- --ignored

# Build the book of the docs, and follow its links: book/index.html; needs mdBook
book:
    cargo run --package tests --example book

# Print how shared/sessions reads: its longest file and function, its comments, its types
reading:
    cargo test --package tests --test reading -- --ignored --nocapture

# Measure how many visits a second: just bench, just bench --million, just bench --store memory
bench *options:
    cargo run --release --package tests --example bench -- {{ options }}

# Kill servers, fill disks and hold locks, and count the visits that are lost: just torture --seconds 10
torture *options:
    cargo run --release --package tests --example torture -- {{ options }}
