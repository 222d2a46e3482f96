//! Discriminators D and D2: PatchGANs at two scales. They see only the image, not its condition (Zhu et al.
//! 2017, section 4).

use tch::{Kind, Tensor};

use super::layers::{Conv, norm};
use crate::lib::nn::layers::lrelu;
use crate::lib::nn::vars::Vars;

/// Number of scales in BicycleGAN. Each has half the width of the previous one.
pub(crate) const SCALES: usize = 2;

#[derive(Debug)]
struct PatchGan {
    first: Conv,
    middle: Vec<Conv>,
    logits: Conv,
}

impl PatchGan {
    fn new(vars: &mut Vars, name: &str, nf: i64) -> Self {
        let mut conv =
            |part: &str, widths, stride| Conv::new(vars, &format!("{name}.{part}"), widths, 4, stride, 1);
        let first = conv("conv0", [3, nf], 2);
        let middle = vec![
            conv("conv1", [nf, nf * 2], 2),
            conv("conv2", [nf * 2, nf * 4], 2),
            conv("conv3", [nf * 4, nf * 8], 1),
        ];
        Self { first, middle, logits: conv("logits", [nf * 8, 1], 1) }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let x = lrelu(&self.first.forward(x));
        let x = self.middle.iter().fold(x, |x, conv| lrelu(&norm(&conv.forward(&x))));
        self.logits.forward(&x).to_kind(Kind::Float)
    }
}

/// D(image): one map of logits per scale.
#[derive(Debug)]
pub(crate) struct Discriminator {
    scales: Vec<PatchGan>,
}

impl Discriminator {
    /// Creates D with width `nf` (64 in BicycleGAN) and `scales` scales.
    pub(crate) fn new(vars: &mut Vars, nf: i64, scales: usize) -> Self {
        let scale = |n: usize| PatchGan::new(vars, &format!("scale{n}"), (nf >> n).max(1));
        Self { scales: (0..scales).map(scale).collect() }
    }

    /// Logits of images [N, 3, H, W]: for scale k [N, 1, H/2^(k+3) - 2, W/2^(k+3) - 2].
    pub(crate) fn forward(&self, image: &Tensor) -> Vec<Tensor> {
        let mut x = image.shallow_clone();
        let mut logits = Vec::with_capacity(self.scales.len());
        for (n, scale) in self.scales.iter().enumerate() {
            if n > 0 {
                x = x.avg_pool2d([3, 3], [2, 2], [1, 1], false, false, None::<i64>);
            }
            logits.push(scale.forward(&x));
        }
        logits
    }
}

/// Returns true if the last of `scales` scales has logits for images of `side` pixels.
pub(crate) fn side_allows(side: i64, scales: usize) -> bool {
    side >> (scales + 2) >= 3
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn two_of_width_64_have_6_917_956_parameters() {
        let mut vars = Vars::default();
        Discriminator::new(&mut vars, 64, SCALES);
        assert_eq!(vars.count() * 2, 6_917_956);
    }

    #[test]
    fn small_sides_allow_fewer_scales() {
        let discriminator = Discriminator::new(&mut Vars::default(), 2, 2);
        let logits = discriminator.forward(&Tensor::zeros([1, 3, 48, 48], (Kind::Float, Device::Cpu)));
        assert_eq!(logits.iter().map(|l| l.size()[2]).collect::<Vec<_>>(), [4, 1]);
        assert!(side_allows(48, 2) && !side_allows(40, 2) && side_allows(24, 1) && !side_allows(16, 1));
    }
}
