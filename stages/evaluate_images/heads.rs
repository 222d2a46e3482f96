//! The learnt weights of LPIPS (Zhang et al. 2018).

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest, Sha256};
use tch::Tensor;

use crate::nn::vgg::{BLOCKS, Origin};
use crate::weights::{torch, unreadable};
use crate::worker::refusal;

/// The network that the heads in the file `vgg.pth` were fitted to.
const TRUNK: &str = "vgg16";

/// Of `vgg.pth` of LPIPS v0.1.
const SHA256: &str = "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868";

/// Reads `vgg.pth` of LPIPS v0.1: five tensors [1, C, 1, 1].
///
/// # Errors
/// When the file is damaged, or `trunk` is not torchvision's VGG-16: with another trunk the
/// distance would not be LPIPS.
pub fn read(path: &Path, trunk: &Origin) -> Result<Vec<Tensor>> {
    if trunk.name != TRUNK {
        return Err(refusal(
            format!("{} belongs to {TRUNK}, and the weights given are {}", path.display(), trunk.name),
            "leave lpips_heads unwired, or import torchvision's vgg16-397923af.pth",
        ));
    }
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let found = format!("{:x}", Sha256::digest(&bytes));
    if found != SHA256 {
        return Err(unreadable(path, format!("its SHA-256 is {found}, not {SHA256}")));
    }
    let tensors = torch::read(&bytes, path)?;
    let head = |(tap, (_, width)): (usize, (usize, i64))| {
        let name = format!("lin{tap}.model.1.weight");
        let found = tensors.get(&name).map(Tensor::size);
        match tensors.get(&name) {
            Some(tensor) if tensor.size() == [1, width, 1, 1] => Ok(tensor.shallow_clone()),
            _ => Err(unreadable(path, format!("`{name}` is {found:?}, not [1, {width}, 1, 1]"))),
        }
    };
    BLOCKS.into_iter().enumerate().map(head).collect()
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::nn::vgg::Convention;

    fn origin(name: &str) -> Origin {
        Origin { name: name.into(), convention: Convention::Torchvision, source: String::new() }
    }

    fn published() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/weights/lpips/vgg.pth")
    }

    #[test]
    fn the_published_heads_have_the_sums_of_the_specification() {
        let heads = read(&published(), &origin(TRUNK)).expect("the heads that `make setup` fetches");
        let sums = [6.925_992, 8.858_334, 17.515_006, 51.521_323, 47.034_854];
        for (head, wanted) in heads.iter().zip(sums) {
            assert!((head.sum(Kind::Double).double_value(&[]) - wanted).abs() < 1e-5);
            assert!(head.min().double_value(&[]) >= 0.0);
        }
    }

    #[test]
    fn heads_of_another_trunk_and_damaged_files_are_refused() {
        let other = read(&published(), &origin("vgg-hed")).expect_err("another trunk").to_string();
        assert!(other.contains("vgg.pth belongs to vgg16, and the weights given are vgg-hed"), "{other}");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vgg.pth");
        let bytes = fs::read(published()).expect("the heads");
        let mut flipped = bytes.clone();
        flipped[5000] ^= 1;
        for damaged in [&bytes[..bytes.len() / 2], &flipped] {
            fs::write(&path, damaged).expect("written");
            let error = read(&path, &origin(TRUNK)).expect_err("damaged").to_string();
            assert!(error.contains("is no readable weight file: its SHA-256"), "{error}");
        }
    }
}
