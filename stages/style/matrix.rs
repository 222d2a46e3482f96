//! All pairwise products of feature vectors, read from Parquet in tiles.

use std::path::Path;

use anyhow::{Result, ensure};
use arrow::record_batch::RecordBatch;
use callsheet::table::{read_batches, read_columns};
use tch::{Kind, Tensor};

use super::{GRAM_COLUMNS, tap_factor, triangle};
use crate::columns::{read_strings, read_vectors};
use crate::data::Images;
use crate::nn::vgg::CHANNELS;

/// Rows read at a time: 1.2 MB each.
const TILE: usize = 128;

/// Which images a kernel is about.
#[derive(Debug)]
pub struct Features {
    /// Row keys.
    pub image_ids: Vec<String>,
    /// Crop index of each.
    pub crops: Vec<i32>,
    /// Products of all pairs: [N, N] float64 on the CPU, exactly symmetric.
    pub kernel: Tensor,
}

/// Reads the images of `split` and multiplies their feature vectors.
///
/// Vectors are centred on the first image's, which leaves distances as they are and keeps the
/// products small, so that little cancels; products are float64, as near-duplicates need.
///
/// # Errors
/// When the table cannot be read, or no image is in the split.
pub fn load_kernel(
    path: &Path,
    images: &Images,
    split: &str,
    weighting: &str,
    progress: impl Fn(usize, usize),
) -> Result<Features> {
    let ids = read_strings(&read_columns(path, &["image_id"])?, "image_id")?;
    let chosen: Vec<bool> = ids.iter().map(|id| images.is_of(id, split)).collect();
    let image_ids: Vec<String> =
        ids.into_iter().zip(&chosen).filter(|(_, chosen)| **chosen).map(|(id, _)| id).collect();
    ensure!(!image_ids.is_empty(), "no image of {} is in the split `{split}`", path.display());
    let crops = image_ids.iter().map(|id| images.crop(id)).collect();
    let n = image_ids.len() as i64;
    let kernel = Tensor::zeros([n, n], (Kind::Double, tch::Device::Cpu));
    // One column at a time: the widest is 131,328 values a row.
    for (tap, column) in GRAM_COLUMNS.iter().enumerate() {
        let features = column_features(path, column, tap, weighting, &chosen)?;
        let product = multiply(&features);
        let _ = kernel.shallow_clone().g_add_(&product);
        progress(tap + 1, GRAM_COLUMNS.len());
    }
    Ok(Features { image_ids, crops, kernel })
}

fn multiply(features: &Tensor) -> Tensor {
    let centred = features - features.narrow(0, 0, 1);
    let (n, width) = centred.size2().unwrap_or((0, 0));
    let product = Tensor::zeros([n, n], (Kind::Double, tch::Device::Cpu));
    for start in (0..width).step_by(4096) {
        let tile = centred.narrow(1, start, (width - start).min(4096)).to_kind(Kind::Double);
        let _ = product.shallow_clone().g_add_(&tile.matmul(&tile.tr()));
    }
    (&product + product.tr()) * 0.5
}

fn column_features(
    path: &Path,
    column: &str,
    tap: usize,
    weighting: &str,
    chosen: &[bool],
) -> Result<Tensor> {
    let scale = triangle_scale(tap, tap_factor(weighting, tap));
    let width = triangle(CHANNELS[tap]);
    let mut rows = Vec::new();
    let mut first = 0;
    read_batches(path, &[column], TILE, |batch: RecordBatch| -> Result<()> {
        let values = read_vectors(&batch, column)?;
        for row in 0..batch.num_rows() {
            if chosen[first + row] {
                rows.push(Tensor::from_slice(&values[row * width..(row + 1) * width]) * &scale);
            }
        }
        first += batch.num_rows();
        Ok(())
    })?;
    Ok(Tensor::stack(&rows, 0))
}

/// `factor` on the diagonal of the upper triangle, `factor * sqrt(2)` off it.
fn triangle_scale(tap: usize, factor: f64) -> Tensor {
    let channels = CHANNELS[tap];
    let mut scale = Vec::with_capacity(triangle(channels));
    for row in 0..channels {
        scale.push(factor as f32);
        scale.extend(std::iter::repeat_n((factor * 2f64.sqrt()) as f32, channels - row - 1));
    }
    Tensor::from_slice(&scale)
}

impl Features {
    /// Squared distances of all pairs: the diagonal is exactly 0, none is negative.
    pub fn distances(&self) -> Tensor {
        let squares = self.kernel.diag(0);
        let distances = squares.unsqueeze(0) + squares.unsqueeze(1) - &self.kernel * 2.0;
        distances.clamp_min(0.0).fill_diagonal_(0.0, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::vgg::gram;

    /// A tap's features of six images; the last is nearly the one before it.
    fn taps(tap: usize) -> Tensor {
        tch::manual_seed(tap as i64);
        let features = Tensor::rand([6, CHANNELS[tap] as i64, 4, 4], (Kind::Float, tch::Device::Cpu)) * 50.0;
        let near = features.narrow(0, 4, 1) * (1.0 + 1e-5);
        features.narrow(0, 5, 1).copy_(&near);
        features
    }

    fn upper(grams: &Tensor, channels: i64) -> Tensor {
        let (rows, columns) = (Tensor::arange(channels, (Kind::Int64, tch::Device::Cpu)), channels);
        let keep = rows.unsqueeze(1).le_tensor(&rows.unsqueeze(0)).view([columns * columns]);
        grams.flatten(1, 2).index_select(1, &keep.nonzero().view([-1]))
    }

    #[test]
    fn distances_are_those_of_the_definition_also_of_near_duplicates() {
        for weighting in ["code", "gatys"] {
            let mut kernel = Tensor::zeros([6, 6], (Kind::Double, tch::Device::Cpu));
            let mut wanted = Tensor::zeros([6, 6], (Kind::Double, tch::Device::Cpu));
            for (tap, channels) in CHANNELS.into_iter().enumerate().take(2) {
                let channels = channels as i64;
                let grams = gram(&taps(tap));
                let scale = triangle_scale(tap, tap_factor(weighting, tap));
                kernel += multiply(&(upper(&grams, channels) * scale));
                // Mean of the squared differences of the entries, or a quarter of their sum.
                let grams = grams.to_kind(Kind::Double);
                let squared = (grams.unsqueeze(0) - grams.unsqueeze(1)).square();
                let sum = squared.sum_dim_intlist([2i64, 3].as_slice(), false, Kind::Double);
                wanted += sum * if weighting == "code" { 1.0 / (channels * channels) as f64 } else { 0.25 };
            }
            let features = Features { image_ids: Vec::new(), crops: Vec::new(), kernel };
            let distances = features.distances();
            assert_eq!((&distances - distances.tr()).abs().max().double_value(&[]), 0.0, "symmetric");
            assert_eq!(distances.diag(0).abs().max().double_value(&[]), 0.0, "zero on the diagonal");
            let off = ((&distances - &wanted) / wanted.clamp_min(1e-300)).abs();
            let near = off.double_value(&[4, 5]);
            assert!(off.max().double_value(&[]) < 1e-3 && near < 1e-3, "{weighting}: {near}, {off}");
        }
    }
}
