//! VGG features of the training images B: what the perceptual loss compares with.

use std::cell::{OnceCell, RefCell};

use tch::{Tensor, no_grad};

use super::sampler::Batch;
use crate::nn::vgg::Vgg;

/// Features of all images are kept where they take no more than this; computing them anew is a
/// third of the network's cost in a step.
const MOST_BYTES: usize = 2 << 30;

/// Features by image, each computed when it is first asked for.
pub struct Targets {
    kept: Option<Kept>,
}

struct Kept {
    count: i64,
    /// Of all images, [count, H, W, C], with those that are not `known` undefined; none if they do not fit.
    taps: OnceCell<Option<Vec<Tensor>>>,
    known: RefCell<Vec<bool>>,
}

impl Targets {
    /// Features that are computed each time: of images that are never seen twice alike.
    pub fn fleeting() -> Self {
        Self { kept: None }
    }

    /// Features of `count` images, kept if they fit.
    pub fn kept(count: usize) -> Self {
        let known = RefCell::new(vec![false; count]);
        Self { kept: Some(Kept { count: count as i64, taps: OnceCell::new(), known }) }
    }

    /// Features of a batch's images B.
    pub fn of(&self, vgg: &Vgg, batch: &Batch) -> Vec<Tensor> {
        // One by one, so that no image's features depend on which others are seen with it.
        let of_row = |row: i64| no_grad(|| vgg.taps(&batch.b.narrow(0, row, 1)));
        let kept = self.kept.as_ref().and_then(|kept| Some((kept, kept.room(|| of_row(0))?)));
        let Some((kept, taps)) = kept else {
            return no_grad(|| vgg.taps(&batch.b));
        };
        for (at, row) in (0..).zip(&batch.rows) {
            let known = &mut kept.known.borrow_mut()[*row as usize];
            if !*known {
                *known = true;
                let rows = of_row(at).into_iter().map(|tap| tap.permute([0, 2, 3, 1]));
                taps.iter().zip(rows).for_each(|(all, tap)| all.narrow(0, *row, 1).copy_(&tap));
            }
        }
        let rows = Tensor::from_slice(&batch.rows).to_device(batch.b.device());
        taps.iter().map(|tap| tap.index_select(0, &rows).permute([0, 3, 1, 2])).collect()
    }
}

impl Kept {
    /// Room for the features of all images, as large as those of the `first`, if they fit.
    fn room(&self, first: impl FnOnce() -> Vec<Tensor>) -> Option<&Vec<Tensor>> {
        let make = || {
            let first = first();
            let values: usize = first.iter().map(Tensor::numel).sum();
            let bytes = self.count as usize * values * first[0].kind().elt_size_in_bytes();
            let room = |tap: &Tensor| {
                let size = tap.size();
                Tensor::empty([self.count, size[2], size[3], size[1]], (tap.kind(), tap.device()))
            };
            (bytes <= MOST_BYTES).then(|| first.iter().map(room).collect())
        };
        self.taps.get_or_init(make).as_ref()
    }
}
