//! Discriminator D: independent PatchGANs at several scales (Wang et al. 2018, section 3.2).

use tch::{Kind, Tensor};

use super::layers::{HeConv, InstanceNorm, SLOPE, halve, lrelu, tile};
use super::vars::Vars;

#[derive(Debug)]
struct PatchGan {
    first: HeConv,
    middle: Vec<(HeConv, InstanceNorm)>,
    last: (HeConv, InstanceNorm),
    logits: HeConv,
}

impl PatchGan {
    fn new(vars: &mut Vars, name: &str, nf: i64) -> Self {
        let mut conv = |part: &str, inputs, outputs, stride| {
            HeConv::new(vars, &format!("{name}.{part}"), inputs, outputs, 4, stride, SLOPE)
        };
        let first = conv("conv0", 6, nf, 2);
        let (second, third) = (conv("conv1", nf, nf * 2, 2), conv("conv2", nf * 2, nf * 4, 2));
        let last = conv("conv3", nf * 4 + 1, nf * 8, 1);
        let logits = conv("logits", nf * 8, 1, 1);
        let mut norm =
            |part: &str, channels| InstanceNorm::new(vars, &format!("{name}.{part}.norm"), channels);
        let middle = vec![(second, norm("conv1", nf * 2)), (third, norm("conv2", nf * 4))];
        Self { first, middle, last: (last, norm("conv3", nf * 8)), logits }
    }

    fn forward(&self, x: &Tensor) -> Tensor {
        let mut x = lrelu(&self.first.forward(x));
        for (conv, norm) in &self.middle {
            x = lrelu(&norm.forward(&conv.forward(&x)));
        }
        let (conv, norm) = &self.last;
        x = lrelu(&norm.forward(&conv.forward(&with_batch_deviation(&x))));
        self.logits.forward(&x).to_kind(Kind::Float)
    }
}

/// Appends one constant channel: the standard deviation over the batch, averaged over channels and positions.
fn with_batch_deviation(x: &Tensor) -> Tensor {
    let deviation = (x.to_kind(Kind::Float).var_dim(0, false, false) + 1e-8).sqrt().mean(Kind::Float);
    let size = x.size();
    let channel = tile(&deviation.to_kind(x.kind()).expand([size[0], 1], false), size[2], size[3]);
    Tensor::cat(&[x, &channel], 1)
}

/// D(image, A): one map of logits per scale.
#[derive(Debug)]
pub(crate) struct Discriminator {
    scales: Vec<PatchGan>,
}

impl Discriminator {
    /// Creates D with width `nf` (32 in StEP) and `scales` scales.
    pub(crate) fn new(vars: &mut Vars, nf: i64, scales: usize) -> Self {
        let scales = (0..scales).map(|n| PatchGan::new(vars, &format!("scale{n}"), nf)).collect();
        Self { scales }
    }

    /// Logits of `image` and `a` [N, 3, H, W]: for scale k [N, 1, H/2^(k+3), W/2^(k+3)].
    pub(crate) fn forward(&self, image: &Tensor, a: &Tensor) -> Vec<Tensor> {
        let mut x = Tensor::cat(&[image, a], 1);
        let mut logits = Vec::with_capacity(self.scales.len());
        for (n, scale) in self.scales.iter().enumerate() {
            if n > 0 {
                x = halve(&x);
            }
            logits.push(scale.forward(&x));
        }
        logits
    }
}

/// Returns true if the last of `scales` scales has logits of more than one pixel for images of `side` pixels.
/// Instance norm would replace a single pixel by its bias.
pub(crate) fn side_allows(side: i64, scales: usize) -> bool {
    side >> (scales + 2) >= 2
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn parameter_counts_are_those_of_the_specification() {
        for (nf, wanted) in [(32, 2_102_307), (16, 535_059), (64, 8_333_379)] {
            let mut vars = Vars::default();
            Discriminator::new(&mut vars, nf, 3);
            assert_eq!(vars.count(), wanted, "nf {nf}");
        }
    }

    #[test]
    fn each_scale_halves_the_logits() {
        let mut vars = Vars::default();
        let discriminator = Discriminator::new(&mut vars, 4, 3);
        let x = Tensor::randn([2, 3, 64, 64], (Kind::Float, Device::Cpu));
        let sides: Vec<i64> = discriminator.forward(&x, &x).iter().map(|l| l.size()[2]).collect();
        assert_eq!(sides, [8, 4, 2]);
        assert!(side_allows(64, 3) && !side_allows(56, 3) && side_allows(32, 2) && !side_allows(8, 1));
    }

    #[test]
    fn a_batch_of_equal_images_deviates_by_the_floor() {
        let x = Tensor::ones([3, 1, 2, 2], (Kind::Float, Device::Cpu));
        let value = with_batch_deviation(&x).double_value(&[0, 1, 0, 0]);
        assert!((value - 1e-4).abs() < 1e-9, "{value}");
    }
}
