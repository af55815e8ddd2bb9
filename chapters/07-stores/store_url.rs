//! The stores as `--store` names them, and as every visitor may see them.

use std::{fmt, path::PathBuf, str::FromStr};

use url::{Position, Url};

use crate::Unusable;

/// A store, as `--store` names it.
#[derive(Clone)]
pub struct StoreUrl {
    /// With a cache in this server's memory in front of it?
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

impl FromStr for StoreUrl {
    type Err = Unusable;

    fn from_str(text: &str) -> Result<StoreUrl, Unusable> {
        let (cached, store) = match text.strip_prefix("cached+") {
            Some(store) => (true, store),
            None => (false, text),
        };
        let kind = match store.split_once(':') {
            None if store == "memory" => Kind::Memory,
            // `sqlite://FILE` is how sqlx writes it: three slashes for a path from the root.
            Some(("sqlite", file)) if file.contains('?') => {
                let what = "options after a ? are not read; write sqlite:FILE";
                return Err(Unusable(format!("sqlite: {what}")));
            }
            Some(("sqlite", file)) if !file.trim_start_matches("//").is_empty() => {
                Kind::Sqlite(file.strip_prefix("//").unwrap_or(file).into())
            }
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                Kind::Postgres(parse_url(store)?)
            }
            Some(("redis", rest)) if rest.starts_with("//") => Kind::Redis(parse_url(store)?),
            Some(("file", folder)) if !folder.is_empty() => Kind::File(folder.into()),
            Some(("cookie", "")) if !cached => Kind::Cookie,
            _ => return Err(Unusable(why_not(cached, store))),
        };
        Ok(StoreUrl { cached, kind })
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

fn why_not(cached: bool, store: &str) -> String {
    // What follows a colon may be a password, and stays out of the message.
    let name = store.split_inclusive(':').next().unwrap_or_default();
    match name {
        "cookie:" if cached => "cached+cookie: has nothing to cache, since each request brings \
                                its session along; say cookie: alone"
            .to_owned(),
        _ if name.starts_with("cached+") => "a cache in front of a cache has no use; say \
                                             cached+ once"
            .to_owned(),
        _ => format!(
            "{name:?} is not a store; there are memory, sqlite:FILE, postgres://…, \
             redis://…, file:FOLDER and cookie:, and cached+ in front of any but cookie:"
        ),
    }
}

/// For every visitor to see, so without user and password.
impl fmt::Display for StoreUrl {
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
