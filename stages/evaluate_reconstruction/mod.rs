//! Quality of validation images that a model reconstructs from their content and their own style.

use anyhow::Result;
use callsheet_worker::Job;

use crate::lib::metrics::{BATCH, Measures, measure};
use crate::lib::model::{Chosen, Model};

/// Runs the stage.
///
/// # Errors
/// Returns an error if the model is damaged, or an image cannot be read.
pub(crate) fn run(job: &Job) -> Result<()> {
    let measures = Measures::load(job, job.params()?)?;
    let model = Model::trained(job.input("model")?, job.params::<Chosen>()?.weights)?;
    measure(job, &measures, |a, b| Ok(model.outputs(a, &model.codes(b, BATCH as i64)?, BATCH as i64)))
}
