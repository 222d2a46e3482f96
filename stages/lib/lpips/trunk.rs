//! Networks on whose features distances are measured, as lists of layers.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use callsheet_worker::user_error;
use tch::Tensor;

use crate::lib::nn::file;
use crate::lib::nn::layout::channels_last;
use crate::lib::nn::vgg::Origin;
use crate::lib::weights::{convolutions, origin, read, sha256};
use Layer::{Conv, Fire, Pool, Tap};

/// Step of a network.
enum Layer {
    /// Convolution with a name, stride and padding, followed by a ReLU.
    Conv(&'static str, i64, i64),
    /// Fire module with a name: one squeezing convolution, then two expanding ones (SqueezeNet 1.1).
    Fire(&'static str),
    /// Max pool with stride 2 over squares with this side; `true` allows incomplete squares at the border.
    Pool(i64, bool),
    /// Tap: the output of the previous layer is compared.
    Tap,
}

/// Name of the weights, name for people, smallest side of images in pixels, and layers. The taps are those of
/// lpips 0.1.4.
#[rustfmt::skip] // as the networks are drawn
const NETWORKS: [(&str, &str, i64, &[Layer]); 3] = [
    ("alexnet", "AlexNet", 31, &[
        Conv("conv1", 4, 2), Tap,
        Pool(3, false), Conv("conv2", 1, 2), Tap,
        Pool(3, false), Conv("conv3", 1, 1), Tap, Conv("conv4", 1, 1), Tap, Conv("conv5", 1, 1), Tap,
    ]),
    ("vgg16", "VGG-16", 16, &[
        Conv("conv1_1", 1, 1), Conv("conv1_2", 1, 1), Tap,
        Pool(2, false), Conv("conv2_1", 1, 1), Conv("conv2_2", 1, 1), Tap,
        Pool(2, false), Conv("conv3_1", 1, 1), Conv("conv3_2", 1, 1), Conv("conv3_3", 1, 1), Tap,
        Pool(2, false), Conv("conv4_1", 1, 1), Conv("conv4_2", 1, 1), Conv("conv4_3", 1, 1), Tap,
        Pool(2, false), Conv("conv5_1", 1, 1), Conv("conv5_2", 1, 1), Conv("conv5_3", 1, 1), Tap,
    ]),
    ("squeezenet1_1", "SqueezeNet 1.1", 17, &[
        Conv("conv1", 2, 0), Tap,
        Pool(3, true), Fire("fire2"), Fire("fire3"), Tap,
        Pool(3, true), Fire("fire4"), Fire("fire5"), Tap,
        Pool(3, true), Fire("fire6"), Tap, Fire("fire7"), Tap, Fire("fire8"), Tap, Fire("fire9"), Tap,
    ]),
];

/// A network with its weights.
pub(super) struct Trunk {
    layers: &'static [Layer],
    tensors: BTreeMap<String, Tensor>,
    /// Name for people.
    pub network: &'static str,
    /// Smallest side of an image in pixels.
    pub smallest_side: i64,
    /// Metadata of the weights.
    pub origin: Origin,
}

impl Trunk {
    /// Reads published weights of `network`.
    ///
    /// # Errors
    /// Returns an error if the file is unreadable, or belongs to another network.
    pub(super) fn published(path: &Path, network: &str) -> Result<Self> {
        let convolutions = convolutions(network).unwrap_or_default();
        let (tensors, format) = read(path, &convolutions)?;
        Self::new(tensors, origin(path, &sha256(path)?, network, format, None), path)
    }

    /// Loads weights that the stage import_weights wrote.
    ///
    /// # Errors
    /// Returns an error if the weights are damaged, or do not belong to one of these networks.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let (tensors, config) = file::load(path)?;
        let origin: Origin = serde_json::from_value(config).map_err(|error| {
            let message = format!("`{}` does not contain the name of its network: {error}", path.display());
            user_error(message, "use weights that the stage import_weights wrote")
        })?;
        Self::new(tensors, origin, path)
    }

    fn new(tensors: BTreeMap<String, Tensor>, origin: Origin, path: &Path) -> Result<Self> {
        let fits = |name: &str| {
            let wanted = convolutions(name).unwrap_or_default();
            tensors.len() == 2 * wanted.len()
                && wanted.iter().all(|convolution| {
                    let size =
                        |part: &str| Some(tensors.get(&format!("{}.{part}", convolution.name))?.size());
                    size("weight").as_deref() == Some(&convolution.shape[..])
                        && size("bias").as_deref() == Some(&convolution.shape[..1])
                })
        };
        let Some((_, network, smallest_side, layers)) = NETWORKS.iter().find(|(name, ..)| fits(name)) else {
            let known = NETWORKS.map(|(_, network, ..)| network).join(", ");
            return Err(user_error(
                format!(
                    "`{}` ({}) does not contain weights of one of these networks: {known}",
                    path.display(),
                    origin.name
                ),
                "import weights of one of the listed networks, on whose features distances are measured",
            ));
        };
        let tensors = tensors.into_iter().map(|(name, tensor)| {
            let tensor = if tensor.dim() == 4 { channels_last(&tensor) } else { tensor };
            (name, tensor)
        });
        Ok(Self { layers, tensors: tensors.collect(), network, smallest_side: *smallest_side, origin })
    }

    /// Size of the first layer's output in bytes, for an image with this number of pixels. It is the largest
    /// output.
    pub(super) fn first_layer_bytes(&self, pixels: i64) -> i64 {
        let Some(Conv(name, stride, _)) = self.layers.first() else {
            unreachable!("networks begin with one")
        };
        self.tensors[&format!("{name}.weight")].size()[0] * size_of::<f32>() as i64 * pixels / stride.pow(2)
    }

    /// Computes the taps of images [N, 3, H, W] in the convention of the weights: one tensor [N, C, H', W']
    /// per tap.
    pub(super) fn taps(&self, x: &Tensor) -> Vec<Tensor> {
        let mut x = channels_last(x);
        let mut taps = Vec::new();
        for layer in self.layers {
            match layer {
                Conv(name, stride, padding) => x = self.convolved(&x, name, *stride, *padding),
                Fire(name) => {
                    let squeezed = self.convolved(&x, &format!("{name}.squeeze"), 1, 0);
                    let [one, three] = [("expand1x1", 0), ("expand3x3", 1)].map(|(part, padding)| {
                        self.convolved(&squeezed, &format!("{name}.{part}"), 1, padding)
                    });
                    x = Tensor::cat(&[one, three], 1);
                }
                Pool(side, cut) => x = x.max_pool2d([*side, *side], [2, 2], [0, 0], [1, 1], *cut),
                Tap => taps.push(x.shallow_clone()),
            }
        }
        taps
    }

    fn convolved(&self, x: &Tensor, name: &str, stride: i64, padding: i64) -> Tensor {
        let [weight, bias] = ["weight", "bias"].map(|part| &self.tensors[&format!("{name}.{part}")]);
        x.conv2d(weight, Some(bias), [stride, stride], [padding, padding], [1, 1], 1).relu_()
    }
}

#[cfg(test)]
impl Trunk {
    /// Network under the name of published weights, but with weights from a formula: sine waves over the
    /// values of a kernel.
    pub(super) fn waves(network: &str) -> Self {
        let (name, shown, smallest_side, layers) =
            NETWORKS.into_iter().find(|(name, ..)| *name == network).expect("a network");
        let mut tensors = BTreeMap::new();
        for (n, convolution) in convolutions(network).expect("a network").into_iter().enumerate() {
            let shape = convolution.shape;
            let fan_in = shape[1..].iter().product::<i64>();
            let values = |count: i64, scale: f64, pace: f64| {
                let value = |k: i64| (scale * (pace * k as f64 + n as f64).sin()) as f32;
                Tensor::from_slice(&(0..count).map(value).collect::<Vec<_>>())
            };
            let weight = values(shape[0] * fan_in, (4.0 / fan_in as f64).sqrt(), 0.37).view(shape);
            tensors.insert(format!("{}.weight", convolution.name), channels_last(&weight));
            tensors.insert(format!("{}.bias", convolution.name), values(shape[0], 0.1, 1.0));
        }
        let convention = crate::lib::nn::vgg::Convention::Torchvision;
        let origin = Origin { name: name.into(), convention, source: "waves".into() };
        Self { layers, tensors, network: shown, smallest_side, origin }
    }
}
