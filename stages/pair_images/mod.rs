//! Pairs of images: B a crop of a panorama, A the same crop of the temporally smoothed panorama.

mod smooth;

use std::collections::VecDeque;
use std::path::Path;

use anyhow::Result;
use arrow::datatypes::DataType;
use callsheet::table::{TableWriter, image_type, read_batches};
use image::RgbImage;
use rayon::prelude::*;
use serde::Deserialize;

use crate::columns::{
    batch, float64s, images, int32s, read_float64s, read_images, read_strings, schema, strings,
};
use crate::nn::generator::SIDE_MULTIPLE;
use crate::picture::{auto_crops, content_digest, decode, encode_png, square_crop};
use crate::worker::{Context, refusal};
use smooth::median;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    crops: u32,
    side: u32,
    window: usize,
    val_fraction: f64,
}

/// A frame cut into its crops.
struct Cut {
    frame_id: String,
    video: String,
    time_s: f64,
    crops: Vec<RgbImage>,
}

/// Runs the stage.
///
/// # Errors
/// When a frame is unreadable or of another size than the first, or a split would be empty.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    check(&params)?;
    let path = context.input("frames")?;
    let total = callsheet::table::row_count(path)? as usize;
    let mut table = context.table("pairs", pair_schema())?;
    let mut window = Window { cuts: VecDeque::new(), at: 0, half: params.window / 2 };
    let (mut counts, mut done) = ([0usize; 2], 0);
    let mut write = |cuts: &VecDeque<Cut>, at: usize| -> Result<()> {
        let split = split(&cuts[at].frame_id, params.val_fraction);
        counts[usize::from(split == "val")] += 1;
        write_pairs(&mut table, cuts, at, split)?;
        done += 1;
        context.progress(done, total, "frames");
        Ok(())
    };
    read_cuts(path, &params, |cut| {
        if window.cuts.back().is_some_and(|last| last.video != cut.video) {
            window.finish(&mut write)?;
        }
        window.push(cut, &mut write)
    })?;
    window.finish(&mut write)?;
    for (split, count) in ["train", "val"].into_iter().zip(counts) {
        if count == 0 {
            return Err(refusal(
                format!(
                    "no frame of {total} fell into the split `{split}` at val_fraction = {}",
                    params.val_fraction
                ),
                "use more frames, or another val_fraction",
            ));
        }
    }
    Ok(table.finish()?)
}

fn check(params: &Params) -> Result<()> {
    if params.window.is_multiple_of(2) {
        return Err(refusal(
            format!("window = {} has no frame in its middle", params.window),
            "set pair_images.window to an odd number",
        ));
    }
    if !params.side.is_multiple_of(SIDE_MULTIPLE as u32) {
        return Err(refusal(
            format!("side = {} cannot be halved as often as the generator does", params.side),
            format!("set pair_images.side to a multiple of {SIDE_MULTIPLE}"),
        ));
    }
    Ok(())
}

/// The frames around the one at `at`, of one video; cut off at both its ends.
struct Window {
    cuts: VecDeque<Cut>,
    at: usize,
    half: usize,
}

impl Window {
    /// Takes the next frame; `write` is given a frame once all around it are there.
    fn push(&mut self, cut: Cut, write: impl FnMut(&VecDeque<Cut>, usize) -> Result<()>) -> Result<()> {
        self.cuts.push_back(cut);
        if self.cuts.len() > self.at + self.half { self.advance(write) } else { Ok(()) }
    }

    /// Ends the video.
    fn finish(&mut self, mut write: impl FnMut(&VecDeque<Cut>, usize) -> Result<()>) -> Result<()> {
        while self.at < self.cuts.len() {
            self.advance(&mut write)?;
        }
        self.cuts.clear();
        self.at = 0;
        Ok(())
    }

    fn advance(&mut self, mut write: impl FnMut(&VecDeque<Cut>, usize) -> Result<()>) -> Result<()> {
        write(&self.cuts, self.at)?;
        if self.at == self.half {
            self.cuts.pop_front();
        } else {
            self.at += 1;
        }
        Ok(())
    }
}

fn read_cuts(path: &Path, params: &Params, mut each: impl FnMut(Cut) -> Result<()>) -> Result<()> {
    let mut size = None;
    read_batches(path, &["frame_id", "video", "time_s", "image"], 8, |rows| -> Result<()> {
        let videos = read_strings(&rows, "video")?;
        let (ids, times) = (read_strings(&rows, "frame_id")?, read_float64s(&rows, "time_s")?);
        let pictures: Vec<RgbImage> = read_images(&rows, "image")?
            .par_iter()
            .zip(&ids)
            .map(|(bytes, id)| decode(bytes, id, path))
            .collect::<Result<_>>()?;
        for (((frame_id, video), time_s), picture) in ids.into_iter().zip(videos).zip(times).zip(pictures) {
            let (width, height) = picture.dimensions();
            let wanted = *size.get_or_insert((width, height));
            if wanted != (width, height) {
                return Err(refusal(
                    format!("frame {frame_id} is {width}x{height}, the first is {}x{}", wanted.0, wanted.1),
                    "give all frames of a dataset one size",
                ));
            }
            let count = if params.crops == 0 { auto_crops(width, height) } else { params.crops };
            let crops = (0..count).into_par_iter().map(|c| square_crop(&picture, c, count, params.side));
            let crops = crops.collect::<Result<_>>().map_err(|error| {
                refusal(format!("{error:#}"), "set pair_images.crops lower, or to 0 for as many as fit")
            })?;
            each(Cut { frame_id, video, time_s, crops })?;
        }
        Ok(())
    })
}

/// The split of a frame, by a hash of its id: adding frames moves none.
fn split(frame_id: &str, val_fraction: f64) -> &'static str {
    let hash = blake3::hash(frame_id.as_bytes());
    let (head, _) = hash.as_bytes().split_at(8);
    let draw = head.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)) as f64 / 2f64.powi(64);
    if draw < val_fraction { "val" } else { "train" }
}

fn write_pairs(table: &mut TableWriter, window: &VecDeque<Cut>, at: usize, split: &str) -> Result<()> {
    let cut = &window[at];
    let count = cut.crops.len();
    let encoded: Vec<(Vec<u8>, Vec<u8>, String)> = (0..count)
        .into_par_iter()
        .map(|crop| {
            let neighbours: Vec<&RgbImage> = window.iter().map(|cut| &cut.crops[crop]).collect();
            let b = &cut.crops[crop];
            Ok((encode_png(&median(&neighbours))?, encode_png(b)?, content_digest(b)))
        })
        .collect::<Result<_>>()?;
    let ids: Vec<String> = (0..count).map(|crop| format!("{}/c{crop}", cut.frame_id)).collect();
    let names = |half: &str| ids.iter().map(|id| format!("{id}.{half}.png")).collect::<Vec<_>>();
    let (a, rest): (Vec<_>, Vec<_>) = encoded.into_iter().map(|(a, b, digest)| (a, (b, digest))).unzip();
    let (b, digests): (Vec<_>, Vec<_>) = rest.into_iter().unzip();
    table.write(&batch(vec![
        ("image_id", strings(&ids)),
        ("frame_id", strings(ids.iter().map(|_| cut.frame_id.as_str()))),
        ("crop", int32s(0..count as i32)),
        ("split", strings(ids.iter().map(|_| split))),
        ("time_s", float64s(ids.iter().map(|_| cut.time_s))),
        ("content_digest", strings(&digests)),
        ("a", images(&a, &names("a"))?),
        ("b", images(&b, &names("b"))?),
    ])?)?;
    Ok(())
}

fn pair_schema() -> arrow::datatypes::Schema {
    schema(&[
        ("image_id", DataType::Utf8),
        ("frame_id", DataType::Utf8),
        ("crop", DataType::Int32),
        ("split", DataType::Utf8),
        ("time_s", DataType::Float64),
        ("content_digest", DataType::Utf8),
        ("a", image_type()),
        ("b", image_type()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_depends_on_the_frame_alone_and_hits_its_share() {
        let ids: Vec<String> = (0..10_000).map(|i| format!("a.mp4#{i:06}")).collect();
        let val = ids.iter().filter(|id| split(id, 0.2) == "val").count();
        assert!((1_850..2_150).contains(&val), "{val} of 10,000");
        assert!(ids.iter().all(|id| split(id, 0.0) == "train" && split(id, 1.0) == "val"));
    }
}
