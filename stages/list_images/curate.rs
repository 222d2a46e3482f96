//! Verdicts of curators.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use callsheet::curation::{Verdict, read};
use callsheet::error::{list, suggest};

use super::Frame;
use crate::worker::refusal;

/// Removes the frames that are excluded; returns what a curator should know.
///
/// A verdict on a frame that is not taken, as another profile may take fewer, is let through with a
/// warning; one on a video that there is not is a slip.
///
/// # Errors
/// When the file is malformed, or names a frame of no video.
pub fn leave_out(path: &Path, frames: &mut Vec<Frame>) -> Result<Option<String>> {
    let lines = read(path)?;
    let known: BTreeSet<&str> = frames.iter().map(|frame| frame.id.as_str()).collect();
    let videos: BTreeSet<&str> = known.iter().map(|id| video(id)).collect();
    let absent: Vec<&str> =
        lines.iter().map(|line| line.frame_id.as_str()).filter(|id| !known.contains(id)).collect();
    let numbered = known.iter().any(|id| id.contains('#'));
    let frame = |id: &str| videos.contains(video(id)) && (id.contains('#') == numbered) && well_formed(id);
    if let Some(id) = absent.iter().find(|id| !frame(id)) {
        return Err(refusal(
            format!("{} has a verdict on `{id}`, which is no frame", path.display()),
            suggest(id, known.iter().copied()),
        ));
    }
    let warning = (!absent.is_empty()).then(|| {
        format!(
            "{} verdicts are on frames that are not taken: {}",
            absent.len(),
            list(absent.iter().copied())
        )
    });
    let excluded: BTreeSet<&str> = lines
        .iter()
        .filter(|line| line.verdict == Verdict::Exclude)
        .map(|line| line.frame_id.as_str())
        .collect();
    frames.retain(|frame| !excluded.contains(frame.id.as_str()));
    Ok(warning)
}

/// The video of a frame: `a.mp4` of `a.mp4#000123`.
fn video(frame_id: &str) -> &str {
    frame_id.rsplit_once('#').map_or(frame_id, |(video, _)| video)
}

/// Whether an id ends as those of frames do.
fn well_formed(frame_id: &str) -> bool {
    let index = frame_id.rsplit_once('#').map(|(_, index)| index);
    index.is_none_or(|index| index.len() >= 6 && index.bytes().all(|digit| digit.is_ascii_digit()))
}
