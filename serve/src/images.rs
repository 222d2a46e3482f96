//! Images in cells of tables.

use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use callsheet_worker::digest::Digest;
use callsheet_worker::error::{IoContext, Result};
use callsheet_worker::table::Cells;

use crate::app::App;
use crate::artifact::Artifact;

/// Number of columns that stay open.
const OPEN: usize = 8;

/// Picture in place of bytes that browsers cannot show.
const DAMAGED: &str = include_str!("assets/damaged.svg");

/// Columns of images that were read last, by the digest of their table and their name.
#[derive(Default)]
pub(crate) struct OpenColumns(Mutex<Vec<(Digest, String, Arc<Cells>)>>);

impl OpenColumns {
    fn get(&self, artifact: &Artifact, column: &str) -> Result<Arc<Cells>> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_meant = |(digest, name, _): &(Digest, String, Arc<Cells>)| {
            *digest == artifact.object.bytes && name == column
        };
        if let Some(at) = open.iter().position(is_meant) {
            let found = open.remove(at);
            open.push(found);
        } else {
            let cells = Arc::new(Cells::open(&artifact.path, column)?);
            open.push((artifact.object.bytes, column.to_owned(), cells));
            if open.len() > OPEN {
                open.remove(0);
            }
        }
        Ok(open.last().expect("it was added").2.clone())
    }
}

/// Answers with the image in a row of a column. Bytes of other types get a picture that says so.
///
/// # Errors
/// Returns an error if there is no such table, column or row, or the part of the file with the row is damaged.
pub(crate) fn image(app: &App, (stage, output): (&str, &str), column: &str, row: u64) -> Result<Response> {
    let artifact = Artifact::find(app, stage, output)?;
    let bytes = app.columns.get(&artifact, column)?.get(row)?.unwrap_or_default();
    Ok(answer(bytes))
}

fn answer(bytes: Vec<u8>) -> Response {
    // The address contains the digest of the artifact, so the image never changes.
    let kept = (CACHE_CONTROL, "private, max-age=86400, immutable");
    match image_type(&bytes) {
        Some(kind) => ([(CONTENT_TYPE, kind), kept], bytes).into_response(),
        None => (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "image/svg+xml"), kept], DAMAGED).into_response(),
    }
}

/// Answers with an artifact that is an image.
///
/// # Errors
/// Returns an error if there is no such artifact, or it cannot be read.
pub(crate) fn file_image(app: &App, stage: &str, output: &str) -> Result<Response> {
    let path = Artifact::find(app, stage, output)?.path;
    Ok(answer(fs::read(&path).io_context("cannot read", &*path)?))
}

/// Type of an image by its first bytes; `None` if browsers cannot show it. Types that can contain scripts are not among them.
pub(crate) fn image_type(bytes: &[u8]) -> Option<&'static str> {
    const TYPES: [(&[u8], &str); 4] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"BM", "image/bmp"),
    ];
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
        for other in [&b"<svg xmlns"[..], b"<html>", b"RIFF....WAVE", b"RIFF", b""] {
            assert_eq!(image_type(other), None, "{other:?}");
        }
    }
}
