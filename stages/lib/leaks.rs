//! Validation and test images that a network has seen in training.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use callsheet_worker::Job;
use callsheet_worker::table::read_columns;

use crate::lib::columns::read_strings;

/// Warns if images of other splits have the pixels of training images, because measures on these images then
/// describe memory instead of generalization. Tables without digests are not examined.
///
/// # Errors
/// Returns an error if the table of pairs cannot be read.
pub(crate) fn warn_of_copies(job: &Job, pairs: &Path) -> Result<()> {
    let Ok(rows) = read_columns(pairs, &["image_id", "split", "content_digest"]) else { return Ok(()) };
    let (ids, splits) = (read_strings(&rows, "image_id")?, read_strings(&rows, "split")?);
    let digests = read_strings(&rows, "content_digest")?;
    let images = || ids.iter().zip(&splits).zip(&digests);
    let training: HashMap<&str, &str> = images()
        .filter(|((_, split), _)| *split == "train")
        .map(|((id, _), digest)| (digest.as_str(), id.as_str()))
        .collect();
    let copies: Vec<(&str, &str)> = images()
        .filter(|((_, split), _)| *split != "train")
        .filter_map(|((id, _), digest)| Some((id.as_str(), *training.get(digest.as_str())?)))
        .collect();
    if let Some((copy, original)) = copies.first() {
        let count = copies.len();
        job.warn(format!(
            "{count} images that are not in the split `train` have the pixels of training images, such as \
             `{copy}` and `{original}`; exclude them, or measures will be too good"
        ));
    }
    Ok(())
}
