//! Colour transfer (Reinhard et al. 2001).

use tch::{Kind, Tensor};

use crate::lib::data::quantised;

/// Recolours `a` to the statistics of `b` (Reinhard et al. 2001): each channel in the decorrelated
/// l-alpha-beta space gets the mean and deviation of that channel of `b`. The method therefore sees the
/// colours of the correct answer.
pub(super) fn reinhard(a: &Tensor, b: &Tensor) -> Tensor {
    let (a, b) = (to_lab(a), to_lab(b));
    let spatial = [2i64, 3];
    let mean = |x: &Tensor| x.mean_dim(spatial.as_slice(), true, Kind::Double);
    let deviation = |x: &Tensor| x.std_dim(spatial.as_slice(), false, true);
    let ratio = deviation(&b) / deviation(&a).clamp_min(1e-6);
    from_lab(&((&a - mean(&a)) * ratio + mean(&b)))
}

/// Matrix from RGB to LMS cone responses (Reinhard et al. 2001, equation 4).
const LMS: [f64; 9] = [0.3811, 0.5783, 0.0402, 0.1967, 0.7244, 0.0782, 0.0241, 0.1288, 0.8444];

fn matrix(values: [f64; 9]) -> Tensor {
    Tensor::from_slice(&values).view([3, 3])
}

/// Matrix from logarithmic LMS to l, alpha, beta (equation 6).
fn rotation() -> Tensor {
    let scales = [1.0 / 3f64.sqrt(), 1.0 / 6f64.sqrt(), 1.0 / 2f64.sqrt()];
    let scales = Tensor::from_slice(&scales).view([3, 1]);
    matrix([1.0, 1.0, 1.0, 1.0, 1.0, -2.0, 1.0, -1.0, 0.0]) * scales
}

/// Applies `m` to the channels of [N, 3, H, W].
fn apply(m: &Tensor, x: &Tensor) -> Tensor {
    Tensor::einsum("ij,njhw->nihw", &[m, x], None::<&[i64]>)
}

fn to_lab(bytes: &Tensor) -> Tensor {
    let lms = apply(&matrix(LMS), &(bytes.to_kind(Kind::Double) / 255.0));
    apply(&rotation(), &lms.clamp_min(1.0 / 255.0).log10())
}

fn from_lab(lab: &Tensor) -> Tensor {
    let logarithms = apply(&rotation().inverse(), lab);
    let lms = (logarithms * 10f64.ln()).exp();
    quantised(&(apply(&matrix(LMS).inverse(), &lms) * 2.0 - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_transfer_onto_itself_changes_nothing() {
        tch::manual_seed(0);
        let image =
            (Tensor::rand([1, 3, 8, 8], (Kind::Float, tch::Device::Cpu)) * 200.0 + 40.0).to_kind(Kind::Uint8);
        let off = (reinhard(&image, &image).to_kind(Kind::Float) - image.to_kind(Kind::Float)).abs().max();
        assert!(off.double_value(&[]) <= 1.0);
    }
}
