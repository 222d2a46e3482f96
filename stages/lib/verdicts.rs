//! Verdicts of curators on frames and images.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use callsheet_worker::curation::{Verdict, read};
use callsheet_worker::error::{list, suggest};
use callsheet_worker::{Job, user_error};

/// Returns the frames that the stage's verdicts exclude, or the images if images are used as frames.
///
/// # Errors
/// Returns an error in the cases of [`verdicts`].
pub(crate) fn excluded(job: &Job, known: &BTreeSet<&str>) -> Result<BTreeSet<String>> {
    let excluded = verdicts(job, known)?.into_iter().filter(|(_, verdict)| *verdict == Verdict::Exclude);
    Ok(excluded.map(|(id, _)| id).collect())
}

/// Returns the verdicts on frames, or on images if images are used as frames.
///
/// A verdict on a frame that is not selected causes a warning, because another profile may select fewer
/// frames. A verdict on an unknown video is an error.
///
/// # Errors
/// Returns an error if the file is malformed, or names a frame of an unknown video.
pub(crate) fn verdicts(job: &Job, known: &BTreeSet<&str>) -> Result<BTreeMap<String, Verdict>> {
    let mut verdicts = BTreeMap::new();
    for path in job.request.inputs.get("curation").iter().flat_map(|files| &files.paths) {
        let lines = read(path)?;
        if let Some(warning) = absent(path, lines.iter().map(|line| line.key.as_str()), known)? {
            job.warn(warning);
        }
        verdicts.extend(lines.into_iter().map(|line| (line.key, line.verdict)));
    }
    Ok(verdicts)
}

/// Warning about verdicts on frames that are not in the table.
fn absent<'a>(
    path: &Path,
    ids: impl Iterator<Item = &'a str>,
    known: &BTreeSet<&str>,
) -> Result<Option<String>> {
    let videos: BTreeSet<&str> = known.iter().map(|id| video(id)).collect();
    let absent: Vec<&str> = ids.filter(|id| !known.contains(id)).collect();
    // Images have no video, so an image that is not selected cannot be distinguished from one that never
    // existed.
    let images = known.iter().any(|id| !id.contains('#'));
    let frame = |id: &str| match id.contains('#') {
        true => videos.contains(video(id)) && well_formed(id),
        false => images,
    };
    if let Some(id) = absent.iter().find(|id| !frame(id)) {
        return Err(user_error(
            format!("`{}` has a verdict on `{id}`, which is not a frame", path.display()),
            suggest(id, known.iter().copied()),
        ));
    }
    Ok((!absent.is_empty()).then(|| {
        format!(
            "{} verdicts refer to frames that are not selected: {}",
            absent.len(),
            list(absent.iter().copied())
        )
    }))
}

/// Video of a frame: `a.mp4` of `a.mp4#000123`.
fn video(frame_id: &str) -> &str {
    frame_id.rsplit_once('#').map_or(frame_id, |(video, _)| video)
}

/// Returns true if an id ends like the id of a frame.
fn well_formed(frame_id: &str) -> bool {
    let index = frame_id.rsplit_once('#').map(|(_, index)| index);
    index.is_none_or(|index| index.len() >= 6 && index.bytes().all(|digit| digit.is_ascii_digit()))
}
