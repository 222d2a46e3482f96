//! Published weight files, in the formats of their publishers. They are read as data: nothing in them is
//! executed.

mod keras;
mod known;
mod network;
mod numpy;
mod pickle;
#[cfg(test)]
mod tests;
pub(crate) mod torch;
mod unreadable;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::user_error;
use sha2::{Digest, Sha256};
use tch::{Kind, Tensor};

pub(crate) use known::known;
pub(crate) use network::convolutions;
pub(crate) use unreadable::unreadable;
use unreadable::unsuitable;

use crate::lib::nn::vgg::{Convention, Origin};
use keras::Keras;
use network::Convolution;

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
            // The first member of torch's archives is `<name>/data.pkl`, that of NumPy's is `<name>.npy`.
            head if head.starts_with(b"PK") => {
                let length = head.get(26..28).map_or(0, |l| usize::from(u16::from_le_bytes([l[0], l[1]])));
                let name = head.get(30..30 + length).unwrap_or_default();
                Some(if name.ends_with(b".npy") { Self::Npz } else { Self::TorchZip })
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
        Format::Torch | Format::TorchZip | Format::Pickle => Convention::Torchvision,
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
/// Returns an error if the format is unknown, the file is damaged or lacks a convolution, or a convolution
/// has another shape or contains NaN or infinity.
pub(crate) fn read(path: &Path, convolutions: &[Convolution]) -> Result<(BTreeMap<String, Tensor>, Format)> {
    let Some(format) = Format::of(path)? else {
        let known = "torch's and Flax's pickles, NumPy's .npy and .npz, HDF5";
        return Err(user_error(
            format!("`{}` is not a weight file in a known format: {known}", path.display()),
            "fetch the file again, or use a file in one of these formats",
        ));
    };
    let bytes = || fs::read(path).with_context(|| format!("cannot read `{}`", path.display()));
    let found: Vec<Option<[Tensor; 2]>> = match format {
        Format::Torch | Format::TorchZip => {
            let tensors = torch::read(&bytes()?, path)?;
            convolutions.iter().map(|c| of_torch(&tensors, c)).collect()
        }
        Format::Npy | Format::Npz | Format::Pickle => {
            let arrays = numpy::read(&bytes()?, path)?;
            convolutions.iter().map(|c| of_numpy(&arrays, c)).collect()
        }
        Format::Hdf5 => {
            let file = Keras::open(path)?;
            let read = |c: &Convolution| Ok(file.convolution(c)?.map(from_hwio));
            convolutions.iter().map(read).collect::<Result<_>>()?
        }
        Format::Safetensors => {
            return Err(user_error(
                format!("`{}` is a safetensors file, which is not a published format", path.display()),
                "use the file in the format of its publisher",
            ));
        }
    };
    let mut tensors = BTreeMap::new();
    for (convolution, found) in convolutions.iter().zip(found) {
        let name = &convolution.name;
        let Some([weight, bias]) = found else {
            return Err(unsuitable(path, format!("it has no weights of `{name}`")));
        };
        let (weight, bias) = (weight.to_kind(Kind::Float), bias.to_kind(Kind::Float));
        if weight.size() != convolution.shape || bias.size() != convolution.shape[..1] {
            let (found, wanted) = (weight.size(), convolution.shape);
            return Err(unsuitable(path, format!("`{name}` has shape {found:?}, not {wanted:?}")));
        }
        if weight.isfinite().all().int64_value(&[]) == 0 || bias.isfinite().all().int64_value(&[]) == 0 {
            return Err(unreadable(path, format!("`{name}` contains NaN or infinity")));
        }
        tensors.insert(format!("{name}.weight"), weight);
        tensors.insert(format!("{name}.bias"), bias);
    }
    Ok((tensors, format))
}

fn of_torch(tensors: &BTreeMap<String, Tensor>, convolution: &Convolution) -> Option<[Tensor; 2]> {
    convolution.torch.iter().find_map(|name| {
        let get = |part: &str| tensors.get(&format!("{name}.{part}")).map(Tensor::shallow_clone);
        Some([get("weight")?, get("bias")?])
    })
}

fn of_numpy(arrays: &BTreeMap<String, Tensor>, convolution: &Convolution) -> Option<[Tensor; 2]> {
    let pair = |name: &String| {
        [[".0", ".1"], ["_W", "_b"], [".weight", ".bias"], ["/kernel", "/bias"]].into_iter().find_map(
            |[kernel, bias]| {
                let get = |part: &str| arrays.get(&format!("{name}{part}")).map(Tensor::shallow_clone);
                Some([get(kernel)?, get(bias)?])
            },
        )
    };
    let [kernel, bias] = convolution.numpy.iter().find_map(pair)?;
    // Arrays of TensorFlow and Keras are HWIO.
    let as_wanted = kernel.size() == convolution.shape;
    Some(if as_wanted { [kernel, bias] } else { from_hwio([kernel, bias]) })
}

/// Converts a kernel [H, W, I, O] to [O, I, H, W].
fn from_hwio([kernel, bias]: [Tensor; 2]) -> [Tensor; 2] {
    let kernel = if kernel.dim() == 4 { kernel.permute([3, 2, 0, 1]).contiguous() } else { kernel };
    [kernel, bias]
}
