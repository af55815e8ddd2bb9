//! What a site that depends on this crate relies on, whatever else it depends on.

use std::time::Duration;

use sessions::{
    Builder, Clearing, Error, Expiry, ForTowerSessions, MemoryStore, Misconfigured, OneServer,
    Outcome, Session, SessionLayer, Store, Version, time,
};

fn may_cross_threads<T: Send + Sync>() {}

#[test]
fn everything_may_cross_threads() {
    may_cross_threads::<Session>();
    may_cross_threads::<SessionLayer>();
    may_cross_threads::<Builder<MemoryStore>>();
    may_cross_threads::<Clearing>();
    may_cross_threads::<Error>();
    may_cross_threads::<Misconfigured>();
    may_cross_threads::<Outcome>();
    may_cross_threads::<Version>();
    may_cross_threads::<Box<dyn Store>>();
    may_cross_threads::<MemoryStore>();
    may_cross_threads::<ForTowerSessions<MemoryStore>>();
    may_cross_threads::<OneServer<ForTowerSessions<MemoryStore>>>();
    #[cfg(feature = "sqlite")]
    may_cross_threads::<sessions::SqliteStore>();
    #[cfg(feature = "postgres")]
    may_cross_threads::<sessions::PostgresStore>();
    #[cfg(feature = "redis")]
    may_cross_threads::<sessions::RedisStore>();
    #[cfg(feature = "file")]
    may_cross_threads::<sessions::FileStore>();
    #[cfg(feature = "cached")]
    may_cross_threads::<sessions::Cached>();
    #[cfg(feature = "encrypted-cookie")]
    may_cross_threads::<sessions::EncryptionKeys>();
}

#[test]
fn a_handlers_futures_may_cross_threads() {
    fn may_be_sent<T: Send>(_: T) {}
    #[expect(dead_code, reason = "it is enough that it compiles")]
    fn futures(session: &Session) {
        may_be_sent(session.load());
        may_be_sent(session.save());
        may_be_sent(session.flush());
        may_be_sent(session.update("num_visits", |visits: &mut u64| *visits += 1));
    }
}

#[tokio::test]
async fn a_duration_may_be_the_standard_librarys_or_times() {
    let hour = Duration::from_secs(60 * 60);
    for layer in [
        SessionLayer::builder(MemoryStore::default()).cookie_age(hour).build(),
        SessionLayer::builder(MemoryStore::default()).cookie_age(time::Duration::HOUR).build(),
    ] {
        layer.expect("an hour is an age");
    }
    Clearing::start(MemoryStore::default(), hour).stop().await;
    Clearing::start(MemoryStore::default(), time::Duration::HOUR).stop().await;
    let _ = Expiry::OnInactivity(time::Duration::HOUR);
}

#[test]
fn a_negative_age_is_refused_as_zero_is() {
    let age = |age| SessionLayer::builder(MemoryStore::default()).cookie_age(age).build();
    let (negative, zero) = (age(-time::Duration::HOUR), age(time::Duration::ZERO));
    assert_eq!(negative.expect_err("negative"), zero.expect_err("zero"));
}
