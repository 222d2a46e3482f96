//! The mapper M, fitted by implicit maximum likelihood estimation (Li and Malik 2018): noise to
//! style codes, so that styles can be sampled without a variational encoder.

mod imle;

use anyhow::Result;
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, refusal};
use serde_json::json;
use tch::Tensor;

use crate::lib::columns::{read_strings, read_vectors};
use crate::lib::data::Images;
use crate::lib::nn::encoder::STYLE_DIM;
use crate::lib::nn::file;
use imle::{Params, fit};

/// Runs the stage.
///
/// # Errors
/// When there is no training code.
pub(crate) fn run(job: &Job) -> Result<()> {
    let mut params: Params = job.params()?;
    let images = Images::read(job.input("pairs")?)?;
    let rows = read_columns(job.input("embeddings")?, &["image_id", "z"])?;
    let ids = read_strings(&rows, "image_id")?;
    let codes = read_vectors(&rows, "z")?.chunks_exact(STYLE_DIM as usize).zip(&ids);
    let codes: Vec<f32> =
        codes.filter(|(_, id)| images.is_of(id, "train")).flat_map(|(z, _)| z.to_vec()).collect();
    let codes = Tensor::from_slice(&codes).view([-1, STYLE_DIM]);
    let count = codes.size()[0].min(params.max_codes);
    if count == 0 {
        return Err(refusal("no code is of the split train", "set pair_images.val_fraction lower"));
    }
    if count < params.batch {
        job.warn(format!("batch = {} is more than {count} training codes: it is {count}", params.batch));
        params.batch = count;
    }
    let (_, vars) = fit(&params, &codes, |epoch, loss| {
        job.metric("loss/mapper", epoch, loss);
        job.progress(epoch as usize, params.epochs as usize, "epochs");
    })?;
    let config = json!({ "network": "mapper", "epochs": params.epochs, "labels": job.request.labels });
    file::save_model(job.output("mapper")?, &[("mapper.safetensors", vars.named())], &config)
}
