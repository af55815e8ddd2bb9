//! axum's extractors of what visitors send, with words for visitors when that does not fit.

use std::{error::Error, iter};

use axum::{
    extract::{
        self, FromRequest, FromRequestParts, Request,
        rejection::{FormRejection, PathRejection, QueryRejection},
    },
    http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use tower_http::timeout::TimeoutError;

/// A form: [`axum::Form`], except that what does not fit is a page for visitors, and that the
/// media type may be in capitals, as RFC 9110 section 8.3.1 allows.
///
/// ```
/// use site::Form;
///
/// #[derive(serde::Deserialize)]
/// struct CarForm {
///     my_car: String,
/// }
///
/// async fn set_car(Form(form): Form<CarForm>) -> String {
///     form.my_car
/// }
/// # axum::routing::post::<_, _, ()>(set_car);
/// ```
///
/// # Errors
///
/// | status | when |
/// |---|---|
/// | 400 | the body broke off; or it is a GET request, whose form is its query, and does not fit |
/// | 408 | the body was not there in time, see [`BODY_TIME`](crate::BODY_TIME) |
/// | 413 | the body is longer than [`BODY_LIMIT`](crate::BODY_LIMIT) |
/// | 415 | the body is no `application/x-www-form-urlencoded` |
/// | 422 | a field is missing, or its value does not fit `T` |
///
/// A handler that has a page of its own for them takes `Result<Form<T>, site::Rejection>`.
#[derive(Clone, Copy, Debug)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Form<T> {
    type Rejection = Rejection;

    async fn from_request(mut request: Request, state: &S) -> Result<Form<T>, Rejection> {
        lower_media_type(request.headers_mut());
        let axum::Form(form) = axum::Form::from_request(request, state).await?;
        Ok(Form(form))
    }
}

/// axum looks for the name in small letters only.
fn lower_media_type(headers: &mut HeaderMap) {
    if let Some(media_type) = headers.get_mut(CONTENT_TYPE) {
        let small = media_type.as_bytes().to_ascii_lowercase();
        *media_type = HeaderValue::from_bytes(&small).expect("small letters are as valid");
    }
}

/// Parts of the path: [`axum::extract::Path`], except that one that does not fit is a 404 page.
///
/// `/books/many` is then an unknown address, as with `<int:pk>` in Django.
///
/// # Errors
///
/// 404 if the path does not fit `T`; 500 if no path of this route would.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, Rejection> {
        let extract::Path(path) = extract::Path::from_request_parts(parts, state).await?;
        Ok(Path(path))
    }
}

/// The query: [`axum::extract::Query`], except that one that does not fit is a page for visitors.
///
/// # Errors
///
/// 400 if the query does not fit `T`.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, Rejection> {
        let extract::Query(query) = extract::Query::from_request_parts(parts, state).await?;
        Ok(Query(query))
    }
}

/// What a visitor sent does not fit.
///
/// As a response it is a bare status, from which [`with_look`](crate::with_look) makes a page. The
/// cause is for developers: it is in the log, at the level `debug`, or `error` if it is the
/// server's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection(StatusCode);

impl Rejection {
    /// Which status to answer with: see the errors of [`Form`], [`Path`] and [`Query`].
    pub fn status(self) -> StatusCode {
        self.0
    }

    fn because(status: StatusCode, cause: &dyn Error) -> Rejection {
        // With `?`, what a visitor typed cannot start a line of its own in the log.
        let cause = cause.to_string();
        if status.is_server_error() {
            tracing::error!(?cause, "a handler asks for what its route does not have");
        } else {
            tracing::debug!(%status, ?cause, "what a visitor sent does not fit");
        }
        Rejection(status)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.0.into_response()
    }
}

impl From<FormRejection> for Rejection {
    fn from(cause: FormRejection) -> Rejection {
        let mut causes = iter::successors(cause.source(), |&cause| cause.source());
        let is_late = causes.any(|cause| cause.is::<TimeoutError>());
        let status = if is_late { StatusCode::REQUEST_TIMEOUT } else { cause.status() };
        Rejection::because(status, &cause)
    }
}

impl From<PathRejection> for Rejection {
    fn from(cause: PathRejection) -> Rejection {
        let is_visitors = cause.status().is_client_error();
        let status = if is_visitors { StatusCode::NOT_FOUND } else { cause.status() };
        Rejection::because(status, &cause)
    }
}

impl From<QueryRejection> for Rejection {
    fn from(cause: QueryRejection) -> Rejection {
        Rejection::because(cause.status(), &cause)
    }
}
