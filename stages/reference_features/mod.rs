//! Simple features of every style image B, with which style codes are compared.

use anyhow::Result;
use arrow::datatypes::DataType;
use callsheet_worker::Job;
use image::RgbImage;
use serde::Deserialize;
use tch::{Kind, no_grad};

use crate::lib::columns::{batch, schema, strings, vector, vectors};
use crate::lib::data::values;
use crate::lib::nn::compute::Precision;
use crate::lib::nn::vgg::{CHANNELS, Vgg};
use crate::lib::parts::Parts;
use crate::lib::picture::resized;
use crate::lib::style_images::{each_style_image, vgg_input};

/// Bins of each channel in a colour histogram.
const BINS: usize = 8;

/// Side in pixels to which images are reduced before their pixels are compared.
const SIDE: u32 = 32;

/// Columns of the table and the lengths of their vectors.
const COLUMNS: [(&str, usize); 3] = [
    ("vgg_means", 64 + 128 + 256 + 512 + 512),
    ("histogram", BINS.pow(3)),
    ("pixels", 3 * (SIDE * SIDE) as usize),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    max_side: u32,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if an image cannot be read or is too small, or the weights are not those of a VGG-16.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let mut columns = vec![("image_id", DataType::Utf8)];
    columns.extend(COLUMNS.map(|(name, length)| (name, vector(length))));
    let mut parts = Parts::create(job, "features", schema(&columns))?;
    each_style_image(job, params.max_side, Precision::Fp32, features, |images| {
        let mut columns = vec![("image_id", strings(images.iter().map(|(id, _)| id)))];
        for (n, (name, length)) in COLUMNS.into_iter().enumerate() {
            let values = images.iter().flat_map(|(_, features)| &features[n]).copied().collect();
            columns.push((name, vectors(length, values)?));
        }
        parts.write(&batch(columns)?)
    })?;
    parts.end()
}

/// Vectors of an image in the order of [`COLUMNS`].
fn features(vgg: &Vgg, picture: &RgbImage, id: &str) -> Result<[Vec<f32>; 3]> {
    let pixels = resized(picture.clone(), SIDE, SIDE)?.into_raw().into_iter().map(f32::from).collect();
    Ok([vgg_means(vgg, picture, id)?, histogram(picture), pixels])
}

fn vgg_means(vgg: &Vgg, picture: &RgbImage, id: &str) -> Result<Vec<f32>> {
    let image = vgg_input(picture, id)?;
    let mut means = Vec::with_capacity(CHANNELS.len());
    let mean = |tap: &tch::Tensor| values::<f32>(&tap.mean_dim([2i64, 3].as_slice(), false, Kind::Float));
    no_grad(|| vgg.each_tap(&image, |tap| means.push(mean(tap))));
    Ok(means.into_iter().collect::<Result<Vec<_>>>()?.concat())
}

fn histogram(picture: &RgbImage) -> Vec<f32> {
    let mut counts = vec![0u32; BINS.pow(3)];
    let bin = |value: u8| usize::from(value) * BINS / 256;
    for pixel in picture.pixels() {
        let [red, green, blue] = pixel.0.map(bin);
        counts[(red * BINS + green) * BINS + blue] += 1;
    }
    let pixels = picture.pixels().len() as f64;
    counts.into_iter().map(|count| (f64::from(count) / pixels) as f32).collect()
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    #[test]
    fn columns_have_the_lengths_of_their_vectors() {
        assert_eq!(COLUMNS[0].1, CHANNELS.iter().sum::<usize>());
        let declared = include_str!("stage.toml");
        for (name, length) in COLUMNS {
            assert!(declared.contains(&format!("{name} = \"float32[{length}]\"")), "{name}");
        }
    }

    #[test]
    fn a_histogram_has_the_share_of_each_colour_with_red_as_the_slowest_index() {
        let picture = RgbImage::from_fn(4, 1, |x, _| Rgb(if x == 0 { [255, 0, 31] } else { [0, 32, 255] }));
        let shares = histogram(&picture);
        assert_eq!((shares[7 * 64], shares[8 + 7]), (0.25, 0.75));
        assert_eq!(shares.iter().sum::<f32>(), 1.0);
    }
}
