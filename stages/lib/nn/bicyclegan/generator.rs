//! U-Net generator G with the style code at the input of every downsampling (Zhu et al. 2017, section 4).

use tch::Tensor;

use super::layers::{Conv, norm};
use crate::lib::nn::encoder::STYLE_DIM;
use crate::lib::nn::layers::{lrelu, tile};
use crate::lib::nn::vars::Vars;

/// Number of downsamplings at 256 pixels.
const DEPTH: usize = 8;
/// Largest width as a multiple of the first layer's. The multiples are 1, 2, 4, 8, 8, ..
const WIDEST: i64 = 8;
/// First level whose upsampling drops half of its outputs in training. The innermost level drops nothing.
const FIRST_DROPPED: usize = 4;
const DROPPED: f64 = 0.5;

/// Number of times that `side` pixels can be halved, at most 8.
pub(crate) fn downsamplings_for(side: i64) -> usize {
    (side.trailing_zeros() as usize).min(DEPTH)
}

/// G(A, z): content image and style code -> image.
#[derive(Debug)]
pub(crate) struct Generator {
    down: Vec<Conv>,
    up: Vec<Conv>,
}

impl Generator {
    /// Creates G with width `nf` (64 in BicycleGAN) and `depth` downsamplings.
    pub(crate) fn new(vars: &mut Vars, nf: i64, depth: usize) -> Self {
        let width = |level: usize| if level == 0 { 3 } else { nf * (1 << (level - 1)).min(WIDEST) };
        let down = (0..depth).map(|level| {
            let widths = [width(level) + STYLE_DIM, width(level + 1)];
            let conv = Conv::new(vars, &format!("down{level}"), widths, 4, 2, 1);
            // In bfloat16, the first layer would round the input image, and the last layer the output image.
            if level == 0 { conv.exact() } else { conv }
        });
        let down = down.collect();
        let up = (0..depth).map(|level| {
            let below = if level + 1 == depth { 1 } else { 2 };
            let conv = Conv::doubling(vars, &format!("up{level}"), [width(level + 1) * below, width(level)]);
            if level == 0 { conv.exact() } else { conv }
        });
        Self { down, up: up.collect() }
    }

    /// Sides of images must be multiples of this number of pixels, 2^depth.
    pub(crate) fn side_multiple(&self) -> i64 {
        1 << self.down.len()
    }

    /// Generates images [N, 3, H, W] in (-1, 1) from contents `a` [N, 3, H, W] in [-1, 1] and codes `z` [N,
    /// 8]. H and W are multiples of 2^depth. In training, dropout draws from libtorch's generator.
    pub(crate) fn forward(&self, a: &Tensor, z: &Tensor, training: bool) -> Tensor {
        let depth = self.down.len();
        let mut levels = vec![a.shallow_clone()];
        for (level, conv) in self.down.iter().enumerate() {
            let x = &levels[level];
            let size = x.size();
            let x = Tensor::cat(&[x, &tile(&z.to_kind(x.kind()), size[2], size[3])], 1);
            let x = conv.forward(&if level == 0 { x } else { lrelu(&x) });
            levels.push(if level == 0 || level + 1 == depth { x } else { norm(&x) });
        }
        let mut x = levels[depth].shallow_clone();
        for level in (0..depth).rev() {
            x = self.up[level].transposed(&x.relu());
            if level > 0 {
                x = norm(&x);
                if (FIRST_DROPPED..depth - 1).contains(&level) {
                    x = x.dropout(DROPPED, training);
                }
                x = Tensor::cat(&[&x, &levels[level]], 1);
            }
        }
        x.tanh()
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn at_width_64_and_256_pixels_it_has_54_794_627_parameters() {
        let mut vars = Vars::default();
        Generator::new(&mut vars, 64, downsamplings_for(256));
        assert_eq!(vars.count(), 54_794_627);
    }

    #[test]
    fn it_is_as_deep_as_the_side_allows_and_keeps_the_side() {
        assert_eq!([64, 512, 96, 8].map(downsamplings_for), [6, 8, 5, 3]);
        let image = |side: i64| Tensor::zeros([1, 3, side, side], (Kind::Float, Device::Cpu));
        let code = Tensor::zeros([1, STYLE_DIM], (Kind::Float, Device::Cpu));
        for side in [8, 64] {
            let generator = Generator::new(&mut Vars::default(), 2, downsamplings_for(side));
            assert_eq!(generator.forward(&image(side), &code, true).size(), [1, 3, side, side]);
        }
    }

    #[test]
    fn only_training_applies_dropout() {
        let image = Tensor::rand([1, 3, 128, 128], (Kind::Float, Device::Cpu));
        let code = Tensor::zeros([1, STYLE_DIM], (Kind::Float, Device::Cpu));
        let generator = Generator::new(&mut Vars::default(), 2, downsamplings_for(128));
        let outputs = |training: bool| generator.forward(&image, &code, training);
        assert_eq!(outputs(false), outputs(false));
        assert_ne!(outputs(true), outputs(true));
    }
}
