//! Style distances between Gram features (Gatys et al. 2016), weighted as in that paper or as in StEP's
//! program.
//!
//! For each image and tap, a table of features contains the upper triangle of the normalised Gram matrix,
//! unweighted. Weighting, and a factor of sqrt(2) for entries off the diagonal, convert each image to a
//! vector phi with `distance(a, b) = |phi_a - phi_b|^2`.

pub(crate) mod direct;
mod features;
mod gram;
mod kernel;
pub(crate) mod nearest;
#[cfg(test)]
mod tests;

pub(crate) use features::{Features, Panel};
pub(crate) use gram::gram;
pub(crate) use kernel::Kernel;

use crate::lib::nn::vgg::CHANNELS;

/// Columns of the table of features, in the order of the taps.
pub(crate) const GRAM_COLUMNS: [&str; 5] =
    ["gram_relu1_2", "gram_relu2_2", "gram_relu3_2", "gram_relu4_2", "gram_relu5_2"];

/// Number of values in the upper triangle of a Gram matrix of `channels` channels.
pub(crate) fn triangle(channels: usize) -> usize {
    channels * (channels + 1) / 2
}

/// Factor on the entries of tap `tap` for a weighting of squared distances: `code` is the mean over the N x N
/// entries, `gatys` a quarter of their sum.
pub(crate) fn tap_factor(weighting: &str, tap: usize) -> f64 {
    if weighting == "gatys" { 0.5 } else { 1.0 / CHANNELS[tap] as f64 }
}
