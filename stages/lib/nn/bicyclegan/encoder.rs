//! Residual encoder E (Zhu et al. 2017, section 4: "E_ResNet").

use tch::Tensor;

use super::layers::{Conv, norm, xavier};
use crate::lib::nn::encoder::{Posterior, PosteriorHeads, STYLE_DIM};
use crate::lib::nn::layers::{halve, lrelu};
use crate::lib::nn::vars::Vars;

/// Channels of the blocks, as multiples of those of the first layer.
const WIDTHS: [i64; 5] = [1, 2, 3, 4, 4];

#[derive(Debug)]
struct Block {
    first: Conv,
    second: Conv,
    skip: Conv,
}

impl Block {
    fn new(vars: &mut Vars, name: &str, inputs: i64, outputs: i64) -> Self {
        let mut conv = |part: &str, widths, kernel| {
            Conv::new(vars, &format!("{name}.{part}"), widths, kernel, 1, kernel / 2)
        };
        Self {
            first: conv("first", [inputs, inputs], 3),
            second: conv("second", [inputs, outputs], 3),
            skip: conv("skip", [inputs, outputs], 1),
        }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let main = self.first.forward(&lrelu(&norm(x)));
        let main = self.second.halved(&lrelu(&norm(&main)));
        main + self.skip.forward(&halve(x))
    }
}

/// Encoder E: image -> posterior of its style code.
#[derive(Debug)]
pub(crate) struct Encoder {
    first: Conv,
    blocks: Vec<Block>,
    heads: PosteriorHeads,
}

impl Encoder {
    /// Creates E with width `nf` (64 in BicycleGAN).
    pub(crate) fn new(vars: &mut Vars, nf: i64) -> Self {
        let first = Conv::new(vars, "conv0", [3, nf], 4, 2, 1);
        let block = |(n, w): (usize, &[i64])| Block::new(vars, &format!("block{n}"), nf * w[0], nf * w[1]);
        let blocks = WIDTHS.windows(2).enumerate().map(block).collect();
        let channels = WIDTHS[WIDTHS.len() - 1] * nf;
        let heads = PosteriorHeads::new(vars, |vars, name| xavier(vars, name, &[STYLE_DIM, channels]));
        Self { first, blocks, heads }
    }

    /// Encodes images [N, 3, H, W] in [-1, 1] with sides of at least 32 pixels: mean and logvar, each [N, 8].
    pub(crate) fn forward(&self, x: &Tensor) -> Posterior {
        let x = self.blocks.iter().fold(self.first.forward(x), |x, block| block.forward(&x));
        // The authors pool 8 x 8 positions of 256-pixel images, which is the complete feature map.
        self.heads.forward(&x)
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    #[test]
    fn at_width_64_it_has_2_590_032_parameters() {
        let mut vars = Vars::default();
        let encoder = Encoder::new(&mut vars, 64);
        assert_eq!(vars.count(), 2_590_032);
        let image = Tensor::zeros([1, 3, 32, 32], (Kind::Float, tch::Device::Cpu));
        assert_eq!(encoder.forward(&image).mean.size(), [1, 8]);
    }
}
