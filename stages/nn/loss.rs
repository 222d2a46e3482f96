//! Loss terms, as in StEP's program.

use tch::{Kind, Tensor};

/// Weights of the perceptual loss's five taps.
const TAP_WEIGHTS: [f64; 5] = [1.0 / 32.0, 1.0 / 16.0, 1.0 / 8.0, 1.0 / 4.0, 1.0];
/// Factor on the activations, which are of order 100 for Caffe weights.
const ACTIVATION_SCALE: f64 = 0.1;

/// P: `sum_l w_l mean((0.1 (phi_l(x) - phi_l(y)))^2)` of the taps of two images.
pub fn perceptual(x: &[Tensor], y: &[Tensor]) -> Tensor {
    let term = |((x, y), weight): ((&Tensor, &Tensor), f64)| {
        (x - y).square().mean(Kind::Float) * (weight * ACTIVATION_SCALE * ACTIVATION_SCALE)
    };
    x.iter().zip(y).zip(TAP_WEIGHTS).map(term).sum()
}

/// MSE: the mean squared error of the pixels of two images.
pub fn squared_error(x: &Tensor, y: &Tensor) -> Tensor {
    (x - y).square().mean(Kind::Float)
}

/// LSGAN: the sum over scales of `mean((logits - target)^2)`.
pub fn least_squares(logits: &[Tensor], target: f64) -> Tensor {
    logits.iter().map(|l| (l - target).square().mean(Kind::Float)).sum()
}

/// The mean of GAN terms and a constant zero: k terms are divided by k + 1.
pub fn mean_with_zero(terms: &[Tensor]) -> Tensor {
    terms.iter().map(Tensor::shallow_clone).sum::<Tensor>() / (terms.len() as f64 + 1.0)
}

/// Z2: the mean square of style codes.
pub fn code_energy(z: &Tensor) -> Tensor {
    z.square().mean(Kind::Float)
}

/// The triplet loss: `sum max(|a-p|^2 - |a-n|^2 + margin, 0) / batch`, over codes [N, 8].
pub fn triplet(anchor: &Tensor, positive: &Tensor, negative: &Tensor, margin: f64) -> Tensor {
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
    fn gan_terms_are_averaged_with_a_zero_and_scales_are_summed() {
        let logits = [Tensor::from_slice(&[0f32, 2.0]), Tensor::from_slice(&[3f32])];
        let term = least_squares(&logits, 1.0);
        assert_eq!(value(term.shallow_clone()), 5.0);
        assert_eq!(value(mean_with_zero(&[term])), 2.5);
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
