//! Evaluation on held-out images during a training, with the averaged networks.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use callsheet_worker::Job;
use tch::{Tensor, no_grad};

use crate::lib::data::{Pairs, centre, normalised, to_picture};
use crate::lib::metrics::{of_each, psnr};
use crate::lib::model::{EmaWeights, Model};
use crate::lib::nn::compute::Compute;
use crate::lib::nn::loss;
use crate::lib::nn::vgg::Vgg;
use crate::lib::picture::{encode_png, montage};

/// Rows and columns of a grid of samples.
const GRID: usize = 4;
/// Number of images that go through a network together.
const BATCH: i64 = 4;

/// Held-out images, and networks for the averaged weights.
pub(super) struct Watch {
    val: Pairs,
    model: Model,
    /// Path of the last grid.
    shown: RefCell<Option<PathBuf>>,
}

impl Watch {
    /// Reads up to `count` images of the split `val`, and crops each to `crop` pixels. Returns none if there
    /// are no images.
    ///
    /// # Errors
    /// Returns an error if an image cannot be read, or the networks do not support its side.
    pub(super) fn new(
        pairs: &Path,
        count: usize,
        crop: i64,
        like: &Model,
        compute: Compute,
    ) -> Result<Option<Self>> {
        let Some(mut val) = Pairs::sample(pairs, "val", count)? else { return Ok(None) };
        (val.a, val.b) = (centre(&val.a, crop), centre(&val.b, crop));
        like.check_side(val.side())?;
        Ok(Some(Self { val, model: Model::new(&like.spec, compute), shown: RefCell::default() }))
    }

    /// Reports how well the averaged networks reconstruct the images, and shows a grid if `shows` is true. Returns the
    /// mean perceptual loss.
    ///
    /// # Errors
    /// Returns an error if the picture cannot be written.
    pub(super) fn look(
        &self,
        job: &Job,
        step: u64,
        shadows: &EmaWeights,
        vgg: &Vgg,
        shows: bool,
    ) -> Result<f64> {
        self.model.take(shadows)?;
        let codes = self.model.codes(&self.val.b, BATCH)?;
        let outputs = self.model.outputs(&self.val.a, &codes, BATCH);
        let psnrs = of_each(psnr, &outputs, &self.val.b)?;
        let taps = |images: &Tensor| vgg.taps(&normalised(&images.to_device(self.model.device())));
        let parts = outputs.split(BATCH, 0).into_iter().zip(self.val.b.split(BATCH, 0));
        let losses = parts.map(|(output, wanted)| {
            let loss = no_grad(|| loss::perceptual(&taps(&output), &taps(&wanted)));
            loss.double_value(&[]) * output.size()[0] as f64
        });
        let perceptual = losses.sum::<f64>() / self.val.len() as f64;
        job.metric("held_out/perceptual", step, perceptual);
        // An image that is reconstructed exactly has an infinite PSNR.
        let finite: Vec<f64> = psnrs.into_iter().filter(|psnr| psnr.is_finite()).collect();
        if !finite.is_empty() {
            job.metric("held_out/psnr", step, finite.iter().sum::<f64>() / finite.len() as f64);
        }
        if shows {
            self.show(job, step, &codes)?;
        }
        Ok(perceptual)
    }

    /// Shows a grid. The first row contains the styles B; each other row contains a content A and its outputs
    /// in these styles.
    fn show(&self, job: &Job, step: u64, codes: &Tensor) -> Result<()> {
        let count = self.val.len().min(GRID);
        let image = |images: &Tensor, n: usize| to_picture(&images.get(n as i64));
        let mut rows = vec![(0..count).map(|n| Some(image(&self.val.b, n))).collect::<Vec<_>>()];
        rows[0].insert(0, None);
        let codes = codes.narrow(0, 0, count as i64);
        for n in 0..count {
            let content = self.val.a.get(n as i64);
            let outputs = self.model.outputs(&content.unsqueeze(0), &codes, BATCH);
            let row = (0..count).map(|m| Some(image(&outputs, m)));
            rows.push([Some(to_picture(&content))].into_iter().chain(row).collect());
        }
        let path = job.request.scratch.join(format!("samples-{step:09}.png"));
        fs::write(&path, encode_png(&montage(&rows))?)?;
        if let Some(old) = self.shown.replace(Some(path.clone())) {
            // The engine copied this file when it was shown, a checkpoint ago.
            let _ = fs::remove_file(old);
        }
        job.image("samples", step, &path);
        Ok(())
    }
}
