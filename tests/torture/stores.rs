//! The stores that are there, and what each of them promises.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail, ensure};
use sqlx::{Connection as _, PgConnection, SqliteConnection};

use crate::{stage::block_on, stories::Story};

/// The variables that the tests read too.
const VARIABLES: [(&str, &str); 2] =
    [("postgres", "TEST_POSTGRES_URL"), ("redis", "TEST_REDIS_URL")];

/// A store that is tortured.
pub struct Subject {
    pub kind: Kind,
    is_cached: bool,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Memory,
    Cookie,
    Sqlite,
    File,
    Postgres(String),
    Redis(String),
}

/// Those that need nothing, those of the variables, and those of `--store`. Says what it skips.
pub fn find(given: &[String]) -> Result<Vec<Subject>> {
    let mut urls = Vec::from(["sqlite:", "file:", "cached+sqlite:", "memory", "cookie:"]);
    urls.extend(given.iter().map(String::as_str));
    let from_variables = VARIABLES.map(|(name, variable)| (name, variable, env::var(variable)));
    for (name, variable, url) in &from_variables {
        match url {
            Ok(url) => urls.push(url),
            Err(_) if given.iter().any(|it| it.trim_start_matches("cached+").starts_with(name)) => {
            }
            Err(_) => println!("{name} is skipped: {variable} is not set, and no --store names it"),
        }
    }
    urls.into_iter().map(Subject::parse).collect()
}

impl Subject {
    fn parse(url: &str) -> Result<Subject> {
        let (is_cached, store) = match url.strip_prefix("cached+") {
            Some(store) => (true, store),
            None => (false, url),
        };
        let (scheme, rest) = store.split_once(':').unwrap_or((store, ""));
        let kind = match scheme {
            "memory" => Kind::Memory,
            "cookie" => Kind::Cookie,
            "sqlite" => Kind::Sqlite,
            "file" => Kind::File,
            "postgres" | "postgresql" => Kind::Postgres(store.to_owned()),
            "redis" => Kind::Redis(store.to_owned()),
            // What follows the colon may be a password.
            _ => bail!("{scheme:?} is not a store: write one as chapter 7 takes it"),
        };
        let is_ours = matches!(kind, Kind::Sqlite | Kind::File);
        ensure!(!is_ours || rest.is_empty(), "write {scheme}: alone, it gets a new folder");
        Ok(Subject { kind, is_cached })
    }

    /// As the table names it, without a password.
    pub fn name(&self) -> String {
        let kind = match self.kind {
            Kind::Memory => "memory",
            Kind::Cookie => "cookie",
            Kind::Sqlite => "sqlite",
            Kind::File => "file",
            Kind::Postgres(_) => "postgres",
            Kind::Redis(_) => "redis",
        };
        format!("{}{kind}", self.prefix())
    }

    /// What chapter 7 takes as `--store`.
    pub fn url(&self, place: &Path) -> String {
        let url = match &self.kind {
            Kind::Memory => "memory".to_owned(),
            Kind::Cookie => "cookie:".to_owned(),
            Kind::Sqlite => format!("sqlite:{}", sqlite_file(place).display()),
            Kind::File => format!("file:{}", folder(place).display()),
            Kind::Postgres(url) | Kind::Redis(url) => url.clone(),
        };
        format!("{}{url}", self.prefix())
    }

    /// The same by way of another address.
    pub fn url_over(&self, url: &str) -> String {
        format!("{}{url}", self.prefix())
    }

    fn prefix(&self) -> &'static str {
        if self.is_cached { "cached+" } else { "" }
    }

    /// A session is only in its cookie, so two requests at once begin with the same number.
    pub fn is_cookie(&self) -> bool {
        matches!(self.kind, Kind::Cookie)
    }

    /// Does the store promise that this story costs no visit? If not, why not?
    pub fn excuse(&self, story: Story) -> Option<&'static str> {
        match (&self.kind, story) {
            (Kind::Memory, Story::Kill) => Some("what is in memory ends with its process"),
            (Kind::Memory, Story::TwoServers) => Some("two processes share no memory"),
            (Kind::Cookie, Story::TwoServers) => {
                Some("of two requests at once, the browser keeps one cookie")
            }
            _ => None,
        }
    }

    /// How many sessions it holds now, if it can be asked.
    pub fn count(&self, place: &Path) -> Result<Option<u64>> {
        const COUNT: &str = "SELECT count(*) FROM session";
        let count: i64 = match &self.kind {
            Kind::Memory | Kind::Cookie => return Ok(None),
            Kind::File => return Ok(Some(count_files(&folder(place))?)),
            Kind::Redis(url) => redis::cmd("DBSIZE")
                .query(&mut redis::Client::open(url.as_str())?.get_connection()?)?,
            Kind::Sqlite => block_on(async {
                let mut db = SqliteConnection::connect(&sqlite_url(place)).await?;
                sqlx::query_scalar(COUNT).fetch_one(&mut db).await
            })?,
            Kind::Postgres(url) => block_on(async {
                let mut db = PgConnection::connect(url).await?;
                sqlx::query_scalar(COUNT).fetch_one(&mut db).await
            })?,
        };
        Ok(Some(u64::try_from(count)?))
    }
}

pub fn sqlite_file(place: &Path) -> PathBuf {
    place.join("sessions.sqlite")
}

pub fn sqlite_url(place: &Path) -> String {
    format!("sqlite:{}", sqlite_file(place).display())
}

/// Of the file store.
pub fn folder(place: &Path) -> PathBuf {
    place.join("sessions")
}

fn count_files(folder: &Path) -> Result<u64> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        count += u64::from(entry?.path().extension().is_some_and(|it| it == "json"));
    }
    Ok(count)
}
