//! A PostgreSQL schema for each test, and SQL in it. The variable [`VARIABLE`] names a server whose
//! user may create schemas and users.

use std::thread;

use sessions::{Id, PostgresStore};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::runtime::Builder;

use super::{PASSWORD, Wire, promise};

pub const VARIABLE: &str = "TEST_POSTGRES_URL";

/// A schema that only one test uses. It goes when this is dropped.
pub struct Schema {
    /// Also the name of the user that [`Schema::newcomer`] creates.
    pub name: String,
}

impl Schema {
    pub async fn create() -> Schema {
        let name = format!("sessions_{:032x}", Id::default().0);
        execute(&server(), &format!("CREATE SCHEMA {name}")).await;
        Schema { name }
    }

    /// A connection with this URL sees this schema and no other.
    pub fn url(&self) -> String {
        with(&server(), &format!("options=-csearch_path%3D{}", self.name))
    }

    pub async fn open(&self) -> PostgresStore {
        PostgresStore::open(&self.url()).await.expect("the store opens")
    }

    /// A store at the other end of a wire.
    pub async fn open_through_a_wire(&self) -> (PostgresStore, Wire) {
        let options = options();
        let wire = Wire::to(format!("{}:{}", options.get_host(), options.get_port())).await;
        let port = wire.address().port();
        let url = with(&self.url(), &format!("host=127.0.0.1&port={port}&password={PASSWORD}"));
        (PostgresStore::open(&url).await.expect("the store opens"), wire)
    }

    /// What an administrator does while the web server runs; how many rows it changed.
    pub async fn execute(&self, sql: &str) -> u64 {
        execute(&self.url(), sql).await
    }

    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("the database")
    }

    /// How many rows the table has.
    pub async fn rows(&self) -> i64 {
        let counted = sqlx::query_scalar("SELECT count(*) FROM session");
        counted.fetch_one(&mut self.connect().await).await.expect("the table")
    }

    /// All rows as text, in which `bytea` is hexadecimal.
    pub async fn all_rows(&self) -> Vec<String> {
        let rows = sqlx::query_scalar("SELECT session::text FROM session");
        rows.fetch_all(&mut self.connect().await).await.expect("the table")
    }

    /// A URL for a user of the schema's name, who has no right except to look into the schema.
    pub async fn newcomer(&self) -> String {
        let name = &self.name;
        self.execute(&format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")).await;
        self.execute(&format!("GRANT USAGE ON SCHEMA {name} TO {name}")).await;
        with(&self.url(), &format!("user={name}&password={PASSWORD}"))
    }
}

/// Also after a test that failed.
impl Drop for Schema {
    fn drop(&mut self) {
        let name = self.name.clone();
        let dropping = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
            let drop = format!("DROP SCHEMA {name} CASCADE; DROP ROLE IF EXISTS {name}");
            runtime.block_on(execute(&server(), &drop));
        });
        // If this fails, the thread has said why, and the schema stays.
        let _ = dropping.join();
    }
}

/// The URL of the server.
pub fn server() -> String {
    promise::url(VARIABLE)
}

async fn execute(url: &str, sql: &str) -> u64 {
    let mut database = PgConnection::connect(url).await.expect("the database");
    let statements = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    statements.execute(&mut database).await.expect("valid SQL").rows_affected()
}

/// The URL with one more parameter.
pub fn with(url: &str, parameter: &str) -> String {
    let sign = if url.contains('?') { '&' } else { '?' };
    format!("{url}{sign}{parameter}")
}

pub fn options() -> PgConnectOptions {
    server().parse().expect("the URL of a PostgreSQL database")
}

/// Host, port and database of the tests, and this user, as messages name them.
pub fn place(user: &str) -> String {
    let options = options();
    let (host, port) = (options.get_host(), options.get_port());
    let database = options.get_database().expect("the URL names a database");
    format!("PostgreSQL at {host}:{port}, database {database:?}, user {user:?}")
}
