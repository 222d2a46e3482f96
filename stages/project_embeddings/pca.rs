//! Principal components (Pearson 1901).

use anyhow::{Context as _, Result, ensure};
use tch::Tensor;

use crate::lib::codes::Points;
use crate::lib::data::values;

/// Returns the coordinates of points along the two directions in which they vary most, relative to their
/// mean. The largest entry of a direction is positive, as in scikit-learn, so that no figure is mirrored by
/// chance.
///
/// # Errors
/// Returns an error if points have a single dimension, or libtorch cannot compute the directions.
pub(super) fn principal(points: &Points) -> Result<Vec<[f64; 2]>> {
    let (mean, width) = (points.mean(), points.width());
    ensure!(width > 1, "codes of {width} dimension have no scatter plot");
    let centred = |row: &[f64]| row.iter().zip(&mean).map(|(x, mean)| x - mean).collect::<Vec<f64>>();
    let mut products = vec![0.0; width * width];
    for row in points.rows() {
        let x = centred(row);
        for (i, one) in x.iter().enumerate() {
            products[i * width..][..width].iter_mut().zip(&x).for_each(|(sum, other)| *sum += one * other);
        }
    }
    let products = Tensor::from_slice(&products).view([width as i64; 2]);
    // Eigenvalues ascend; a column is a direction.
    let (_, directions) = products.f_linalg_eigh("L").context("the principal components")?;
    let directions: Vec<f64> = values(&directions)?;
    let direction = |place: usize| {
        let entries: Vec<f64> = directions.iter().skip(width - 1 - place).step_by(width).copied().collect();
        let largest = entries.iter().copied().reduce(|a, b| if b.abs() > a.abs() { b } else { a });
        let sign = largest.unwrap_or(1.0).signum();
        entries.into_iter().map(|entry| entry * sign).collect::<Vec<f64>>()
    };
    let directions = [direction(0), direction(1)];
    let along = |x: &[f64], direction: &[f64]| x.iter().zip(direction).map(|(x, d)| x * d).sum::<f64>();
    let project = |row: &[f64]| {
        let x = centred(row);
        directions.each_ref().map(|direction| along(&x, direction))
    };
    Ok(points.rows().map(project).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axes_of_an_ellipse_are_found_with_the_sign_of_their_largest_entry() {
        // Half axes 5 along (3, 4) / 5 and 2 along (4, -3) / 5, around (10, -20), in the plane of a space.
        let at = |angle: f64| {
            let (sin, cos) = angle.sin_cos();
            (5.0 * cos, 2.0 * sin)
        };
        let angles: Vec<f64> = (0..36).map(|n| f64::from(n) * std::f64::consts::TAU / 36.0).collect();
        let point = |(u, v): (f64, f64)| [10.0 + 0.6 * u + 0.8 * v, -20.0 + 0.8 * u - 0.6 * v, 7.0];
        let points = Points::new(3, angles.iter().flat_map(|angle| point(at(*angle))).collect());
        for ([x, y], angle) in principal(&points).expect("components").into_iter().zip(angles) {
            let (u, v) = at(angle);
            assert!((x - u).abs() < 1e-9 && (y - v).abs() < 1e-9, "{x} {y}, not {u} {v}");
        }
    }

    #[test]
    fn points_on_a_line_are_refused() {
        let said = principal(&Points::new(1, vec![1.0, 2.0])).expect_err("refused").to_string();
        assert_eq!(said, "codes of 1 dimension have no scatter plot");
    }
}
