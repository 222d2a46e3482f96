//! Import of published weights of convolutional networks as safetensors.

use std::path::Path;

use anyhow::{Result, anyhow};
use callsheet_worker::{Job, user_error};
use serde::Deserialize;

use crate::lib::nn::file;
use crate::lib::nn::vgg::Convention;
use crate::lib::weights::{convolutions, origin, read, sha256};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    network: String,
    convention: String,
    sha256: String,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if the file has another SHA-256 than the parameter `sha256`, has an unknown format, is damaged, or
/// lacks a convolution of the network.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let path = job.input("weights")?;
    let found = sha256(path)?;
    check_sha256(path, &found, &params.sha256)?;
    let convolutions =
        convolutions(&params.network).ok_or_else(|| anyhow!("unknown network `{}`", params.network))?;
    let (tensors, format) = read(path, &convolutions)?;
    let convention = match params.convention.as_str() {
        "caffe" => Some(Convention::Caffe),
        "torchvision" => Some(Convention::Torchvision),
        _ => None,
    };
    let origin = origin(path, &found, &params.network, format, convention);
    file::save(job.output("weights")?, &tensors, &serde_json::to_value(origin)?)
}

fn check_sha256(path: &Path, found: &str, wanted: &str) -> Result<()> {
    if found.starts_with(&wanted.to_lowercase()) {
        return Ok(());
    }
    Err(user_error(
        format!("`{}` is not the published file: its SHA-256 is {found}, not {wanted}", path.display()),
        "remove the file and run `make setup`; to use this file, set import_weights.sha256 to its SHA-256, \
         or to \"\" to accept any file",
    ))
}
