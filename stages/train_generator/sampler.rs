//! Images of a step.

use anyhow::Result;
use tch::{Device, Tensor};

use super::augment::Augmentation;
use crate::lib::data::{Pairs, batch_rows, normalised};

/// Purposes of the draws of the first and the second batch.
const PURPOSES: [[&str; 2]; 2] = [["epoch", "augmentation"], ["second epoch", "second augmentation"]];

/// Images that a step processes together.
pub(super) struct Batch {
    /// Rows of the images among the training images.
    pub rows: Vec<i64>,
    /// Contents, [N, 3, H, W] in [-1, 1].
    pub a: Tensor,
    /// Styles, [N, 3, H, W] in [-1, 1].
    pub b: Tensor,
}

impl Batch {
    /// Returns the images of `count` rows from row `start` on.
    pub(super) fn narrow(&self, (start, count): (i64, i64)) -> Self {
        let rows = &self.rows[start as usize..(start + count) as usize];
        Self { rows: rows.to_vec(), a: self.a.narrow(0, start, count), b: self.b.narrow(0, start, count) }
    }
}

/// Draws images. They depend only on the step, so that any step can be repeated.
pub(super) struct Sampler {
    /// Training images.
    pub pairs: Pairs,
    /// Augmentation of the images.
    pub augmentation: Augmentation,
    /// Number of images per batch.
    pub batch: usize,
    /// Seed of all draws.
    pub seed: i64,
    /// True if there is a second batch, shuffled independently.
    pub two: bool,
    /// Device of the networks.
    pub device: Device,
}

impl Sampler {
    /// Returns the batch, or both batches, of step `step`.
    ///
    /// # Errors
    /// Returns an error if an image cannot be enlarged.
    pub(super) fn batches(&self, step: u64) -> Result<Vec<Batch>> {
        let purposes = PURPOSES.iter().take(if self.two { 2 } else { 1 });
        let batch = |[order, variation]: &[&str; 2]| {
            let rows = batch_rows(self.seed, order, self.pairs.len(), self.batch, step);
            let images = self.augmentation.images(&self.pairs, &rows, variation, step)?;
            let [a, b] = images.map(|images| normalised(&images.to_device(self.device)));
            Ok(Batch { rows, a, b })
        };
        purposes.map(batch).collect()
    }
}
