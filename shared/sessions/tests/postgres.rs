//! Sessions in PostgreSQL. The variable `TEST_POSTGRES_URL` names a server whose user may create
//! schemas and users; each test has a schema of its own and drops it in the end.

mod garage;
mod logs;
mod services;
mod two_servers;

use std::{process::ExitCode, thread};

use browser::Browser;
use garage::garage;
use logs::{listen, logged};
use services::{PASSWORD, Wire, nobody, outages, promises, refusal, server_that_says};
use sessions::{
    PostgresStore, SessionStore as _, Store as _,
    contract::{self, Expired},
};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};
use time::{Duration, OffsetDateTime, macros::datetime};
use tokio::{net::TcpListener, runtime::Builder, time as clock};
use tower_sessions::session::{Id, Record};
use tracing::Level;
use two_servers::TwoServers;

const VARIABLE: &str = "TEST_POSTGRES_URL";

fn main() -> ExitCode {
    let mut need_server = promises![
        it_meets_every_requirement
        two_servers_over_one_database_keep_their_promises
        a_session_survives_a_restart
        many_servers_may_start_on_an_empty_schema_at_once
        visitors_who_only_read_leave_no_row
        nobody_can_read_an_id_from_the_table
        a_record_that_cannot_be_decoded_is_an_empty_session_and_a_warning
        dates_far_away_are_no_trouble
        a_lost_table_is_a_503_until_it_is_back
        servers_that_clear_at_once_do_not_wait_for_each_other
        a_user_who_may_only_use_the_table_may_use_it
        a_user_who_may_not_create_the_table_is_told_so
        another_programs_table_is_refused_at_the_start
        a_database_that_is_not_there_is_named
        a_store_does_not_show_its_password
    ];
    need_server.extend(outages::promises(store_through_a_wire));
    let need_none = promises![
        what_is_no_url_of_postgresql_is_refused_without_repeating_it
        a_server_that_is_not_there_is_named
        a_server_that_does_not_answer_is_named
        a_wrong_password_is_named_as_the_cause
        what_is_no_postgresql_server_is_refused
    ];
    services::run(VARIABLE, "postgres://postgres@127.0.0.1/test", need_server, need_none)
}

/// A schema that only one test uses.
struct Schema {
    name: String,
}

impl Schema {
    async fn create() -> Schema {
        let name = format!("sessions_{:032x}", Id::default().0);
        execute(&services::url(VARIABLE), &format!("CREATE SCHEMA {name}")).await;
        Schema { name }
    }

    /// Whoever opens this has the schema before them, and no other.
    fn url(&self) -> String {
        with(&services::url(VARIABLE), &format!("options=-csearch_path%3D{}", self.name))
    }

    async fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.url()).await.expect("the store opens")
    }

    async fn browser(&self) -> Browser {
        Browser::open(garage(self.open().await))
    }

    /// What an administrator does while the server runs.
    async fn execute(&self, sql: &str) -> u64 {
        execute(&self.url(), sql).await
    }

    async fn rows(&self) -> i64 {
        let counted = sqlx::query_scalar("SELECT count(*) FROM session");
        counted.fetch_one(&mut self.connect().await).await.expect("the table")
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("the database")
    }
}

/// Also after a test that failed.
impl Drop for Schema {
    fn drop(&mut self) {
        let name = self.name.clone();
        let dropping = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            let drop = format!("DROP SCHEMA {name} CASCADE; DROP ROLE IF EXISTS {name}");
            runtime.block_on(execute(&services::url(VARIABLE), &drop));
        });
        // Where this fails, the thread has said why, and the schema stays.
        let _ = dropping.join();
    }
}

async fn execute(url: &str, sql: &str) -> u64 {
    let mut database = PgConnection::connect(url).await.expect("the database");
    let statements = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    statements.execute(&mut database).await.expect("valid SQL").rows_affected()
}

/// The URL with one more parameter.
fn with(url: &str, parameter: &str) -> String {
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}{parameter}")
}

fn options() -> PgConnectOptions {
    services::url(VARIABLE).parse().expect("the URL of a PostgreSQL database")
}

/// Host, port and database of the tests, and this user, as messages name them.
fn place(user: &str) -> String {
    let options = options();
    let (host, port) = (options.get_host(), options.get_port());
    let database = options.get_database().expect("the URL names a database");
    format!("PostgreSQL at {host}:{port}, database {database:?}, user {user:?}")
}

async fn store_through_a_wire() -> (PostgresStore, Wire, Schema) {
    let schema = Schema::create().await;
    let options = options();
    let wire = Wire::to(format!("{}:{}", options.get_host(), options.get_port())).await;
    let port = wire.address().port();
    let url = with(&schema.url(), &format!("host=127.0.0.1&port={port}"));
    let store = PostgresStore::open(&url).await.expect("the store opens");
    (store, wire, schema)
}

fn record(car: &str) -> Record {
    let data = [("my_car".to_owned(), car.into())].into();
    Record { id: Id::default(), data, expiry_date: OffsetDateTime::now_utc() + Duration::HOUR }
}

async fn it_meets_every_requirement() {
    let schemas = std::sync::Mutex::new(Vec::new());
    let open = async || {
        let schema = Schema::create().await;
        let store = schema.open().await;
        schemas.lock().expect("no panic").push(schema);
        store
    };
    contract::check(open, Expired::Cleared).await;
}

async fn two_servers_over_one_database_keep_their_promises() {
    let site = async || {
        let schema = Schema::create().await;
        let (here, there) = (schema.open().await, schema.open().await);
        TwoServers::over(here, there, schema.open().await, schema).await
    };
    two_servers::keep_their_promises(site).await;
}

async fn a_session_survives_a_restart() {
    let schema = Schema::create().await;
    let mut visitor = schema.browser().await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    let id = visitor.cookie("sessionid").expect("a session cookie");
    drop(visitor);

    let cookie = format!("sessionid={id}");
    let mut restarted = schema.browser().await;
    let page = restarted.get_with("/", &[("cookie", cookie.as_bytes())]).await;
    assert_eq!(page.body(), "mini");
}

async fn many_servers_may_start_on_an_empty_schema_at_once() {
    for _ in 0..5 {
        let schema = Schema::create().await;
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let url = schema.url();
                tokio::spawn(async move { PostgresStore::open(&url).await })
            })
            .collect();
        for start in starts {
            start.await.expect("no panic").expect("the store opens");
        }
    }
}

async fn visitors_who_only_read_leave_no_row() {
    let schema = Schema::create().await;
    let mut visitor = schema.browser().await;
    visitor.get("/").await;
    visitor.post("/forget", &[]).await;
    visitor.get_with("/", &[("cookie", b"sessionid=AAAAAAAAAAAAAAAAAAAAAA")]).await;
    visitor.post("/crash", &[]).await;
    assert_eq!(schema.rows().await, 0);

    visitor.post("/car", &[("my_car", "mini")]).await;
    assert_eq!(schema.rows().await, 1);
}

async fn nobody_can_read_an_id_from_the_table() {
    let schema = Schema::create().await;
    let mut visitor = schema.browser().await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    visitor.post("/car", &[("my_car", "beetle")]).await;
    let cookie = visitor.cookie("sessionid").expect("a session cookie");
    let id: Id = cookie.parse().expect("an id");

    // The row as text; bytea is in hexadecimal there.
    let row: String = sqlx::query_scalar("SELECT session::text FROM session")
        .fetch_one(&mut schema.connect().await)
        .await
        .expect("one row");
    let hash = Sha256::digest(id.0.to_le_bytes());
    assert!(row.contains(&hex(&hash)), "the test finds what is there: {row}");
    for (form, text) in [
        ("as in the cookie", cookie),
        ("a number", id.0.to_string()),
        ("hexadecimal", hex(&id.0.to_le_bytes())),
        ("hexadecimal, the other way round", hex(&id.0.to_be_bytes())),
        ("a part of it", hex(&id.0.to_le_bytes()[..8])),
    ] {
        assert!(!row.contains(&text), "{form}: {row}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn a_record_that_cannot_be_decoded_is_an_empty_session_and_a_warning() {
    for spoil in [
        "data = ''",
        "data = '{\"my_car\":'",
        "data = '[\"my_car\"]'",
        "data = 'null'",
        "data = '{\"my_car\":\"mini\"} and more'",
        "expiry_date = 9223372036854775807",
    ] {
        let schema = Schema::create().await;
        let mut visitor = schema.browser().await;
        visitor.post("/car", &[("my_car", "mini")]).await;
        let id = visitor.cookie("sessionid").expect("a session cookie");
        listen();
        assert_eq!(schema.execute(&format!("UPDATE session SET {spoil}")).await, 1);

        let page = visitor.get("/").await;
        assert_eq!((page.status().as_u16(), page.body()), (200, "no car"), "after {spoil}");
        assert!(page.set_cookies()[0].starts_with("sessionid=; "), "after {spoil}");
        let warnings = logged(Level::WARN);
        assert!(warnings.len() == 1 && warnings[0].contains("cannot be read"), "{warnings:?}");
        assert!(!warnings[0].contains(&id), "an id has no place in a log");

        visitor.post("/car", &[("my_car", "beetle")]).await;
        assert_ne!(visitor.cookie("sessionid"), Some(id), "after {spoil}");
        assert_eq!(visitor.get("/").await.body(), "beetle", "after {spoil}");
    }
}

async fn dates_far_away_are_no_trouble() {
    let schema = Schema::create().await;
    let store = schema.open().await;
    for (expiry_date, is_found) in [
        (datetime!(9999-12-31 23:59:59 UTC), true),
        (datetime!(1970-01-01 00:00:00 UTC), false),
        (datetime!(-9999-01-01 00:00:00 UTC), false),
    ] {
        let mut stored = Record { expiry_date, ..record("mini") };
        store.create(&mut stored).await.expect("it is stored");
        let found = store.load(&stored.id).await.expect("the store answers");
        assert_eq!(found, is_found.then_some(stored), "of {expiry_date}");
    }
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 2);
}

async fn a_lost_table_is_a_503_until_it_is_back() {
    let schema = Schema::create().await;
    let mut visitor = schema.browser().await;
    visitor.post("/car", &[("my_car", "mini")]).await;
    listen();

    schema.execute("ALTER TABLE session RENAME TO gone").await;
    assert_eq!(visitor.get("/").await.status(), 503);
    let causes = logged(Level::ERROR);
    assert!(causes[0].ends_with("relation \"session\" does not exist"), "{causes:?}");
    assert_eq!(visitor.private_window().post("/car", &[("my_car", "mini")]).await.status(), 503);

    schema.execute("ALTER TABLE gone RENAME TO session").await;
    assert_eq!(visitor.get("/").await.body(), "mini");
}

async fn servers_that_clear_at_once_do_not_wait_for_each_other() {
    let schema = Schema::create().await;
    let store = schema.open().await;
    let past = OffsetDateTime::now_utc() - Duration::HOUR;
    for car in ["mini", "beetle", "rover"] {
        let mut expired = Record { expiry_date: past, ..record(car) };
        store.create(&mut expired).await.expect("stored");
    }

    // Another server is about to delete one of them, and does not get round to it.
    let mut other = schema.connect().await;
    let mut clearing = other.begin().await.expect("a transaction");
    let lock = sqlx::query("SELECT 1 FROM session LIMIT 1 FOR UPDATE");
    lock.execute(&mut *clearing).await.expect("a row is locked");
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 2);

    clearing.rollback().await.expect("the lock is released");
    assert_eq!(store.clear_expired(10).await.expect("cleared"), 1);
}

/// A URL for a user of the schema's name, who has no right but to look into the schema.
async fn newcomer(schema: &Schema) -> String {
    let name = &schema.name;
    schema.execute(&format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")).await;
    schema.execute(&format!("GRANT USAGE ON SCHEMA {name} TO {name}")).await;
    with(&schema.url(), &format!("user={name}&password={PASSWORD}"))
}

async fn a_user_who_may_only_use_the_table_may_use_it() {
    let schema = Schema::create().await;
    schema.open().await;
    let url = newcomer(&schema).await;
    let name = &schema.name;
    let grant = format!("GRANT SELECT, INSERT, UPDATE, DELETE ON session TO {name}");
    schema.execute(&grant).await;

    let store = PostgresStore::open(&url).await.expect("the store opens");
    let mut visitor = Browser::open(garage(store.clone()));
    visitor.post("/car", &[("my_car", "mini")]).await;
    visitor.post("/car", &[("my_car", "beetle")]).await;
    assert_eq!(visitor.get("/").await.body(), "beetle");
    assert_eq!(store.clear_expired(1).await.expect("cleared"), 0);
}

async fn a_user_who_may_not_create_the_table_is_told_so() {
    let schema = Schema::create().await;
    let url = newcomer(&schema).await;
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

async fn another_programs_table_is_refused_at_the_start() {
    let schema = Schema::create().await;
    schema.execute("CREATE TABLE session (sid varchar, sess json, expire timestamp)").await;

    let refused = refusal(PostgresStore::open(&schema.url()).await);

    let options = options();
    assert_eq!(
        refused,
        format!(
            "cannot keep sessions in {} (column \"id_hash\" of relation \"session\" does not \
             exist): that table session is another program's; use another database",
            place(options.get_username())
        )
    );
}

async fn a_database_that_is_not_there_is_named() {
    let url = with(&services::url(VARIABLE), "dbname=no_such_library");

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

async fn a_store_does_not_show_its_password() {
    let schema = Schema::create().await;
    let url = newcomer(&schema).await;
    let name = &schema.name;
    schema.execute(&format!("GRANT CREATE ON SCHEMA {name} TO {name}")).await;

    let store = PostgresStore::open(&url).await.expect("the store opens");

    let place = place(name);
    assert_eq!(format!("{store:?}"), format!("PostgresStore({place:?})"));
    assert!(!place.contains(PASSWORD));
    drop(store);
}

async fn what_is_no_url_of_postgresql_is_refused_without_repeating_it() {
    for (url, problem) in [
        ("", "it is no URL"),
        ("toad:hunter2@localhost/library", "it is no URL"),
        ("toad:hunter2@localhost/library?next=http://", "it is no URL"),
        ("mysql://toad:hunter2@localhost/library", "it starts with mysql://"),
        ("postgres://toad:hunter2@localhost:port/library", "invalid port number"),
        ("postgres://toad:hunter2@local host/library", "invalid domain character"),
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

async fn a_server_that_is_not_there_is_named() {
    let (address, cause, _socket) = nobody();
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

async fn a_server_that_does_not_answer_is_named() {
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

async fn a_wrong_password_is_named_as_the_cause() {
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

async fn what_is_no_postgresql_server_is_refused() {
    let address = server_that_says(|_| b"-ERR unknown command\r\n".to_vec()).await;
    let url = format!("postgres://toad:{PASSWORD}@{address}/library");
    let refused = refusal(PostgresStore::open(&url).await);
    let beginning = format!(
        "cannot keep sessions in PostgreSQL at {address}, database \"library\", user \"toad\" \
         (encountered unexpected or invalid data: "
    );
    assert!(refused.starts_with(&beginning), "{refused}");
}
