//! Weights as Keras stores them in HDF5. Kernels are HWIO, and each layer is a group.

use std::path::Path;

use anyhow::Result;
use hdf5_reader::Hdf5File;
use tch::Tensor;

use super::network::Convolution;
use super::unreadable::unreadable;

/// Open file of weights.
pub(super) struct Keras<'a> {
    file: Hdf5File,
    path: &'a Path,
}

impl<'a> Keras<'a> {
    /// Opens a file.
    ///
    /// # Errors
    /// Returns an error if the file is not HDF5, or is truncated.
    pub(super) fn open(path: &'a Path) -> Result<Self> {
        Ok(Self { file: Hdf5File::open(path).map_err(|error| unreadable(path, error))?, path })
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
        let array = self.file.dataset(name).and_then(|data| data.read_array::<f32>());
        let array = array.map_err(|error| unreadable(self.path, format!("`{name}`: {error}")))?;
        let shape: Vec<i64> = array.shape().iter().map(|side| *side as i64).collect();
        let values: Vec<f32> = array.iter().copied().collect();
        Ok(Tensor::from_slice(&values).view(shape.as_slice()))
    }
}
