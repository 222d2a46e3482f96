//! PSNR and SSIM of images [N, 3, H, W] in 0..255, one value per image.

use anyhow::Result;
use tch::{Kind, Tensor};

use crate::lib::data::values;

/// Side and standard deviation of SSIM's Gaussian window (Wang et al. 2004).
const WINDOW: i64 = 11;
const WINDOW_SIGMA: f64 = 1.5;

/// PSNR in dB, `10 log10(255^2 / MSE over H, W, 3)`. It is infinite for identical images.
///
/// # Errors
/// Returns an error if the images have different sizes.
pub(crate) fn psnr(x: &Tensor, y: &Tensor) -> Result<Vec<f64>> {
    let difference = x.to_kind(Kind::Double).f_sub(&y.to_kind(Kind::Double))?;
    let errors = difference.square().mean_dim([1i64, 2, 3].as_slice(), false, Kind::Double);
    let errors: Vec<f64> = values(&errors)?;
    Ok(errors.into_iter().map(|mse| 10.0 * (255.0 * 255.0 / mse).log10()).collect())
}

/// Mean structural similarity over channels and all positions at which the window fits (Wang et al. 2004).
///
/// # Errors
/// Returns an error if the images have different sizes.
pub(crate) fn ssim(x: &Tensor, y: &Tensor) -> Result<Vec<f64>> {
    let side = WINDOW.min(x.size()[2]).min(x.size()[3]);
    let offsets = Tensor::arange(side, (Kind::Double, tch::Device::Cpu)) - (side - 1) as f64 / 2.0;
    let bell = (offsets.square() / (-2.0 * WINDOW_SIGMA * WINDOW_SIGMA)).exp();
    let bell = &bell / bell.sum(Kind::Double);
    // The window is the outer product of two Gaussians: across, then down.
    let across = bell.view([1, 1, 1, side]).expand([3, 1, 1, side], false).contiguous();
    let down = across.transpose(2, 3).contiguous();
    let pass = |t: &Tensor, bell: &Tensor| t.conv2d(bell, None::<Tensor>, [1, 1], [0, 0], [1, 1], 3);
    let blur = |t: &Tensor| pass(&pass(t, &across), &down);
    let (x, y) = (x.to_kind(Kind::Double), y.to_kind(Kind::Double));
    let (mean_x, mean_y) = (blur(&x), blur(&y));
    let product = mean_x.f_mul(&mean_y)?;
    let squares = mean_x.square() + mean_y.square();
    let variances = blur(&x.square()) + blur(&y.square()) - &squares;
    let covariance = blur(&(&x * &y)) - &product;
    let (c1, c2) = ((0.01f64 * 255.0).powi(2), (0.03f64 * 255.0).powi(2));
    let map = (product * 2.0 + c1) * (covariance * 2.0 + c2) / ((squares + c1) * (variances + c2));
    values(&map.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Double))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn psnr_is_the_closed_form_and_infinite_for_identical_images() {
        let x = Tensor::full([2, 3, 16, 16], 100, (Kind::Uint8, tch::Device::Cpu));
        let y = Tensor::full([2, 3, 16, 16], 105, (Kind::Uint8, tch::Device::Cpu));
        assert!((psnr(&x, &y).expect("psnr")[1] - 10.0 * (255f64 * 255.0 / 25.0).log10()).abs() < 1e-9);
        assert_eq!(psnr(&x, &x).expect("psnr"), [f64::INFINITY; 2]);
    }

    #[test]
    fn ssim_of_noise_is_that_of_the_definition_at_one_window() {
        tch::manual_seed(0);
        let noise = || Tensor::rand([1, 3, 11, 11], (Kind::Double, tch::Device::Cpu)) * 255.0;
        let (x, y) = (noise(), noise());
        let offsets = Tensor::arange(11, (Kind::Double, tch::Device::Cpu)) - 5.0;
        let bell = (offsets.square() / -4.5).exp();
        let window = bell.outer(&bell);
        let window = &window / window.sum(Kind::Double);
        let mean = |t: &Tensor| (t * &window).sum_dim_intlist([2i64, 3].as_slice(), false, Kind::Double);
        let (mx, my) = (mean(&x), mean(&y));
        let (vx, vy) = (mean(&x.square()) - mx.square(), mean(&y.square()) - my.square());
        let covariance = mean(&(&x * &y)) - &mx * &my;
        let (c1, c2) = ((0.01f64 * 255.0).powi(2), (0.03f64 * 255.0).powi(2));
        let wanted = (&mx * &my * 2.0 + c1) * (covariance * 2.0 + c2)
            / ((mx.square() + my.square() + c1) * (vx + vy + c2));
        assert!((ssim(&x, &y).expect("ssim")[0] - wanted.mean(Kind::Double).double_value(&[])).abs() < 1e-9);
    }

    #[test]
    fn ssim_is_one_for_identical_images_and_the_luminance_term_for_flat_ones() {
        let flat = |v: f64| Tensor::full([1, 3, 16, 16], v, (Kind::Float, tch::Device::Cpu));
        assert!((ssim(&flat(90.0), &flat(90.0)).expect("ssim")[0] - 1.0).abs() < 1e-12);
        let c1 = 2.55f64 * 2.55;
        let wanted = (2.0 * 90.0 * 120.0 + c1) / (90.0f64.powi(2) + 120.0f64.powi(2) + c1);
        assert!((ssim(&flat(90.0), &flat(120.0)).expect("ssim")[0] - wanted).abs() < 1e-9);
    }
}
