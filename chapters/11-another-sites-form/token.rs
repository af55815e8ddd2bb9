//! The synchronizer token: each form holds a secret of the session, which no other site can read.

use std::array;

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use sessions::{Error, Session};
use subtle::ConstantTimeEq;

const SECRET: &str = "csrf_secret";
/// In bytes: too many to guess.
const LENGTH: usize = 32;

/// The token for the forms of one page. The session's first one makes the secret.
pub fn for_form(session: &Session) -> Result<String, Error> {
    let secret = session.get_or_insert(SECRET, random())?;
    // Another text on each page, for the same secret. A text that is the same on each page can be
    // guessed letter by letter, from how well the page compresses (BREACH).
    let mask = random();
    Ok(hex::encode([mask, xor(mask, secret)].concat()))
}

/// Refuses each form that does not hold the session's token.
pub async fn demand(session: Session, request: Request, next: Next) -> Response {
    if [Method::GET, Method::HEAD, Method::OPTIONS].contains(request.method()) {
        return next.run(request).await;
    }
    // The token is in the body, which can be read only once. The handler gets a copy of it.
    let (parts, body) = request.into_parts();
    let body = Request::from_parts(parts.clone(), body);
    let form = match Bytes::from_request(body, &()).await {
        Ok(form) => form,
        Err(rejection) => return rejection.into_response(),
    };
    match is_token_of(&session, &form) {
        Ok(true) => next.run(Request::from_parts(parts, Body::from(form))).await,
        Ok(false) => {
            let words = "This form is not from a page that we gave you, or from before you signed \
                         in. Nothing was changed. Open our home page and send it from there.";
            (StatusCode::FORBIDDEN, words).into_response()
        }
        Err(error) => error.into_response(),
    }
}

#[derive(Deserialize)]
struct Sent {
    csrf_token: String,
}

fn is_token_of(session: &Session, form: &[u8]) -> Result<bool, Error> {
    let Some(secret) = session.get::<[u8; LENGTH]>(SECRET)? else { return Ok(false) };
    let Ok(Sent { csrf_token }) = serde_urlencoded::from_bytes(form) else { return Ok(false) };
    let (mut mask, mut masked) = ([0; LENGTH], [0; LENGTH]);
    let is_hex = csrf_token.split_at_checked(2 * LENGTH).is_some_and(|(first, second)| {
        hex::decode_to_slice(first, &mut mask).is_ok()
            && hex::decode_to_slice(second, &mut masked).is_ok()
    });
    // With `==`, the time that it takes would tell how many of the first bytes are right.
    Ok(is_hex && xor(mask, masked).ct_eq(&secret).into())
}

fn random() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    bytes
}

fn xor(one: [u8; LENGTH], other: [u8; LENGTH]) -> [u8; LENGTH] {
    array::from_fn(|at| one[at] ^ other[at])
}
