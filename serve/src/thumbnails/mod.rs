//! Thumbnails of the images in a column, many in one answer.

mod cache;
mod shrink;

use callsheet_worker::error::Result;
use rayon::prelude::*;

use crate::view::View;
use shrink::shrink;

pub(crate) use cache::ThumbnailCache;

/// Length that stands for an image that cannot be shown. A missing image has the length 0.
const DAMAGED: u32 = u32::MAX;

/// Returns the thumbnails of these rows: for each its length in four bytes, the lowest first,
/// and its bytes.
///
/// # Errors
/// Returns an error if the table has no such column of images.
pub(crate) fn pack(cache: &ThumbnailCache, table: &View, column: &str, rows: &[u32]) -> Result<Vec<u8>> {
    let images = table.images(column)?;
    let thumbnail = |row: &u32| match images.get(*row) {
        Ok(None) => Some(Vec::new()),
        Ok(Some(bytes)) => thumbnail(cache, &bytes),
        Err(_) => None,
    };
    let thumbnails: Vec<Option<Vec<u8>>> = rows.par_iter().map(thumbnail).collect();
    let part = |thumbnail: Option<Vec<u8>>| match thumbnail {
        Some(bytes) => [&(bytes.len() as u32).to_le_bytes(), &bytes[..]].concat(),
        None => DAMAGED.to_le_bytes().to_vec(),
    };
    Ok(thumbnails.into_iter().flat_map(part).collect())
}

fn thumbnail(cache: &ThumbnailCache, image: &[u8]) -> Option<Vec<u8>> {
    let digest = *blake3::hash(image).as_bytes();
    if let Some(kept) = cache.get(&digest) {
        return Some(kept);
    }
    let made = shrink(image)?;
    // Images that stay as they are need no copy.
    if made != image {
        cache.put(digest, &made);
    }
    Some(made)
}
