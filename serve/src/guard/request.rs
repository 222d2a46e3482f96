//! Headers of a request, and the answer to one that is refused.

use axum::extract::Request;
use axum::http::StatusCode;

use crate::failure::Failure;

/// Returns the text of a header; empty if it is missing or not text.
pub(super) fn header<'r>(request: &'r Request, name: &str) -> &'r str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Answer to a request that the guard refuses.
pub(super) fn refused(why: &str, help: &str) -> Failure {
    Failure::new(StatusCode::FORBIDDEN, why.to_owned(), help.to_owned())
}
