//! Who asks for a page: a visitor, a reader who is signed in, or a librarian. Each is an extractor, so
//! a handler that takes one cannot forget to check.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{header::USER_AGENT, request::Parts},
};
use catalog::Reader;
use sessions::{Error, Session};

use crate::{
    App, IS_DARK, Problem, READER, SignedInAs,
    devices::{self, Device},
    next::address_to_return_to,
};

/// What every page knows of who asks for it.
pub(crate) struct Visitor {
    pub session: Session,
    pub is_dark: bool,
    pub signed_in: Option<(Reader, Device)>,
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Visitor, Problem> {
        let session = Session::from_request_parts(parts, app).await?;
        let signed_in = match session.get(READER) {
            Ok(Some(claim)) => look_up(app, claim).await?,
            // From another version of this program: the reader has to sign in again.
            Ok(None) | Err(Error::WrongType { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        if signed_in.is_none() && session.contains_key(READER) {
            // Ended from outside. What the reader has left in the session goes as well.
            session.flush().await?;
        }
        let is_dark = session.get(IS_DARK)?.unwrap_or(false);
        Ok(Visitor { session, is_dark, signed_in })
    }
}

/// Whether the session still counts.
async fn look_up(app: &App, claim: SignedInAs) -> Result<Option<(Reader, Device)>, Problem> {
    // Way 1: the number in the reader's row, which is read anyway. It has grown if the reader has
    // signed out everywhere, or has another password.
    let Some(reader) = app.library.reader(claim.id).await? else { return Ok(None) };
    if reader.epoch != claim.epoch {
        return Ok(None);
    }
    // Way 2: the row in the index. It is gone if this one session was ended, and too old if it has
    // idled for too long.
    let device = app.devices.find(reader.id, &claim.device).await?;
    Ok(device.map(|device| (reader, device)))
}

/// A reader who is signed in. A visitor who is not is sent to the form, and from there back.
/// Django: `login_required`.
pub(crate) struct SignedIn {
    pub visitor: Visitor,
    pub reader: Reader,
    pub device: Device,
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<SignedIn, Problem> {
        let visitor = Visitor::from_request_parts(parts, app).await?;
        let Some((reader, device)) = visitor.signed_in.clone() else {
            return Err(Problem::SignInFirst(address_to_return_to(parts)));
        };
        Ok(SignedIn { visitor, reader, device })
    }
}

/// A librarian who is signed in. Django: `permission_required`.
pub(crate) struct Librarian(pub SignedIn);

impl FromRequestParts<App> for Librarian {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Librarian, Problem> {
        let signed_in = SignedIn::from_request_parts(parts, app).await?;
        match signed_in.reader.is_librarian {
            true => Ok(Librarian(signed_in)),
            false => Err(Problem::LibrariansOnly),
        }
    }
}

/// Where a request comes from.
pub(crate) struct Client {
    pub address: IpAddr,
    /// For example `Firefox on Linux`.
    pub browser: String,
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Client, Problem> {
        // Behind a proxy, this is the proxy's, and all visitors have the same.
        let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = connected.map_or(Ipv4Addr::UNSPECIFIED.into(), |info| info.0.ip());
        let agent = parts.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Ok(Client { address, browser: devices::browser(agent.unwrap_or_default()) })
    }
}
