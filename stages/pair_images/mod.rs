//! Pairs of images: B a crop of a panorama, A the same crop of the temporally smoothed panorama.

mod smooth;

use std::collections::VecDeque;
use std::path::Path;

use anyhow::Result;
use arrow::datatypes::DataType;
use callsheet::table::{TableWriter, image_type, read_batches, read_columns};
use image::RgbImage;
use rand::RngCore;
use rayon::prelude::*;
use serde::Deserialize;

use crate::columns::{
    batch, bools, float64s, images, int32s, read_float64s, read_images, read_int32s, read_strings, schema,
    strings,
};
use crate::nn::generator::SIDE_MULTIPLE;
use crate::picture::{auto_crops, content_digest, decode, encode_png, square_crop};
use crate::random::stream;
use crate::worker::{Context, refusal};
use smooth::median;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    crops: u32,
    side: u32,
    window: usize,
    val_fraction: f64,
    max_style_images: usize,
    seed: i64,
}

/// A frame cut into its crops.
struct Cut {
    /// Where it is in the table.
    row: usize,
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
    let chosen = choose(path, &params)?;
    let total = chosen.len();
    let mut table = context.table("pairs", pair_schema())?;
    let mut window = Window { cuts: VecDeque::new(), at: 0, half: params.window / 2 };
    let (mut counts, mut done) = ([0usize; 2], 0);
    let mut write = |cuts: &VecDeque<Cut>, at: usize| -> Result<()> {
        let split = split(&cuts[at].frame_id, params.val_fraction);
        counts[usize::from(split == "val")] += 1;
        write_pairs(&mut table, cuts, at, split, &chosen[cuts[at].row])?;
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

impl Params {
    /// Crops of a frame.
    fn crops(&self, width: u32, height: u32) -> u32 {
        if self.crops == 0 { auto_crops(width, height) } else { self.crops }
    }
}

/// Of every frame, whether each crop is among the images whose style is looked at: those of validation
/// frames, and of the others at most so many, chosen by a hash of their ids, so that new images displace few.
fn choose(path: &Path, params: &Params) -> Result<Vec<Vec<bool>>> {
    let rows = read_columns(path, &["frame_id", "width", "height"])?;
    let ids = read_strings(&rows, "frame_id")?;
    let sizes = read_int32s(&rows, "width")?.into_iter().zip(read_int32s(&rows, "height")?);
    let crops: Vec<u32> = sizes.map(|(width, height)| params.crops(width as u32, height as u32)).collect();
    let mut chosen: Vec<Vec<bool>> = crops.iter().map(|crops| vec![true; *crops as usize]).collect();
    let training = (0..ids.len()).filter(|row| split(&ids[*row], params.val_fraction) == "train");
    let mut training: Vec<(u64, usize, u32)> = training
        .flat_map(|row| (0..crops[row]).map(move |crop| (row, crop)))
        .map(|(row, crop)| (stream(params.seed, &image_id(&ids[row], crop), 0).next_u64(), row, crop))
        .collect();
    training.sort_unstable();
    training
        .iter()
        .skip(params.max_style_images)
        .for_each(|(_, row, crop)| chosen[*row][*crop as usize] = false);
    Ok(chosen)
}

fn image_id(frame_id: &str, crop: u32) -> String {
    format!("{frame_id}/c{crop}")
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
    let (mut size, mut done) = (None, 0);
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
            let count = params.crops(width, height);
            let crops = (0..count).into_par_iter().map(|c| square_crop(&picture, c, count, params.side));
            let crops = crops.collect::<Result<_>>().map_err(|error| {
                refusal(format!("{error:#}"), "set pair_images.crops lower, or to 0 for as many as fit")
            })?;
            each(Cut { row: done, frame_id, video, time_s, crops })?;
            done += 1;
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

/// A picture's file, and the digest of its pixels.
type Encoded = (Vec<u8>, String);

fn write_pairs(
    table: &mut TableWriter,
    window: &VecDeque<Cut>,
    at: usize,
    split: &str,
    chosen: &[bool],
) -> Result<()> {
    let cut = &window[at];
    let count = cut.crops.len();
    let encoded: Vec<(Encoded, Encoded)> = (0..count)
        .into_par_iter()
        .map(|crop| {
            let neighbours: Vec<&RgbImage> = window.iter().map(|cut| &cut.crops[crop]).collect();
            let (a, b) = (median(&neighbours), &cut.crops[crop]);
            Ok(((encode_png(&a)?, content_digest(&a)), (encode_png(b)?, content_digest(b))))
        })
        .collect::<Result<_>>()?;
    let ids: Vec<String> = (0..count).map(|crop| image_id(&cut.frame_id, crop as u32)).collect();
    let names = |half: &str| ids.iter().map(|id| format!("{id}.{half}.png")).collect::<Vec<_>>();
    let (a, b): (Vec<_>, Vec<_>) = encoded.into_iter().unzip();
    let (a, a_digests): (Vec<_>, Vec<_>) = a.into_iter().unzip();
    let (b, digests): (Vec<_>, Vec<_>) = b.into_iter().unzip();
    table.write(&batch(vec![
        ("image_id", strings(&ids)),
        ("frame_id", strings(ids.iter().map(|_| cut.frame_id.as_str()))),
        ("crop", int32s(0..count as i32)),
        ("split", strings(ids.iter().map(|_| split))),
        ("time_s", float64s(ids.iter().map(|_| cut.time_s))),
        ("for_style", bools(chosen.iter().copied())),
        ("content_digest", strings(&digests)),
        ("a_digest", strings(&a_digests)),
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
        ("for_style", DataType::Boolean),
        ("content_digest", DataType::Utf8),
        ("a_digest", DataType::Utf8),
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
