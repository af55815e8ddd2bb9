//! What readers do with their own account: end sessions from outside, one or all, and change the
//! password.

use std::time::Duration;

use askama::Template;
use askama_web::WebTemplate;
use axum::{
    extract::{FromRequestParts, State},
    http::{StatusCode, header::RETRY_AFTER, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use catalog::Reader;
use serde::Deserialize;
use site::{Form, Path, Query};

use crate::{
    App, Problem, SLOWED_DOWN, begin,
    devices::Device,
    next::{Next, address_to_return_to, within_this_site},
    passwords,
    visitor::{Client, SignedIn, Visitor},
};

/// In characters, as NIST SP 800-63B asks for at least.
const SHORTEST: usize = 8;

pub async fn list_devices(
    SignedIn { visitor, reader, device }: SignedIn,
    State(app): State<App>,
) -> Result<DeviceList, Problem> {
    let devices = app.devices.of(reader.id).await?;
    Ok(DeviceList { visitor, devices, this: device.id })
}

/// Takes one row out of the index. The session counts no more, wherever it is kept.
pub async fn end_device(
    SignedIn { reader, .. }: SignedIn,
    Path(id): Path<String>,
    State(app): State<App>,
) -> Result<Redirect, Problem> {
    app.devices.end(reader.id, &id).await?;
    tracing::info!(reader = reader.id, "signed out on one device");
    Ok(Redirect::to("/devices"))
}

/// Raises the number in the reader's row. No session that carries the old one counts any more.
pub async fn sign_out_everywhere(
    SignedIn { visitor, reader, .. }: SignedIn,
    State(app): State<App>,
) -> Result<Redirect, Problem> {
    app.library.next_epoch(reader.id).await?;
    // Only to tidy up: these rows are good for nothing now.
    app.devices.end_all(reader.id).await?;
    visitor.session.flush().await?;
    tracing::info!(reader = reader.id, "signed out everywhere");
    Ok(Redirect::to("/"))
}

pub async fn show_password_form(Confirmed(signed_in): Confirmed) -> PasswordForm {
    PasswordForm { visitor: signed_in.visitor, problem: None }
}

pub async fn change_password(
    Confirmed(SignedIn { visitor, reader, device }): Confirmed,
    client: Client,
    State(app): State<App>,
    Form(form): Form<NewPassword>,
) -> Result<Response, Problem> {
    let problem = if form.password.chars().count() < SHORTEST {
        Some(TOO_SHORT)
    } else {
        (form.password != form.again).then_some(NOT_THE_SAME)
    };
    if problem.is_some() {
        let form = PasswordForm { visitor, problem };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, form).into_response());
    }
    let hash = passwords::hash(form.password).await;
    // The new hash comes with a new epoch, so all sessions end. This one begins again.
    // Django: `update_session_auth_hash()`.
    let Some(epoch) = app.library.set_password(reader.id, &hash).await? else {
        return Err(Problem::SignInFirst("/".to_owned()));
    };
    app.devices.end_all(reader.id).await?;
    let reader = Reader { epoch, ..reader };
    begin(&app, &visitor.session, &reader, &client, device.is_remembered).await?;
    tracing::info!(reader = reader.id, "password changed");
    Ok(Redirect::to("/devices").into_response())
}

const TOO_SHORT: &str = "Nothing was changed: a password has 8 characters at least.";
const NOT_THE_SAME: &str = "Nothing was changed: the two passwords are not the same.";

pub async fn ask_password(
    SignedIn { visitor, .. }: SignedIn,
    Query(Next { next }): Query<Next>,
) -> ConfirmForm {
    ConfirmForm { visitor, next: within_this_site(&next), problem: None }
}

pub async fn confirm(
    SignedIn { visitor, reader, device }: SignedIn,
    client: Client,
    State(app): State<App>,
    Form(form): Form<Confirmation>,
) -> Result<Response, Problem> {
    let next = within_this_site(&form.next);
    // Counted with the attempts to sign in: someone at a reader's open browser guesses no faster.
    if let Err(wait) = app.attempts.count(&reader.name, client.address) {
        return Ok(slowed_down(wait, ConfirmForm { visitor, next, problem: Some(SLOWED_DOWN) }));
    }
    let found = app.library.credentials(&reader.name).await?;
    if !passwords::is_right(form.password, found.map(|found| found.password_hash)).await {
        tracing::info!(reader = reader.id, "password not confirmed");
        let form = ConfirmForm { visitor, next, problem: Some("This is not your password.") };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, form).into_response());
    }
    app.devices.confirm(&device.id).await?;
    Ok(Redirect::to(&next).into_response())
}

/// The form again, and when it is worth another try.
pub fn slowed_down(wait: Duration, form: impl IntoResponse) -> Response {
    let seconds = wait.as_secs() + 1;
    (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, seconds.to_string())], form).into_response()
}

/// A reader who has given the password within the last minutes. An open browser must not be enough
/// to take the account over. GitHub calls this sudo mode.
pub(crate) struct Confirmed(SignedIn);

impl FromRequestParts<App> for Confirmed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Confirmed, Problem> {
        let signed_in = SignedIn::from_request_parts(parts, app).await?;
        match signed_in.device.is_confirmed() {
            true => Ok(Confirmed(signed_in)),
            false => Err(Problem::ConfirmFirst(address_to_return_to(parts))),
        }
    }
}

#[derive(Deserialize)]
pub struct NewPassword {
    password: String,
    again: String,
}

#[derive(Deserialize)]
pub struct Confirmation {
    password: String,
    next: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "devices.html")]
pub struct DeviceList {
    visitor: Visitor,
    devices: Vec<Device>,
    /// The one that this page is shown on.
    this: String,
}

#[derive(Template, WebTemplate)]
#[template(path = "password.html")]
pub struct PasswordForm {
    visitor: Visitor,
    problem: Option<&'static str>,
}

#[derive(Template, WebTemplate)]
#[template(path = "confirm.html")]
pub struct ConfirmForm {
    visitor: Visitor,
    next: String,
    problem: Option<&'static str>,
}
