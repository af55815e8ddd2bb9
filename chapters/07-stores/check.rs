//! Checks your answer to exercise 7. Run: `just exercise 7`

pub mod exercise;

use std::process::ExitCode;

use anyhow::ensure;
use sessions::{Id, Outcome, Record, Store, Version};
use time::{Duration, OffsetDateTime};

fn main() -> ExitCode {
    browser::exercise("nothing comes back, and nothing is lost.", async || {
        check(exercise::Shelf::default()).await
    })
}

/// Plays two requests of one session that run at once: both have loaded it, each does its part.
pub async fn check(store: impl Store) -> anyhow::Result<()> {
    let (signed_in, seen) = stored(&store).await?;
    store.delete(&signed_in.id).await?;
    let late = store.compare_and_swap(seen, &signed_in).await?;
    ensure!(
        store.load(&signed_in.id).await?.is_none(),
        "A visitor signed out while another request still ran. Its save came late, and the \
         session is back."
    );
    ensure!(late == Outcome::Missing, "The session is gone, and the late save is told {late:?}.");

    let (mut one, seen) = stored(&store).await?;
    let mut other = one.clone();
    one.data.insert("my_car".to_owned(), "mini".into());
    let first = store.compare_and_swap(seen, &one).await?;
    ensure!(
        matches!(first, Outcome::Stored(now) if now != seen),
        "No other request wrote, and the first save is told {first:?} after {seen:?}."
    );
    other.data.insert("my_car".to_owned(), "beetle".into());
    let second = store.compare_and_swap(seen, &other).await?;
    let found = store.load(&one.id).await?.map(|(record, _)| record);
    ensure!(
        found.as_ref() == Some(&one),
        "Two requests saved what they had loaded, and the mini that the first one stored is lost."
    );
    ensure!(second == Outcome::Conflict, "The mini came first, and the other is told {second:?}.");
    Ok(())
}

/// A new session, as two requests have loaded it.
async fn stored(store: &impl Store) -> anyhow::Result<(Record, Version)> {
    let record = Record {
        id: Id::default(),
        data: [("user".to_owned(), "Toad".into())].into(),
        expiry_date: OffsetDateTime::now_utc() + Duration::HOUR,
    };
    let created = store.create(&record).await?;
    ensure!(matches!(created, Outcome::Stored(_)), "A new session is told {created:?}.");
    match store.load(&record.id).await? {
        Some(found) => Ok(found),
        None => anyhow::bail!("A new session is not found."),
    }
}
