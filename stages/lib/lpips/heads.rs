//! Learnt weights of LPIPS (Zhang et al. 2018), as in PyPI's lpips 0.1.4.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::user_error;
use sha2::{Digest, Sha256};
use tch::Tensor;

use super::trunk::Trunk;
use crate::lib::nn::vgg::{Convention, Origin};
use crate::lib::weights::{known, torch, unreadable};

/// Known files, the network to whose features each belongs, and the version of LPIPS.
const HEADS: [(&str, &str, Version); 6] = [
    ("lpips-v0.0-alex", "alexnet", Version::V00),
    ("lpips-v0.0-vgg", "vgg16", Version::V00),
    ("lpips-v0.0-squeeze", "squeezenet1_1", Version::V00),
    ("lpips-v0.1-alex", "alexnet", Version::V01),
    ("lpips-v0.1-vgg", "vgg16", Version::V01),
    ("lpips-v0.1-squeeze", "squeezenet1_1", Version::V01),
];

/// Version of LPIPS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Version 0.0, which does not normalise images in [-1, 1] for the network.
    V00,
    /// Version 0.1.
    V01,
}

/// Weights of the channels of each tap.
pub(super) struct LpipsWeights {
    /// Version of LPIPS to which they belong.
    pub version: Version,
    /// One tensor [1, C, 1, 1] per tap, without negative values.
    pub weights: Vec<Tensor>,
}

impl LpipsWeights {
    /// Reads `alex.pth`, `vgg.pth` or `squeeze.pth`.
    ///
    /// # Errors
    /// Returns an error if the file is damaged or unknown, or `trunk` is not the network for which the heads
    /// were fitted, as torchvision trained it. With another network, the distance would not be LPIPS.
    pub(super) fn read(path: &Path, trunk: &Trunk) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let found = format!("{:x}", Sha256::digest(&bytes));
        let name = known(&found).map(|known| known.name);
        let Some((_, network, version)) = HEADS.iter().find(|(head, ..)| Some(*head) == name) else {
            return Err(unreadable(path, format!("its SHA-256 {found} is not that of known LPIPS heads")));
        };
        let Origin { name, convention, .. } = &trunk.origin;
        if name != network || *convention != Convention::Torchvision {
            return Err(user_error(
                format!(
                    "`{}` requires {network} with the input convention of torchvision, but the given weights \
                     are {name} with the input convention of {}",
                    path.display(),
                    convention.name()
                ),
                format!(
                    "use the published weights of {network} (in a pipeline, import them with convention = \
                     \"auto\" and wire them to `trunk`), or leave lpips_heads unwired"
                ),
            ));
        }
        let mut tensors = torch::read(&bytes, path)?;
        let mut weights = Vec::with_capacity(tensors.len());
        while let Some(head) = tensors.remove(&format!("lin{}.model.1.weight", weights.len())) {
            weights.push(head.map_err(|why| unreadable(path, why))?);
        }
        Ok(Self { version: *version, weights })
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    fn published(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/weights/lpips").join(name)
    }

    #[test]
    fn the_published_heads_have_the_sums_of_the_specification() {
        let alex = [2.349_532, 16.143_027, 39.268_439, 27.197_178, 20.317_177];
        let vgg = [6.925_992, 8.858_334, 17.515_006, 51.521_323, 47.034_854];
        for (name, network, sums) in [("v0.1/alex.pth", "alexnet", alex), ("v0.1/vgg.pth", "vgg16", vgg)] {
            let heads = LpipsWeights::read(&published(name), &Trunk::waves(network))
                .expect("fetched by `make setup`");
            assert_eq!((heads.version, heads.weights.len()), (Version::V01, 5));
            for (head, wanted) in heads.weights.iter().zip(sums) {
                assert!((head.sum(Kind::Double).double_value(&[]) - wanted).abs() < 1e-5);
                assert!(head.min().double_value(&[]) >= 0.0);
            }
        }
    }

    #[test]
    fn heads_of_another_trunk_and_damaged_files_are_refused() {
        let trunk = Trunk::waves("vgg16");
        let error =
            LpipsWeights::read(&published("v0.1/alex.pth"), &trunk).err().expect("another").to_string();
        assert!(
            error.contains(
                "requires alexnet with the input convention of torchvision, but the given weights are vgg16"
            ),
            "{error}"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vgg.pth");
        let bytes = fs::read(published("v0.1/vgg.pth")).expect("the heads");
        let mut flipped = bytes.clone();
        flipped[5000] ^= 1;
        for damaged in [&bytes[..bytes.len() / 2], &flipped] {
            fs::write(&path, damaged).expect("written");
            let error = LpipsWeights::read(&path, &trunk).err().expect("damaged").to_string();
            assert!(error.contains("is not a readable weight file: its SHA-256"), "{error}");
        }
    }
}
