//! Items are cut out of a Rust file by their names.

use super::CAR;
use crate::items;

#[track_caller]
fn expect_error(selectors: &str, words: &[&str]) {
    let error = items::cut(CAR, selectors).expect_err("no such item").to_string();
    for word in words {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

#[test]
fn an_item_is_cut_with_its_attributes_and_the_comments_above_it() {
    let set_car = "\
// Forms post here,
// links do not.
/// Remembers the car.
#[must_use]
fn set_car(car: &str) -> String {
    car.to_owned() // as it came
}";
    assert_eq!(items::cut(CAR, "fn set_car").expect("an item"), set_car);
    assert_eq!(
        items::cut(CAR, "const Car::WHEELS, fn set_car").expect("two items"),
        format!("const WHEELS: u8 = 4;\n\n{set_car}")
    );
    let header = items::cut("//! The file.\nfn main() {}\n", "fn main");
    assert_eq!(header.expect("an item"), "fn main() {}");
}

#[test]
fn the_use_lines_are_cut_as_they_stand_and_no_others() {
    let source = "\
//! A car.

use std::fmt;

use axum::{
    Router,
    routing::get,
};

fn main() {}

use std::io;

mod garage {
    use std::fs;
}
";
    assert_eq!(
        items::cut(source, "uses, fn main").expect("the uses and an item"),
        "use std::fmt;\n\nuse axum::{\n    Router,\n    routing::get,\n};\n\nfn main() {}"
    );
    expect_error("uses", &["the file uses nothing"]);
}

#[test]
fn items_in_impls_and_modules_are_cut_by_their_path() {
    for (selector, first_line) in [
        ("impl Car", "impl Car {"),
        ("impl From<u8> for Car", "impl From<u8> for Car {"),
        ("impl From<Wheel<u8,4>> for Car", "impl From<Wheel<u8, 4>> for Car {"),
        ("fn <Car as From<u8>>::from", "fn from(wheels: u8) -> Self {"),
        ("fn garage::set_car", "fn set_car() {}"),
        ("fn street::open", "fn open() {}"),
        ("mod street", "mod street {"),
    ] {
        let item = items::cut(CAR, selector).expect("an item");
        assert_eq!(item.lines().next(), Some(first_line), "{selector}");
    }
    let source = "trait Store {\n    type Key;\n    // Slow.\n    fn load(&self);\n}\n";
    let method = items::cut(source, "fn Store::load").expect("an item");
    assert_eq!(method, "// Slow.\nfn load(&self);");
}

#[test]
fn an_item_that_is_missing_or_not_the_only_one_is_told_with_the_others() {
    expect_error(
        "fn set_bike",
        &["no `fn set_bike`", "`fn set_car` (line 7)", "`fn garage::open`"],
    );
    expect_error("fn open", &["`fn garage::open` (line 42)", "`fn street::open` (line 46)"]);
    expect_error(
        "fn Car::from",
        &["`fn <Car as From<u8>>::from`", "`fn <Car as From<Wheel<u8, 4>>>::from`"],
    );
    expect_error(
        "impl From for Car",
        &["`impl From<u8> for Car`", "`impl From<Wheel<u8, 4>> for Car`"],
    );
    expect_error("enum Car", &["no `enum Car`, nor any other `enum`"]);
    expect_error("set_car", &["`set_car` is not a name after one of fn, struct"]);
    expect_error("fn set_car,", &["`` is not a name"]);
}
