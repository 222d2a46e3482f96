//! VGG features of the training images B, with which the perceptual loss compares.

use std::cell::{OnceCell, RefCell};

use tch::Tensor;

use super::gradients::ranges;
use super::lanes::Lanes;
use super::losses::Networks;
use super::sampler::Batch;

/// Largest memory for the features of all images. If they need more, they are computed again in each step,
/// which is a third of the network's cost in a step.
const MOST_BYTES: usize = 2 << 30;

/// Features by image, which are computed when they are first needed.
pub(super) struct Targets {
    kept: Option<Kept>,
}

struct Kept {
    count: i64,
    /// Features of all images, [count, H, W, C], arbitrary for images that are not `known`; none if they do
    /// not fit.
    taps: OnceCell<Option<Vec<Tensor>>>,
    known: RefCell<Vec<bool>>,
}

impl Targets {
    /// Features that are computed each time, for images that are augmented differently each time.
    pub(super) fn fleeting() -> Self {
        Self { kept: None }
    }

    /// Features of `count` images, which are kept if they fit.
    pub(super) fn kept(count: usize) -> Self {
        let known = RefCell::new(vec![false; count]);
        Self { kept: Some(Kept { count: count as i64, taps: OnceCell::new(), known }) }
    }

    /// Returns the features of a batch's images B.
    pub(super) fn of(&self, lanes: &Lanes, networks: Networks, batch: &Batch) -> Vec<Tensor> {
        let of = |images: Tensor| networks.features(&images);
        let kept = self.kept.as_ref().and_then(|kept| {
            let room = kept.room(|| of(batch.b.narrow(0, 0, 1)))?;
            Some((kept, room))
        });
        let Some((kept, taps)) = kept else {
            let parts = ranges(batch.rows.len() as i64, lanes.count());
            let parts = parts.into_iter().map(|(start, count)| batch.b.narrow(0, start, count));
            let mut found = lanes.map(parts.collect(), of);
            if found.len() == 1 {
                return found.remove(0);
            }
            let joined = |tap| Tensor::cat(&found.iter().map(|part| &part[tap]).collect::<Vec<_>>(), 0);
            return (0..found[0].len()).map(joined).collect();
        };
        let new = kept.unknown(batch);
        // Images are processed one by one, so that their features do not depend on the other images of a
        // batch.
        let images = new.iter().map(|(at, _)| batch.b.narrow(0, *at, 1)).collect();
        for ((_, row), found) in new.iter().zip(lanes.map(images, of)) {
            let found = found.into_iter().map(|tap| tap.permute([0, 2, 3, 1]));
            taps.iter().zip(found).for_each(|(all, tap)| all.narrow(0, *row, 1).copy_(&tap));
        }
        let rows = Tensor::from_slice(&batch.rows).to_device(batch.b.device());
        taps.iter().map(|tap| tap.index_select(0, &rows).permute([0, 3, 1, 2])).collect()
    }
}

impl Kept {
    /// Returns the images of a batch that are not known, by their positions in the batch and among all
    /// images, and marks them as known.
    fn unknown(&self, batch: &Batch) -> Vec<(i64, i64)> {
        let mut known = self.known.borrow_mut();
        let all = (0..).zip(batch.rows.iter().copied());
        all.filter(|(_, row)| !std::mem::replace(&mut known[*row as usize], true)).collect()
    }

    /// Allocates the features of all images, sized like those of the `first`, if they fit.
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
