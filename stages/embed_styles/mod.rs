//! Style codes of every image.

use std::path::Path;

use anyhow::{Context as _, Result};
use arrow::datatypes::DataType;
use callsheet_worker::Job;
use callsheet_worker::table::row_count;
use serde::Deserialize;
use tch::{Tensor, no_grad};

use crate::lib::columns::{batch, list, lists, schema, strings};
use crate::lib::data::{centre, normalised, read_padded, values};
use crate::lib::model::{Model, Weights};
use crate::lib::nn::compute::Compute;
use crate::lib::nn::encoder::{Encoder, code_size};
use crate::lib::nn::file;
use crate::lib::nn::vars::Vars;
use crate::lib::parts::Parts;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    weights: Weights,
    max_side: u32,
    crop: i64,
}

/// Number of images that are encoded together. Another number may change the rounding of results.
const BATCH: usize = 32;

/// A trained encoder.
enum Trained {
    /// The encoder of a model that train_generator wrote.
    Model(Box<Model>),
    /// The encoder that train_encoder wrote.
    Alone(Encoder),
}

impl Trained {
    fn load(folder: &Path, weights: Weights) -> Result<Self> {
        // Only the folder of an encoder has a file for the encoder alone.
        if !folder.join(Weights::Last.encoder_file()).exists() {
            return Ok(Self::Model(Box::new(Model::trained(folder, weights)?)));
        }
        let path = folder.join(weights.encoder_file());
        let (weights, config) = file::load(&path)?;
        let nf = config["nf"].as_i64();
        let nf = nf.with_context(|| format!("`{}` does not contain the encoder's width", path.display()))?;
        let mut vars = Vars::on(Compute::CPU);
        let encoder = Encoder::new(&mut vars, nf, code_size(&weights));
        vars.load(&weights, "")?;
        Ok(Self::Alone(encoder))
    }

    /// Codes [N, D] of images [N, 3, H, W] in 0..255.
    fn codes(&self, images: &Tensor) -> Result<Tensor> {
        match self {
            Self::Model(model) => model.codes(images, BATCH as i64),
            Self::Alone(encoder) => Ok(no_grad(|| encoder.forward(&normalised(images)).code())),
        }
    }
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if the model is damaged, or an image cannot be read.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let encoder = Trained::load(job.input("model")?, params.weights)?;
    let path = job.input("pairs")?;
    let total = row_count(path)? as usize;
    let columns = [("image_id", DataType::Utf8), ("z", list())];
    let mut parts = Parts::create(job, "embeddings", schema(&columns))?;
    let mut done = 0;
    read_padded(path, &["b"], BATCH, params.max_side, |ids, images| {
        let codes = encoder.codes(&centre(&images[0], params.crop))?;
        let codes = codes.narrow(0, 0, ids.len() as i64);
        let z = lists(codes.size()[1] as usize, values(&codes)?)?;
        parts.write(&batch(vec![("image_id", strings(ids)), ("z", z)])?)?;
        done += ids.len();
        job.progress(done, total, "images");
        Ok(())
    })?;
    parts.end()
}
