//! The places as `--store` names them, and as everybody may see them.

use std::{fmt, path::PathBuf, str::FromStr};

use url::{Position, Url};

use crate::Unusable;

/// Where sessions are kept, as `--store` says it.
#[derive(Clone)]
pub struct Place {
    /// Also in this server's memory?
    pub(crate) cached: bool,
    pub(crate) kind: Kind,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Memory,
    Sqlite(PathBuf),
    Postgres(Url),
    Redis(Url),
    File(PathBuf),
    Cookie,
}

impl FromStr for Place {
    type Err = Unusable;

    fn from_str(text: &str) -> Result<Place, Unusable> {
        let (cached, place) = match text.strip_prefix("cached+") {
            Some(place) => (true, place),
            None => (false, text),
        };
        let kind = match place.split_once(':') {
            None if place == "memory" => Kind::Memory,
            Some(("sqlite", file)) if !file.is_empty() => Kind::Sqlite(file.into()),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                Kind::Postgres(parse_url(place)?)
            }
            Some(("redis", rest)) if rest.starts_with("//") => Kind::Redis(parse_url(place)?),
            Some(("file", folder)) if !folder.is_empty() => Kind::File(folder.into()),
            Some(("cookie", "")) if !cached => Kind::Cookie,
            _ => return Err(Unusable(why_not(cached, place))),
        };
        Ok(Place { cached, kind })
    }
}

fn parse_url(text: &str) -> Result<Url, Unusable> {
    let problem = match Url::parse(text) {
        Ok(url) if !url[Position::BeforePath..].contains('@') => return Ok(url),
        // A password with a slash in it: the host seems to end there.
        Ok(_) => "an @ after the host".to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Unusable(format!(
        "the URL of the store cannot be right ({problem}); in its password, write %40 for @, %2F \
         for /, %3A for :, %3F for ? and %23 for #"
    )))
}

fn why_not(cached: bool, place: &str) -> String {
    // What follows a colon may be a password, and stays out of the message.
    let name = place.split_inclusive(':').next().unwrap_or_default();
    match name {
        "cookie:" if cached => "cached+cookie: has nothing to cache, since each request brings \
                                its session along; say cookie: alone"
            .to_owned(),
        _ if name.starts_with("cached+") => "a cache in front of a cache helps nobody; say \
                                             cached+ once"
            .to_owned(),
        _ => format!(
            "{name:?} is no place for sessions; there are memory, sqlite:FILE, postgres://…, \
             redis://…, file:FOLDER and cookie:, and cached+ in front of any but cookie:"
        ),
    }
}

/// For everybody to see, so without user and password.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cached {
            f.write_str("cached+")?;
        }
        match &self.kind {
            Kind::Memory => f.write_str("memory"),
            Kind::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
            Kind::Postgres(url) | Kind::Redis(url) => {
                write!(f, "{}://{}", url.scheme(), &url[Position::BeforeHost..Position::AfterPath])
            }
            Kind::File(folder) => write!(f, "file:{}", folder.display()),
            Kind::Cookie => f.write_str("cookie:"),
        }
    }
}
