//! Style codes of every image.

use anyhow::Result;
use arrow::datatypes::DataType;
use callsheet_worker::Job;
use callsheet_worker::table::row_count;
use serde::Deserialize;

use crate::lib::columns::{batch, schema, strings, vector, vectors};
use crate::lib::data::{centre, read_padded, values};
use crate::lib::model::{Model, Weights};
use crate::lib::nn::encoder::STYLE_DIM;
use crate::lib::parts::Parts;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    weights: Weights,
    crop: i64,
}

/// Number of images that are encoded together. Another number may change the rounding of results.
const BATCH: usize = 32;

/// Runs the stage.
///
/// # Errors
/// Returns an error if the model is damaged, or an image cannot be read.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let model = Model::trained(job.input("model")?, params.weights)?;
    let path = job.input("pairs")?;
    let total = row_count(path)? as usize;
    let columns = [("image_id", DataType::Utf8), ("z", vector(STYLE_DIM as usize))];
    let mut parts = Parts::create(job, "embeddings", schema(&columns))?;
    let mut done = 0;
    read_padded(path, &["b"], BATCH, |ids, images| {
        let codes = model.codes(&centre(&images[0], params.crop), BATCH as i64)?;
        let codes = codes.narrow(0, 0, ids.len() as i64);
        let z = vectors(STYLE_DIM as usize, values(&codes)?)?;
        parts.write(&batch(vec![("image_id", strings(ids)), ("z", z)])?)?;
        done += ids.len();
        job.progress(done, total, "images");
        Ok(())
    })?;
    parts.end()
}
