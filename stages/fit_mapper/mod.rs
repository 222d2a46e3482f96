//! Mapper M from noise to style codes, fitted by implicit maximum likelihood estimation (Li and Malik 2018).
//! With it, styles can be sampled without a variational encoder.

mod imle;

use anyhow::Result;
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};
use serde_json::json;
use tch::Tensor;

use crate::lib::columns::{read_strings, read_vectors};
use crate::lib::data::Images;
use crate::lib::nn::encoder::{STYLE_DIM, wrong_size};
use crate::lib::nn::file;
use imle::{Params, fit};

/// Runs the stage.
///
/// # Errors
/// Returns an error if there is no style code of the split `train`.
pub(crate) fn run(job: &Job) -> Result<()> {
    let mut params: Params = job.params()?;
    let images = Images::read(job.input("pairs")?)?;
    let rows = read_columns(job.input("embeddings")?, &["image_id", "z"])?;
    let ids = read_strings(&rows, "image_id")?;
    let values = read_vectors(&rows, "z")?;
    if values.len() != ids.len() * STYLE_DIM as usize {
        return Err(wrong_size(values.len() as i64 / ids.len() as i64, "a mapper"));
    }
    let codes = values.chunks_exact(STYLE_DIM as usize).zip(&ids);
    let codes: Vec<f32> =
        codes.filter(|(_, id)| images.is_of(id, "train")).flat_map(|(z, _)| z.to_vec()).collect();
    let codes = Tensor::from_slice(&codes).view([-1, STYLE_DIM]);
    let count = codes.size()[0].min(params.max_codes);
    if count == 0 {
        return Err(user_error("no style code is in the split train", "lower list_images.val_fraction"));
    }
    if count < params.batch {
        job.warn(format!("batch = {} exceeds the {count} training codes: {count} is used", params.batch));
        params.batch = count;
    }
    let (_, vars) = fit(&params, &codes, |epoch, loss| {
        job.metric("loss/mapper", epoch, loss);
        job.progress(epoch as usize, params.epochs as usize, "epochs");
    })?;
    let config = json!({ "network": "mapper", "epochs": params.epochs, "labels": job.request.labels });
    file::save_model(job.output("mapper")?, &[("mapper.safetensors", vars.named())], &config)
}
