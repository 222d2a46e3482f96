//! Measures of outputs compared with reference images, one value per image.

mod similarity;

use anyhow::{Result, ensure};
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use callsheet_worker::table::row_count;
use callsheet_worker::{Job, user_error};
use image::RgbImage;
use rayon::prelude::*;
use serde::Deserialize;
use tch::{Kind, Tensor, no_grad};

use crate::lib::columns::{batch, float64s, int32s, schema, strings};
use crate::lib::data::{centre, normalised, read_padded, to_picture, values};
use crate::lib::lpips::Distance;
use crate::lib::nn::loss;
use crate::lib::nn::vgg::{SMALLEST_SIDE, Vgg};
use crate::lib::parts::Parts;
pub(crate) use similarity::{psnr, ssim};

/// Number of images that go through a network together. Another number may be rounded differently.
pub(crate) const BATCH: usize = 16;

/// Columns of measures: PSNR in dB (infinite for identical images), SSIM (-1 to 1), L1 (0 to 255), the
/// perceptual loss of the generators' training, and a distance of features. The column `distance_name` names
/// the distance.
pub(crate) const METRICS: [&str; 5] = ["psnr", "ssim", "l1", "perceptual", "distance"];

/// Part of an image that is measured.
#[derive(Clone, Copy, Deserialize)]
pub(crate) struct Crop {
    /// Side of the central square that is compared, in pixels; 0 compares the complete image.
    pub crop: i64,
    /// Side in pixels to which the square is resized for the distance of features; 0 keeps its size.
    pub distance_side: u32,
}

/// Computes a measure of each image [N, 3, H, W] in 0..255 and the image at its index in `others`.
///
/// # Errors
/// Returns an error if the images have different sizes.
pub(crate) fn of_each(
    measure: fn(&RgbImage, &RgbImage) -> Result<f64>,
    images: &Tensor,
    others: &Tensor,
) -> Result<Vec<f64>> {
    ensure!(images.size() == others.size(), "shapes differ: {:?} and {:?}", images.size(), others.size());
    let pictures = |all: &Tensor, n: i64| to_picture(&all.get(n));
    let pairs: Vec<_> = (0..images.size()[0]).map(|n| (pictures(images, n), pictures(others, n))).collect();
    pairs.par_iter().map(|(x, y)| measure(x, y)).collect()
}

/// Networks for the measures.
pub(crate) struct Measures {
    /// Distance of features.
    pub distance: Distance,
    vgg: Vgg,
    crop: i64,
}

impl Measures {
    /// Loads the weights that are wired to `trunk`, `lpips_heads` and `vgg`.
    ///
    /// # Errors
    /// Returns an error if a file is damaged, or the heads belong to another network.
    pub(crate) fn load(job: &Job, crop: Crop) -> Result<Self> {
        let vgg = Vgg::load(job.input("vgg")?)?;
        Ok(Self { distance: Distance::load(job, crop.distance_side)?, vgg, crop: crop.crop })
    }

    /// Returns the central square of images [N, 3, H, W] that is compared.
    pub(crate) fn middle(&self, images: &Tensor) -> Tensor {
        centre(images, self.crop)
    }

    /// Measures images [N, 3, H, W] in 0..255 against `wanted`, in the order of [`METRICS`]. At most
    /// [`BATCH`] of them are in the networks at a time.
    ///
    /// # Errors
    /// Returns an error if the images have different sizes, or are too small for VGG-16.
    pub(crate) fn of(&self, images: &Tensor, wanted: &Tensor) -> Result<[Vec<f64>; METRICS.len()]> {
        let (height, width) = (wanted.size()[2], wanted.size()[3]);
        if height.min(width) < i64::from(SMALLEST_SIDE) {
            return Err(user_error(
                format!(
                    "images of {width}x{height} pixels are too small: VGG-16 requires at least \
                     {SMALLEST_SIDE}x{SMALLEST_SIDE}"
                ),
                "raise `crop` of the stage, or pair_images.side",
            ));
        }
        let mut all = METRICS.map(|_| Vec::with_capacity(images.size()[0] as usize));
        let parts = images.split(BATCH as i64, 0).into_iter().zip(wanted.split(BATCH as i64, 0));
        for (x, y) in parts {
            let l1 = (x.to_kind(Kind::Double) - y.to_kind(Kind::Double)).abs();
            let l1 = l1.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Double);
            let part = [
                of_each(psnr, &x, &y)?,
                of_each(ssim, &x, &y)?,
                values(&l1)?,
                self.perceptual(&x, &y),
                self.distance.of(&x, &y)?,
            ];
            all.iter_mut().zip(part).for_each(|(all, part)| all.extend(part));
        }
        Ok(all)
    }

    fn perceptual(&self, x: &Tensor, y: &Tensor) -> Vec<f64> {
        let loss = |n: i64| {
            // Both images go into one call, because every call reorders the network's weights.
            let pair = Tensor::cat(&[x.narrow(0, n, 1), y.narrow(0, n, 1)], 0);
            let taps = self.vgg.taps(&normalised(&pair));
            let of = |n| taps.iter().map(|tap| tap.narrow(0, n, 1)).collect::<Vec<_>>();
            loss::perceptual(&of(0), &of(1)).double_value(&[])
        };
        no_grad(|| (0..x.size()[0]).map(loss).collect())
    }
}

/// Columns of [`rows`].
pub(crate) fn columns() -> Schema {
    let mut columns = vec![("image_id", DataType::Utf8)];
    columns.extend(METRICS.map(|name| (name, DataType::Float64)));
    columns.extend([
        ("side", DataType::Int32),
        ("distance_name", DataType::Utf8),
        ("distance_weights", DataType::Utf8),
    ]);
    schema(&columns)
}

/// Rows with the measures of the first `ids.len()` images. The compared squares have sides of `side` pixels.
///
/// # Errors
/// Returns an error if columns have different lengths.
pub(crate) fn rows(
    ids: &[String],
    side: i64,
    measured: [Vec<f64>; METRICS.len()],
    distance: &Distance,
) -> Result<RecordBatch> {
    let mut all = vec![("image_id", strings(ids))];
    for (name, values) in METRICS.into_iter().zip(measured) {
        all.push((name, float64s(values.into_iter().take(ids.len()))));
    }
    all.push(("side", int32s(ids.iter().map(|_| side as i32))));
    all.push(("distance_name", strings(ids.iter().map(|_| &distance.name))));
    all.push(("distance_weights", strings(ids.iter().map(|_| distance.source()))));
    batch(all)
}

/// Measures the images that `predicted` returns for A and B of each validation pair against B, all [N, 3, H,
/// W] in 0..255.
///
/// # Errors
/// Returns an error if an image is unreadable, or `predicted` fails.
pub(crate) fn measure(
    job: &Job,
    measures: &Measures,
    predicted: impl Fn(&Tensor, &Tensor) -> Result<Tensor>,
) -> Result<()> {
    let path = job.input("pairs")?;
    let mut parts = Parts::create(job, "reconstruction", columns())?;
    let (mut done, total) = (0, row_count(path)? as usize);
    read_padded(path, &["a", "b"], BATCH, 0, |ids, images| {
        let [a, b] = images else { unreachable!("two columns are read") };
        let (a, b) = (measures.middle(a), measures.middle(b));
        let measured = measures.of(&predicted(&a, &b)?, &b)?;
        parts.write(&rows(ids, b.size()[3], measured, &measures.distance)?)?;
        done += ids.len();
        job.progress(done, total, "images");
        Ok(())
    })?;
    parts.end()
}
