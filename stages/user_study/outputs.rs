//! Outputs of every method for the scenes.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use callsheet_worker::Job;
use image::RgbImage;
use tch::Tensor;

use super::album::{Album, scrambled};
use super::makers::Maker;
use super::originals::Originals;
use crate::lib::figures::{BATCH, pictures};
use crate::lib::model::{Model, Weights};

/// Returns positions in the album by maker and scene. For the first `asked` scenes, the makers compute the
/// outputs. The other scenes contain real images and noise, as outputs of two additional makers.
///
/// # Errors
/// Returns an error if a model is damaged, or expects images of another size.
pub(super) fn outputs(
    job: &Job,
    makers: &[Maker],
    originals: &Originals,
    asked: usize,
    (weights, seed): (Weights, i64),
    album: &mut Album,
) -> Result<BTreeMap<(usize, usize), usize>> {
    let mut outputs = BTreeMap::new();
    let mut put = |maker: usize, first: usize, made: Vec<RgbImage>| -> Result<()> {
        let places = album.add(made)?.into_iter().enumerate();
        outputs.extend(places.map(|(n, place)| ((maker, first + n), place)));
        Ok(())
    };
    let part = |all: &Tensor| all.narrow(0, 0, asked as i64);
    for (n, maker) in makers.iter().enumerate() {
        let model = Model::trained(&maker.model, weights)?;
        let codes = model.codes(&part(&originals.styles), BATCH);
        let codes = codes.with_context(|| format!("the model of {} cannot be compared", maker.name))?;
        put(n, 0, pictures(&model.outputs(&part(&originals.contents), &codes, BATCH)))?;
        job.progress(n + 1, makers.len(), "methods");
    }
    let real = pictures(&originals.real).split_off(asked);
    let noise = real.iter().enumerate().map(|(n, picture)| scrambled(picture, seed, n)).collect();
    put(makers.len(), asked, real)?;
    put(makers.len() + 1, asked, noise)?;
    Ok(outputs)
}
