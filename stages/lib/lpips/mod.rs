//! Perceptual distances of images: LPIPS (Zhang et al. 2018), or its formula on another network.

mod heads;
#[cfg(test)]
mod tests;
mod trunk;

use std::iter;
use std::path::Path;

use anyhow::{Result, ensure};
use rayon::prelude::*;
use tch::{Kind, Tensor, no_grad};

use crate::lib::data::{normalised, to_picture, to_tensor, values};
use crate::lib::picture::resized;
use callsheet_worker::{Job, user_error};
use heads::{LpipsWeights, Version};
use trunk::Trunk;

/// Largest output of a network's first layer for a batch, in bytes. Larger batches are not faster.
const FIRST_LAYER_BYTES: i64 = (32 << 20) - 1;
/// Largest output of a network's first layer for one image, in bytes. A comparison takes several times as much
/// memory.
const LARGEST_FIRST_LAYER: i64 = 2 << 30;
/// Largest number of images in a batch. Larger batches are not faster.
const LARGEST_BATCH: i64 = 16;
/// Remedy for images of unsuitable sizes.
const RESIZE: &str = "resize the images for the distance: use --side 256 (in a stage, distance_side = 256)";
/// Number of feature values that are converted to float64 at once.
const DOUBLES: i64 = 1 << 23;

/// Features of images for comparison: one tensor [N, C, H, W] per tap. Features have unit length at each
/// position, and are multiplied by the roots of the tap's weights.
pub(crate) struct Features(Vec<Tensor>);

/// Mean distances between images.
#[derive(Debug)]
pub(crate) struct Diversity {
    /// Mean distance between consecutive images.
    pub consecutive: f64,
    /// Mean distance between all pairs of images.
    pub all_pairs: f64,
}

/// Distance of images: a network, and the weights of its features.
pub(crate) struct Distance {
    trunk: Trunk,
    heads: Option<LpipsWeights>,
    /// Side in pixels to which images are resized; 0 keeps their size.
    pub side: u32,
    /// Name of the distance in tables and reports, such as `LPIPS v0.1 (AlexNet, 256 px)`.
    pub name: String,
}

impl Distance {
    /// Loads the weights that are wired to the inputs `trunk` and, optionally, `lpips_heads`. Images are
    /// resized to `side` pixels.
    ///
    /// # Errors
    /// Returns an error if a file is damaged, or the files do not belong together.
    pub(crate) fn load(job: &Job, side: u32) -> Result<Self> {
        let trunk = Trunk::load(job.input("trunk")?)?;
        let heads = job.optional("lpips_heads").map(|path| LpipsWeights::read(path, &trunk)).transpose()?;
        Ok(Self::new(trunk, heads, side))
    }

    /// Loads published files of weights.
    ///
    /// # Errors
    /// Returns an error if a file is damaged, or the files do not belong together.
    pub(crate) fn published(weights: &Path, network: &str, heads: &Path, side: u32) -> Result<Self> {
        let trunk = Trunk::published(weights, network)?;
        let heads = LpipsWeights::read(heads, &trunk)?;
        Ok(Self::new(trunk, Some(heads), side))
    }

    fn new(trunk: Trunk, heads: Option<LpipsWeights>, side: u32) -> Self {
        let at = if side == 0 { String::new() } else { format!(", {side} px") };
        let name = match &heads {
            Some(LpipsWeights { version: Version::V00, .. }) => format!("LPIPS v0.0 ({}{at})", trunk.network),
            Some(LpipsWeights { version: Version::V01, .. }) => format!("LPIPS v0.1 ({}{at})", trunk.network),
            None => format!("{} feature distance{at}", trunk.origin.name),
        };
        Self { trunk, heads, side, name }
    }

    /// Source of the network's weights.
    pub(crate) fn source(&self) -> &str {
        &self.trunk.origin.source
    }

    /// Computes the distance of each image [N, 3, H, W] in 0..255 from the image at its index in `others`.
    ///
    /// # Errors
    /// Returns an error if the shapes differ, or the images are too small for the network.
    pub(crate) fn of(&self, images: &Tensor, others: &Tensor) -> Result<Vec<f64>> {
        ensure!(images.size() == others.size(), "shapes differ: {:?} and {:?}", images.size(), others.size());
        let [images, others] = [self.fitted(images)?, self.fitted(others)?];
        let batch = self.batch(&images);
        let mut distances = Vec::with_capacity(images.size()[0] as usize);
        for (x, y) in images.split(batch, 0).iter().zip(others.split(batch, 0)) {
            let [x, y] = [self.of_batch(x)?, self.of_batch(&y)?];
            distances.extend(Features(x).distances(&Features(y))?);
        }
        Ok(distances)
    }

    /// Number of images of this size that go through the network together, limited by [`FIRST_LAYER_BYTES`].
    /// It is a power of two, so that it divides [`LARGEST_BATCH`]: batches of other sizes may be rounded
    /// differently.
    fn batch(&self, images: &Tensor) -> i64 {
        let bytes = self.trunk.first_layer_bytes(images.size()[2] * images.size()[3]);
        let fit = (FIRST_LAYER_BYTES / bytes).clamp(1, LARGEST_BATCH);
        1 << fit.ilog2()
    }

    /// Computes the features of images [N, 3, H, W] in 0..255.
    ///
    /// # Errors
    /// Returns an error if the images are too small for the network.
    pub(crate) fn features(&self, images: &Tensor) -> Result<Features> {
        let images = self.fitted(images)?;
        let parts = images.split(self.batch(&images), 0).into_iter();
        let mut parts: Vec<_> =
            parts.map(|part| Ok(self.of_batch(&part)?.into_iter())).collect::<Result<_>>()?;
        // The parts of a tap are freed as soon as they are joined.
        let tap = || {
            let tap: Vec<Tensor> = parts.iter_mut().filter_map(Iterator::next).collect();
            (!tap.is_empty()).then(|| Tensor::cat(&tap, 0))
        };
        Ok(Features(iter::from_fn(tap).collect()))
    }

    fn of_batch(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        let (height, width) = (images.size()[2], images.size()[3]);
        let least = self.trunk.smallest_side;
        if height.min(width) < least {
            return Err(user_error(
                format!(
                    "images of {width}x{height} pixels are too small: {} requires at least {least}x{least}",
                    self.trunk.network
                ),
                RESIZE,
            ));
        }
        if self.trunk.first_layer_bytes(height * width) > LARGEST_FIRST_LAYER {
            return Err(user_error(
                format!(
                    "images of {width}x{height} pixels are too large: the first layer of {} would take {} MiB, \
                     and the limit is {} MiB",
                    self.trunk.network,
                    self.trunk.first_layer_bytes(height * width) >> 20,
                    LARGEST_FIRST_LAYER >> 20
                ),
                RESIZE,
            ));
        }
        let images = normalised(images);
        let images = match &self.heads {
            Some(LpipsWeights { version: Version::V00, .. }) => images,
            _ => self.trunk.origin.convention.input(&images),
        };
        let unit = |(tap, features): (usize, Tensor)| {
            // As in lpips, the constant is added outside the root.
            let length = features.linalg_norm(2.0, [1i64].as_slice(), true, None) + 1e-10;
            let mut unit = features / length;
            match &self.heads {
                Some(heads) => unit.g_mul_(&heads.weights[tap].sqrt()),
                None => unit,
            }
        };
        Ok(no_grad(|| self.trunk.taps(&images).into_iter().enumerate().map(unit).collect()))
    }

    fn fitted(&self, images: &Tensor) -> Result<Tensor> {
        let side = i64::from(self.side);
        if side == 0 || images.size()[2..] == [side, side] {
            return Ok(images.shallow_clone());
        }
        let pictures: Vec<_> = (0..images.size()[0]).map(|n| to_picture(&images.get(n))).collect();
        let pictures = pictures.into_par_iter().map(|picture| resized(picture, side as u32, side as u32));
        let pictures: Vec<_> = pictures.collect::<Result<_>>()?;
        Ok(Tensor::stack(&pictures.iter().map(to_tensor).collect::<Vec<_>>(), 0))
    }
}

impl Features {
    /// Computes the distance of each image from the image at its index in `others`: squared differences,
    /// summed over channels, averaged over positions, summed over taps.
    ///
    /// # Errors
    /// Returns an error if the number or the size of the images differs.
    fn distances(&self, others: &Self) -> Result<Vec<f64>> {
        let mut sum: Option<Tensor> = None;
        for (x, y) in self.0.iter().zip(&others.0) {
            let squared = x.f_sub(y)?.square_().sum_dim_intlist(1, false, Kind::Float);
            let mean = squared.mean_dim([1i64, 2].as_slice(), false, Kind::Double);
            sum = Some(sum.map_or_else(|| mean.shallow_clone(), |sum| sum + &mean));
        }
        values(&sum.unwrap_or_else(|| Tensor::zeros([0], (Kind::Double, tch::Device::Cpu))))
    }

    /// Mean distances between the images; NaN for a single image.
    pub(crate) fn diversity(&self) -> Diversity {
        let between = self.between();
        let pairs = between.size()[0] * (between.size()[0] - 1);
        let consecutive = between.diagonal(1, 0, 1).mean(Kind::Double).double_value(&[]);
        Diversity { consecutive, all_pairs: between.sum(Kind::Double).double_value(&[]) / pairs as f64 }
    }

    /// Distances between all pairs of images, [N, N].
    fn between(&self) -> Tensor {
        let of_tap = |x: &Tensor| {
            let positions = (x.size()[2] * x.size()[3]) as f64;
            let flat = x.permute([0, 2, 3, 1]).flatten(1, -1);
            let products = |part: Tensor| {
                let part = part.to_kind(Kind::Double);
                part.matmul(&part.transpose(0, 1))
            };
            let products: Tensor = flat.split(DOUBLES / x.size()[0], 1).into_iter().map(products).sum();
            let squares = products.diagonal(0, 0, 1);
            (squares.unsqueeze(0) + squares.unsqueeze(1) - products * 2.0).clamp_min(0.0) / positions
        };
        no_grad(|| self.0.iter().map(of_tap).sum())
    }
}
