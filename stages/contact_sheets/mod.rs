//! Contact sheets of what was learnt.

mod sheets;

use anyhow::Result;
use serde::Deserialize;

use crate::figures::{BATCH, Shown, save};
use crate::model::Model;
use crate::worker::Context;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    rows: usize,
    note: String,
}

/// Runs the stage.
///
/// # Errors
/// When an input is damaged, or tables speak of images that the pairs lack.
pub fn run(context: &Context) -> Result<()> {
    let Params { rows, note } = context.params()?;
    let pairs = context.input("pairs")?;
    save(context, "clusters", &note, &sheets::clusters(context.input("clusters")?, pairs, rows)?)?;
    save(context, "triplets", &note, &sheets::triplets(context.input("triplets")?, pairs, rows)?)?;
    let model = Model::averaged(context.input("model")?)?;
    let val = Shown::sample(context, &model, rows)?;
    let outputs = model.outputs(&val.pairs.a, &val.codes, BATCH);
    save(context, "reconstructions", &note, &sheets::reconstruction(&val.pairs, &outputs)?)
}
