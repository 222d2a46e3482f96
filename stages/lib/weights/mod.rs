//! Published weight files, in the formats of their publishers. They are read as data: nothing in them is
//! executed.

mod archive;
mod floats;
mod keras;
mod known;
mod limits;
mod names;
mod network;
mod numpy;
mod pickle;
mod safetensors;
#[cfg(test)]
mod tests;
pub(crate) mod torch;
mod unreadable;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::{caught, user_error};
use sha2::{Digest, Sha256};
use tch::Tensor;

pub(crate) use known::known;
pub(crate) use network::convolutions;
pub(crate) use unreadable::unreadable;
use unreadable::unsuitable;

use crate::lib::nn::vgg::{Convention, Origin};
use keras::Keras;
use names::pick;
use network::Convolution;

/// Largest magnitude of a weight or bias. Those of the files that `make setup` fetches are below 3.
const LARGEST: f64 = 1e6;

/// Format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `torch.save` before 1.6.
    Torch,
    /// `torch.save` since 1.6: a zip archive.
    TorchZip,
    /// NumPy's `.npy`.
    Npy,
    /// NumPy's `.npz`.
    Npz,
    /// A pickle of dicts of arrays.
    Pickle,
    /// HDF5, as Keras writes it.
    Hdf5,
    /// Keras's archive: a zip archive with an HDF5 file.
    Keras,
    /// safetensors.
    Safetensors,
}

impl Format {
    /// Detects the format of a file from its first bytes, regardless of its name. Returns `None` if it is
    /// unknown.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read.
    pub(crate) fn of(path: &Path) -> Result<Option<Self>> {
        let mut head = Vec::new();
        let file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        file.take(30 + u64::from(u16::MAX))
            .read_to_end(&mut head)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(match head.as_slice() {
            head if head.starts_with(b"\x89HDF\r\n") => Some(Self::Hdf5),
            head if head.starts_with(b"\x93NUMPY") => Some(Self::Npy),
            // The first member of torch's archives is `<name>/data.pkl`, that of NumPy's is `<name>.npy`, and
            // that of Keras's is `metadata.json`.
            head if head.starts_with(b"PK") => {
                let length = head.get(26..28).map_or(0, |l| usize::from(u16::from_le_bytes([l[0], l[1]])));
                let name = head.get(30..30 + length).unwrap_or_default();
                Some(match name {
                    b"metadata.json" => Self::Keras,
                    _ if name.ends_with(b".npy") => Self::Npz,
                    _ => Self::TorchZip,
                })
            }
            // This pattern comes first, because the length before the brace may look like the head of a
            // pickle.
            [_, _, _, _, _, _, 0, 0, b'{', ..] => Some(Self::Safetensors),
            // torch's files begin with a long number.
            [0x80, 0x02..=0x05, 0x8a, ..] | [0x80, 0x04 | 0x05, 0x95, _, _, _, _, _, _, _, _, 0x8a, ..] => {
                Some(Self::Torch)
            }
            [0x80, 0x02..=0x05, ..] => Some(Self::Pickle),
            _ => None,
        })
    }

    /// Name of the format for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Torch => "torch",
            Self::TorchZip => "torch (zip)",
            Self::Npy => "npy",
            Self::Npz => "npz",
            Self::Pickle => "pickle",
            Self::Hdf5 => "HDF5",
            Self::Keras => "Keras",
            Self::Safetensors => "safetensors",
        }
    }
}

/// SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut file = File::open(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    io::copy(&mut file, &mut hasher).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// Metadata of a file, from its checksum or its format. A `convention` given by the user takes precedence.
pub(crate) fn origin(
    path: &Path,
    sha256: &str,
    network: &str,
    format: Format,
    convention: Option<Convention>,
) -> Origin {
    let published = known(sha256);
    let by_layout = match format {
        Format::Torch | Format::TorchZip | Format::Pickle | Format::Safetensors => Convention::Torchvision,
        _ => Convention::Caffe,
    };
    let of_published = published.and_then(|published| published.convention);
    let convention = convention.or(of_published).unwrap_or(by_layout);
    match published {
        Some(published) => {
            Origin { name: published.name.into(), convention, source: published.source.into() }
        }
        None => {
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            let source = format!("{file}, SHA-256 {sha256}: {network} of unknown origin");
            Origin { name: format!("{network}-{}", &sha256[..8]), convention, source }
        }
    }
}

/// Reads the convolutions of a network from a published file: `<name>.weight` [O, I, H, W] and `<name>.bias`.
///
/// # Errors
/// Returns an error if the format is unknown, or the file is damaged or lacks a convolution. A convolution must
/// have its shape and values that a trained network can have.
pub(crate) fn read(path: &Path, convolutions: &[Convolution]) -> Result<(BTreeMap<String, Tensor>, Format)> {
    let Some(format) = Format::of(path)? else {
        let known = "torch's and Flax's pickles, NumPy's .npy and .npz, HDF5, safetensors";
        return Err(user_error(
            format!("`{}` is not a weight file in a known format: {known}", path.display()),
            "fetch the file again, or use a file in one of these formats",
        ));
    };
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    // The libraries that read archives and HDF5 panic on some damaged files.
    let found = caught(|| read_format(bytes, format, path, convolutions));
    let found = found.unwrap_or_else(|panic| Err(unreadable(path, format!("its reader failed: {panic}"))))?;
    let mut tensors = BTreeMap::new();
    for (convolution, [weight, bias]) in convolutions.iter().zip(found) {
        let name = &convolution.name;
        check(path, convolution, &weight, &bias)?;
        tensors.insert(format!("{name}.weight"), weight);
        tensors.insert(format!("{name}.bias"), bias);
    }
    Ok((tensors, format))
}

fn read_format(
    bytes: Vec<u8>,
    format: Format,
    path: &Path,
    convolutions: &[Convolution],
) -> Result<Vec<[Tensor; 2]>> {
    match format {
        Format::Torch | Format::TorchZip => {
            pick(path, torch::read(&bytes, path)?, convolutions, Convolution::torch_names)
        }
        Format::Safetensors => {
            pick(path, safetensors::read(&bytes, path)?, convolutions, Convolution::torch_names)
        }
        Format::Npy | Format::Npz | Format::Pickle => {
            let found = pick(path, numpy::read(&bytes, path)?, convolutions, Convolution::numpy_names)?;
            // Arrays of TensorFlow and Keras are HWIO.
            let oihw = |(convolution, pair): (&Convolution, [Tensor; 2])| {
                if pair[0].size() == convolution.shape { pair } else { from_hwio(pair) }
            };
            Ok(convolutions.iter().zip(found).map(oihw).collect())
        }
        Format::Hdf5 | Format::Keras => {
            let file = Keras::open(bytes, path)?;
            let read = |convolution: &Convolution| match file.convolution(convolution)? {
                Some(pair) => Ok(from_hwio(pair)),
                None => Err(unsuitable(
                    path,
                    format!(
                        "it has no weights of `{}` (`{}`)",
                        convolution.name,
                        convolution.keras.join("`, `")
                    ),
                )),
            };
            convolutions.iter().map(read).collect()
        }
    }
}

/// Checks the shape and the values of a convolution. Most formats have no checksum, so damage shows only in
/// the values.
fn check(path: &Path, convolution: &Convolution, weight: &Tensor, bias: &Tensor) -> Result<()> {
    let name = &convolution.name;
    if weight.size() != convolution.shape || bias.size() != convolution.shape[..1] {
        let (found, wanted) = (weight.size(), convolution.shape);
        return Err(unsuitable(path, format!("`{name}` has shape {found:?}, not {wanted:?}")));
    }
    let largest = [weight, bias].map(|values| values.abs().max().double_value(&[]));
    if largest.iter().any(|value| !value.is_finite()) {
        return Err(unreadable(path, format!("`{name}` contains NaN or infinity")));
    }
    if let Some(value) = largest.into_iter().find(|value| *value > LARGEST) {
        return Err(unreadable(
            path,
            format!(
                "`{name}` contains {:e}, but no weight of a trained network exceeds {LARGEST:e}",
                value as f32
            ),
        ));
    }
    if largest[0] == 0.0 {
        return Err(unreadable(path, format!("all weights of `{name}` are zero")));
    }
    Ok(())
}

/// Converts a kernel [H, W, I, O] to [O, I, H, W].
fn from_hwio([kernel, bias]: [Tensor; 2]) -> [Tensor; 2] {
    let kernel = if kernel.dim() == 4 { kernel.permute([3, 2, 0, 1]).contiguous() } else { kernel };
    [kernel, bias]
}
