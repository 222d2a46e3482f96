//! VGG-16 up to conv5, with taps after the ReLUs that the method uses. The weights are frozen.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use callsheet_worker::user_error;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::compute::Compute;
use super::file;
use super::layout::channels_last;

/// Number and width of the convolutions in each block.
pub(crate) const BLOCKS: [(usize, i64); 5] = [(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)];

/// Channels of the five taps.
pub(crate) const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

/// Index of the convolution in each block whose ReLU is tapped: relu1_2, 2_2, 3_2, 4_2, 5_2.
const TAPPED: usize = 1;

/// Smallest side of an image in pixels. The network halves the sides four times.
pub(crate) const SMALLEST_SIDE: u32 = 16;

/// Convention for the input of the network, which depends on the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Convention {
    /// BGR in 0..255 minus the mean.
    Caffe,
    /// RGB in 0..1, normalised by mean and standard deviation.
    Torchvision,
}

impl Convention {
    /// Name of the program that introduced the convention.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Caffe => "Caffe",
            Self::Torchvision => "torchvision",
        }
    }

    /// Converts images [N, 3, H, W] in [-1, 1] to the input of the network.
    pub(crate) fn input(self, x: &Tensor) -> Tensor {
        let channels =
            |values: [f32; 3]| Tensor::from_slice(&values).to_device(x.device()).view([1, 3, 1, 1]);
        match self {
            Self::Caffe => (x.flip([1]) + 1.0) * 127.5 - channels([103.939, 116.779, 123.68]),
            Self::Torchvision => {
                ((x + 1.0) * 0.5 - channels([0.485, 0.456, 0.406])) / channels([0.229, 0.224, 0.225])
            }
        }
    }
}

/// Metadata of a weight file.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Origin {
    /// Short name for tables and pictures, e.g. `vgg16`.
    pub name: String,
    /// Convention for the input of the network.
    pub convention: Convention,
    /// Source of the file.
    pub source: String,
}

/// VGG-16 with its weights.
#[derive(Debug)]
pub(crate) struct Vgg {
    blocks: Vec<Vec<(Tensor, Tensor)>>,
    /// Metadata of the weights.
    pub origin: Origin,
}

/// Name of convolution `index` (from 1) of block `block` (from 1).
pub(crate) fn conv_name(block: usize, index: usize) -> String {
    format!("conv{block}_{index}")
}

impl Vgg {
    /// Loads weights that the stage import_weights wrote.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or a tensor is missing, has another shape, or contains
    /// NaN or infinity.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let (tensors, config) = file::load(path)?;
        let origin = serde_json::from_value(config).map_err(|error| {
            user_error(
                format!("`{}` does not describe its VGG: {error}", path.display()),
                "use weights that the stage import_weights wrote",
            )
        })?;
        check(&tensors, path)?;
        let mut blocks = Vec::new();
        for (block, (count, _)) in (1..).zip(BLOCKS) {
            let pair = |index| {
                let name = conv_name(block, index);
                (
                    tensors[&format!("{name}.weight")].shallow_clone(),
                    tensors[&format!("{name}.bias")].shallow_clone(),
                )
            };
            blocks.push((1..=count).map(pair).collect());
        }
        Ok(Self { blocks, origin })
    }

    /// Returns a copy of the network for a device and number format.
    pub(crate) fn on(&self, Compute { device, kind }: Compute) -> Self {
        let cast = |(weight, bias): &(Tensor, Tensor)| {
            (channels_last(weight).to_kind(kind).to_device(device), bias.to_kind(kind).to_device(device))
        };
        let blocks = self.blocks.iter().map(|block| block.iter().map(cast).collect()).collect();
        Self { blocks, origin: self.origin.clone() }
    }

    /// Returns another handle to the weights.
    pub(crate) fn share(&self) -> Self {
        let pair = |(weight, bias): &(Tensor, Tensor)| (weight.shallow_clone(), bias.shallow_clone());
        let blocks = self.blocks.iter().map(|block| block.iter().map(pair).collect()).collect();
        Self { blocks, origin: self.origin.clone() }
    }

    /// Computes the taps of images [N, 3, H, W] in [-1, 1]: five tensors [N, C, H/2^k, W/2^k].
    pub(crate) fn taps(&self, x: &Tensor) -> Vec<Tensor> {
        let mut taps = Vec::with_capacity(BLOCKS.len());
        self.each_tap(x, |tap| taps.push(tap.shallow_clone()));
        taps
    }

    /// Calls `each` with the taps of [`Self::taps`] one after the other, so that none is kept longer than
    /// necessary. Sides of images must be at least [`SMALLEST_SIDE`].
    pub(crate) fn each_tap(&self, x: &Tensor, mut each: impl FnMut(&Tensor)) {
        let mut x = self.origin.convention.input(x).to_kind(self.blocks[0][0].0.kind());
        for (n, block) in self.blocks.iter().enumerate() {
            if n > 0 {
                x = x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], true);
            }
            let last_needed = if n + 1 == self.blocks.len() { TAPPED + 1 } else { block.len() };
            for (index, (weight, bias)) in block.iter().enumerate().take(last_needed) {
                x = x.conv2d(weight, Some(bias), [1, 1], [1, 1], [1, 1], 1).relu_();
                if index == TAPPED {
                    each(&x);
                }
            }
        }
    }
}

/// Checks that every convolution is present, has the right shape and is finite.
///
/// # Errors
/// Returns an error if a tensor is missing or invalid, which it names, or if there are too many tensors.
pub(crate) fn check(tensors: &BTreeMap<String, Tensor>, path: &Path) -> Result<()> {
    let expected: usize = BLOCKS.iter().map(|(count, _)| 2 * count).sum();
    if tensors.len() > expected {
        return Err(user_error(
            format!("`{}` has {} tensors instead of {expected}", path.display(), tensors.len()),
            "use weights of a VGG-16 (import_weights.network = \"vgg16\")",
        ));
    }
    let mut inputs = 3;
    for (block, (count, width)) in (1..).zip(BLOCKS) {
        for index in 1..=count {
            let name = conv_name(block, index);
            for (part, shape) in [("weight", vec![width, inputs, 3, 3]), ("bias", vec![width])] {
                let name = format!("{name}.{part}");
                let problem = match tensors.get(&name) {
                    None => Some("is missing".to_owned()),
                    Some(t) if t.size() != shape => Some(format!("has shape {:?}, not {shape:?}", t.size())),
                    Some(t) if t.isfinite().all().int64_value(&[]) == 0 => {
                        Some("contains NaN or infinity".to_owned())
                    }
                    Some(_) => None,
                };
                if let Some(problem) = problem {
                    return Err(user_error(
                        format!("VGG-16 weights `{}`: `{name}` {problem}", path.display()),
                        "use weights of a VGG-16 (configuration D)",
                    ));
                }
            }
            inputs = width;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    /// VGG in which every convolution adds 1 to its input, so that a tap counts the convolutions before it.
    fn counting(convention: Convention) -> Vgg {
        let float = (Kind::Float, Device::Cpu);
        let through = Tensor::zeros([3, 3, 3, 3], float);
        (0..3).for_each(|c| drop(through.get(c).get(c).get(1).get(1).fill_(1.0)));
        let conv = || (through.shallow_clone(), Tensor::ones([3], float));
        let blocks = BLOCKS.map(|(count, _)| (0..count).map(|_| conv()).collect());
        let origin = Origin { name: String::new(), convention, source: String::new() };
        Vgg { blocks: blocks.into(), origin }
    }

    #[test]
    fn taps_lie_after_the_relus_of_the_method_and_before_the_next_pooling() {
        // White is brighter than the means, so that no ReLU changes it.
        let white = Tensor::ones([1, 3, 32, 32], (Kind::Float, Device::Cpu));
        let vgg = counting(Convention::Caffe);
        let blue = 255.0 - 103.939;
        for (n, (tap, before)) in vgg.taps(&white).iter().zip([2, 4, 6, 9, 12]).enumerate() {
            assert_eq!(tap.size(), [1, 3, 32 >> n, 32 >> n]);
            let value = tap.double_value(&[0, 0, 0, 0]);
            assert!((value - blue - f64::from(before)).abs() < 1e-3, "{n}: {value}");
        }
    }

    #[test]
    fn caffe_takes_blue_first_in_0_to_255_and_torchvision_red_first_in_deviations() {
        let red = Tensor::from_slice(&[1f32, -1.0, -1.0]).view([1, 3, 1, 1]);
        let first = |convention: Convention| convention.input(&red).flatten(0, -1).double_value(&[0]);
        assert!((first(Convention::Caffe) + 103.939).abs() < 1e-3);
        assert!((first(Convention::Torchvision) - (1.0 - 0.485) / 0.229).abs() < 1e-5);
    }
}
