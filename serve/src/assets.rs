//! Styles, scripts and icons of the pages.

use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::failure::Failure;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// Name, type and content of each file.
const ASSETS: [(&str, &str, &str); 6] = [
    ("report.css", STYLE, callsheet::report::STYLE),
    ("serve.css", STYLE, include_str!("assets/serve.css")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    ("run.js", SCRIPT, include_str!("assets/run.js")),
    ("log.js", SCRIPT, include_str!("assets/log.js")),
    ("follow.js", SCRIPT, include_str!("assets/follow.js")),
];

/// Answers with a file.
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => ([(CONTENT_TYPE, *kind)], *text).into_response(),
        None => Failure::not_found(format!("the pages have no file {name:?}"), String::new()).into_response(),
    }
}
