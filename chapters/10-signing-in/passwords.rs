//! Passwords: hashed slowly on purpose, away from the threads that serve, and not tried too often.

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use argon2::{Argon2, PasswordHasher, PasswordVerifier, password_hash};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    state::keyed::HashMapStateStore,
};
use tokio::{sync::Semaphore, task};

/// How many passwords are hashed at the same time. Each takes 19 MiB and a core. A crowd at the form
/// must not take all of them.
static TURNS: Semaphore = Semaphore::const_new(4);

/// For a reader who does not exist: the hash of a password like any other, with the same cost.
const DUMMY: &str = "$argon2id$v=19$m=19456,t=2,p=1$yXYtU9NXvt8edf3w0xe4xQ$gZx4EqUkNk/Z+zpZgm8H9jMc+5tiFtW7K407X/ZmCTg";

/// Compares the password with the hash. Without a hash the answer is no, and takes as long.
pub async fn is_right(password: String, hash: Option<String>) -> bool {
    off_the_serving_threads(move || {
        let hash = hash.as_deref();
        tracing::debug!("a password is compared");
        let fits = Argon2::default().verify_password(password.as_bytes(), hash.unwrap_or(DUMMY));
        match fits {
            Ok(()) => hash.is_some(),
            Err(password_hash::Error::PasswordInvalid) => false,
            Err(error) => {
                tracing::error!(%error, "a stored hash cannot be compared with");
                false
            }
        }
    })
    .await
}

/// The hash to store: a PHC string with its parameters and a random salt in it.
pub async fn hash(password: String) -> String {
    off_the_serving_threads(move || {
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.expect("a random salt, and a password that is not gigabytes long").to_string()
    })
    .await
}

/// Hashing takes some twenty milliseconds without an await. On a thread that serves, all other
/// visitors of that thread would wait.
async fn off_the_serving_threads<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let turn = TURNS.acquire().await.expect("the semaphore is never closed");
    let done = task::spawn_blocking(move || {
        // Given back by the work itself: it goes on even if its visitor has left.
        let _turn = turn;
        work()
    });
    done.await.expect("it does not panic")
}

/// Attempts to give a password, counted per reader and address.
///
/// Per reader alone, anyone could lock a reader out by typing wrong passwords. Per address alone, a
/// whole school behind one address would wait for one who has forgotten theirs.
#[derive(Clone, Debug)]
pub struct Attempts(Arc<RateLimiter<Key, HashMapStateStore<Key>, DefaultClock>>);

type Key = (String, IpAddr);

/// From this many on, those are forgotten that would be allowed as many as a newcomer.
const MANY: usize = 10_000;

impl Attempts {
    /// So many at once, and then one in each period.
    ///
    /// # Panics
    ///
    /// If the period is zero.
    pub fn new(at_once: NonZeroU32, period: Duration) -> Attempts {
        let quota = Quota::with_period(period).expect("a period lasts").allow_burst(at_once);
        Attempts(Arc::new(RateLimiter::hashmap(quota)))
    }

    /// Counts one attempt. If it is one too many, says how long to wait.
    pub(crate) fn count(&self, name: &str, address: IpAddr) -> Result<(), Duration> {
        let Attempts(limiter) = self;
        if limiter.len() > MANY {
            limiter.retain_recent();
        }
        // Also for readers who do not exist, or the answer would tell. A name has 50 letters at most.
        let name = name.trim().chars().take(50).collect::<String>().to_ascii_lowercase();
        let counted = limiter.check_key(&(name, network(address)));
        counted.map_err(|not_until| not_until.wait_time_from(limiter.clock().now()))
    }
}

/// A visitor with one IPv6 address has the 2^64 of its network, a /64, to choose from.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}
