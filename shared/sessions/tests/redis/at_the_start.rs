//! What cannot be a Redis of sessions says so at the start, in one line.

use libtest_mimic::Trial;
use sessions::RedisStore;
use tokio::{net::TcpListener, time as clock};

use crate::helpers::{self, PASSWORD, no_listener, redis::server, refusal, server_that_says};

/// Those that need a server, and those that need none.
pub fn promises() -> (Vec<Trial>, Vec<Trial>) {
    let need_server = helpers::promises![a_database_number_that_is_too_high_is_named];
    let need_none = helpers::promises![
        what_is_not_a_url_of_redis_is_refused_without_repeating_it
        a_redis_that_is_not_there_is_named
        a_redis_that_does_not_answer_is_named
        a_password_that_redis_refuses_is_named_as_the_cause
        a_password_that_is_missing_is_asked_for
        a_redis_that_cannot_be_written_to_is_refused_at_the_start
        a_redis_whose_memory_is_full_is_refused_at_the_start
        a_redis_that_is_part_of_a_cluster_is_refused_at_the_start
    ];
    (need_server, need_none)
}

async fn a_database_number_that_is_too_high_is_named() {
    let mut url = redis::parse_redis_url(&server()).expect("the URL of a Redis database");
    url.set_path("/99999");

    let refused = refusal(RedisStore::open(url.as_str()).await);

    let beginning = "cannot keep sessions in Redis at ";
    let end =
        ", database 99999 (ERR DB index is out of range): name a database with a lower number";
    assert!(refused.starts_with(beginning) && refused.ends_with(end), "{refused}");
}

async fn what_is_not_a_url_of_redis_is_refused_without_repeating_it() {
    for (url, problem) in [
        ("", "it is not a URL"),
        (":hunter2@localhost", "it is not a URL"),
        ("toad:hunter2@localhost?next=http://", "it is not a URL"),
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

async fn a_redis_that_is_not_there_is_named() {
    let (address, cause, _socket) = no_listener();
    assert_eq!(
        refusal(RedisStore::open(&format!("redis://toad:{PASSWORD}@{address}/1")).await),
        format!(
            "cannot keep sessions in Redis at {address}, database 1, user \"toad\" ({cause}): \
             start the server, or correct the host and the port in the URL"
        )
    );
}

async fn a_redis_that_does_not_answer_is_named() {
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

async fn a_password_that_redis_refuses_is_named_as_the_cause() {
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

/// What is said of a Redis that gives this answer to each command.
async fn told_by(says: fn(&[u8]) -> Vec<u8>, answer: &str, advice: &str) {
    let address = server_that_says(says).await;
    assert_eq!(
        refusal(RedisStore::open(&format!("redis://{address}")).await),
        format!("cannot keep sessions in Redis at {address}, database 0 ({answer}): {advice}")
    );
}

async fn a_password_that_is_missing_is_asked_for() {
    told_by(
        |heard| to_each(heard, "-NOAUTH Authentication required.\r\n"),
        "NOAUTH Authentication required.",
        "correct the password in the URL, redis://:PASSWORD@HOST:PORT",
    )
    .await;
}

async fn a_redis_that_cannot_be_written_to_is_refused_at_the_start() {
    told_by(
        |heard| to_each(heard, "-READONLY You can't write against a read only replica.\r\n"),
        "READONLY You can't write against a read only replica.",
        "name the primary server in the URL",
    )
    .await;
}

async fn a_redis_whose_memory_is_full_is_refused_at_the_start() {
    told_by(
        |heard| to_each(heard, "-OOM command not allowed when used memory > 'maxmemory'.\r\n"),
        "OOM command not allowed when used memory > 'maxmemory'.",
        "raise maxmemory in Redis's settings, or make room",
    )
    .await;
}

async fn a_redis_that_is_part_of_a_cluster_is_refused_at_the_start() {
    told_by(
        |heard| to_each(heard, "-MOVED 3999 127.0.0.1:6381\r\n"),
        "MOVED 3999 127.0.0.1:6381",
        "it is part of a cluster; name a Redis that is not, or with the cargo feature redis-cluster \
         the cluster: redis-cluster://HOST:PORT,HOST:PORT",
    )
    .await;
}
