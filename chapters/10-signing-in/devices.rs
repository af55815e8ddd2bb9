//! An index of sessions by reader: a row for each browser in which a reader is signed in.
//!
//! It holds no session id. The session holds the row's key, and counts as long as the row is there.
//! So it works wherever sessions are kept, also in a cookie that the server cannot take back.

use catalog::{Catalog, Error};
use sqlx::SqlitePool;
use time::{Duration, OffsetDateTime, macros::format_description};

/// How long a session lasts without a request, and how long in any case.
const IDLE: Duration = Duration::minutes(30);
const ABSOLUTE: Duration = Duration::hours(12);
/// The same for a reader who wants to be remembered.
const IDLE_IF_REMEMBERED: Duration = Duration::weeks(2);
pub const ABSOLUTE_IF_REMEMBERED: Duration = Duration::days(90);

/// How long the password counts as given a moment ago.
const CONFIRMED_FOR: Duration = Duration::minutes(5);

/// "Last used" is to the minute: a write in this time at most, and not one with every request.
const NOTED_EVERY: Duration = Duration::minutes(1);

/// One of a reader's sessions.
#[derive(Clone, Debug)]
pub struct Device {
    /// Random, and not the session's id.
    pub id: String,
    /// For example `Firefox on Linux`.
    pub browser: String,
    pub is_remembered: bool,
    /// Seconds since 1970, as the next two.
    signed_in: i64,
    last_used: i64,
    /// When the password was last given.
    confirmed: i64,
}

impl Device {
    /// Neither too old nor idle for too long. Checked here and not by the cookie's age: a browser
    /// may send a cookie for longer than it was asked to.
    fn is_alive(&self) -> bool {
        let (idle, absolute) = match self.is_remembered {
            true => (IDLE_IF_REMEMBERED, ABSOLUTE_IF_REMEMBERED),
            false => (IDLE, ABSOLUTE),
        };
        now() < self.last_used + idle.whole_seconds()
            && now() < self.signed_in + absolute.whole_seconds()
    }

    /// Has the password been given within the last minutes?
    pub fn is_confirmed(&self) -> bool {
        now() < self.confirmed + CONFIRMED_FOR.whole_seconds()
    }

    /// In UTC, to the minute.
    pub fn last_used(&self) -> String {
        let last_used = OffsetDateTime::from_unix_timestamp(self.last_used);
        let minute = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
        last_used.ok().and_then(|moment| moment.format(minute).ok()).unwrap_or_default()
    }
}

type Row = (String, String, bool, i64, i64, i64);

impl From<Row> for Device {
    fn from((id, browser, is_remembered, signed_in, last_used, confirmed): Row) -> Device {
        Device { id, browser, is_remembered, signed_in, last_used, confirmed }
    }
}

/// The index, in the library's file.
#[derive(Clone, Debug)]
pub struct Devices {
    pool: SqlitePool,
}

impl Devices {
    /// Opens the index, which is made if it is missing.
    ///
    /// # Errors
    ///
    /// [`Unusable`], if another program has a table of this name there.
    pub async fn open(library: &Catalog) -> Result<Devices, Unusable> {
        let pool = library.pool().clone();
        sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS device (
                 id            TEXT NOT NULL PRIMARY KEY,
                 reader_id     INTEGER NOT NULL REFERENCES reader (id) ON DELETE CASCADE,
                 browser       TEXT NOT NULL,
                 is_remembered INTEGER NOT NULL,
                 signed_in     INTEGER NOT NULL,
                 last_used     INTEGER NOT NULL,
                 confirmed     INTEGER NOT NULL
             ) STRICT;
             CREATE INDEX IF NOT EXISTS device_by_reader ON device (reader_id);
             SELECT id, reader_id, browser, is_remembered, signed_in, last_used, confirmed
             FROM device WHERE false;",
        )
        .execute(&pool)
        .await?;
        Ok(Devices { pool })
    }

    /// Adds a session of this reader, and returns its key. Rows that are over for good go.
    pub(crate) async fn add(
        &self,
        reader_id: i64,
        browser: &str,
        is_remembered: bool,
    ) -> Result<String, Error> {
        let oldest = now() - ABSOLUTE_IF_REMEMBERED.whole_seconds();
        let clear = sqlx::query("DELETE FROM device WHERE signed_in < ?").bind(oldest);
        clear.execute(&self.pool).await.map_err(Error::Query)?;

        // Random, as an id of a session is. A number that counts up could come a second time, from
        // a restored backup: then a copy of an old cookie would count again.
        let id = sessions::Id::default().to_string();
        sqlx::query("INSERT INTO device VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?5)")
            .bind(&id)
            .bind(reader_id)
            .bind(browser)
            .bind(is_remembered)
            .bind(now())
            .execute(&self.pool)
            .await
            .map_err(Error::Query)?;
        Ok(id)
    }

    /// The session of this key, if it still counts. Notes that it is used.
    pub(crate) async fn find(&self, reader_id: i64, id: &str) -> Result<Option<Device>, Error> {
        let row: Option<Row> = sqlx::query_as(
            "SELECT id, browser, is_remembered, signed_in, last_used, confirmed FROM device
             WHERE id = ? AND reader_id = ?",
        )
        .bind(id)
        .bind(reader_id)
        .fetch_optional(&self.pool)
        .await
        .map_err(Error::Query)?;
        let device = row.map(Device::from).filter(Device::is_alive);
        if let Some(device) = &device
            && now() >= device.last_used + NOTED_EVERY.whole_seconds()
        {
            let update = sqlx::query("UPDATE device SET last_used = ? WHERE id = ?");
            let updated = update.bind(now()).bind(id).execute(&self.pool).await;
            updated.map_err(Error::Query)?;
        }
        Ok(device)
    }

    /// The sessions of this reader that count, the one used last first.
    pub(crate) async fn of(&self, reader_id: i64) -> Result<Vec<Device>, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, browser, is_remembered, signed_in, last_used, confirmed FROM device
             WHERE reader_id = ? ORDER BY last_used DESC, rowid DESC",
        )
        .bind(reader_id)
        .fetch_all(&self.pool)
        .await
        .map_err(Error::Query)?;
        Ok(rows.into_iter().map(Device::from).filter(Device::is_alive).collect())
    }

    /// Notes that the password was given.
    pub(crate) async fn confirm(&self, id: &str) -> Result<(), Error> {
        let update = sqlx::query("UPDATE device SET confirmed = ? WHERE id = ?");
        let updated = update.bind(now()).bind(id).execute(&self.pool).await;
        updated.map(drop).map_err(Error::Query)
    }

    /// Ends one session, if it is this reader's.
    pub(crate) async fn end(&self, reader_id: i64, id: &str) -> Result<(), Error> {
        let delete = sqlx::query("DELETE FROM device WHERE reader_id = ? AND id = ?");
        let deleted = delete.bind(reader_id).bind(id).execute(&self.pool).await;
        deleted.map(drop).map_err(Error::Query)
    }

    /// Ends all sessions of this reader.
    pub(crate) async fn end_all(&self, reader_id: i64) -> Result<(), Error> {
        let delete = sqlx::query("DELETE FROM device WHERE reader_id = ?");
        let deleted = delete.bind(reader_id).execute(&self.pool).await;
        deleted.map(drop).map_err(Error::Query)
    }
}

fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// The browser and its system, from the words of `User-Agent`. Browsers also name those that they
/// want to be taken for, so the rarer name comes first.
pub fn browser(user_agent: &str) -> String {
    const BROWSERS: [(&str, &str); 5] = [
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 6] = [
        ("Android", "Android"),
        ("iPhone", "an iPhone"),
        ("iPad", "an iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "a Mac"),
        ("Linux", "Linux"),
    ];
    let find = |names: &[(&str, &'static str)]| {
        names.iter().find(|(part, _)| user_agent.contains(part)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => "Another browser".to_owned(),
    }
}

/// The library's file cannot hold the index.
#[derive(Debug, thiserror::Error)]
#[error("the list of devices cannot be kept: {0}. Choose another file with --database")]
pub struct Unusable(#[from] sqlx::Error);
