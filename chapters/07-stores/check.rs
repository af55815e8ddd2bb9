//! Checks your answer to exercise 7. Run: `just exercise 7`

pub mod exercise;

use std::process::ExitCode;

use anyhow::{Context, ensure};
use sessions::{Id, Replaced, Store, Version};
use time::{Duration, OffsetDateTime};
use tower_sessions::session::Record;

#[tokio::main]
async fn main() -> ExitCode {
    match check(exercise::Shelf::default()).await {
        Ok(()) => println!("Solved: nothing comes back, and nothing is lost."),
        Err(hint) => {
            println!("Not yet. {hint}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Plays two requests of one session that run at once: both have loaded it, each does its part.
pub async fn check(store: impl Store) -> anyhow::Result<()> {
    let (mut signed_in, seen) = stored(&store).await?;
    let id = signed_in.id;
    store.delete(&id).await?;
    let late = store.replace(&id, seen, &mut signed_in).await?;
    let found = store.load(&id).await?;
    ensure!(
        found.is_none(),
        "A visitor signed out while another request still ran. Its save came late, and the \
         session is back."
    );
    ensure!(late == Replaced::Gone, "The session is gone, and the late save is told {late:?}.");

    let (mut one, seen) = stored(&store).await?;
    let mut other = one.clone();
    one.data.insert("my_car".to_owned(), "mini".into());
    let first = store.replace(&one.id, seen, &mut one.clone()).await?;
    ensure!(
        matches!(first, Replaced::Done(now) if now != seen),
        "Nobody else wrote, and the first save is told {first:?} after {seen:?}."
    );
    other.data.insert("my_car".to_owned(), "beetle".into());
    let second = store.replace(&other.id, seen, &mut other.clone()).await?;
    ensure!(
        store.load(&one.id).await?.as_ref() == Some(&one),
        "Two requests saved what they had loaded, and the mini that the first one stored is lost."
    );
    ensure!(second == Replaced::Changed, "The mini came first, and the other is told {second:?}.");

    let (now, seen) = store.load_versioned(&one.id).await?.context("The mini is gone.")?;
    let mut moved = Record { id: Id::default(), ..now };
    let cycled = store.replace(&one.id, seen, &mut moved).await?;
    ensure!(
        matches!(cycled, Replaced::Done(_))
            && store.load(&moved.id).await?.as_ref() == Some(&moved),
        "The session moved to another id, is not there, and the save was told {cycled:?}."
    );
    ensure!(
        store.load(&one.id).await?.is_none(),
        "The session moved to another id, and the old id still opens it."
    );
    Ok(())
}

/// A new session, as two requests have loaded it.
async fn stored(store: &impl Store) -> anyhow::Result<(Record, Version)> {
    let mut record = Record {
        id: Id::default(),
        data: [("user".to_owned(), "Toad".into())].into(),
        expiry_date: OffsetDateTime::now_utc() + Duration::HOUR,
    };
    store.create(&mut record).await?;
    store.load_versioned(&record.id).await?.context("A new session is not found.")
}
