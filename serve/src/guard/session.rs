//! Sessions of browsers: a link with a code sets a cookie, and every other request needs the cookie.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::{header, refused};
use crate::app::App;
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
    let cookies = header(request, COOKIE.as_str());
    let own = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
    let own = own.filter(|(name, _)| *name == app.cookie_name());
    if request.uri().path() == OPEN || own.into_iter().any(|(_, value)| app.secret.is_cookie(value)) {
        return Ok(());
    }
    Err(refused(
        "this browser was not opened with a link of the server",
        "run `callsheet serve --link`, and open the link",
    ))
}

/// Sets the cookie, if the code of the link is valid and was not used before.
pub(crate) async fn open(State(app): State<Arc<App>>, Query(link): Query<Link>) -> Response {
    if !app.use_code(&link.code) {
        let why = "this link was used before, or is older than an hour";
        return refused(why, "run `callsheet serve --link`, and open the new link").into_response();
    }
    let (name, value) = (app.cookie_name(), app.secret.cookie());
    let cookie = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={COOKIE_SECONDS}");
    ([(SET_COOKIE, cookie)], Html(opened().into_string())).into_response()
}
