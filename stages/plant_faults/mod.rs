//! Video with planted faults.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use arrow::record_batch::RecordBatch;
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
    let faults = Faults::plant(&name, count, params.faults, params.seed);
    if faults.is_empty() {
        return Err(user_error(
            format!("`{}` has {count} frames of {name}; a fault needs 12", path.display()),
            "extract more frames of it",
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
        return Err(user_error(problem, format!("set the parameter `video`: {}", suggest(wanted, known))));
    };
    Ok(((*name).to_owned(), videos.iter().filter(|video| video.as_str() == *name).count()))
}

/// Encodes the frames of the video `name`, in the order of the table and with their faults.
fn encode(job: &Job, path: &Path, name: &str, faults: &Faults, (count, rate): (usize, u32)) -> Result<()> {
    let mut film: Option<Film> = None;
    let mut at = 0;
    let read = read_batches(path, &COLUMNS, rayon::current_num_threads(), |rows| -> Result<()> {
        let pictures = pictures(&rows, name, path)?;
        let frames: Vec<usize> = (at..at + pictures.len()).collect();
        at += pictures.len();
        let film = match (&mut film, pictures.first()) {
            (Some(film), _) => film,
            (none, Some((_, first))) => none.insert(Film::begin(job, first.dimensions(), rate)?),
            (None, None) => return Ok(()),
        };
        let shown: Vec<RgbImage> = pictures
            .into_iter()
            .zip(&frames)
            .map(|(picture, at)| film.shown(picture, *at, faults))
            .collect::<Result<_>>()?;
        let faulty: Vec<RgbImage> =
            shown.into_par_iter().zip(&frames).map(|(picture, at)| faults.apply(*at, picture)).collect();
        faulty.iter().try_for_each(|picture| film.encoder.frame(picture.as_raw()))?;
        job.progress(at, count, "frames");
        Ok(())
    });
    // If ffmpeg has ended, it has the reason.
    film.map_or(Ok(()), |film| film.encoder.finish()).and(read)
}

/// Columns of the table of frames.
const COLUMNS: [&str; 3] = ["frame_id", "video", "image"];

/// Keys and pictures of those rows that are frames of the video `name`.
fn pictures(rows: &RecordBatch, name: &str, path: &Path) -> Result<Vec<(String, RgbImage)>> {
    let (ids, videos) = (read_strings(rows, "frame_id")?, read_strings(rows, "video")?);
    let images = ids.into_iter().zip(read_images(rows, "image")?).zip(&videos);
    let images: Vec<(String, &[u8])> =
        images.filter(|(_, video)| *video == name).map(|(image, _)| image).collect();
    let decoded = images.into_par_iter().map(|(id, bytes)| {
        let picture = even(&decode(bytes, &id, path)?, &id)?;
        Ok((id, picture))
    });
    decoded.collect()
}

/// Video that is being encoded.
struct Film {
    encoder: Encoder,
    size: (u32, u32),
    /// The picture that a frozen sequence repeats.
    kept: Option<RgbImage>,
}

impl Film {
    fn begin(job: &Job, size: (u32, u32), rate: u32) -> Result<Self> {
        Ok(Self {
            encoder: Encoder::create(job.output("video")?, Format::Mp4, size, rate)?,
            size,
            kept: None,
        })
    }

    /// Picture that frame `at` shows before its fault.
    ///
    /// # Errors
    /// Returns an error if the frame has another size than the first one.
    fn shown(&mut self, (id, picture): (String, RgbImage), at: usize, faults: &Faults) -> Result<RgbImage> {
        let [(width, height), (wide, high)] = [picture.dimensions(), self.size];
        if (width, height) != (wide, high) {
            return Err(user_error(
                format!("frame {id} has {width}x{height} pixels, the first has {wide}x{high}"),
                "set the parameter `height` of extract_frames, so that all frames have one size",
            ));
        }
        if faults.source(at + 1) == at {
            self.kept = Some(picture.clone());
        }
        let repeated = self.kept.as_ref().filter(|_| faults.source(at) != at);
        Ok(repeated.cloned().unwrap_or(picture))
    }
}

/// Picture without its last column or row if their number is odd, as H.264 requires.
fn even(picture: &RgbImage, id: &str) -> Result<RgbImage> {
    let (width, height) = picture.dimensions();
    if width < 2 || height < 2 {
        return Err(user_error(
            format!("frame {id} has {width}x{height} pixels"),
            "use frames of at least 2x2 pixels",
        ));
    }
    Ok(imageops::crop_imm(picture, 0, 0, width & !1, height & !1).to_image())
}
