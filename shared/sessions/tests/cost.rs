//! An insert costs what its value costs, however large the session is. Nothing here looks at a
//! clock: what is counted is how often, and how much, is turned into JSON.

mod helpers;

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use serde::{Serialize, Serializer};
use serde_json::Value;
use sessions::{MemoryStore, SessionLayer};

/// A value that counts how often it is turned into JSON.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicUsize>);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.fetch_add(1, Relaxed);
        serializer.serialize_str("mini")
    }
}

#[tokio::test]
async fn a_value_is_turned_into_json_once_however_it_is_stored() {
    let value = Counted::default();
    let session = SessionLayer::new(MemoryStore::default()).session(None);
    session.load().await.expect("the store answers");

    session.insert("my_car", &value).expect("it fits");
    assert_eq!(value.0.swap(0, Relaxed), 1, "an insert");

    session.extend([("one", &value), ("other", &value)]).expect("it fits");
    assert_eq!(value.0.swap(0, Relaxed), 2, "one for each value");

    session.insert("another", "value").expect("it fits");
    session.save().await.expect("it is saved");
    session.insert("another", "value").expect("it fits");
    assert_eq!(value.0.swap(0, Relaxed), 0, "what is there already costs nothing");
}

thread_local! {
    /// Bytes that have been counted, each test on a thread of its own.
    static MEASURED: Cell<usize> = const { Cell::new(0) };
}

/// The changes of a session, with a measure that is measured itself.
#[path = "."]
mod session {
    #[path = "../src/session/changes.rs"]
    #[allow(dead_code)]
    pub mod changes;

    mod moved {
        pub const MOVED: &str = "_session_moved";
    }

    mod size {
        use serde::Serialize;

        pub fn json_size(value: &impl Serialize) -> usize {
            let size = serde_json::to_string(value).expect("JSON values are JSON").len();
            crate::MEASURED.set(crate::MEASURED.get() + size);
            size
        }
    }
}

use session::changes::{Changes, Data, data_size};

/// A dictionary of so many values of ten bytes each, which has been measured once.
fn dictionary(values: usize) -> Changes {
    let stored: Data =
        (0..values).map(|n| (format!("key {n}"), Value::from("x".repeat(8)))).collect();
    let mut dictionary = Changes::default();
    dictionary.set_stored(stored);
    dictionary.sizes();
    dictionary
}

/// How many bytes are measured for these changes.
fn measured(values: usize, change: fn(&mut Changes)) -> usize {
    let mut dictionary = dictionary(values);
    MEASURED.set(0);
    for _ in 0..100 {
        change(&mut dictionary);
        dictionary.sizes();
    }
    MEASURED.get()
}

#[test]
fn the_size_is_kept_up_to_date_without_a_look_at_the_rest_of_the_session() {
    let changes: [fn(&mut Changes); 3] = [
        |it| it.put("my_car".to_owned(), "mini".into()),
        |it| it.put("key 0".to_owned(), "y".repeat(20).into()),
        |it| {
            it.remove("key 0");
            it.put("key 0".to_owned(), "z".into());
        },
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let (small, large) = (measured(1, change), measured(10_000, change));
        assert!(small > 0, "so the test can tell");
        assert_eq!(small, large, "change number {n}");
    }
}

#[test]
fn the_size_that_is_kept_up_to_date_is_the_size() {
    let mut dictionary = dictionary(10);
    dictionary.put("my_car".to_owned(), "größer 🚗 \"\n".into());
    dictionary.put("my_car".to_owned(), "mini".into());
    dictionary.put("key 1".to_owned(), Value::Null);
    dictionary.remove("key 2");
    dictionary.remove("no such key");
    dictionary.put("key 2".to_owned(), "back".into());
    dictionary.put("_session_expiry".to_owned(), "does not count".into());

    let (stored, size) = dictionary.sizes();

    let data = dictionary.to_data();
    assert_eq!(size, data_size(&data));
    assert_ne!(size, stored);
    let visible: Data = data.into_iter().filter(|(key, _)| !key.starts_with('_')).collect();
    assert_eq!(size, serde_json::to_string(&visible).expect("JSON").len());
}
