//! Gram matrices (ml_spec section 1).

use anyhow::Result;
use tch::{Kind, Tensor};

use super::triangle;
use crate::data::values;

/// Rows of the matrix that are computed together: what lies below the diagonal is left out by strips.
const STRIP: i64 = 32;

/// The upper triangle, row after row, of a tap's normalised Gram matrix `F^T F / (C H W)`, computed in
/// float32; of one image's features [1, C, H, W].
///
/// # Errors
/// When the features are of several images.
pub fn gram(features: &Tensor) -> Result<Vec<f32>> {
    let (images, channels, height, width) = features.size4()?;
    anyhow::ensure!(images == 1, "features of {images} images");
    let scale = (1.0 / (channels * height * width) as f64) as f32;
    let rows = features.to_kind(Kind::Float).permute([0, 2, 3, 1]).reshape([height * width, channels]);
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
        assert!(gram(&Tensor::zeros([2, 3, 4, 4], (Kind::Float, Device::Cpu))).is_err());
    }
}
