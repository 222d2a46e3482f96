//! Origin of requests that change something: only a page of this server can send them.

use axum::extract::Request;
use axum::http::Method;

use super::request::{header, refused};
use crate::failure::Failure;

/// Header that only scripts of this server's pages send: another site would have to ask for permission, which the server
/// never gives.
pub(crate) const OWN_HEADER: &str = "x-callsheet";

/// Refuses a request that can change something, unless a page of this server sent it as JSON.
pub(super) fn check(request: &Request) -> Result<(), Failure> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let is_own =
        header(request, "sec-fetch-site") == "same-origin" && !header(request, OWN_HEADER).is_empty();
    let is_json = header(request, "content-type")
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim() == "application/json");
    if is_own && is_json {
        return Ok(());
    }
    Err(refused(
        "the request does not come from a page of this server",
        "use the pages of the server in an up-to-date browser",
    ))
}
