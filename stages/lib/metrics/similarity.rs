//! PSNR and SSIM of two pictures.

use std::array;
use std::ops::Range;

use anyhow::{Result, ensure};
use image::RgbImage;
use rayon::prelude::*;

/// Side and standard deviation of SSIM's Gaussian window (Wang et al. 2004).
const WINDOW: usize = 11;
const WINDOW_SIGMA: f64 = 1.5;

/// Number of rows of the map of similarities that are computed together. Few rows are in memory at a time.
const ROWS: usize = 64;

/// PSNR in dB, `10 log10(255^2 / MSE over H, W, 3)`. It is infinite for identical pictures.
///
/// # Errors
/// Returns an error if the pictures have different sizes.
pub(crate) fn psnr(x: &RgbImage, y: &RgbImage) -> Result<f64> {
    check(x, y)?;
    let row = x.width() as usize * 3;
    let squares = |(x, y): (&[u8], &[u8])| -> u64 {
        x.iter().zip(y).map(|(x, y)| u64::from(x.abs_diff(*y)).pow(2)).sum()
    };
    let sum: u64 = x.as_raw().par_chunks(row).zip(y.as_raw().par_chunks(row)).map(squares).sum();
    let mse = sum as f64 / x.as_raw().len() as f64;
    Ok(10.0 * (255.0 * 255.0 / mse).log10())
}

/// Mean structural similarity over channels and all positions at which the window fits (Wang et al. 2004). The
/// window of smaller pictures is as large as their shorter side.
///
/// # Errors
/// Returns an error if the pictures have different sizes.
pub(crate) fn ssim(x: &RgbImage, y: &RgbImage) -> Result<f64> {
    check(x, y)?;
    let (width, height) = (x.width() as usize, x.height() as usize);
    let bell = bell(WINDOW.min(width).min(height));
    let (across, down) = (width - bell.len() + 1, height - bell.len() + 1);
    let strips: Vec<usize> = (0..down).step_by(ROWS).collect();
    let sum_of = |first: &usize| strip([x, y], &bell, *first..down.min(first + ROWS));
    // The sums are added in the order of the strips, so that they do not depend on the threads.
    let sums: Vec<f64> = strips.par_iter().map(sum_of).collect();
    Ok(sums.into_iter().sum::<f64>() / (across * down * 3) as f64)
}

fn check(x: &RgbImage, y: &RgbImage) -> Result<()> {
    let (x, y) = (x.dimensions(), y.dimensions());
    ensure!(x == y && x.0 > 0 && x.1 > 0, "pictures of {x:?} and {y:?} pixels cannot be compared");
    Ok(())
}

/// Weights of a Gaussian window, whose sum is 1.
fn bell(side: usize) -> Vec<f64> {
    let middle = (side - 1) as f64 / 2.0;
    let weight = |at: usize| (-(at as f64 - middle).powi(2) / (2.0 * WINDOW_SIGMA * WINDOW_SIGMA)).exp();
    let weights: Vec<f64> = (0..side).map(weight).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Blurred rows of x, y, x^2, y^2 and xy.
type Moments = [Vec<f64>; 5];

/// Sum of the similarities in rows of the map.
fn strip(pictures: [&RgbImage; 2], bell: &[f64], rows: Range<usize>) -> f64 {
    let blurred: Vec<Moments> =
        (rows.start..rows.end + bell.len() - 1).map(|row| blurred_across(pictures, bell, row)).collect();
    let of_row = |row: usize| {
        let moments: Moments = array::from_fn(|moment| {
            let mut sum = vec![0.0; blurred[0][0].len()];
            for (weight, row) in bell.iter().zip(&blurred[row..]) {
                sum.iter_mut().zip(&row[moment]).for_each(|(sum, value)| *sum += weight * value);
            }
            sum
        });
        let [x, y, xx, yy, xy] = &moments;
        let each = x.iter().zip(y).zip(xx.iter().zip(yy)).zip(xy);
        each.map(|(((x, y), (xx, yy)), xy)| similarity([*x, *y, *xx, *yy, *xy])).sum::<f64>()
    };
    (0..rows.len()).map(of_row).sum()
}

/// Blurs one row of two pictures in the direction of the row.
fn blurred_across(pictures: [&RgbImage; 2], bell: &[f64], row: usize) -> Moments {
    let length = pictures[0].width() as usize * 3;
    let [x, y] = pictures.map(|picture| {
        let row = &picture.as_raw()[row * length..][..length];
        row.iter().map(|value| f64::from(*value)).collect::<Vec<f64>>()
    });
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f64>>();
    let (xx, yy, xy) = (product(&x, &x), product(&y, &y), product(&x, &y));
    [x, y, xx, yy, xy].map(|values| {
        let mut sum = vec![0.0; length - 3 * (bell.len() - 1)];
        for (at, weight) in bell.iter().enumerate() {
            sum.iter_mut().zip(&values[3 * at..]).for_each(|(sum, value)| *sum += weight * value);
        }
        sum
    })
}

/// Similarity at one position, of the blurred x, y, x^2, y^2 and xy.
fn similarity([x, y, xx, yy, xy]: [f64; 5]) -> f64 {
    let (c1, c2) = ((0.01f64 * 255.0).powi(2), (0.03f64 * 255.0).powi(2));
    let squares = x * x + y * y;
    (2.0 * x * y + c1) * (2.0 * (xy - x * y) + c2) / ((squares + c1) * (xx + yy - squares + c2))
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn noise(width: u32, height: u32, factor: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            Rgb([0, 1, 2].map(|c| ((x * 7919 + y * 104_729 + c * 31) * factor / 13 % 256) as u8))
        })
    }

    #[test]
    fn psnr_is_the_closed_form_and_infinite_for_identical_pictures() {
        let flat = |value| RgbImage::from_pixel(16, 16, Rgb([value; 3]));
        let wanted = 10.0 * (255f64 * 255.0 / 25.0).log10();
        assert!((psnr(&flat(100), &flat(105)).expect("psnr") - wanted).abs() < 1e-9);
        assert_eq!(psnr(&flat(9), &flat(9)).expect("psnr"), f64::INFINITY);
        assert!(psnr(&flat(9), &RgbImage::new(16, 15)).is_err());
    }

    #[test]
    fn ssim_is_the_mean_of_the_definition_over_all_windows() {
        let (x, y) = (noise(14, 80, 3), noise(14, 80, 5));
        let bell = bell(WINDOW);
        let mean = |left: u32, top: u32, of: &dyn Fn(u32, u32) -> f64| -> f64 {
            let weighted = |(dy, down): (usize, &f64)| -> f64 {
                let across = bell.iter().enumerate();
                across.map(|(dx, weight)| weight * down * of(left + dx as u32, top + dy as u32)).sum()
            };
            bell.iter().enumerate().map(weighted).sum()
        };
        let mut sum = 0.0;
        for (left, top, c) in (0..4).flat_map(|l| (0..70).flat_map(move |t| (0..3).map(move |c| (l, t, c)))) {
            let [x, y] = [&x, &y].map(|p| move |at: u32, down: u32| f64::from(p.get_pixel(at, down)[c]));
            sum += similarity([
                mean(left, top, &x),
                mean(left, top, &y),
                mean(left, top, &|u, v| x(u, v) * x(u, v)),
                mean(left, top, &|u, v| y(u, v) * y(u, v)),
                mean(left, top, &|u, v| x(u, v) * y(u, v)),
            ]);
        }
        let found = ssim(&x, &y).expect("ssim");
        assert!((found - sum / f64::from(4 * 70 * 3)).abs() < 1e-9, "{found}");
    }

    #[test]
    fn ssim_is_one_for_identical_pictures_and_the_luminance_term_for_flat_ones() {
        let flat = |value| RgbImage::from_pixel(16, 90, Rgb([value; 3]));
        assert!((ssim(&noise(20, 9, 1), &noise(20, 9, 1)).expect("ssim") - 1.0).abs() < 1e-12);
        let c1 = 2.55f64 * 2.55;
        let wanted = (2.0 * 90.0 * 120.0 + c1) / (90.0f64.powi(2) + 120.0f64.powi(2) + c1);
        assert!((ssim(&flat(90), &flat(120)).expect("ssim") - wanted).abs() < 1e-9);
    }
}
