//! Comparison of decoded frames with those that the container declares.

use std::path::Path;

use anyhow::Result;
use callsheet_worker::user_error;

use super::{Decoded, Index, SAME_TIME, shown_part};

/// Returns the damage of a video in a few words. `declared` has the times of the frames that were to be decoded.
/// Frames are identified by their number, so a frame that the decoder left out would shift all later ones.
pub(crate) fn damage(
    index: &Index,
    declared: impl ExactSizeIterator<Item = f64>,
    decoded: &Decoded,
) -> Option<String> {
    if let Some(damage) = &index.damage {
        return Some(damage.clone());
    }
    if let Some(complaint) = decoded.damage() {
        return Some(format!("ffmpeg reports `{complaint}`"));
    }
    let (came, promised) = (decoded.frames.len(), declared.len());
    if came < promised || (index.numbered && came > promised) {
        return Some(format!("{came} frames can be decoded, but the container declares {promised}"));
    }
    let mut pairs = declared.zip(&decoded.frames);
    let (declared, (time, _)) = pairs.find(|(declared, (time, _))| (declared - time).abs() >= SAME_TIME)?;
    Some(format!("a frame was decoded at {time:.3} s, but the container declares it at {declared:.3} s"))
}

/// Returns the damage of a video whose frames were all to be decoded. Errors that do not concern the frames that an
/// edit list shows are not damage.
///
/// # Errors
/// Returns an error if ffmpeg cannot be started.
pub(crate) fn damage_of_shown(path: &Path, index: &Index, decoded: &Decoded) -> Result<Option<String>> {
    let damage = damage(index, index.times.iter().copied(), decoded);
    Ok(if damage.is_some() && shown_part(path, index, decoded)?.is_some() { None } else { damage })
}

/// Error for a damaged video.
pub(crate) fn damaged(path: &Path, damage: &str) -> anyhow::Error {
    user_error(
        format!("`{}` is damaged: {damage}", path.display()),
        "replace the file, or set list_frames.skip_unreadable = true to leave damaged frames out",
    )
}
