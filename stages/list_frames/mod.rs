//! List of the frames to take from each video.

mod footage;
mod select;

use anyhow::Result;
use arrow::datatypes::DataType;
use callsheet_worker::{Job, user_error};
use serde::Deserialize;

use crate::lib::columns::{batch, bools, float64s, int64s, schema, strings};
use crate::lib::names::warn_of_hidden;
use crate::lib::video::Index;
use footage::Footage;
use select::select;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    candidates: String,
    scene_threshold: f64,
    count: usize,
    every_seconds: f64,
    image_seconds: f64,
    skip_unreadable: bool,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if a file is not a video or has no frame, or if no frame is left.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let files = job.files("videos")?;
    warn_of_hidden(job, &files.names);
    let footage = Footage::of(files, params.image_seconds)?;
    footage.iter().try_for_each(|footage| footage.check(job, params.skip_unreadable))?;
    let mut candidates: Vec<Vec<usize>> =
        footage.iter().map(|footage| candidates(job, footage, &params)).collect::<Result<_>>()?;
    let indexes: Vec<Index> = footage.iter().map(|footage| footage.index.clone()).collect();
    let mut damaged = vec![false; footage.len()];
    let mut unreadable = 0;
    if params.skip_unreadable {
        for (video, footage) in footage.iter().enumerate() {
            if let Some(readable) = footage.readable()? {
                damaged[video] = true;
                unreadable += report_damage(job, footage, readable.len());
                candidates[video].retain(|position| readable.binary_search(position).is_ok());
            }
            job.progress(video + 1, indexes.len(), "videos");
        }
    }
    let selected = select(&indexes, candidates, params.count, params.every_seconds);
    if selected.iter().all(Vec::is_empty) {
        return Err(user_error("no frame can be decoded", "check the videos"));
    }
    let mut table = job.table(
        "list",
        schema(&[
            ("frame_id", DataType::Utf8),
            ("video", DataType::Utf8),
            ("file", DataType::Utf8),
            ("frame_index", DataType::Int64),
            ("time_s", DataType::Float64),
            ("damaged", DataType::Boolean),
        ]),
    )?;
    for ((footage, positions), damaged) in footage.iter().zip(&selected).zip(damaged) {
        let (ids, files): (Vec<String>, Vec<&str>) =
            positions.iter().map(|position| footage.frame(*position)).unzip();
        table.write(&batch(vec![
            ("frame_id", strings(ids)),
            ("video", strings(positions.iter().map(|_| &footage.name))),
            ("file", strings(files)),
            ("frame_index", int64s(positions.iter().map(|position| *position as i64))),
            ("time_s", float64s(positions.iter().map(|position| footage.index.times[*position]))),
            ("damaged", bools(positions.iter().map(|_| damaged))),
        ])?)?;
    }
    table.note("unreadable_frames", unreadable.to_string());
    Ok(table.finish()?)
}

/// Warns of frames that cannot be decoded, and returns their number.
fn report_damage(job: &Job, footage: &Footage, readable: usize) -> usize {
    let total = footage.index.times.len();
    let (name, lost) = (&footage.name, total - readable);
    job.warn(match lost {
        0 => format!("`{name}` is damaged, but all {total} frames that it still contains can be decoded"),
        _ => format!(
            "`{name}` is damaged: {lost} of the {total} frames that it still contains cannot be decoded without error \
             and are left out"
        ),
    });
    lost
}

/// Returns the positions of the frames to select from.
fn candidates(job: &Job, footage: &Footage, params: &Params) -> Result<Vec<usize>> {
    match params.candidates.as_str() {
        "key_frames" => footage.key_frames(),
        "scene_changes" => footage.scene_changes(job, params.scene_threshold),
        _ => Ok((0..footage.index.times.len()).collect()),
    }
}
