//! A write-through cache in this process, in front of any store.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use moka::{future::Cache, ops::compute::Op};
use time::OffsetDateTime;
use tower_sessions::{
    session::{Id, Record},
    session_store::{Error, Result},
};

use super::{Outcome, Store, Version};
use crate::session::size::json_size;

const MIB: u64 = 1024 * 1024;

/// How many bytes of session data are kept at most, measured as JSON.
const CAPACITY: u64 = 64 * MIB;

/// What a session takes in addition to its data: its id, its date, its version and its place in
/// the cache.
const OVERHEAD: usize = 256;

/// A store in front of which this process keeps sessions in memory, so that most requests ask the
/// store nothing.
///
/// It is a *write-through cache*: a session is read from memory if it is there, and each change
/// goes to the store first, which compares versions, and then to memory. So changes are exact also
/// on several servers: of two requests at once no change is lost, and a session that was ended is
/// not written back.
///
/// On one server no page is ever stale. Give all layers clones of one `Cached`: they share its
/// memory. Two of them over one store are as two servers.
///
/// On several servers, a page may show what a session held up to `age` ago, because a server does
/// not hear what another one has changed or ended. A visitor who signs out at one of them is still
/// signed in at the others until `age` has passed, and until then the old id of a session that got
/// a new one still shows what the session held. A change to such a session is refused as always: if
/// it was ended, the visitor gets the 409 page. Choose an `age` for which that is acceptable, or no
/// cache.
///
/// That holds for what requests read. Before the framework sends a browser its cookie again, and
/// after a conflict, it asks the store itself ([`Store::load_uncached`]).
///
/// The memory holds up to 64 MiB of sessions, measured as JSON; the process needs a few times as
/// much for it. Once it is full, sessions that are seldom asked for make room, and are read from
/// the store the next time. A new session takes no room before it is first asked for, so a flood of
/// newcomers who never come back does not empty the cache.
///
/// A session that the store does not know is not remembered, nor is an error. If the store fails
/// while it writes, what it holds is unknown, so the session is forgotten here. If a network store
/// says no and writes later all the same, the next change notices it, or `age` passes.
///
/// Django: the backend `cached_db`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use sessions::{Cached, SessionLayer, SqliteStore};
///
/// # let folder = tempfile::tempdir()?;
/// # let file = folder.path().join("library.sqlite");
/// let store = Cached::new(SqliteStore::open(file).await?, Duration::from_secs(60));
/// let layer = SessionLayer::new(store);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cached {
    store: Arc<dyn Store>,
    cache: Cache<Id, Remembered>,
}

/// What the store held when it was last asked, or written to.
type Remembered = Arc<(Record, Version)>;

/// Neither ids nor data: they have no place in a log.
impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").finish_non_exhaustive()
    }
}

impl Cached {
    /// Remembers what is in `store`, each session for `age` from when it was read or changed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sessions::{Cached, MemoryStore};
    ///
    /// let store = Cached::new(MemoryStore::default(), Duration::from_secs(60));
    /// ```
    ///
    /// # Panics
    ///
    /// If `age` is zero, or longer than 1000 years.
    pub fn new(store: impl Store, age: impl TryInto<Duration>) -> Self {
        let age = age.try_into().unwrap_or(Duration::ZERO);
        Cached::with_capacity(CAPACITY, store, age)
    }

    fn with_capacity(capacity: u64, store: impl Store, age: Duration) -> Self {
        assert!(!age.is_zero(), "an age of zero would remember nothing");
        let cache = Cache::builder().weigher(size).max_capacity(capacity).time_to_live(age).build();
        Cached { store: Arc::new(store), cache }
    }

    /// What the cache remembers, if it is `good_enough`; otherwise what the store has, which is
    /// remembered then.
    async fn look_up(
        &self,
        id: &Id,
        good_enough: fn(&Remembered) -> bool,
    ) -> Result<Option<(Record, Version)>> {
        if let Some(remembered) = self.cache.get(id).await.filter(good_enough) {
            return Ok(Some((*remembered).clone()));
        }
        let mut found = None;
        // The cache lets one request at a time in here for each id. So of many that ask for a
        // session at once, one asks the store, and the others find what that one has put there.
        let ask = async |entry: Option<moka::Entry<Id, Remembered>>| {
            found = entry.map(moka::Entry::into_value).filter(good_enough);
            if found.is_some() {
                return Ok::<_, Error>(Op::Nop);
            }
            found = self.store.load_uncached(id).await?.map(Arc::new);
            Ok(found.clone().map_or(Op::Remove, Op::Put))
        };
        self.cache.entry_by_ref(id).and_try_compute_with(ask).await?;
        Ok(found.map(|remembered| (*remembered).clone()))
    }

    /// Writes to the store, and then to the cache: `write` says what the session holds from then
    /// on, or `None` if that is unknown.
    async fn write_through<T: Send + 'static>(
        &self,
        id: Id,
        write: impl Future<Output = Result<(T, Option<Remembered>)>> + Send + 'static,
    ) -> Result<T> {
        let cache = self.cache.clone();
        // In a task of its own, because a store may go on with a write whose request was given up.
        // Until that write has ended, nothing may be remembered.
        let task = tokio::spawn(async move {
            let mut answer = None;
            let write_then_remember = async {
                // First of all, so that nothing stale is left, however the write ends.
                cache.invalidate(&id).await;
                let (told, now_stored) = write.await?;
                answer = Some(told);
                Ok::<_, Error>(now_stored.map_or(Op::Remove, Op::Put))
            };
            // This, too, has the session's place in the cache to itself. A load that began earlier
            // has put what it found there by now, and `invalidate` takes it away. A load that comes
            // during the write waits for its end.
            cache.entry(id).and_try_compute_with(|_| write_then_remember).await?;
            Ok(answer.expect("a write that did not fail has an answer"))
        });
        task.await.unwrap_or_else(|ended| Err(Error::Backend(ended.to_string())))
    }
}

fn size(_: &Id, remembered: &Remembered) -> u32 {
    let (record, _) = &**remembered;
    u32::try_from(OVERHEAD + json_size(&record.data)).unwrap_or(u32::MAX)
}

fn is_alive(remembered: &Remembered) -> bool {
    remembered.0.expiry_date > OffsetDateTime::now_utc()
}

#[async_trait]
impl Store for Cached {
    async fn load(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        self.look_up(id, is_alive).await
    }

    async fn load_uncached(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        self.look_up(id, |_| false).await
    }

    async fn create(&self, record: &Record) -> Result<Outcome> {
        // The first load brings it into the cache.
        let (store, record) = (self.store.clone(), record.clone());
        self.write_through(record.id, async move { Ok((store.create(&record).await?, None)) }).await
    }

    async fn compare_and_swap(&self, expected: Version, new: &Record) -> Result<Outcome> {
        let (store, new) = (self.store.clone(), new.clone());
        self.write_through(new.id, async move {
            let outcome = store.compare_and_swap(expected, &new).await?;
            let now_stored = match outcome {
                Outcome::Stored(version) => Some(Arc::new((new, version))),
                // Another server was faster, or has ended the session: what was remembered here is
                // stale. The next load asks the store.
                _ => None,
            };
            Ok((outcome, now_stored))
        })
        .await
    }

    async fn delete(&self, id: &Id) -> Result<Option<Record>> {
        let (store, id) = (self.store.clone(), *id);
        self.write_through(id, async move { Ok((store.delete(&id).await?, None)) }).await
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        // What has expired is not returned from memory either.
        self.store.clear_expired(limit).await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryStore;

    #[tokio::test]
    async fn the_memory_is_bounded_and_what_finds_no_room_is_in_the_store() {
        let cached = Cached::with_capacity(MIB, MemoryStore::default(), Duration::from_secs(60));
        let mut records = Vec::new();
        for _ in 0..40 {
            let data = [("my_car".to_owned(), "a".repeat(64 * 1024).into())].into();
            let expiry_date = OffsetDateTime::now_utc() + time::Duration::HOUR;
            let mut record = Record { id: Id::default(), data, expiry_date };
            let created = cached.create(&record).await.expect("memory does not fail");
            assert_eq!(created, Outcome::Stored(Version(1)));
            cached.load(&record.id).await.expect("memory does not fail");

            // A session that grows takes more room.
            record.data.insert("wheels".to_owned(), "b".repeat(64 * 1024).into());
            let swapped = cached.compare_and_swap(Version(1), &record).await;
            assert_eq!(swapped.expect("memory does not fail"), Outcome::Stored(Version(2)));
            records.push(record);
        }
        cached.cache.run_pending_tasks().await;

        let (bytes, sessions) = (cached.cache.weighted_size(), cached.cache.entry_count());
        assert!(bytes <= MIB, "{bytes}");
        assert!((1..=7).contains(&sessions), "each takes a little more than an eighth: {sessions}");
        for record in records {
            let found = cached.load(&record.id).await.expect("memory does not fail");
            assert_eq!(found, Some((record, Version(2))));
        }
    }
}
