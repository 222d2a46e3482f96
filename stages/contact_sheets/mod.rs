//! Contact sheets of clusters, triplets and reconstructions.

mod sheets;

use anyhow::Result;
use callsheet_worker::Job;
use serde::Deserialize;

use crate::lib::figures::{BATCH, Shown, save};
use crate::lib::model::{Model, Weights};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    weights: Weights,
    rows: usize,
    note: String,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if an input is damaged, or tables refer to images that the pairs lack.
pub(crate) fn run(job: &Job) -> Result<()> {
    let Params { weights, rows, note } = job.params()?;
    let pairs = job.input("pairs")?;
    save(job, "clusters", &note, &sheets::clusters(job.input("clusters")?, pairs, rows)?)?;
    save(job, "triplets", &note, &sheets::triplets(job.input("triplets")?, pairs, rows)?)?;
    let model = Model::trained(job.input("model")?, weights)?;
    let val = Shown::sample(job, &model, rows)?;
    let outputs = model.outputs(&val.pairs.a, &val.codes, BATCH);
    save(job, "reconstructions", &note, &sheets::reconstruction(&val.pairs, &outputs)?)
}
