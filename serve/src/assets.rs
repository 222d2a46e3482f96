//! Styles, scripts and icons of the pages.

use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::failure::Failure;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

/// A script in `assets/`: its name, type and content.
macro_rules! script {
    ($name:literal) => {
        ($name, SCRIPT, include_str!(concat!("assets/", $name)))
    };
}

/// Name, type and content of each file.
const ASSETS: [(&str, &str, &str); 31] = [
    ("report.css", STYLE, callsheet::report::STYLE),
    ("serve.css", STYLE, include_str!("assets/serve.css")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
    script!("run.js"),
    script!("overview.js"),
    script!("log.js"),
    script!("follow.js"),
    script!("ui.js"),
    script!("vendor/preact.mjs"),
    script!("vendor/htm.mjs"),
    script!("vendor/signals-core.mjs"),
    script!("data/main.js"),
    script!("data/state.js"),
    script!("data/conditions.js"),
    script!("data/server.js"),
    script!("data/windows.js"),
    script!("data/scroll.js"),
    script!("data/keys.js"),
    script!("data/grid.js"),
    script!("data/rows.js"),
    script!("data/histograms.js"),
    script!("data/detail.js"),
    script!("data/others.js"),
    script!("data/tools.js"),
    script!("data/verdicts.js"),
    script!("data/marks.js"),
    script!("data/impact.js"),
    script!("data/conflict.js"),
    script!("data/points.js"),
    script!("data/lasso.js"),
    script!("data/scatter.js"),
];

/// Answers with a file.
pub(crate) async fn asset(Path(name): Path<String>) -> Response {
    match ASSETS.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, text)) => ([(CONTENT_TYPE, *kind)], *text).into_response(),
        None => Failure::not_found(format!("the pages have no file {name:?}"), String::new()).into_response(),
    }
}
