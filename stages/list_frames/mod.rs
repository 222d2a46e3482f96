//! Which frames of which video are taken.

mod select;

use std::path::Path;

use anyhow::Result;
use arrow::datatypes::DataType;
use serde::Deserialize;

use crate::columns::{batch, bools, float64s, int64s, schema, strings};
use crate::video::{Decoding, Index, decode, index, places};
use crate::worker::{Context, refusal};
use select::select;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    count: usize,
    every_seconds: f64,
    skip_unreadable: bool,
}

/// Runs the stage.
///
/// # Errors
/// When a file is no video or has no frame, or no frame is left.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let videos = context.files("videos")?;
    let indexes = videos.paths.iter().map(|path| index(path)).collect::<Result<Vec<Index>>>()?;
    let mut selected = select(&indexes, params.count, params.every_seconds);
    let mut damaged = vec![false; indexes.len()];
    let mut unreadable = 0;
    if params.skip_unreadable {
        for (video, path) in videos.paths.iter().enumerate() {
            let readable = readable(path, &indexes[video])?;
            let lost = indexes[video].times.len() - readable.len();
            damaged[video] = lost > 0;
            unreadable += lost;
            selected[video].retain(|position| readable.binary_search(position).is_ok());
            context.progress(video + 1, indexes.len(), "videos");
        }
    }
    if unreadable > 0 {
        context.warn(format!(
            "{unreadable} frames of the videos are unreadable and were left out of the choice"
        ));
    }
    if selected.iter().all(Vec::is_empty) {
        return Err(refusal("no frame was readable", "check the videos"));
    }
    let mut table = context.table(
        "list",
        schema(&[
            ("frame_id", DataType::Utf8),
            ("video", DataType::Utf8),
            ("frame_index", DataType::Int64),
            ("time_s", DataType::Float64),
            ("damaged", DataType::Boolean),
        ]),
    )?;
    for (video, positions) in selected.iter().enumerate() {
        let name = &videos.names[video];
        table.write(&batch(vec![
            ("frame_id", strings(positions.iter().map(|position| format!("{name}#{position:06}")))),
            ("video", strings(positions.iter().map(|_| name))),
            ("frame_index", int64s(positions.iter().map(|position| *position as i64))),
            ("time_s", float64s(positions.iter().map(|position| indexes[video].times[*position]))),
            ("damaged", bools(positions.iter().map(|_| damaged[video]))),
        ])?)?;
    }
    table.note("unreadable_frames", unreadable.to_string());
    Ok(table.finish()?)
}

/// Positions of the frames that can be decoded, ascending.
fn readable(path: &Path, index: &Index) -> Result<Vec<usize>> {
    let how = Decoding { stride: 1, height: 16, skip_damaged: true };
    let decoded = decode(path, &how, |_| Ok(()))?;
    let mut positions: Vec<usize> = places(&index.times, &decoded.frames).into_iter().flatten().collect();
    positions.sort_unstable();
    Ok(positions)
}
