//! Loss terms, as in StEP's program.

use tch::{Kind, Tensor};

use super::encoder::Posterior;

/// Weights of the five taps in the perceptual loss.
const TAP_WEIGHTS: [f64; 5] = [1.0 / 32.0, 1.0 / 16.0, 1.0 / 8.0, 1.0 / 4.0, 1.0];
/// Factor on the activations, which are of the order of 100 with Caffe weights.
const ACTIVATION_SCALE: f64 = 0.1;

/// Perceptual loss P of the taps of two images: `sum_l w_l mean((0.1 (phi_l(x) - phi_l(y)))^2)`.
pub(crate) fn perceptual(x: &[Tensor], y: &[Tensor]) -> Tensor {
    let term = |((x, y), weight): ((&Tensor, &Tensor), f64)| {
        (x.to_kind(Kind::Float) - y).square().mean(Kind::Float)
            * (weight * ACTIVATION_SCALE * ACTIVATION_SCALE)
    };
    x.iter().zip(y).zip(TAP_WEIGHTS).map(term).sum()
}

/// Mean squared error of the pixels of two images (MSE).
pub(crate) fn squared_error(x: &Tensor, y: &Tensor) -> Tensor {
    (x - y).square().mean(Kind::Float)
}

/// Mean absolute difference.
pub(crate) fn l1(x: &Tensor, y: &Tensor) -> Tensor {
    (x - y).abs().mean(Kind::Float)
}

/// KL divergence of a posterior from N(0, I): `sum (mean^2 + exp(logvar) - 1 - logvar) / 2` over batch and
/// dimensions.
pub(crate) fn divergence(posterior: &Posterior) -> Tensor {
    let Posterior { mean, logvar } = posterior;
    (mean.square() + logvar.exp() - 1.0 - logvar).sum(Kind::Float) * 0.5
}

/// LSGAN loss: the sum over scales of `mean((logits - target)^2)`.
pub(crate) fn least_squares(logits: &[Tensor], target: f64) -> Tensor {
    logits.iter().map(|l| (l - target).square().mean(Kind::Float)).sum()
}

/// Mean square of style codes (Z2).
pub(crate) fn code_energy(z: &Tensor) -> Tensor {
    z.square().mean(Kind::Float)
}

/// Triplet loss of codes [N, 8]: `sum max(|a-p|^2 - |a-n|^2 + margin, 0) / batch`.
pub(crate) fn triplet(anchor: &Tensor, positive: &Tensor, negative: &Tensor, margin: f64) -> Tensor {
    let squared = |other: &Tensor| (anchor - other).square().sum_dim_intlist(1, false, Kind::Float);
    let hinge = (squared(positive) - squared(negative) + margin).clamp_min(0.0);
    hinge.sum(Kind::Float) / anchor.size()[0] as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: [f32; 2]) -> Tensor {
        Tensor::from_slice(&values).view([1, 2])
    }

    fn value(tensor: Tensor) -> f64 {
        (tensor.double_value(&[]) * 1e6).round() / 1e6
    }

    #[test]
    fn triplets_are_hinged_squared_distances() {
        let anchor = row([0.0, 0.0]);
        assert_eq!(value(triplet(&anchor, &row([1.0, 0.0]), &row([0.0, 2.0]), 0.1)), 0.0);
        assert_eq!(value(triplet(&anchor, &row([1.0, 1.0]), &row([1.0, 0.0]), 0.1)), 1.1);
    }

    #[test]
    fn scales_are_summed() {
        let logits = [Tensor::from_slice(&[0f32, 2.0]), Tensor::from_slice(&[3f32])];
        assert_eq!(value(least_squares(&logits, 1.0)), 5.0);
    }

    #[test]
    fn the_divergence_is_summed_over_batch_and_dimensions() {
        let posterior = |mean: [f32; 2], logvar: [f32; 2]| Posterior { mean: row(mean), logvar: row(logvar) };
        assert_eq!(value(divergence(&posterior([0.0, 0.0], [0.0, 0.0]))), 0.0);
        // (1 + 1 - 1 - 0) / 2 + (4 + e - 1 - 1) / 2
        assert_eq!(value(divergence(&posterior([1.0, 2.0], [0.0, 1.0]))), 2.859_141);
    }

    #[test]
    fn absolute_differences_are_averaged() {
        assert_eq!(value(l1(&row([1.0, -2.0]), &row([0.0, 0.0]))), 1.5);
    }

    #[test]
    fn taps_are_weighted_and_scaled() {
        let one = || Tensor::from_slice(&[1f32]);
        let zero = || Tensor::from_slice(&[0f32]);
        let x: Vec<Tensor> = (0..5).map(|_| one()).collect();
        let y: Vec<Tensor> = (0..5).map(|_| zero()).collect();
        // 0.01 (1/32 + 1/16 + 1/8 + 1/4 + 1)
        let found = perceptual(&x, &y).double_value(&[]);
        assert!((found - 0.014_687_5).abs() < 1e-8, "{found}");
    }

    #[test]
    fn energy_is_a_mean_over_batch_and_dimensions() {
        assert_eq!(value(code_energy(&row([1.0, 3.0]))), 5.0);
    }
}
