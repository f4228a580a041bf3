//! How the API says that something was not done: a status, and `{"code": …, "field": …, "message": …}`.

use std::time::Duration;

use axum::Json;
use axum::http::header::{CONNECTION, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::admin::{AdminError, Code};

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refused {
    pub status: StatusCode,
    body: Value,
    wait: Option<Duration>,
}

impl Refused {
    pub fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            body: json!({ "code": code, "message": message.into() }),
            wait: None,
        }
    }

    /// Says when to come again.
    pub fn after(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    pub fn nothing_here() -> Self {
        let why = "there is nothing here; see /api/v1/openapi.json";
        Self::new(StatusCode::NOT_FOUND, "not_found", why)
    }

    pub fn wrong_method() -> Self {
        let why = "commands are POST, everything else is GET";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", why)
    }

    pub fn too_many(wait: Duration) -> Self {
        let why = "too many requests, or too many wrong tokens";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", why).after(wait)
    }

    pub fn no_token() -> Self {
        let why = "say `Authorization: Bearer TOKEN`, with one that is not over and not revoked";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", why)
    }

    pub fn too_large(most: u64) -> Self {
        let why = format!("a body is at most {most} bytes long");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", why)
    }

    pub fn too_slow() -> Self {
        let why = "the request did not come to its end in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", why)
    }
}

impl From<AdminError> for Refused {
    fn from(error: AdminError) -> Self {
        let wait = matches!(error.code, Code::Busy).then_some(Duration::from_secs(1));
        Self {
            status: status(error.code),
            body: json!(error),
            wait,
        }
    }
}

/// The status of an error; the document names the same ones.
pub(super) fn status(code: Code) -> StatusCode {
    match code {
        Code::BadArgument => StatusCode::BAD_REQUEST,
        Code::Denied => StatusCode::FORBIDDEN,
        Code::UnknownCommand | Code::NotFound => StatusCode::NOT_FOUND,
        Code::Exists => StatusCode::CONFLICT,
        Code::Busy | Code::NotRunning => StatusCode::SERVICE_UNAVAILABLE,
        Code::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        let headers = response.headers_mut();
        if let Some(wait) = self.wait {
            let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(
            self.status,
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT
        ) {
            // What is left of the body is not read.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
