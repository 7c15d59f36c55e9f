//! Refused requests as problem documents.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::api::Problem;
use crate::{Code, Error};

/// Why a request is not answered with what it asked for.
#[derive(Debug)]
pub(crate) struct Refusal {
    code: Code,
    detail: String,
}

impl Refusal {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

/// The HTTP status of a code.
fn status(code: Code) -> StatusCode {
    match code {
        Code::SETTING | Code::ENDPOINT | Code::BAD_REQUEST | Code::CHAOS_REQUEST => {
            StatusCode::BAD_REQUEST
        }
        Code::FOREIGN_HOST | Code::FOREIGN_ORIGIN => StatusCode::FORBIDDEN,
        Code::NOT_JSON_REQUEST => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::NO_SUCH_TASK | Code::NO_SUCH_WORKER | Code::NO_ROUTE => StatusCode::NOT_FOUND,
        Code::ID_TAKEN
        | Code::NO_RESULT
        | Code::HAS_RESULT
        | Code::WORKER_PRESENT
        | Code::NOT_CONNECTED
        | Code::NOT_MOVABLE
        | Code::FOREIGN_PLACE
        | Code::NOTHING_TO_RELOAD
        | Code::CHAOS_LISTEN
        | Code::CHAOS_IN_USE => StatusCode::CONFLICT,
        Code::TOO_LARGE | Code::REQUEST_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
        // More handlers than the coordinator takes stays so until it is restarted.
        Code::TOO_MANY_HANDLERS | Code::NOT_RELOADED => StatusCode::UNPROCESSABLE_ENTITY,
        Code::STOPPING
        | Code::STORE_IO
        | Code::STORE_FULL
        | Code::STORE_READ_ONLY
        | Code::STORE_STALLED
        | Code::BUSY => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        document(status(self.code), self.code, self.detail)
    }
}

fn document(status: StatusCode, code: Code, detail: String) -> Response {
    let title = status.canonical_reason().unwrap_or("Error");
    let problem = Problem::new(status.as_u16(), title, code, detail);
    // Strings and a number are always JSON.
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    (status, [(CONTENT_TYPE, Problem::MEDIA_TYPE)], body).into_response()
}

/// A segment of the path, if it is text.
pub(super) fn segment(path: Result<Path<String>, PathRejection>) -> Result<String, Refusal> {
    let Path(segment) = path.map_err(|error| Refusal::new(Code::BAD_REQUEST, error.body_text()))?;
    Ok(segment)
}

pub(super) async fn no_route(uri: Uri) -> Refusal {
    Refusal::new(Code::NO_ROUTE, format!("there is no {}", uri.path()))
}

pub(super) async fn no_method(method: Method, uri: Uri) -> Response {
    let detail = format!("{} does not take {method}", uri.path());
    document(StatusCode::METHOD_NOT_ALLOWED, Code::NO_ROUTE, detail)
}
