//! Decoding of listed frames, with a digest of the pixels of each.

mod frame;
mod plan;
mod video;

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};

use crate::lib::columns::{read_bools, read_float64s, read_int64s, read_strings};
use crate::lib::overlap::overlap;
use crate::lib::parts::Parts;
use crate::lib::picture::{content_digest, encode_png, is_image, read, resized};
use crate::lib::video::index;
use frame::{Decoded, Encoded, Frame, SelectedFrames, frame_schema, rows};
use video::Params;

/// Number of rows that are written together.
const ROWS: usize = 16;

/// Runs the stage.
///
/// # Errors
/// Returns an error if a file is not a video or is damaged, or a frame differs in size from the first one of
/// its video.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let videos = job.files("videos")?;
    let paths: HashMap<&str, &Path> =
        videos.names.iter().map(String::as_str).zip(videos.paths.iter().map(|path| path.as_path())).collect();
    let path =
        |file: &str| paths.get(file).copied().ok_or_else(|| anyhow!("no video or image is named `{file}`"));
    let wanted = wanted(job.input("list")?)?;
    let total: usize = wanted.iter().map(|video| video.frames.len()).sum();
    let mut parts = Parts::create(job, "frames", frame_schema())?;
    let mut done = 0;
    for video in &wanted {
        let decode = |give: &mut dyn FnMut(Decoded) -> Result<()>| {
            if is_image(Path::new(&video.frames[0].file)) {
                ensure_no_deflicker(video, params.deflicker)?;
                return images(video, path, params.height, give);
            }
            let file = path(&video.frames[0].file)?;
            video::extract(file, &index(file)?, video, &params, give)
        };
        let workers = (0..job.request.cpus.max(1)).map(|_| {
            |(place, picture): Decoded| {
                let (width, height) = picture.dimensions();
                let (png, digest) = (encode_png(&picture)?, content_digest(&picture));
                Ok(Encoded { place, width, height, png, digest })
            }
        });
        overlap(decode, workers.collect(), ROWS, |frames| {
            done += frames.len();
            parts.write(&rows(video, frames)?)?;
            job.progress(done, total, "frames");
            Ok(())
        })?;
        parts.end()?;
    }
    Ok(())
}

/// Reads the rows of a list, grouped by video.
fn wanted(list: &Path) -> Result<Vec<SelectedFrames>> {
    let table = read_columns(list, &[])?;
    let (ids, videos) = (read_strings(&table, "frame_id")?, read_strings(&table, "video")?);
    let (files, positions) = (read_strings(&table, "file")?, read_int64s(&table, "frame_index")?);
    let (times, damaged) = (read_float64s(&table, "time_s")?, read_bools(&table, "damaged")?);
    let mut wanted: Vec<SelectedFrames> = Vec::new();
    let named = ids.into_iter().zip(files).zip(videos).enumerate();
    for (row, ((id, file), video)) in named {
        if wanted.last().is_none_or(|last| last.video != video) {
            wanted.push(SelectedFrames { video, damaged: damaged[row], frames: Vec::new() });
        }
        if let Some(last) = wanted.last_mut() {
            last.frames.push(Frame { id, file, position: positions[row] as usize, time_s: times[row] });
        }
    }
    // Sorted by key, images of a folder and of its subfolders would alternate.
    for video in &mut wanted {
        video.frames.sort_by_key(|frame| frame.position);
    }
    Ok(wanted)
}

/// Refuses `deflicker` for images. It averages over neighbours, but a frame must depend on its own image only:
/// a changed image recomputes only its own row.
fn ensure_no_deflicker(images: &SelectedFrames, deflicker: u32) -> Result<()> {
    if deflicker < 2 {
        return Ok(());
    }
    Err(user_error(
        format!(
            "deflicker = {deflicker} applies to videos, but the frames of `{}` are image files",
            images.video
        ),
        "set extract_frames.deflicker = 0, or encode the images as a video without loss, e.g. \
         `ffmpeg -framerate 1 -pattern_type glob -i 'FOLDER/*.png' -c:v ffv1 images.mkv`",
    ))
}

/// Passes the images of a folder to `give`.
fn images<'a>(
    wanted: &SelectedFrames,
    path: impl Fn(&str) -> Result<&'a Path>,
    height: u32,
    give: &mut dyn FnMut(Decoded) -> Result<()>,
) -> Result<()> {
    for (place, frame) in wanted.frames.iter().enumerate() {
        let path = path(&frame.file)?;
        let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let picture = read(&bytes, path)?;
        let height = if height == 0 { picture.height() } else { height };
        let width = f64::from(picture.width()) * f64::from(height) / f64::from(picture.height());
        give((place, resized(picture, width.round().max(1.0) as u32, height)?))?;
    }
    Ok(())
}
