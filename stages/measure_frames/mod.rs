//! Measures of each frame by itself, from which quality findings are derived.

mod boxes;
mod exposure;
mod hash;
mod sharpness;

use anyhow::Result;
use arrow::datatypes::{DataType, Schema};
use callsheet_worker::Job;
use callsheet_worker::table::{read_batches, row_count};
use image::{RgbImage, imageops};
use rayon::prelude::*;

use crate::lib::columns::{
    batch, float64s, int32s, int64s, read_float64s, read_images, read_strings, schema, strings, vector,
    vectors,
};
use crate::lib::parts::Parts;
use crate::lib::picture::decode;
use boxes::box_means;
use exposure::Exposure;
use hash::perceptual_hash;
use sharpness::sharpness;

/// Columns and rows of the thumbnail that represents the appearance of a frame.
const THUMBNAIL: (u32, u32) = (16, 8);

/// Number of features: R, G and B of each pixel of the thumbnail.
const FEATURES: usize = (THUMBNAIL.0 * THUMBNAIL.1 * 3) as usize;

/// Measures of a frame.
struct Measures {
    size: (u32, u32),
    sharpness: f64,
    exposure: Exposure,
    hash: u64,
    features: Vec<f32>,
}

impl Measures {
    fn of(picture: &RgbImage) -> Self {
        // `grayscale` computes BT.709 luma.
        let luma = imageops::grayscale(picture);
        Self {
            size: picture.dimensions(),
            sharpness: sharpness(&luma),
            exposure: Exposure::of(picture, &luma),
            hash: perceptual_hash(&luma),
            features: box_means(picture, THUMBNAIL),
        }
    }
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if a frame cannot be decoded.
pub(crate) fn run(job: &Job) -> Result<()> {
    let path = job.input("frames")?;
    let total = row_count(path)? as usize;
    let mut parts = Parts::create(job, "measures", measure_schema())?;
    let mut done = 0;
    let columns = ["frame_id", "video", "time_s", "content_digest", "image"];
    // Each thread has one frame in memory, which takes 27 MB at the paper's size.
    read_batches(path, &columns, rayon::current_num_threads(), |rows| -> Result<()> {
        let ids = read_strings(&rows, "frame_id")?;
        let measures: Vec<Measures> = read_images(&rows, "image")?
            .par_iter()
            .zip(&ids)
            .map(|(bytes, id)| Ok(Measures::of(&decode(bytes, id, path)?)))
            .collect::<Result<_>>()?;
        let exposed = |value: fn(&Exposure) -> f64| float64s(measures.iter().map(|m| value(&m.exposure)));
        parts.write(&batch(vec![
            ("frame_id", strings(&ids)),
            ("video", strings(read_strings(&rows, "video")?)),
            ("time_s", float64s(read_float64s(&rows, "time_s")?)),
            ("width", int32s(measures.iter().map(|m| m.size.0 as i32))),
            ("height", int32s(measures.iter().map(|m| m.size.1 as i32))),
            ("content_digest", strings(read_strings(&rows, "content_digest")?)),
            ("sharpness", float64s(measures.iter().map(|m| m.sharpness))),
            ("luma_mean", exposed(|e| e.luma_mean)),
            ("luma_deviation", exposed(|e| e.luma_deviation)),
            ("black_share", exposed(|e| e.black_share)),
            ("clipped_low_share", exposed(|e| e.clipped_low_share)),
            ("clipped_high_share", exposed(|e| e.clipped_high_share)),
            ("perceptual_hash", int64s(measures.iter().map(|m| m.hash.cast_signed()))),
            ("features", vectors(FEATURES, measures.iter().flat_map(|m| &m.features).copied().collect())?),
        ])?)?;
        done += ids.len();
        job.progress(done, total, "frames");
        Ok(())
    })?;
    parts.end()
}

fn measure_schema() -> Schema {
    schema(&[
        ("frame_id", DataType::Utf8),
        ("video", DataType::Utf8),
        ("time_s", DataType::Float64),
        ("width", DataType::Int32),
        ("height", DataType::Int32),
        ("content_digest", DataType::Utf8),
        ("sharpness", DataType::Float64),
        ("luma_mean", DataType::Float64),
        ("luma_deviation", DataType::Float64),
        ("black_share", DataType::Float64),
        ("clipped_low_share", DataType::Float64),
        ("clipped_high_share", DataType::Float64),
        ("perceptual_hash", DataType::Int64),
        ("features", vector(FEATURES)),
    ])
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn features_are_the_picture_at_16_x_8_pixels() {
        let picture = RgbImage::from_fn(32, 16, |x, y| Rgb([x as u8, y as u8, 9]));
        let features = Measures::of(&picture).features;
        assert_eq!(features.len(), FEATURES);
        assert_eq!(features[..6], [0.5, 0.5, 9.0, 2.5, 0.5, 9.0]);
        assert_eq!(features[FEATURES - 3..], [30.5, 14.5, 9.0]);
    }

    #[test]
    fn a_picture_of_one_pixel_has_finite_measures() {
        let measures = Measures::of(&RgbImage::from_pixel(1, 1, Rgb([10, 20, 30])));
        assert_eq!((measures.sharpness, measures.hash, measures.exposure.luma_deviation), (0.0, 0, 0.0));
        assert_eq!(measures.features[..3], [10.0, 20.0, 30.0]);
        assert!(measures.features.iter().all(|value| value.is_finite()));
    }
}
