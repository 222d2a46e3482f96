//! Gram matrices (Gatys et al. 2016), normalised as in StEP's program.

use anyhow::Result;
use tch::{Kind, Tensor};

use super::triangle;
use crate::lib::data::values;

/// Number of rows of the matrix that are computed together. Entries below the diagonal are skipped strip by
/// strip.
const STRIP: i64 = 32;

/// Number of pieces into which the positions of bfloat16 features are divided. The sum of products of each
/// piece is rounded to 8 bits; the sum over all pieces has an error of 2e-4.
const PIECES: i64 = 64;

/// Largest number of channels of bfloat16 features at which pieces are faster than float32.
const FEW_CHANNELS: i64 = 128;

/// Returns the upper triangle, row after row, of a tap's normalised Gram matrix `F^T F / (C H W)` in float32.
/// The features [1, C, H, W] are of one image.
///
/// # Errors
/// Returns an error if the features are of several images.
pub(crate) fn gram(features: &Tensor) -> Result<Vec<f32>> {
    let (images, channels, height, width) = features.size4()?;
    anyhow::ensure!(images == 1, "features of {images} images instead of one");
    let scale = (1.0 / (channels * height * width) as f64) as f32;
    let rows = features.permute([0, 2, 3, 1]).reshape([height * width, channels]);
    let in_pieces = rows.kind() == Kind::BFloat16
        && channels <= FEW_CHANNELS
        && height * width % PIECES == 0
        && height * width / PIECES >= channels;
    if in_pieces {
        let pieces = rows.view([PIECES, height * width / PIECES, channels]);
        let products = pieces.transpose(1, 2).bmm(&pieces);
        let whole: Vec<f32> = values(&products.sum_dim_intlist(0, false, Kind::Float))?;
        let lines = whole.chunks_exact(channels as usize).enumerate();
        return Ok(lines.flat_map(|(row, line)| line[row..].iter().map(|entry| entry * scale)).collect());
    }
    let rows = rows.to_kind(Kind::Float);
    let mut upper = Vec::with_capacity(triangle(channels as usize));
    for start in (0..channels).step_by(STRIP as usize) {
        let count = STRIP.min(channels - start);
        let strip = rows.narrow(1, start, count).tr().matmul(&rows.narrow(1, start, channels - start));
        let strip: Vec<f32> = values(&strip)?;
        for (row, entries) in strip.chunks_exact((channels - start) as usize).enumerate() {
            upper.extend(entries[row..].iter().map(|entry| entry * scale));
        }
    }
    Ok(upper)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn the_triangle_is_that_of_the_product_of_the_features_with_themselves() {
        tch::manual_seed(0);
        for (channels, height, width) in [(64, 5, 3), (40, 2, 2), (3, 1, 1)] {
            let features = Tensor::randn([1, channels, height, width], (Kind::Double, Device::Cpu));
            let flat = features.view([channels, height * width]);
            let whole = flat.matmul(&flat.tr()) / (channels * height * width) as f64;
            let whole: Vec<f64> = values(&whole).expect("values");
            let rows = whole.chunks_exact(channels as usize).enumerate();
            let wanted: Vec<f64> = rows.flat_map(|(row, entries)| entries[row..].to_vec()).collect();
            let found = gram(&features).expect("one image");
            assert_eq!(found.len(), wanted.len());
            for (found, wanted) in found.iter().zip(wanted) {
                assert!((f64::from(*found) - wanted).abs() < 1e-6, "{found} {wanted}");
            }
        }
        let features = Tensor::rand([1, 16, 64, 64], (Kind::Float, Device::Cpu)).to_kind(Kind::BFloat16);
        let (pieces, whole) = (gram(&features), gram(&features.to_kind(Kind::Float)));
        for (piece, whole) in pieces.expect("one image").iter().zip(whole.expect("one image")) {
            assert!((piece - whole).abs() < 1e-3 * whole, "{piece} {whole}");
        }
        assert!(gram(&Tensor::zeros([2, 3, 4, 4], (Kind::Float, Device::Cpu))).is_err());
    }
}
