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

/// Type of an image by its first bytes; `None` if browsers cannot show it. Types that can contain scripts are not among them.
pub(crate) fn image_type(bytes: &[u8]) -> Option<&'static str> {
    const TYPES: [(&[u8], &str); 3] =
        [(b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif")];
    let is_webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    let known = TYPES.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, kind)| *kind);
    known.or_else(|| is_webp.then_some("image/webp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_their_first_bytes() {
        assert_eq!(image_type(b"\x89PNG\r\n\x1a\n.."), Some("image/png"));
        assert_eq!(image_type(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(image_type(b"RIFF....WEBPVP8 "), Some("image/webp"));
        for other in [&b"<svg xmlns"[..], b"<html>", b"RIFF....WAVE", b"RIFF", b"BMI,weight", b""] {
            assert_eq!(image_type(other), None, "{other:?}");
        }
    }
}
