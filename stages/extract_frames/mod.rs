//! The frames of a list, decoded, with a digest of their pixels.

use std::path::Path;

use anyhow::{Result, anyhow, ensure};
use arrow::datatypes::DataType;
use callsheet::table::{image_type, read_columns};
use image::RgbImage;
use rayon::prelude::*;
use serde::Deserialize;

use crate::columns::{
    batch, float64s, images, int32s, int64s, read_bools, read_float64s, read_int64s, read_strings, schema,
    strings,
};
use crate::parts::Parts;
use crate::picture::{content_digest, encode_png};
use crate::video::{Decoded, Decoding, Index, decode, index, places};
use crate::worker::{Context, refusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    height: u32,
}

/// Frames encoded together: enough for all threads, few enough for the memory.
const CHUNK: usize = 16;

/// Frames of one video that are wanted, by their position in it.
struct Wanted {
    video: String,
    positions: Vec<usize>,
    times: Vec<f64>,
    damaged: bool,
}

struct Frame {
    row: usize,
    picture: RgbImage,
}

/// Runs the stage.
///
/// # Errors
/// When a file is no video, is damaged, or a frame has another size than the first of it.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let videos = context.files("videos")?;
    let wanted = wanted(context.input("list")?)?;
    let total = wanted.iter().map(|video| video.positions.len()).sum();
    let mut writer =
        Writer { context, parts: Parts::create(context, "frames", frame_schema())?, done: 0, total };
    for video in &wanted {
        let file = videos.names.iter().position(|name| *name == video.video);
        let file = file.ok_or_else(|| anyhow!("no video is named `{}`", video.video))?;
        extract(&params, &videos.paths[file], video, &mut writer)?;
        writer.parts.end()?;
    }
    Ok(())
}

/// The rows of a list, by video.
fn wanted(list: &Path) -> Result<Vec<Wanted>> {
    let rows = read_columns(list, &["video", "frame_index", "time_s", "damaged"])?;
    let (videos, positions) = (read_strings(&rows, "video")?, read_int64s(&rows, "frame_index")?);
    let (times, damaged) = (read_float64s(&rows, "time_s")?, read_bools(&rows, "damaged")?);
    let mut wanted: Vec<Wanted> = Vec::new();
    for (row, video) in videos.into_iter().enumerate() {
        if wanted.last().is_none_or(|last| last.video != video) {
            wanted.push(Wanted { video, positions: Vec::new(), times: Vec::new(), damaged: damaged[row] });
        }
        if let Some(last) = wanted.last_mut() {
            last.positions.push(positions[row] as usize);
            last.times.push(times[row]);
        }
    }
    Ok(wanted)
}

fn extract(params: &Params, path: &Path, wanted: &Wanted, writer: &mut Writer) -> Result<()> {
    let index = index(path)?;
    let skip = wanted.damaged;
    // Without damage, frames can be counted; with it, all are decoded and told apart by time.
    let stride = if skip { 1 } else { common_stride(&wanted.positions).unwrap_or(1) };
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
        let row = position_of(number).and_then(|position| wanted.positions.binary_search(&position).ok());
        number += 1;
        if let Some(row) = row {
            pending.push(Frame { row, picture });
            if pending.len() == CHUNK {
                writer.write(wanted, std::mem::take(&mut pending))?;
            }
        }
        Ok(())
    })?;
    check_sizes(path, &decoded)?;
    match first {
        Some(frames) => ensure!(frames == decoded.frames, "{} was decoded differently twice", path.display()),
        None => check_whole(path, &index, &decoded)?,
    }
    if pending.is_empty() { Ok(()) } else { writer.write(wanted, pending) }
}

/// The step between positions if they start at 0 and lie evenly, so that ffmpeg can select them.
fn common_stride(positions: &[usize]) -> Option<usize> {
    let stride = positions.get(1)?.checked_sub(positions[0])?;
    let even = positions.iter().enumerate().all(|(n, position)| *position == n * stride);
    even.then_some(stride)
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
        "replace the file, or set list_frames.skip_unreadable=true to leave damaged frames out",
    ))
}

struct Writer<'a> {
    context: &'a Context,
    parts: Parts,
    done: usize,
    total: usize,
}

impl Writer<'_> {
    fn write(&mut self, wanted: &Wanted, frames: Vec<Frame>) -> Result<()> {
        let id = |frame: &Frame| format!("{}#{:06}", wanted.video, wanted.positions[frame.row]);
        let ids: Vec<String> = frames.iter().map(id).collect();
        let files: Vec<String> = ids.iter().map(|id| format!("{id}.png")).collect();
        let encoded: Vec<(Vec<u8>, String)> = frames
            .par_iter()
            .map(|f| Ok((encode_png(&f.picture)?, content_digest(&f.picture))))
            .collect::<Result<_>>()?;
        let (pngs, digests): (Vec<_>, Vec<_>) = encoded.into_iter().unzip();
        self.parts.write(&batch(vec![
            ("frame_id", strings(&ids)),
            ("video", strings(ids.iter().map(|_| &wanted.video))),
            ("frame_index", int64s(frames.iter().map(|f| wanted.positions[f.row] as i64))),
            ("time_s", float64s(frames.iter().map(|f| wanted.times[f.row]))),
            ("width", int32s(frames.iter().map(|f| f.picture.width() as i32))),
            ("height", int32s(frames.iter().map(|f| f.picture.height() as i32))),
            ("content_digest", strings(&digests)),
            ("image", images(&pngs, &files)?),
        ])?)?;
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
    fn even_positions_have_a_stride() {
        assert_eq!(common_stride(&[0, 4, 8]), Some(4));
        assert_eq!(common_stride(&[0, 4, 9]), None);
        assert_eq!(common_stride(&[1, 5, 9]), None);
        assert_eq!(common_stride(&[0]), None);
    }
}
