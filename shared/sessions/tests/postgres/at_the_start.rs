//! What cannot be a database of sessions says so at the start, in one line.

use libtest_mimic::Trial;
use sessions::PostgresStore;
use tokio::{net::TcpListener, time as clock};

use crate::helpers::{
    self, PASSWORD, no_listener,
    postgres::{Schema, options, place, server, with},
    refusal, server_that_says,
};

/// Those that need a server, and those that need none.
pub fn promises() -> (Vec<Trial>, Vec<Trial>) {
    let need_server = helpers::promises![
        a_user_who_may_not_create_the_table_is_told_so
        another_programs_table_is_refused_at_the_start
        a_table_with_columns_of_another_type_is_refused_at_the_start
        a_view_is_refused_at_the_start
        a_database_that_is_not_there_is_named
    ];
    let need_none = helpers::promises![
        what_is_not_a_url_of_postgresql_is_refused_without_repeating_it
        a_postgresql_that_is_not_there_is_named
        a_postgresql_that_does_not_answer_is_named
        a_password_that_postgresql_refuses_is_named_as_the_cause
        what_is_not_a_postgresql_server_is_refused
    ];
    (need_server, need_none)
}

async fn a_user_who_may_not_create_the_table_is_told_so() {
    let schema = Schema::create().await;
    let url = schema.newcomer().await;
    let name = &schema.name;

    let place = place(name);
    assert_eq!(
        refusal(PostgresStore::open(&url).await),
        format!(
            "cannot keep sessions in {place} (permission denied for schema {name}): let the user \
             create a table there, or use the one that is there"
        )
    );
    schema.open().await;
    assert_eq!(
        refusal(PostgresStore::open(&url).await),
        format!(
            "cannot keep sessions in {place} (permission denied for table session): let the user \
             create a table there, or use the one that is there"
        )
    );
}

const ANOTHER_PROGRAMS: &str =
    "): that session is another program's table or view; use another database or schema";

async fn another_programs_table_is_refused_at_the_start() {
    let schema = Schema::create().await;
    schema.execute("CREATE TABLE session (sid varchar, sess json, expire timestamp)").await;

    let refused = refusal(PostgresStore::open(&schema.url()).await);

    let place = place(options().get_username());
    assert_eq!(
        refused,
        format!(
            "cannot keep sessions in {place} (column \"id_hash\" of relation \"session\" does not \
             exist{ANOTHER_PROGRAMS}"
        )
    );
}

/// The store has nothing to do with what these statements make, and says so.
async fn assert_another_programs(statements: &[&str]) {
    for statement in statements {
        let schema = Schema::create().await;
        schema.execute(statement).await;
        let refused = refusal(PostgresStore::open(&schema.url()).await);
        assert!(refused.ends_with(ANOTHER_PROGRAMS), "after {statement}: {refused}");
    }
}

async fn a_table_with_columns_of_another_type_is_refused_at_the_start() {
    assert_another_programs(&[
        "CREATE TABLE session
             (id_hash bytea PRIMARY KEY, data jsonb, expiry_date bigint, version bigint)",
        "CREATE TABLE session
             (id_hash bytea PRIMARY KEY, data text, expiry_date int4, version bigint)",
        "CREATE TABLE session
             (id_hash bytea PRIMARY KEY, data text, expiry_date bigint, version int4)",
        "CREATE TABLE session
             (id_hash text PRIMARY KEY, data text, expiry_date bigint, version bigint)",
        // Without a key, two sessions could get the same id.
        "CREATE TABLE session (id_hash bytea, data text, expiry_date bigint, version bigint)",
    ])
    .await;
}

async fn a_view_is_refused_at_the_start() {
    const COLUMNS: &str = "''::bytea AS id_hash, ''::text AS data, 0::bigint AS expiry_date, \
                           0::bigint AS version";
    assert_another_programs(&[
        &format!("CREATE VIEW session AS SELECT {COLUMNS}"),
        &format!("CREATE MATERIALIZED VIEW session AS SELECT {COLUMNS}"),
    ])
    .await;
}

async fn a_database_that_is_not_there_is_named() {
    let url = with(&server(), "dbname=no_such_library");

    let refused = refusal(PostgresStore::open(&url).await);

    let options = options();
    let (host, port, user) = (options.get_host(), options.get_port(), options.get_username());
    assert_eq!(
        refused,
        format!(
            "cannot keep sessions in PostgreSQL at {host}:{port}, database \"no_such_library\", \
             user {user:?} (database \"no_such_library\" does not exist): create the database, or \
             name another one in the URL"
        )
    );
}

async fn what_is_not_a_url_of_postgresql_is_refused_without_repeating_it() {
    for (url, problem) in [
        ("", "it is not a URL"),
        ("toad:hunter2@localhost/library", "it is not a URL"),
        ("toad:hunter2@localhost/library?next=http://", "it is not a URL"),
        ("mysql://toad:hunter2@localhost/library", "it starts with mysql://"),
        ("postgres://toad:hunter2@localhost:port/library", "invalid port number"),
        ("postgres://toad:hunter2@local host/library", "invalid domain character"),
        (
            "postgres://toad:hunter2%FF@localhost/library",
            "a part of it is percent-encoded, and not UTF-8",
        ),
        (
            "postgres://toad:hunter2@localhost/library?sslmode=perhaps",
            "unknown value \"perhaps\" for `ssl_mode`",
        ),
    ] {
        assert_eq!(
            refusal(PostgresStore::open(url).await),
            format!(
                "that is not the URL of a PostgreSQL database ({problem}): write \
                 postgres://USER:PASSWORD@HOST:PORT/DATABASE"
            )
        );
    }
}

async fn a_postgresql_that_is_not_there_is_named() {
    let (address, cause, _socket) = no_listener();
    let url = format!("postgres://toad:{PASSWORD}@{address}/library");
    assert_eq!(
        refusal(PostgresStore::open(&url).await),
        format!(
            "cannot keep sessions in PostgreSQL at {address}, database \"library\", user \"toad\" \
             ({cause}): start the server, or correct the host and the \
             port in the URL"
        )
    );
}

async fn a_postgresql_that_does_not_answer_is_named() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let url = format!("postgres://toad:{PASSWORD}@{address}");
    clock::pause();
    assert_eq!(
        refusal(PostgresStore::open(&url).await),
        format!(
            "cannot keep sessions in PostgreSQL at {address}, database \"toad\", user \"toad\" (no \
             answer within 3 seconds): start the server, or correct the host and the port in the \
             URL"
        )
    );
}

async fn a_password_that_postgresql_refuses_is_named_as_the_cause() {
    // It asks for the password, and does not like it (PostgreSQL's documentation, chapter
    // "Frontend/Backend Protocol").
    let address = server_that_says(|_| {
        let fields = "SFATAL\0VFATAL\0C28P01\0\
                      Mpassword authentication failed for user \"toad\"\0\0";
        let mut answer = b"R\0\0\0\x08\0\0\0\x03E\0\0\0".to_vec();
        answer.push(u8::try_from(4 + fields.len()).expect("a short message"));
        answer.extend(fields.bytes());
        answer
    })
    .await;
    let url = format!("postgres://toad:{PASSWORD}@{address}/library");
    assert_eq!(
        refusal(PostgresStore::open(&url).await),
        format!(
            "cannot keep sessions in PostgreSQL at {address}, database \"library\", user \"toad\" \
             (password authentication failed for user \"toad\"): correct the user and the password \
             in the URL"
        )
    );
}

async fn what_is_not_a_postgresql_server_is_refused() {
    let address = server_that_says(|_| b"-ERR unknown command\r\n".to_vec()).await;
    let url = format!("postgres://toad:{PASSWORD}@{address}/library");
    let refused = refusal(PostgresStore::open(&url).await);
    let beginning = format!(
        "cannot keep sessions in PostgreSQL at {address}, database \"library\", user \"toad\" \
         (encountered unexpected or invalid data: "
    );
    assert!(refused.starts_with(&beginning), "{refused}");
}
