//! Convolutions of the networks whose weights are imported, with their names in each source.

use crate::lib::nn::vgg::{BLOCKS, conv_name};

/// Number and width of the convolutions in each block of VGG-19.
const BLOCKS_19: [(usize, i64); 5] = [(2, 64), (2, 128), (4, 256), (4, 512), (4, 512)];

/// Convolutions of AlexNet: torchvision's index in `features`, and the shape [O, I, H, W].
const ALEXNET: [(usize, [i64; 4]); 5] = [
    (0, [64, 3, 11, 11]),
    (3, [192, 64, 5, 5]),
    (6, [384, 192, 3, 3]),
    (8, [256, 384, 3, 3]),
    (10, [256, 256, 3, 3]),
];

/// Fire modules of SqueezeNet 1.1: torchvision's index, input channels, squeezed channels, channels of each
/// expanding kernel.
const FIRES: [(usize, i64, i64, i64); 8] = [
    (3, 64, 16, 64),
    (4, 128, 16, 64),
    (6, 128, 32, 128),
    (7, 256, 32, 128),
    (9, 256, 48, 192),
    (10, 384, 48, 192),
    (11, 384, 64, 256),
    (12, 512, 64, 256),
];

/// Names of the weight and the bias of a convolution.
pub(super) type Pair = [String; 2];

/// A convolution, and the names of its weights in each source.
#[derive(Clone, Debug)]
pub(crate) struct Convolution {
    /// Name of the convolution in imported weights.
    pub name: String,
    /// Shape of its kernel, [O, I, H, W].
    pub shape: [i64; 4],
    /// Names in a state dict, which contains `<name>.weight` and `<name>.bias`.
    pub torch: Vec<String>,
    /// Groups in an HDF5 file.
    pub keras: Vec<String>,
    /// Names in NumPy files: two arrays of a list, or `<name>_W` and `<name>_b`. In Flax's pickles:
    /// `<name>/kernel` and `<name>/bias`.
    pub numpy: Vec<String>,
}

impl Convolution {
    /// Names of weight and bias in a state dict.
    pub(super) fn torch_names(&self) -> Vec<Pair> {
        self.torch.iter().map(|name| [format!("{name}.weight"), format!("{name}.bias")]).collect()
    }

    /// Names of kernel and bias in NumPy files.
    pub(super) fn numpy_names(&self) -> Vec<Pair> {
        const PARTS: [[&str; 2]; 4] =
            [[".0", ".1"], ["_W", "_b"], [".weight", ".bias"], ["/kernel", "/bias"]];
        let named = |name: &String| PARTS.map(|pair| pair.map(|part| format!("{name}{part}")));
        self.numpy.iter().flat_map(named).collect()
    }
}

/// Returns the convolutions of a network; `None` if it is unknown.
pub(crate) fn convolutions(network: &str) -> Option<Vec<Convolution>> {
    match network {
        "vgg16" => Some(vgg("VGG16", &BLOCKS)),
        "vgg19" => Some(vgg("VGG19", &BLOCKS_19)),
        "alexnet" => Some(alexnet()),
        "squeezenet1_1" => Some(squeezenet()),
        _ => None,
    }
}

/// Names at an index of torchvision's state dict, and of state dicts of LPIPS, which contain the network.
fn of_torch(index: usize, slice: usize) -> Vec<String> {
    vec![format!("features.{index}"), format!("net.slice{slice}.{index}")]
}

fn vgg(network: &str, blocks: &[(usize, i64); 5]) -> Vec<Convolution> {
    let (mut convolutions, mut index, mut inputs) = (Vec::new(), 0, 3);
    for (block, (count, width)) in (1..).zip(blocks) {
        for number in 1..=*count {
            let keras = format!("block{block}_conv{number}");
            let hed = if number == 1 { "conv2d".to_owned() } else { format!("conv2d_{}", number - 1) };
            convolutions.push(Convolution {
                name: conv_name(block, number),
                shape: [*width, inputs, 3, 3],
                torch: of_torch(index, block),
                keras: vec![
                    keras.clone(),
                    format!("layers/{keras}"),
                    format!("model_weights/{keras}"),
                    format!("block{block}/layers/{hed}"),
                ],
                numpy: vec![
                    conv_name(block, number),
                    keras,
                    format!("{network}_0/Conv_{}", convolutions.len()),
                ],
            });
            index += 2;
            inputs = *width;
        }
        index += 1;
    }
    convolutions
}

fn plain(name: String, shape: [i64; 4], torch: Vec<String>) -> Convolution {
    Convolution { numpy: vec![name.clone()], keras: vec![name.clone()], name, shape, torch }
}

fn alexnet() -> Vec<Convolution> {
    let of = |(number, (index, shape)): (usize, (usize, [i64; 4]))| {
        let mut convolution = plain(format!("conv{number}"), shape, of_torch(index, number));
        convolution.numpy.push(format!("AlexNet_0/Conv_{}", number - 1));
        convolution
    };
    (1..).zip(ALEXNET).map(of).collect()
}

fn squeezenet() -> Vec<Convolution> {
    let mut convolutions = vec![plain("conv1".into(), [64, 3, 3, 3], of_torch(0, 1))];
    for (number, (index, inputs, squeezed, expanded)) in (2..).zip(FIRES) {
        for (part, shape) in [
            ("squeeze", [squeezed, inputs, 1, 1]),
            ("expand1x1", [expanded, squeezed, 1, 1]),
            ("expand3x3", [expanded, squeezed, 3, 3]),
        ] {
            let torch = (1..=7).map(|slice| format!("net.slice{slice}.{index}.{part}"));
            let torch = std::iter::once(format!("features.{index}.{part}")).chain(torch);
            convolutions.push(plain(format!("fire{number}.{part}"), shape, torch.collect()));
        }
    }
    convolutions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torchvision_s_indices_are_those_of_its_models() {
        let indices = |network: &str| {
            let convolutions = convolutions(network).expect("a network");
            let index = |c: &Convolution| c.torch[0].trim_start_matches("features.").to_owned();
            convolutions.iter().map(index).collect::<Vec<_>>()
        };
        let wanted = ["0", "2", "5", "7", "10", "12", "14", "17", "19", "21", "24", "26", "28"];
        assert_eq!(indices("vgg16"), wanted);
        assert_eq!(indices("vgg19")[12..], ["28", "30", "32", "34"]);
        assert_eq!(indices("squeezenet1_1").len(), 1 + 8 * 3);
        assert!(convolutions("resnet").is_none());
    }
}
