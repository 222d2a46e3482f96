//! VGG features of the training images B: what the perceptual loss compares with.

use std::cell::{OnceCell, RefCell};

use tch::{Device, Kind, Tensor, no_grad};

use super::sampler::Batch;
use crate::nn::vgg::{Taps, Vgg};

/// Features of all images are kept where they take no more than this; computing them anew is a
/// third of the network's cost in a step.
const MOST_BYTES: usize = 2 << 30;

/// Features by image, each computed when it is first asked for.
pub struct Targets {
    kept: Option<Kept>,
}

struct Kept {
    count: i64,
    /// Of all images, with those that are not `known` undefined; none if they do not fit.
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
        let of_row = |row: i64| no_grad(|| vgg.taps(&batch.b.narrow(0, row, 1), Taps::Second));
        let kept = self.kept.as_ref().and_then(|kept| Some((kept, kept.room(|| of_row(0))?)));
        let Some((kept, taps)) = kept else {
            return no_grad(|| vgg.taps(&batch.b, Taps::Second));
        };
        for (at, row) in (0..).zip(&batch.rows) {
            let known = &mut kept.known.borrow_mut()[*row as usize];
            if !*known {
                *known = true;
                taps.iter().zip(of_row(at)).for_each(|(all, tap)| all.narrow(0, *row, 1).copy_(&tap));
            }
        }
        let rows = Tensor::from_slice(&batch.rows);
        taps.iter().map(|tap| tap.index_select(0, &rows)).collect()
    }
}

impl Kept {
    /// Room for the features of all images, as large as those of the `first`, if they fit.
    fn room(&self, first: impl FnOnce() -> Vec<Tensor>) -> Option<&Vec<Tensor>> {
        let make = || {
            let sizes: Vec<Vec<i64>> =
                first().iter().map(|tap| [&[self.count], &tap.size()[1..]].concat()).collect();
            let values: i64 = sizes.iter().map(|size| size.iter().product::<i64>()).sum();
            let fit = values as usize * Kind::Float.elt_size_in_bytes() <= MOST_BYTES;
            let empty = |size| Tensor::empty(size, (Kind::Float, Device::Cpu));
            fit.then(|| sizes.into_iter().map(empty).collect())
        };
        self.taps.get_or_init(make).as_ref()
    }
}
