//! Sessions in Redis or Valkey. The variable `TEST_REDIS_URL` names a server. The tests use keys
//! of their own there, and leave none that does not expire.

mod garage;
mod logs;
mod services;
mod two_servers;

use std::process::ExitCode;

use browser::Browser;
use garage::garage;
use logs::{listen, logged};
use redis::{Client, aio::MultiplexedConnection, cmd};
use services::{PASSWORD, Wire, nobody, outages, promises, refusal, server_that_says};
use sessions::{
    RedisStore, Replaced, SessionStore as _, Store as _,
    contract::{self, Expired},
};
use sha2::{Digest, Sha256};
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::{net::TcpListener, time as clock};
use tower_sessions::session::{Id, Record};
use tracing::Level;
use two_servers::TwoServers;

const VARIABLE: &str = "TEST_REDIS_URL";

fn main() -> ExitCode {
    let mut need_server = promises![
        it_meets_every_requirement
        two_servers_over_one_redis_keep_their_promises
        a_session_survives_a_restart_of_the_site
        redis_ends_each_session_at_the_date_in_its_record
        a_session_that_has_expired_is_gone_at_once
        a_flushed_session_leaves_no_key
        no_version_comes_back_under_the_same_key
        nobody_can_read_an_id_from_redis
        a_record_that_cannot_be_decoded_is_an_empty_session_and_a_warning
        dates_far_away_are_no_trouble
        a_redis_that_forgot_the_scripts_is_no_trouble
        a_database_number_that_is_too_high_is_named
        a_store_shows_where_it_is
    ];
    need_server.extend(outages::promises(store_through_a_wire));
    let need_none = promises![
        what_is_no_url_of_redis_is_refused_without_repeating_it
        a_server_that_is_not_there_is_named
        a_server_that_does_not_answer_is_named
        a_wrong_password_is_named_as_the_cause
        a_password_that_is_missing_is_asked_for
        a_redis_that_cannot_be_written_to_is_refused_at_the_start
    ];
    services::run(VARIABLE, "redis://127.0.0.1/", need_server, need_none)
}

fn url() -> String {
    services::url(VARIABLE)
}

async fn open() -> RedisStore {
    RedisStore::open(&url()).await.expect("the store opens")
}

async fn browser() -> Browser {
    Browser::open(garage(open().await))
}

/// What an administrator does while the server runs.
async fn redis() -> MultiplexedConnection {
    let client = Client::open(url()).expect("the URL of a Redis database");
    client.get_multiplexed_async_connection().await.expect("Redis")
}

async fn store_through_a_wire() -> (RedisStore, Wire, ()) {
    let mut through = redis::parse_redis_url(&url()).expect("the URL of a Redis database");
    let host = through.host_str().expect("a host").to_owned();
    let wire = Wire::to(format!("{host}:{}", through.port().unwrap_or(6379))).await;
    through.set_host(Some("127.0.0.1")).expect("a host");
    through.set_port(Some(wire.address().port())).expect("a port");
    let store = RedisStore::open(through.as_str()).await.expect("the store opens");
    (store, wire, ())
}

fn record(car: &str) -> Record {
    let data = [("my_car".to_owned(), car.into())].into();
    Record { id: Id::default(), data, expiry_date: in_an_hour() }
}

/// In whole seconds, as Redis keeps it.
fn in_an_hour() -> OffsetDateTime {
    (OffsetDateTime::now_utc() + Duration::HOUR).replace_nanosecond(0).expect("zero is valid")
}

fn key(id: &Id) -> String {
    format!("session:{}", hex(&Sha256::digest(id.0.to_le_bytes())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// When Redis is going to delete the key: in seconds since 1970, -1 for never, and -2 where there
/// is no such key.
async fn end_of(id: &Id) -> i64 {
    let mut command = cmd("EXPIRETIME");
    command.arg(key(id)).query_async(&mut redis().await).await.expect("a moment")
}

fn id_of(visitor: &Browser) -> Id {
    visitor.cookie("sessionid").expect("a session cookie").parse().expect("an id")
}

async fn it_meets_every_requirement() {
    // The ids that one requirement uses by name, in case that a run was stopped in the middle.
    for id in [i128::MIN, i128::MAX, -1, 0, 1].map(Id) {
        open().await.delete(&id).await.expect("deleted");
    }
    contract::check(open, Expired::GoByThemselves).await;
}

async fn two_servers_over_one_redis_keep_their_promises() {
    let site = async || TwoServers::over(open().await, open().await, open().await, ()).await;
    two_servers::keep_their_promises(site).await;
}

async fn a_session_survives_a_restart_of_the_site() {
    let mut visitor = browser().await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    let cookie = format!("sessionid={}", id_of(&visitor));
    drop(visitor);

    let mut restarted = browser().await;
    let page = restarted.get_with("/", &[("cookie", cookie.as_bytes())]).await;
    assert_eq!(page.body(), "mini");
}

async fn redis_ends_each_session_at_the_date_in_its_record() {
    let store = open().await;
    let mut car = record("mini");
    store.create(&mut car).await.expect("stored");
    assert_eq!(end_of(&car.id).await, car.expiry_date.unix_timestamp(), "created");

    car.expiry_date += Duration::HOUR;
    store.save(&car).await.expect("saved");
    assert_eq!(end_of(&car.id).await, car.expiry_date.unix_timestamp(), "saved");

    let id = car.id;
    let (_, seen) = store.load_versioned(&id).await.expect("Redis answers").expect("a record");
    car.expiry_date += Duration::HOUR;
    let replaced = store.replace(&id, seen, &mut car).await.expect("replaced");
    assert_eq!(end_of(&id).await, car.expiry_date.unix_timestamp(), "replaced");

    let Replaced::Done(seen) = replaced else { panic!("{replaced:?}") };
    car.id = Id::default();
    car.expiry_date -= Duration::hours(2);
    store.replace(&id, seen, &mut car).await.expect("moved");
    assert_eq!(end_of(&id).await, -2, "the old key is gone");
    assert_eq!(end_of(&car.id).await, car.expiry_date.unix_timestamp(), "moved");
    assert_eq!(store.load(&car.id).await.expect("Redis answers"), Some(car));
}

async fn a_session_that_has_expired_is_gone_at_once() {
    let store = open().await;
    let past = OffsetDateTime::now_utc() - Duration::SECOND;
    let mut created = Record { expiry_date: past, ..record("mini") };
    store.create(&mut created).await.expect("stored");
    assert_eq!(end_of(&created.id).await, -2, "created");

    let mut saved = record("mini");
    store.create(&mut saved).await.expect("stored");
    saved.expiry_date = past;
    store.save(&saved).await.expect("saved");
    assert_eq!(end_of(&saved.id).await, -2, "saved");

    let mut replaced = record("mini");
    store.create(&mut replaced).await.expect("stored");
    let id = replaced.id;
    let (_, seen) = store.load_versioned(&id).await.expect("Redis answers").expect("a record");
    replaced.expiry_date = past;
    store.replace(&id, seen, &mut replaced).await.expect("replaced");
    assert_eq!(end_of(&id).await, -2, "replaced");
}

async fn a_flushed_session_leaves_no_key() {
    let store = open().await;
    let mut car = record("mini");
    store.create(&mut car).await.expect("stored");
    store.delete(&car.id).await.expect("deleted");
    assert_eq!(end_of(&car.id).await, -2);
}

async fn no_version_comes_back_under_the_same_key() {
    let store = open().await;
    let mut car = record("mini");
    store.create(&mut car).await.expect("stored");
    let (_, seen) = store.load_versioned(&car.id).await.expect("Redis answers").expect("a record");
    store.delete(&car.id).await.expect("deleted");
    store.save(&car).await.expect("saved again");

    let mut late = Record { id: car.id, ..record("rover") };
    let replaced = store.replace(&car.id, seen, &mut late).await.expect("Redis answers");
    assert_eq!(replaced, Replaced::Changed);
    assert_eq!(store.load(&car.id).await.expect("Redis answers"), Some(car));
}

async fn nobody_can_read_an_id_from_redis() {
    let mut visitor = browser().await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    visitor.post("/car", &[("my_car", "beetle")]).await;
    let id = id_of(&visitor);

    let mut redis = redis().await;
    let keys: Vec<String> = cmd("KEYS").arg("*").query_async(&mut redis).await.expect("keys");
    let mut load = cmd("HGETALL");
    let hash: Vec<String> =
        load.arg(key(&id)).query_async(&mut redis).await.expect("a hash of texts");
    let everything = format!("{} {}", keys.join(" "), hash.join(" "));

    assert!(everything.contains(&key(&id)), "the test finds what is there");
    assert!(everything.contains("\"my_car\":\"beetle\""), "{hash:?}");
    for (form, text) in [
        ("as in the cookie", id.to_string()),
        ("a number", id.0.to_string()),
        ("hexadecimal", hex(&id.0.to_le_bytes())),
        ("hexadecimal, the other way round", hex(&id.0.to_be_bytes())),
        ("a part of it", hex(&id.0.to_le_bytes()[..8])),
    ] {
        assert!(!everything.contains(&text), "{form}");
    }
}

async fn a_record_that_cannot_be_decoded_is_an_empty_session_and_a_warning() {
    let spoilt: [(&str, &[&[u8]]); 9] = [
        ("HSET", &[b"data", b""]),
        ("HSET", &[b"data", b"{\"my_car\":"]),
        ("HSET", &[b"data", b"null"]),
        ("HSET", &[b"data", b"{\"my_car\":\"\xff\"}"]),
        ("HSET", &[b"expiry_date", b"soon"]),
        ("HSET", &[b"expiry_date", b"9223372036854775807"]),
        ("HSET", &[b"version", b"-1"]),
        ("HDEL", &[b"version"]),
        ("SET", &[b"no hash at all"]),
    ];
    for (command, arguments) in spoilt {
        let mut visitor = browser().await;
        visitor.post("/car", &[("my_car", "mini")]).await;
        let id = id_of(&visitor);
        listen();
        let mut spoil = cmd(command);
        spoil.arg(key(&id)).arg(arguments);
        let () = spoil.query_async(&mut redis().await).await.expect("done");

        let page = visitor.get("/").await;
        let seen = (page.status().as_u16(), page.body());
        assert_eq!(seen, (200, "no car"), "after {command} {arguments:?}");
        assert!(page.set_cookies()[0].starts_with("sessionid=; "), "after {command}");
        let warnings = logged(Level::WARN);
        assert!(warnings.len() == 1 && warnings[0].contains("cannot be read"), "{warnings:?}");
        assert!(!warnings[0].contains(&id.to_string()), "an id has no place in a log");

        visitor.post("/car", &[("my_car", "beetle")]).await;
        assert_ne!(id_of(&visitor), id, "after {command} {arguments:?}");
        assert_eq!(visitor.get("/").await.body(), "beetle", "after {command} {arguments:?}");
        open().await.delete(&id).await.expect("deleted");
    }
}

async fn dates_far_away_are_no_trouble() {
    let store = open().await;
    for (expiry_date, is_found) in [
        (datetime!(9999-12-31 23:59:59 UTC), true),
        (datetime!(1970-01-01 00:00:00 UTC), false),
        (datetime!(-9999-01-01 00:00:00 UTC), false),
    ] {
        let mut stored = Record { expiry_date, ..record("mini") };
        store.create(&mut stored).await.expect("it is stored");
        let found = store.load(&stored.id).await.expect("the store answers");
        store.delete(&stored.id).await.expect("deleted");
        assert_eq!(found, is_found.then_some(stored), "of {expiry_date}");
    }
}

async fn a_redis_that_forgot_the_scripts_is_no_trouble() {
    let mut visitor = browser().await;
    visitor.post("/car", &[("my_car", "mini")]).await;

    // As after a restart of Redis.
    let () = cmd("SCRIPT").arg("FLUSH").query_async(&mut redis().await).await.expect("done");

    visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.get("/").await.body(), "beetle");
}

async fn a_database_number_that_is_too_high_is_named() {
    let mut url = redis::parse_redis_url(&url()).expect("the URL of a Redis database");
    url.set_path("/99999");

    let refused = refusal(RedisStore::open(url.as_str()).await);

    let beginning = "cannot keep sessions in Redis at ";
    let end =
        ", database 99999 (ERR DB index is out of range): name a database with a lower number";
    assert!(refused.starts_with(beginning) && refused.ends_with(end), "{refused}");
}

async fn a_store_shows_where_it_is() {
    let (store, wire, ()) = store_through_a_wire().await;
    let shown = format!("{store:?}");
    let place = format!("RedisStore(\"Redis at {}, database ", wire.address());
    assert!(shown.starts_with(&place), "{shown}");
}

async fn what_is_no_url_of_redis_is_refused_without_repeating_it() {
    for (url, problem) in [
        ("", "it is no URL"),
        (":hunter2@localhost", "it is no URL"),
        ("toad:hunter2@localhost?next=http://", "it is no URL"),
        ("http://:hunter2@localhost", "it starts with http://"),
        ("redis://:hunter2@localhost:port", "Redis URL did not parse"),
        ("redis://:hunter2@localhost/one", "Invalid database number"),
    ] {
        assert_eq!(
            refusal(RedisStore::open(url).await),
            format!(
                "that is not the URL of a Redis database ({problem}): write \
                 redis://USER:PASSWORD@HOST:PORT/NUMBER"
            )
        );
    }
}

async fn a_server_that_is_not_there_is_named() {
    let (address, cause, _socket) = nobody();
    assert_eq!(
        refusal(RedisStore::open(&format!("redis://toad:{PASSWORD}@{address}/1")).await),
        format!(
            "cannot keep sessions in Redis at {address}, database 1, user \"toad\" ({cause}): \
             start the server, or correct the host and the port in the URL"
        )
    );
}

async fn a_server_that_does_not_answer_is_named() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    clock::pause();
    assert_eq!(
        refusal(RedisStore::open(&format!("redis://:{PASSWORD}@{address}")).await),
        format!(
            "cannot keep sessions in Redis at {address}, database 0 (no answer within 3 seconds): \
             start the server, or correct the host and the port in the URL"
        )
    );
}

/// The same answer to each command; a command begins with an asterisk (Redis's documentation,
/// page "Redis serialization protocol specification").
fn to_each(heard: &[u8], answer: &str) -> Vec<u8> {
    let commands = heard.iter().filter(|byte| **byte == b'*').count();
    answer.repeat(commands).into_bytes()
}

async fn a_wrong_password_is_named_as_the_cause() {
    let address = server_that_says(|heard| {
        to_each(heard, "-WRONGPASS invalid username-password pair or user is disabled.\r\n")
    })
    .await;
    assert_eq!(
        refusal(RedisStore::open(&format!("redis://:{PASSWORD}@{address}")).await),
        format!(
            "cannot keep sessions in Redis at {address}, database 0 (the password is refused): \
             correct the password in the URL, redis://:PASSWORD@HOST:PORT"
        )
    );
}

async fn a_password_that_is_missing_is_asked_for() {
    let address =
        server_that_says(|heard| to_each(heard, "-NOAUTH Authentication required.\r\n")).await;
    assert_eq!(
        refusal(RedisStore::open(&format!("redis://{address}")).await),
        format!(
            "cannot keep sessions in Redis at {address}, database 0 (NOAUTH Authentication \
             required.): correct the password in the URL, redis://:PASSWORD@HOST:PORT"
        )
    );
}

async fn a_redis_that_cannot_be_written_to_is_refused_at_the_start() {
    let address = server_that_says(|heard| {
        to_each(heard, "-READONLY You can't write against a read only replica.\r\n")
    })
    .await;
    assert_eq!(
        refusal(RedisStore::open(&format!("redis://{address}")).await),
        format!(
            "cannot keep sessions in Redis at {address}, database 0 (READONLY You can't write \
             against a read only replica.)"
        )
    );
}
