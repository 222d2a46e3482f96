//! Published weights of convolutional networks, as safetensors.

use std::path::Path;

use anyhow::{Result, anyhow};
use serde::Deserialize;

use crate::nn::file;
use crate::nn::vgg::{Convention, Origin};
use crate::weights::{Format, convolutions, known, read, sha256};
use crate::worker::{Context, refusal};

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
/// When the file is not the one expected, of no known format, truncated, or its tensors have other shapes.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let path = context.input("weights")?;
    let found = sha256(path)?;
    check_sha256(path, &found, &params.sha256)?;
    let convolutions =
        convolutions(&params.network).ok_or_else(|| anyhow!("no network {}", params.network))?;
    let (tensors, format) = read(path, &convolutions)?;
    let origin = origin(&params, path, &found, format);
    file::save(context.output("weights")?, &tensors, &serde_json::to_value(origin)?)
}

/// What is known of a file, or can be said by its layout.
fn origin(params: &Params, path: &Path, sha256: &str, format: Format) -> Origin {
    let published = known(sha256);
    let by_layout = match format {
        Format::Torch | Format::TorchZip => Convention::Torchvision,
        _ => Convention::Caffe,
    };
    let convention = match params.convention.as_str() {
        "caffe" => Convention::Caffe,
        "torchvision" => Convention::Torchvision,
        _ => published.and_then(|published| published.convention).unwrap_or(by_layout),
    };
    match published {
        Some(published) => {
            Origin { name: published.name.into(), convention, source: published.source.into() }
        }
        None => {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let source = format!("{file}, SHA-256 {sha256}: {} of unknown origin", params.network);
            Origin { name: format!("{}-{}", params.network, &sha256[..8]), convention, source }
        }
    }
}

fn check_sha256(path: &Path, found: &str, wanted: &str) -> Result<()> {
    if found.starts_with(&wanted.to_lowercase()) {
        return Ok(());
    }
    Err(refusal(
        format!("{} is not the published file: its SHA-256 is {found}, not {wanted}", path.display()),
        "remove it and fetch it again (`make setup`, torchvision's: `make imagenet`); for other weights set import_weights.sha256 to theirs, or to \"\"",
    ))
}
