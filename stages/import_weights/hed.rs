//! The convolutional stack of HED, as Keras stores it in HDF5: kernels are HWIO.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use hdf5_reader::Hdf5File;
use tch::Tensor;

use crate::nn::file::unreadable;
use crate::nn::vgg::{BLOCKS, conv_name};

/// Reads `block1/layers/conv2d/vars/0` and so on.
///
/// # Errors
/// When the file is no HDF5, is truncated, or lacks a layer.
pub fn read(path: &Path) -> Result<BTreeMap<String, Tensor>> {
    let file = Hdf5File::open(path).map_err(|error| unreadable(path, error))?;
    let array = |name: &str| {
        let array = file.dataset(name).and_then(|data| data.read_array::<f32>());
        let array = array.map_err(|error| unreadable(path, format!("`{name}`: {error}")))?;
        let shape: Vec<i64> = array.shape().iter().map(|n| *n as i64).collect();
        let values: Vec<f32> = array.iter().copied().collect();
        anyhow::Ok(Tensor::from_slice(&values).view(shape.as_slice()))
    };
    let mut tensors = BTreeMap::new();
    for (block, (count, _)) in (1..).zip(BLOCKS) {
        for index in 1..=count {
            let layer = if index == 1 { "conv2d".to_owned() } else { format!("conv2d_{}", index - 1) };
            let folder = format!("block{block}/layers/{layer}/vars");
            let kernel = array(&format!("{folder}/0"))?;
            if kernel.dim() != 4 {
                return Err(unreadable(path, format!("`{folder}/0` has shape {:?}", kernel.size())));
            }
            let name = conv_name(block, index);
            tensors.insert(format!("{name}.weight"), kernel.permute([3, 2, 0, 1]).contiguous());
            tensors.insert(format!("{name}.bias"), array(&format!("{folder}/1"))?);
        }
    }
    Ok(tensors)
}
