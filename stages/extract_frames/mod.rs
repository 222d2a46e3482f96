//! Frames of videos, selected by count or time step, with their source index and time.

mod select;

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, ensure};
use arrow::datatypes::DataType;
use callsheet::table::{TableWriter, image_type};
use image::RgbImage;
use rayon::prelude::*;
use serde::Deserialize;

use crate::columns::{batch, float64s, images, int32s, int64s, schema, strings};
use crate::picture::{content_digest, encode_png};
use crate::video::{Decoded, Decoding, Index, decode, index};
use crate::worker::{Context, refusal};
use select::{common_stride, select};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    count: usize,
    every_seconds: f64,
    height: u32,
    skip_unreadable: bool,
}

/// Frames encoded together: enough for all threads, few enough for the memory.
const CHUNK: usize = 16;

struct Frame {
    position: usize,
    picture: RgbImage,
}

/// Runs the stage.
///
/// # Errors
/// When a file is no video, has no frame, is damaged, or a frame has another size than the first.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let videos = context.files("videos")?;
    let indexes = videos.paths.iter().map(|path| index(path)).collect::<Result<Vec<Index>>>()?;
    let selected = select(&indexes, params.count, params.every_seconds);
    let total = selected.iter().map(Vec::len).sum();
    let mut writer = Writer { context, table: None, size: None, done: 0, total };
    let mut unreadable = 0;
    for ((path, name), (index, positions)) in
        videos.paths.iter().zip(&videos.names).zip(indexes.iter().zip(&selected))
    {
        unreadable += extract(&params, path, name, index, positions, &mut writer)?;
    }
    if unreadable > 0 {
        context.warn(format!(
            "{unreadable} frames of the videos are unreadable and were left out of the choice"
        ));
    }
    let mut table =
        writer.table.take().ok_or_else(|| refusal("no frame was readable", "check the videos"))?;
    table.note("unreadable_frames", unreadable.to_string());
    Ok(table.finish()?)
}

/// Extracts `positions` of one video; returns how many of its frames were unreadable.
fn extract(
    params: &Params,
    path: &Path,
    name: &str,
    index: &Index,
    positions: &[usize],
    writer: &mut Writer,
) -> Result<usize> {
    let skip = params.skip_unreadable;
    // Without damage, frames can be counted; with it, all are decoded and told apart by time.
    let stride = if skip { 1 } else { common_stride(positions).unwrap_or(1) };
    let how = Decoding { stride, height: params.height, skip_damaged: skip };
    // Which frames survive is known only when the log of a whole decoding has been read.
    let first = if skip { Some(decode(path, &how, |_| Ok(()))?.frames) } else { None };
    let survivors = first.as_ref().map(|frames| places(&index.times, frames));
    let position_of = |number: usize| match &survivors {
        Some(positions) => positions.get(number).copied().flatten(),
        None => Some(number * stride),
    };
    let mut pending: Vec<Frame> = Vec::new();
    let mut number = 0;
    let decoded = decode(path, &how, |picture| {
        let position = position_of(number).filter(|position| positions.binary_search(position).is_ok());
        number += 1;
        if let Some(position) = position {
            pending.push(Frame { position, picture });
            if pending.len() == CHUNK {
                writer.write(name, index, std::mem::take(&mut pending))?;
            }
        }
        Ok(())
    })?;
    check_sizes(path, &decoded)?;
    match first {
        Some(frames) => ensure!(frames == decoded.frames, "{} was decoded differently twice", path.display()),
        None => check_whole(path, index, &decoded)?,
    }
    if !pending.is_empty() {
        writer.write(name, index, pending)?;
    }
    Ok(survivors.map_or(0, |positions| index.times.len() - positions.iter().flatten().count()))
}

/// The position of every decoded frame by its time; none for a second one at a position.
fn places(times: &[f64], frames: &[(f64, (u32, u32))]) -> Vec<Option<usize>> {
    let mut taken = BTreeSet::new();
    let positions = frames.iter().map(|(time, _)| nearest(times, *time));
    positions.map(|position| taken.insert(position).then_some(position)).collect()
}

fn check_sizes(path: &Path, decoded: &Decoded) -> Result<()> {
    let Some((_, first)) = decoded.frames.first() else { return Ok(()) };
    let Some(other) = decoded.frames.iter().position(|(_, size)| size != first) else { return Ok(()) };
    let (time, size) = decoded.frames[other];
    Err(refusal(
        format!(
            "{}: frame {other} (at {time:.3} s) is {}x{}, the first is {}x{}",
            path.display(),
            size.0,
            size.1,
            first.0,
            first.1
        ),
        "split the video where its size changes, or scale it to one size",
    ))
}

fn check_whole(path: &Path, index: &Index, decoded: &Decoded) -> Result<()> {
    let (promised, came) = (index.times.len(), decoded.frames.len());
    if decoded.success && decoded.errors.is_empty() && came >= promised {
        return Ok(());
    }
    let said = decoded.errors.first().map(|e| format!("; ffmpeg says `{e}`")).unwrap_or_default();
    Err(refusal(
        format!("{} is damaged: {came} of {promised} frames could be decoded{said}", path.display()),
        "replace the file, or set extract_frames.skip_unreadable=true to leave damaged frames out",
    ))
}

/// Position of the time closest to `time`.
fn nearest(times: &[f64], time: f64) -> usize {
    let after = times.partition_point(|t| *t < time);
    let before = after.saturating_sub(1);
    let distance = |i: usize| times.get(i).map_or(f64::INFINITY, |t| (t - time).abs());
    if distance(after) < distance(before) { after } else { before }
}

struct Writer<'a> {
    context: &'a Context,
    table: Option<TableWriter>,
    size: Option<(u32, u32)>,
    done: usize,
    total: usize,
}

impl Writer<'_> {
    fn write(&mut self, video: &str, index: &Index, frames: Vec<Frame>) -> Result<()> {
        for frame in &frames {
            let size = frame.picture.dimensions();
            let first = *self.size.get_or_insert(size);
            if size != first {
                return Err(refusal(
                    format!(
                        "{video} is {}x{}, the videos before it are {}x{}",
                        size.0, size.1, first.0, first.1
                    ),
                    "give all videos of a dataset one size (`ffmpeg -i IN -vf scale=W:H OUT`)",
                ));
            }
        }
        let ids: Vec<String> = frames.iter().map(|f| format!("{video}#{:06}", f.position)).collect();
        let files: Vec<String> = ids.iter().map(|id| format!("{id}.png")).collect();
        let encoded: Vec<(Vec<u8>, String)> = frames
            .par_iter()
            .map(|f| Ok((encode_png(&f.picture)?, content_digest(&f.picture))))
            .collect::<Result<_>>()?;
        let (pngs, digests): (Vec<_>, Vec<_>) = encoded.into_iter().unzip();
        let rows = batch(vec![
            ("frame_id", strings(&ids)),
            ("video", strings(ids.iter().map(|_| video))),
            ("frame_index", int64s(frames.iter().map(|f| f.position as i64))),
            ("time_s", float64s(frames.iter().map(|f| index.times[f.position]))),
            ("width", int32s(frames.iter().map(|f| f.picture.width() as i32))),
            ("height", int32s(frames.iter().map(|f| f.picture.height() as i32))),
            ("content_digest", strings(&digests)),
            ("image", images(&pngs, &files)?),
        ])?;
        if self.table.is_none() {
            self.table = Some(self.context.table("frames", frame_schema())?);
        }
        if let Some(table) = &mut self.table {
            table.write(&rows)?;
        }
        self.done += frames.len();
        self.context.progress(self.done, self.total, "frames");
        Ok(())
    }
}

fn frame_schema() -> arrow::datatypes::Schema {
    schema(&[
        ("frame_id", DataType::Utf8),
        ("video", DataType::Utf8),
        ("frame_index", DataType::Int64),
        ("time_s", DataType::Float64),
        ("width", DataType::Int32),
        ("height", DataType::Int32),
        ("content_digest", DataType::Utf8),
        ("image", image_type()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_frame_at_a_position_has_no_place() {
        let frames = [0.0, 0.1, 2.0].map(|time| (time, (64, 32)));
        assert_eq!(places(&[0.0, 1.0, 2.0], &frames), [Some(0), None, Some(2)]);
    }
}
