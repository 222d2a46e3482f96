//! Sessions of browsers: a link with a code sets a cookie, and every other request needs the cookie.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{Method, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::request::refused;
use crate::app::{App, LinkProblem};
use crate::failure::Failure;
use crate::pages::opened;

/// Path of links.
pub(crate) const OPEN: &str = "/open";

/// Seconds for which a browser keeps the cookie: a year.
const COOKIE_SECONDS: u64 = 365 * 24 * 3600;

/// Code of a link.
#[derive(Deserialize)]
pub(crate) struct Link {
    #[serde(default)]
    code: String,
}

/// Refuses a request without the cookie.
pub(super) fn check(app: &App, request: &Request) -> Result<(), Failure> {
    let headers = request.headers().get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies =
        headers.flat_map(|header| header.split(';')).filter_map(|cookie| cookie.trim().split_once('='));
    let mut own = cookies.filter(|(name, _)| *name == app.cookie_name());
    if request.uri().path() == OPEN || own.any(|(_, value)| app.secret.is_cookie(value)) {
        return Ok(());
    }
    Err(refused(
        "this browser was not opened with a link of the server",
        "run `callsheet serve --link`, and open the link",
    ))
}

/// Sets the cookie, if the code of the link is valid and was not used before.
pub(crate) async fn open(State(app): State<Arc<App>>, method: Method, Query(link): Query<Link>) -> Response {
    // A program that only looks at the link does not use it up.
    if method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let why = match app.use_code(&link.code) {
        Ok(()) => {
            let (name, value) = (app.cookie_name(), app.secret.cookie());
            let cookie =
                format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={COOKIE_SECONDS}");
            return ([(SET_COOKIE, cookie)], Html(opened().into_string())).into_response();
        }
        Err(LinkProblem::Unknown) => "this link is not one of this server",
        Err(LinkProblem::Used) => "this link was opened before",
        Err(LinkProblem::Old) => "this link is older than an hour, or than the server",
    };
    refused(why, "run `callsheet serve --link`, and open the new link").into_response()
}
