//! VGG features of the training images B: what the perceptual loss compares with.

use tch::{Device, Kind, Tensor, no_grad};

use crate::data::normalised;
use crate::nn::vgg::{Taps, Vgg};

/// Features of all images are kept where they take no more than this; computing them anew is a
/// third of the network's cost in a step.
const MOST_BYTES: usize = 2 << 30;
/// Images that go through the network together.
const BATCH: i64 = 16;

/// Features by image; none kept by default, as of images that are never seen twice alike.
#[derive(Default)]
pub struct Targets {
    kept: Option<Vec<Tensor>>,
}

impl Targets {
    /// Features of `images` [N, 3, H, W] in 0..255, kept if they fit.
    pub fn of_all(vgg: &Vgg, images: &Tensor) -> Self {
        let count = images.size()[0];
        let taps =
            |from, length| no_grad(|| vgg.taps(&normalised(&images.narrow(0, from, length)), Taps::Second));
        let first = taps(0, 1);
        let bytes: usize = first.iter().map(|tap| tap.numel() * Kind::Float.elt_size_in_bytes()).sum();
        if bytes * count as usize > MOST_BYTES {
            return Self { kept: None };
        }
        let of_all = |tap: &Tensor| {
            let size: Vec<i64> = std::iter::once(count).chain(tap.size().into_iter().skip(1)).collect();
            Tensor::empty(size, (Kind::Float, Device::Cpu))
        };
        let kept: Vec<Tensor> = first.iter().map(of_all).collect();
        for from in (0..count).step_by(BATCH as usize) {
            let length = BATCH.min(count - from);
            let parts = taps(from, length);
            kept.iter().zip(parts).for_each(|(all, part)| all.narrow(0, from, length).copy_(&part));
        }
        Self { kept: Some(kept) }
    }

    /// Features of the images at `rows`, which are `b` in [-1, 1].
    pub fn of(&self, vgg: &Vgg, rows: &[i64], b: &Tensor) -> Vec<Tensor> {
        match &self.kept {
            Some(kept) => {
                let rows = Tensor::from_slice(rows);
                kept.iter().map(|tap| tap.index_select(0, &rows)).collect()
            }
            None => no_grad(|| vgg.taps(b, Taps::Second)),
        }
    }
}
