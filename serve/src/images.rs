//! Images in cells of tables.

use std::fs;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use callsheet_worker::code::Code;
use callsheet_worker::error::{Error, IoContext, Result};
use serde::Deserialize;

use crate::app::App;
use crate::artifact::Latest;
use crate::image_type::image_type;

/// Largest size of a file that is shown as a picture, in bytes.
const LARGEST: u64 = 64 << 20;

/// Picture in place of bytes that browsers cannot show.
const DAMAGED: &str = include_str!("assets/damaged.svg");

/// Version of the artifact that a page shows.
#[derive(Deserialize)]
pub(crate) struct Version {
    #[serde(default)]
    v: String,
}

/// Answers with an artifact that is an image.
///
/// # Errors
/// Returns an error if the artifact is unknown, it was computed again since the page was made, or it cannot be read.
pub(crate) fn file_image(app: &App, stage: &str, output: &str, version: &Version) -> Result<Response> {
    let artifact = Latest::open(app)?.find(stage, output)?;
    artifact.check_version(&version.v)?;
    if artifact.object.size > LARGEST {
        let message =
            format!("the file has {} bytes, too many for a picture in a page", artifact.object.size);
        return Err(Error::user_error(
            Code::Unsupported,
            message,
            "open the file in data/out with another program",
        ));
    }
    Ok(answer(fs::read(&artifact.path).io_context("cannot read", &*artifact.path)?))
}

/// Answers with an image. For bytes of other types, it is a placeholder.
pub(crate) fn answer(bytes: Vec<u8>) -> Response {
    match image_type(&bytes) {
        // The address contains the version of the artifact, so the image never changes.
        Some(kind) => {
            let kept = (CACHE_CONTROL, "private, max-age=86400, immutable");
            ([(CONTENT_TYPE, kind), kept], bytes).into_response()
        }
        None => (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "image/svg+xml")], DAMAGED).into_response(),
    }
}
