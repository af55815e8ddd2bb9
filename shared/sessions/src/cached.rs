//! A cache in this process, in front of any store.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use moka::{future::Cache, ops::compute::Op};
use time::OffsetDateTime;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

use crate::{
    AnyStore,
    store::{Replaced, Store, Version},
};

/// How many sessions are kept at most. Where one more comes, one that is seldom asked for goes.
const CAPACITY: u64 = 10_000;

type Entry = Arc<(Record, Version)>;

/// A store whose sessions this process remembers, so that most requests ask the store nothing.
///
/// A session is read from memory if it is there. Every change goes to the store first, which
/// compares versions, and then to memory. So changes are exact also on several servers: of two
/// requests at once no change is lost, and a session that was ended is not written back.
///
/// On one server nobody ever sees anything old. Give all layers clones of one `Cached`: they share
/// its memory. Two of them over one store are as two servers.
///
/// On several servers, a page may be built from what a session held up to `age` ago. A server does
/// not hear what another has changed or ended: whoever signs out at one of them can still be shown
/// as signed in by the others until `age` has passed. A change to such a session is refused as
/// always: the visitor of a session that was ended gets the 409 page. Choose an `age` for which
/// that is acceptable, or no cache.
///
/// That holds for what requests read. [`load`](SessionStore::load) always asks the store, and what
/// it finds is remembered: by it the framework decides whether a browser may still be sent its id.
///
/// The memory holds up to 10 000 sessions. With the default limit of 64 KiB on a session these can
/// be 640 MB, in practice they are a few. A session that the store does not know is not
/// remembered, nor is an error. If the store fails while it writes, nobody knows what it holds, so
/// the session is forgotten here. A network store that says no and writes later all the same is
/// noticed by the next change, or after `age`.
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
    store: AnyStore,
    entries: Cache<Id, Entry>,
}

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
    pub fn new(store: impl Store, age: Duration) -> Self {
        assert!(!age.is_zero(), "an age of zero would remember nothing");
        let entries = Cache::builder().max_capacity(CAPACITY).time_to_live(age).build();
        Cached { store: AnyStore::new(store), entries }
    }

    /// What is remembered, if it will do; otherwise what the store has, which is remembered then.
    async fn find(
        &self,
        id: &Id,
        will_do: fn(&Entry) -> bool,
    ) -> Result<Option<(Record, Version)>> {
        if let Some(entry) = self.entries.get(id).await.filter(will_do) {
            return Ok(Some((*entry).clone()));
        }
        let mut found = None;
        let load = async |entry: Option<moka::Entry<Id, Entry>>| {
            // Another request may have loaded it meanwhile.
            found = entry.map(moka::Entry::into_value).filter(will_do);
            if found.is_some() {
                return Ok::<_, Error>(Op::Nop);
            }
            found = self.store.load_versioned(id).await?.map(Arc::new);
            Ok(found.clone().map_or(Op::Remove, Op::Put))
        };
        self.entries.entry_by_ref(id).and_try_compute_with(load).await?;
        Ok(found.map(|entry| (*entry).clone()))
    }

    /// A write to the store. It says what a session holds from then on, if it knows.
    ///
    /// Whoever writes has the session's entry to themselves. A load that began earlier has put
    /// what it found into the memory by then; one that comes during the write waits for its end.
    async fn write<T: Send + 'static>(
        &self,
        id: Id,
        write: impl Future<Output = Result<(T, Option<Entry>)>> + Send + 'static,
    ) -> Result<T> {
        let entries = self.entries.clone();
        // In a task, because a store may go on with a write whose request was given up. The entry
        // has to wait for that.
        let task = tokio::spawn(async move {
            let mut answer = None;
            let write = async {
                // First of all, so that nothing old is left whichever way the write ends.
                entries.invalidate(&id).await;
                let (told, entry) = write.await?;
                answer = Some(told);
                Ok::<_, Error>(entry.map_or(Op::Remove, Op::Put))
            };
            entries.entry(id).and_try_compute_with(|_| write).await?;
            Ok(answer.expect("a write that did not fail has an answer"))
        });
        task.await.unwrap_or_else(|ended| Err(Error::Backend(ended.to_string())))
    }
}

fn is_alive(entry: &Entry) -> bool {
    entry.0.expiry_date > OffsetDateTime::now_utc()
}

#[async_trait]
impl SessionStore for Cached {
    async fn create(&self, record: &mut Record) -> Result<()> {
        // The first load brings its version along.
        self.store.create(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let (store, record) = (self.store.clone(), record.clone());
        self.write(record.id, async move { Ok((store.save(&record).await?, None)) }).await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        // After an `update`, a response bears the cookie only if its session is still there. If
        // another server has ended it or given it a new id, the browser must not be set back. So
        // what is remembered will not do.
        Ok(self.find(id, |_| false).await?.map(|(record, _)| record))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let (store, id) = (self.store.clone(), *id);
        self.write(id, async move { Ok((store.delete(&id).await?, None)) }).await
    }
}

#[async_trait]
impl Store for Cached {
    async fn load_versioned(&self, id: &Id) -> Result<Option<(Record, Version)>> {
        self.find(id, is_alive).await
    }

    async fn replace(&self, old: &Id, seen: Version, new: &mut Record) -> Result<Replaced> {
        let (store, old, mut record) = (self.store.clone(), *old, new.clone());
        let write = async move {
            let replaced = store.replace(&old, seen, &mut record).await?;
            let id = record.id;
            let entry = match replaced {
                Replaced::Done(version) if id == old => Some(Arc::new((record, version))),
                // It has a new id, under which it is loaded when somebody asks for it; or it is
                // gone; or another server was faster, and what is remembered here is old.
                _ => None,
            };
            Ok(((replaced, id), entry))
        };
        let (replaced, id) = self.write(old, write).await?;
        new.id = id;
        Ok(replaced)
    }

    async fn clear_expired(&self, limit: u32) -> Result<u64> {
        // What has expired is not returned from memory either.
        self.store.clear_expired(limit).await
    }
}
