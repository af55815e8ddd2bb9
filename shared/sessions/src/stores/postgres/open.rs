//! How a PostgreSQL store is opened, and what is said if it cannot be.

use std::{str::Utf8Error, sync::Arc};

use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio::time::timeout;
use tower_sessions::session_store::Result;

use super::{
    PostgresStore, SCHEMA,
    connections::{Database, cause, code},
};
use crate::stores::{
    PATIENCE,
    network::{self, START, no_answer, parse_url},
};

/// What the store needs of the table, asked without changing a row: the columns and their types,
/// a key that tells when an id is taken, and the rights to select, insert, update and delete.
///
/// Arrays can be compared only if their types are the same. A single `integer` could be compared
/// with a `bigint`, and is too small for a date after 2038. One column an array: of an `integer` and
/// a `bigint`, PostgreSQL makes an array of `bigint`.
const TRY: &str = "
    INSERT INTO session (id_hash, data, expiry_date, version)
    SELECT id_hash, data, expiry_date, version FROM session
    WHERE false AND ARRAY[id_hash] = ARRAY[''::bytea] AND ARRAY[data] = ARRAY[''::text]
        AND ARRAY[expiry_date] = ARRAY[0::bigint] AND ARRAY[version] = ARRAY[0::bigint]
    ON CONFLICT (id_hash) DO UPDATE SET version = excluded.version;
    DELETE FROM session WHERE false;";

const UNDEFINED_TABLE: &str = "42P01";

impl PostgresStore {
    /// Connects to the database, and creates the table `session` if it is missing.
    ///
    /// The URL is `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. Write `%40` for an `@` in the
    /// password, `%2F` for a `/`, `%3A` for a `:` and `%23` for a `#`. What it leaves out comes
    /// from the variables `PGUSER`, `PGPASSWORD` and so on (PostgreSQL's documentation, section
    /// "Environment Variables" of libpq). Add `?options=-csearch_path%3DNAME` for another schema
    /// than `public`.
    ///
    /// The user needs the right to create the table, unless it is there already: then to select,
    /// insert, update and delete its rows is enough.
    ///
    /// ```
    /// # async fn start() {
    /// use sessions::PostgresStore;
    ///
    /// match PostgresStore::open("postgres://localhost/library").await {
    ///     Ok(store) => println!("{store:?} is open"),
    ///     Err(error) => eprintln!("error: {error}"),
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Backend`](crate::StoreError::Backend) if the URL is not one of PostgreSQL's, if
    /// the server does not answer within three seconds or refuses the user, if the database or a
    /// right is missing, if another program has a table or view `session`, and if a connection
    /// pooler mixes up prepared statements. Its one line says what was tried and what to do, and
    /// no password.
    pub async fn open(url: &str) -> Result<Self> {
        let options = parse(url)?;
        let place = place(&options);
        let connections = match timeout(PATIENCE, prepare(&options)).await {
            Ok(Ok(connections)) => connections,
            Ok(Err(error)) => return Err(network::refused(&place, &cause(&error), advice(&error))),
            Err(_) => return Err(network::refused(&place, &no_answer(), START)),
        };
        let database = Database::new(options, place);
        connections.into_iter().for_each(|connection| database.keep_idle(connection));
        Ok(PostgresStore(Arc::new(database)))
    }
}

fn parse(url: &str) -> Result<PgConnectOptions> {
    const EXAMPLE: &str = "postgres://USER:PASSWORD@HOST:PORT/DATABASE";
    let schemes = ["postgres", "postgresql"];
    let options = parse_url(url, "PostgreSQL database", &schemes, EXAMPLE, |url| {
        url.parse::<PgConnectOptions>().map_err(|error| match error {
            sqlx::Error::Configuration(problem) if problem.is::<Utf8Error>() => {
                "a part of it is percent-encoded, and not UTF-8".to_owned()
            }
            // Without the name that sqlx has for such problems.
            sqlx::Error::Configuration(problem) => {
                problem.to_string().replace("error with configuration: ", "")
            }
            error => error.to_string(),
        })
    })?;
    // sqlx would ask for more digits in fractions when it connects, and PgBouncer refuses such a
    // connection. There are no fractions in the table.
    Ok(options.extra_float_digits(None))
}

fn place(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => options.get_host().to_owned(),
    };
    let (port, user) = (options.get_port(), options.get_username());
    let database = options.get_database().unwrap_or(user);
    format!("PostgreSQL at {host}:{port}, database {database:?}, user {user:?}")
}

/// Two connections to a database in which sessions can be kept.
async fn prepare(options: &PgConnectOptions) -> sqlx::Result<[PgConnection; 2]> {
    let mut db = options.connect().await?;
    let tried = sqlx::raw_sql(TRY).execute(&mut db).await;
    let is_missing = tried.as_ref().err().and_then(code).as_deref() == Some(UNDEFINED_TABLE);
    if is_missing { sqlx::raw_sql(SCHEMA).execute(&mut db).await } else { tried }?;

    let mut other = options.connect().await?;
    try_prepared_statements(&mut db, &mut other).await?;
    Ok([db, other])
}

/// Fails if a pooler lets several clients use one connection in turn, and mixes up the statements
/// that they prepare there: a request would fail at best, and at worst run another one's statement.
///
/// Statements without a name would be no better: sqlx prepares such a statement in one step and
/// executes it in another, and another client's may come between them. A transaction around each
/// statement would help, and takes four round trips instead of one.
async fn try_prepared_statements(
    db: &mut PgConnection,
    other: &mut PgConnection,
) -> sqlx::Result<()> {
    // sqlx numbers the statements of a connection, so these two have the same name. A pooler gives
    // the connection that it used last, and on that the name is taken. If it is busy and gives
    // another one, the name is taken or missing in a later round.
    for _ in 0..8 {
        let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut *db).await?;
        let two: i32 = sqlx::query_scalar("SELECT 2").fetch_one(&mut *other).await?;
        if (one, two) != (1, 2) {
            return Err(sqlx::Error::Protocol("another client's statement was run".to_owned()));
        }
    }
    Ok(())
}

/// What to do, by the error's code: PostgreSQL's documentation, appendix "PostgreSQL Error Codes".
fn advice(error: &sqlx::Error) -> &'static str {
    let code = match error {
        sqlx::Error::Io(_) => return START,
        sqlx::Error::Tls(_) => return ": correct sslmode in the URL, or sqlx's features for TLS",
        // What the comparison of the prepared statements says, and a server of another kind.
        sqlx::Error::Protocol(_) => return ": connect to PostgreSQL itself",
        error => code(error).unwrap_or_default(),
    };
    match code.as_str() {
        "28000" | "28P01" => ": correct the user and the password in the URL",
        "3D000" => ": create the database, or name another one in the URL",
        "3F000" => ": create the schema, or name another one in the URL",
        "42501" => ": let the user create a table there, or use the one that is there",
        // A column is missing, has another type or is no key; it is a view or an index.
        "42703" | "42804" | "42883" | "42P10" | "42809" | "55000" => {
            ": that session is another program's table or view; use another database or schema"
        }
        "25006" => ": name the primary server in the URL, or let the user write",
        "53300" => ": close other connections, or raise max_connections",
        "57P03" => ": try again when the server has started",
        "26000" | "42P05" => {
            ": a connection pooler mixes up prepared statements; set max_prepared_statements in \
             PgBouncer 1.21 or later, use session mode, or connect to PostgreSQL itself"
        }
        _ => "",
    }
}
