//! Video with planted faults.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use callsheet_worker::error::suggest;
use callsheet_worker::table::{read_batches, read_columns};
use callsheet_worker::{Job, user_error};
use image::{RgbImage, imageops};
use rayon::prelude::*;
use serde::Deserialize;

use crate::lib::columns::{read_images, read_strings};
use crate::lib::faults::Faults;
use crate::lib::picture::decode;
use crate::lib::video::{Encoder, Format};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    video: String,
    faults: usize,
    rate: u32,
    seed: i64,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if a frame cannot be read, frames differ in size, the video has too few frames or is not
/// named, or ffmpeg fails.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let path = job.input("frames")?;
    let (name, count) = chosen(path, &params.video)?;
    let faults = Faults::plant(count, params.faults, params.seed);
    if faults.is_empty() {
        return Err(user_error(
            format!("`{}` has {count} frames of {name}; a fault needs 12", path.display()),
            "extract more frames (list_frames.count)",
        ));
    }
    encode(job, path, &name, &faults, (count, params.rate))?;
    faults.write(job)
}

/// Name of the video whose frames get faults, and the number of its frames.
fn chosen(path: &Path, wanted: &str) -> Result<(String, usize)> {
    let videos = read_strings(&read_columns(path, &["video"])?, "video")?;
    let known: BTreeSet<&str> = videos.iter().map(String::as_str).collect();
    let only = known.first().filter(|_| wanted.is_empty() && known.len() == 1);
    let Some(name) = only.or_else(|| known.get(wanted)) else {
        let problem = if wanted.is_empty() {
            format!("`{}` has frames of {} videos", path.display(), known.len())
        } else {
            format!("`{}` has no frame of a video `{wanted}`", path.display())
        };
        return Err(user_error(problem, format!("set plant_faults.video: {}", suggest(wanted, known))));
    };
    Ok(((*name).to_owned(), videos.iter().filter(|video| video.as_str() == *name).count()))
}

/// Encodes the frames of the video `name`, in the order of the table and with their faults.
fn encode(job: &Job, path: &Path, name: &str, faults: &Faults, (count, rate): (usize, u32)) -> Result<()> {
    let mut encoder: Option<(Encoder, (u32, u32))> = None;
    let mut at = 0;
    // The picture that a frozen video repeats.
    let mut kept: Option<RgbImage> = None;
    read_batches(
        path,
        &["frame_id", "video", "image"],
        rayon::current_num_threads(),
        |rows| -> Result<()> {
            let (ids, videos) = (read_strings(&rows, "frame_id")?, read_strings(&rows, "video")?);
            let images = ids.iter().zip(read_images(&rows, "image")?).zip(&videos);
            let images: Vec<(&String, &[u8])> =
                images.filter(|(_, video)| *video == name).map(|(image, _)| image).collect();
            let pictures: Vec<RgbImage> = images
                .par_iter()
                .map(|(id, bytes)| even(&decode(bytes, id, path)?, id))
                .collect::<Result<_>>()?;
            let mut shown = Vec::with_capacity(pictures.len());
            for (picture, frame) in pictures.into_iter().zip(at..) {
                let picture = match faults.source(frame) {
                    source if source == frame => kept.insert(picture),
                    _ => kept.as_mut().context("a frozen frame without one before it")?,
                };
                shown.push(picture.clone());
            }
            let faulty: Vec<RgbImage> = shown
                .into_par_iter()
                .zip(at..at + images.len())
                .map(|(picture, n)| faults.apply(n, picture))
                .collect();
            at += faulty.len();
            for ((id, _), picture) in images.into_iter().zip(faulty) {
                let size = picture.dimensions();
                let (encoder, first) = match &mut encoder {
                    Some(started) => started,
                    none => {
                        none.insert((Encoder::create(job.output("video")?, Format::Mp4, size, rate)?, size))
                    }
                };
                if size != *first {
                    return Err(user_error(
                        format!(
                            "frame {id} has {}x{} pixels, the first has {}x{}",
                            size.0, size.1, first.0, first.1
                        ),
                        "set extract_frames.height, so that all frames have one size",
                    ));
                }
                // The encoder has the reason of a failure.
                let _ = encoder.frame(picture.as_raw());
            }
            job.progress(at, count, "frames");
            Ok(())
        },
    )?;
    encoder.map_or(Ok(()), |(encoder, _)| encoder.finish())
}

/// Picture without its last column or row if their number is odd, as H.264 requires.
fn even(picture: &RgbImage, id: &str) -> Result<RgbImage> {
    let [width, height] = [picture.width() & !1, picture.height() & !1];
    ensure!(width > 0 && height > 0, "frame {id} has only {}x{} pixels", picture.width(), picture.height());
    Ok(imageops::crop_imm(picture, 0, 0, width, height).to_image())
}
