//! What the stores on a server of their own share: when an idle connection is tested, and the
//! messages for a wrong URL.

use std::time::Duration;

use tower_sessions::session_store::Error;

pub(crate) use super::no_answer;

/// A connection that has rested for longer is asked whether it is alive, and may take as long to
/// answer.
pub(crate) const FRESH: Duration = Duration::from_secs(1);

/// What to do if the server does not answer when the program starts.
pub(crate) const START: &str = ": start the server, or correct the host and the port in the URL";

/// Says what is wrong with a URL, and shows no more of it than its scheme: there may be a password
/// in the rest.
///
/// `parse` reads a URL that has one of the `schemes`, and says in words what it cannot read.
pub(crate) fn parse_url<T>(
    url: &str,
    server: &str,
    schemes: &[&str],
    example: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, Error> {
    let problem = match url.split_once("://") {
        Some((scheme, _)) if schemes.contains(&scheme) => match parse(url) {
            Ok(parsed) => return Ok(parsed),
            Err(problem) => problem,
        },
        Some((scheme, _)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
            format!("it starts with {scheme}://")
        }
        _ => "it is not a URL".to_owned(),
    };
    Err(Error::Backend(format!("that is not the URL of a {server} ({problem}): write {example}")))
}

/// Sessions cannot be kept there: what the program says when it starts, and then ends.
pub(crate) fn refused(place: &str, cause: &str, advice: &str) -> Error {
    Error::Backend(format!("cannot keep sessions in {place} ({cause}){advice}"))
}

/// A call has failed: what the log says of it.
pub(crate) fn failed(place: &str, cause: &str) -> Error {
    Error::Backend(format!("{place}: {cause}"))
}
