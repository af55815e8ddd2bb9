//! The store that notes what it is asked.

use async_trait::async_trait;

use crate::Inspector;

/// A store around a store, which notes each question and its answer for the request that asks.
///
/// It is a `sessions::Store` around one (feature `sessions`), and a `tower_sessions::SessionStore`
/// around one of those (feature `tower-sessions`). What is asked outside of a request, by a
/// task in the background for example, is not noted.
#[derive(Clone, Debug)]
pub struct Watched<S>(S);

impl Inspector {
    /// The same store, watched. If the inspector is [`off`](Inspector::off), nothing is noted.
    pub fn store<S>(&self, store: S) -> Watched<S> {
        Watched(store)
    }
}

#[cfg(feature = "sessions")]
mod ours {
    use sessions::{Id, Outcome, Record, Store, StoreError, Version, moved_to};

    use super::*;
    use crate::{
        names::Names,
        notes::{Answer, Question, kept},
        watch::ask,
    };

    type Result<T> = std::result::Result<T, StoreError>;

    #[async_trait]
    impl<S: Store> Store for Watched<S> {
        async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
            let question = |names: &mut Names| Question::Load { session: name(names, id) };
            ask(question, self.0.load(id), found).await
        }

        async fn load_uncached(&self, id: &Id) -> Result<Option<(Record, Version)>> {
            let question = |names: &mut Names| Question::LoadUncached { session: name(names, id) };
            ask(question, self.0.load_uncached(id), found).await
        }

        async fn create(&self, record: &Record) -> Result<Outcome> {
            let question = |names: &mut Names| Question::Create {
                session: name(names, &record.id),
                data: kept(record.data.iter()),
            };
            ask(question, self.0.create(record), |_, answer| written(answer)).await
        }

        async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
            let question = |names: &mut Names| {
                let session = name(names, &new.id);
                match moved_to(new) {
                    Some(to) => Question::Move { session, to: name(names, &to) },
                    None => Question::Replace {
                        session,
                        version: shown(expected),
                        data: kept(new.data.iter()),
                    },
                }
            };
            let swapping = self.0.compare_and_swap(expected, new);
            ask(question, swapping, |_, answer| written(answer)).await
        }

        async fn delete(&self, id: &Id) -> Result<Option<Record>> {
            let question = |names: &mut Names| Question::Delete { session: name(names, id) };
            ask(question, self.0.delete(id), |names, answer| match answer {
                Ok(Some(record)) => match moved_to(record) {
                    Some(to) => Answer::Moved { to: name(names, &to) },
                    None => Answer::Deleted,
                },
                Ok(None) => Answer::NotFound,
                Err(error) => Answer::Failed { why: why(error) },
            })
            .await
        }

        async fn clear_expired(&self, limit: u32) -> Result<u64> {
            self.0.clear_expired(limit).await
        }

        async fn close(&self) {
            self.0.close().await;
        }
    }

    fn name(names: &mut Names, id: &Id) -> String {
        names.session(&id.to_string())
    }

    fn found(names: &mut Names, answer: &Result<Option<(Record, Version)>>) -> Answer {
        match answer {
            Ok(Some((record, version))) => match moved_to(record) {
                Some(to) => Answer::Moved { to: name(names, &to) },
                None => Answer::Found { version: shown(*version), data: kept(record.data.iter()) },
            },
            Ok(None) => Answer::NotFound,
            Err(error) => Answer::Failed { why: why(error) },
        }
    }

    fn written(answer: &Result<Outcome>) -> Answer {
        match answer {
            Ok(Outcome::Stored(version)) => Answer::Stored { version: shown(*version) },
            Ok(Outcome::Conflict) => Answer::Conflict,
            Ok(Outcome::Missing) => Answer::Gone,
            Ok(Outcome::IdTaken) => Answer::IdTaken,
            Err(error) => Answer::Failed { why: why(error) },
        }
    }

    /// Around a store that knows no versions they are hashes, which tell a reader nothing.
    fn shown(version: Version) -> Option<u64> {
        (version.0 <= u64::from(u32::MAX)).then_some(version.0)
    }

    fn why(error: &StoreError) -> String {
        crate::notes::shortened(&error.to_string())
    }
}

#[cfg(feature = "tower-sessions")]
mod tower {
    use tower_sessions::{
        SessionStore,
        session::{Id, Record},
        session_store::{Error, Result},
    };

    use super::*;
    use crate::{
        names::Names,
        notes::{Answer, Question, kept},
        watch::ask,
    };

    #[async_trait]
    impl<S: SessionStore> SessionStore for Watched<S> {
        async fn create(&self, record: &mut Record) -> Result<()> {
            let (id, data) = (record.id, kept(record.data.iter()));
            // If the id is taken, the store draws another one: the answer is the one that counts.
            let question = |names: &mut Names| Question::Create { session: name(names, &id), data };
            ask(question, self.0.create(record), |_, answer| written(answer)).await
        }

        async fn save(&self, record: &Record) -> Result<()> {
            let question = |names: &mut Names| Question::Save {
                session: name(names, &record.id),
                data: kept(record.data.iter()),
            };
            ask(question, self.0.save(record), |_, answer| written(answer)).await
        }

        async fn load(&self, id: &Id) -> Result<Option<Record>> {
            let question = |names: &mut Names| Question::Load { session: name(names, id) };
            ask(question, self.0.load(id), |_, answer| match answer {
                Ok(Some(record)) => Answer::Found { version: None, data: kept(record.data.iter()) },
                Ok(None) => Answer::NotFound,
                Err(error) => Answer::Failed { why: why(error) },
            })
            .await
        }

        async fn delete(&self, id: &Id) -> Result<()> {
            let question = |names: &mut Names| Question::Delete { session: name(names, id) };
            ask(question, self.0.delete(id), |_, answer| match answer {
                Ok(()) => Answer::Deleted,
                Err(error) => Answer::Failed { why: why(error) },
            })
            .await
        }
    }

    fn name(names: &mut Names, id: &Id) -> String {
        names.session(&id.to_string())
    }

    fn written(answer: &Result<()>) -> Answer {
        match answer {
            Ok(()) => Answer::Stored { version: None },
            Err(error) => Answer::Failed { why: why(error) },
        }
    }

    fn why(error: &Error) -> String {
        crate::notes::shortened(&error.to_string())
    }
}
