//! Weights as Keras stores them in HDF5. Kernels are HWIO, and each layer is a group.

use std::path::Path;

use anyhow::Result;
use hdf5_reader::{Dataset, Datatype, Hdf5File};
use tch::{Kind, Tensor};

use super::archive::Archive;
use super::floats::{FLOATS, tensor};
use super::limits::{MOST_BYTES, TOO_LARGE};
use super::network::Convolution;
use super::unreadable::unreadable;

/// Member of a `.keras` archive with the weights.
pub(super) const MEMBER: &str = "model.weights.h5";

/// Open file of weights.
pub(super) struct Keras<'a> {
    file: Hdf5File,
    path: &'a Path,
}

impl<'a> Keras<'a> {
    /// Opens the bytes of a file: HDF5, or a `.keras` archive that contains it.
    ///
    /// # Errors
    /// Returns an error if the file is not HDF5, or is truncated.
    pub(super) fn open(bytes: Vec<u8>, path: &'a Path) -> Result<Self> {
        let file = if bytes.starts_with(b"PK") {
            let member = Archive::open(&bytes).and_then(|mut archive| archive.member(MEMBER));
            Hdf5File::from_vec(member.map_err(|why| unreadable(path, why))?)
        } else {
            Hdf5File::from_vec(bytes)
        };
        Ok(Self { file: file.map_err(|error| unreadable(path, error))?, path })
    }

    /// Kernel [H, W, I, O] and bias of a convolution, under the names of the versions of Keras, or of HED.
    /// `None` if they are missing.
    ///
    /// # Errors
    /// Returns an error if a dataset under such a name is not an array of floats.
    pub(super) fn convolution(&self, convolution: &Convolution) -> Result<Option<[Tensor; 2]>> {
        for folder in &convolution.keras {
            let layer = folder.rsplit('/').next().unwrap_or(folder);
            let names = [
                ("kernel:0".to_owned(), "bias:0".to_owned()),
                (format!("{layer}/kernel:0"), format!("{layer}/bias:0")),
                (format!("{layer}_W_1:0"), format!("{layer}_b_1:0")),
                ("vars/0".to_owned(), "vars/1".to_owned()),
            ];
            for (kernel, bias) in names {
                let (kernel, bias) = (format!("{folder}/{kernel}"), format!("{folder}/{bias}"));
                if self.file.dataset(&kernel).is_ok() {
                    return Ok(Some([self.array(&kernel)?, self.array(&bias)?]));
                }
            }
        }
        Ok(None)
    }

    fn array(&self, name: &str) -> Result<Tensor> {
        let data = self.file.dataset(name).map_err(|error| error.to_string());
        let array = data.and_then(|data| array(&data));
        array.map_err(|why| unreadable(self.path, format!("`{name}`: {why}")))
    }
}

fn array(data: &Dataset) -> Result<Tensor, String> {
    let kind = kind(data)?;
    if data.raw_byte_len().map_err(|error| error.to_string())? as u64 > MOST_BYTES {
        return Err(TOO_LARGE.into());
    }
    let bytes = data.read_native_bytes().map_err(|error| error.to_string())?;
    let shape: Vec<i64> = data.shape().iter().map(|side| *side as i64).collect();
    tensor(&bytes, &shape, kind)
}

/// Float format of an array. Formats of one size differ in the number of bits of the exponent.
fn kind(data: &Dataset) -> Result<Kind, String> {
    let described = data.raw_datatype().map_err(|error| error.to_string())?;
    let exponent = described.get(EXPONENT_SIZE).copied().unwrap_or_default();
    match (data.dtype(), exponent) {
        (Datatype::FloatingPoint { size: 2, .. }, 5) => Ok(Kind::Half),
        (Datatype::FloatingPoint { size: 2, .. }, 8) => Ok(Kind::BFloat16),
        (Datatype::FloatingPoint { size: 4, .. }, 8) => Ok(Kind::Float),
        (Datatype::FloatingPoint { size: 8, .. }, 11) => Ok(Kind::Double),
        (other, _) => Err(format!("its values are {other:?}, not {FLOATS}")),
    }
}

/// Position of the exponent's number of bits in the description of a floating-point type.
const EXPONENT_SIZE: usize = 13;
