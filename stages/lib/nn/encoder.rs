//! Style encoder E: that of DRIT (Lee et al. 2018) with pixel norms, as in StEP's program.

use std::collections::BTreeMap;

use callsheet_worker::user_error;
use tch::{Device, Kind, Tensor};

use super::layers::{HeConv, SLOPE, halve, lrelu, pixel_norm};
use super::vars::Vars;

/// Number of dimensions of the style codes that generators use.
pub(crate) const STYLE_DIM: i64 = 8;

/// Slope in the he constants of residual blocks.
const BLOCK_SLOPE: f64 = 1.0;

/// Output of an encoder for images: mean and logarithm of the variance of their codes, each [N, D] for codes with D
/// dimensions.
#[derive(Debug)]
pub(crate) struct Posterior {
    /// Mean of the codes.
    pub mean: Tensor,
    /// Logarithm of the variance of the codes.
    pub logvar: Tensor,
}

impl Posterior {
    /// Deterministic code of StEP: `mean + exp(logvar / 2)`.
    pub(crate) fn code(&self) -> Tensor {
        &self.mean + (&self.logvar * 0.5).exp()
    }

    /// Variational code `mean + eps exp(logvar / 2)`, eps ~ N(0, I). libtorch's CPU generator draws eps, so
    /// that its values do not depend on the device.
    pub(crate) fn draw(&self) -> Tensor {
        let noise =
            Tensor::randn(self.mean.size(), (self.mean.kind(), Device::Cpu)).to_device(self.mean.device());
        &self.mean + noise * (&self.logvar * 0.5).exp()
    }
}

/// The two dense layers at the end of an encoder.
#[derive(Debug)]
pub(crate) struct PosteriorHeads {
    mean: (Tensor, Tensor),
    logvar: (Tensor, Tensor),
}

impl PosteriorHeads {
    /// Creates the layers. `weight` draws weights [D, channels] for the layer whose name it gets; biases are zero.
    pub(crate) fn new(vars: &mut Vars, weight: impl Fn(&mut Vars, &str) -> Tensor) -> Self {
        let mut head = |name: &str| {
            let weight = weight(vars, name);
            let bias = vars.constant(format!("{name}.bias"), &weight.size()[..1], 0.0);
            (weight, bias)
        };
        Self { mean: head("mean"), logvar: head("logvar") }
    }

    /// Averages features [N, channels, H, W] over all positions, and computes mean and logvar from them, each
    /// [N, D].
    pub(crate) fn forward(&self, x: &Tensor) -> Posterior {
        let pooled = lrelu(x).mean_dim([2i64, 3].as_slice(), false, Kind::Float);
        let mean = pooled.linear(&self.mean.0, Some(&self.mean.1));
        let logvar = pooled.linear(&self.logvar.0, Some(&self.logvar.1));
        Posterior { mean, logvar }
    }
}

#[derive(Debug)]
struct BasicBlock {
    first: HeConv,
    second: HeConv,
    skip: HeConv,
}

impl BasicBlock {
    fn new(vars: &mut Vars, name: &str, inputs: i64, outputs: i64) -> Self {
        let mut conv = |part: &str, inputs, kernel| {
            HeConv::new(vars, &format!("{name}.{part}"), inputs, outputs, kernel, 1, BLOCK_SLOPE)
        };
        Self {
            first: conv("first", inputs, 3),
            second: conv("second", outputs, 3),
            skip: conv("skip", inputs, 1),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let main = self.second.halved(&lrelu(&self.first.forward(&lrelu(x))));
        main + self.skip.forward(&halve(x))
    }
}

/// Style encoder E: image -> style code.
#[derive(Debug)]
pub(crate) struct Encoder {
    first: HeConv,
    blocks: Vec<BasicBlock>,
    heads: PosteriorHeads,
}

impl Encoder {
    /// Creates E with width `nf` (64 in StEP): nf, 2 nf, 3 nf and 4 nf channels. Codes have `dims` dimensions (8).
    pub(crate) fn new(vars: &mut Vars, nf: i64, dims: i64) -> Self {
        let first = HeConv::new(vars, "conv0", 3, nf, 4, 2, SLOPE);
        let block = |(n, i): (usize, i64)| (format!("block{n}"), nf * i, nf * (i + 1));
        let shapes: Vec<_> = [1, 2, 3].into_iter().enumerate().map(block).collect();
        let blocks = shapes.iter().map(|(name, i, o)| BasicBlock::new(vars, name, *i, *o)).collect();
        // The heads are plain dense layers: their weights are drawn from N(0, 0.02) and not scaled.
        let heads = PosteriorHeads::new(vars, |vars, name| {
            vars.normal(format!("{name}.weight"), &[dims, 4 * nf], 0.02)
        });
        Self { first, blocks, heads }
    }

    /// Encodes images [N, 3, H, W] in [-1, 1]: mean and logvar, each [N, D].
    pub(crate) fn forward(&self, x: &Tensor) -> Posterior {
        let mut x = self.first.forward(x);
        for block in &self.blocks {
            x = pixel_norm(&block.forward(&x));
        }
        self.heads.forward(&x)
    }
}

/// Error if style codes have `size` dimensions, but `network`, e.g. "a mapper", needs [`STYLE_DIM`].
pub(crate) fn wrong_size(size: i64, network: &str) -> anyhow::Error {
    user_error(
        format!("the style codes have {size} dimensions, but {network} needs {STYLE_DIM}"),
        format!("train the encoder with `code_size` = {STYLE_DIM}"),
    )
}

/// Number of dimensions of the codes of an encoder with these weights.
pub(crate) fn code_size(weights: &BTreeMap<String, Tensor>) -> i64 {
    weights.get("mean.bias").map_or(STYLE_DIM, |bias| bias.size()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_width_64_it_has_1_897_232_parameters() {
        let mut vars = Vars::default();
        Encoder::new(&mut vars, 64, STYLE_DIM);
        assert_eq!(vars.count(), 1_897_232);
    }

    #[test]
    fn codes_of_an_untrained_encoder_are_about_one() {
        tch::manual_seed(0);
        let mut vars = Vars::default();
        let encoder = Encoder::new(&mut vars, 8, STYLE_DIM);
        let codes = encoder.forward(&Tensor::randn([2, 3, 64, 64], (Kind::Float, tch::Device::Cpu)));
        let codes = codes.code();
        assert_eq!(codes.size(), [2, 8]);
        assert!((codes.mean(Kind::Float).double_value(&[]) - 1.0).abs() < 0.2);
    }
}
