//! Ridge regression (Hoerl and Kennard 1970) in closed form.

use anyhow::{Context as _, Result};
use tch::Tensor;

use crate::lib::codes::Points;
use crate::lib::data::values;

/// Linear functions that fit targets best.
pub(super) struct Ridge {
    /// Mean of each dimension of the points.
    mean: Vec<f64>,
    /// Standard deviation of each dimension; 1 if it does not vary.
    scale: Vec<f64>,
    /// Weights: for each dimension, one for each target.
    weights: Vec<f64>,
    /// Mean of each target.
    intercepts: Vec<f64>,
}

impl Ridge {
    /// Minimises `|y - b - X w|^2 + lambda |w|^2` for each target y. The dimensions of X have mean 0 and
    /// deviation 1, so that units do not matter; lambda is positive.
    ///
    /// # Errors
    /// Returns an error if libtorch cannot solve the normal equations.
    pub(super) fn fit(points: &Points, targets: &Points, lambda: f64) -> Result<Self> {
        let (mean, intercepts) = (points.mean(), targets.mean());
        let mut scale = vec![0.0; mean.len()];
        for row in points.rows() {
            scale
                .iter_mut()
                .zip(row.iter().zip(&mean))
                .for_each(|(sum, (x, mean))| *sum += (x - mean).powi(2));
        }
        for (scale, mean) in scale.iter_mut().zip(&mean) {
            let deviation = (*scale / points.len() as f64).sqrt();
            // A deviation below the rounding of the mean counts as none.
            *scale = if deviation > 1e-12 * mean.abs() { deviation } else { 1.0 };
        }
        let mut ridge = Self { mean, scale, weights: Vec::new(), intercepts };
        let (width, count) = (points.width(), targets.width());
        let (mut squares, mut products) = (vec![0.0; width * width], vec![0.0; width * count]);
        for (row, target) in points.rows().zip(targets.rows()) {
            let x = ridge.standardised(row);
            for (i, one) in x.iter().enumerate() {
                squares[i * width..][..width].iter_mut().zip(&x).for_each(|(sum, other)| *sum += one * other);
                let centred = target.iter().zip(&ridge.intercepts).map(|(y, mean)| y - mean);
                products[i * count..][..count].iter_mut().zip(centred).for_each(|(sum, y)| *sum += one * y);
            }
        }
        (0..width).for_each(|i| squares[i * width + i] += lambda);
        let (width, count) = (width as i64, count as i64);
        let [squares, products] = [(squares, width), (products, count)]
            .map(|(values, columns)| Tensor::from_slice(&values).view([width, columns]));
        let weights = Tensor::f_linalg_solve(&squares, &products, true).context("the normal equations")?;
        ridge.weights = values(&weights)?;
        Ok(ridge)
    }

    /// Predicts the targets of other points.
    pub(super) fn predict(&self, points: &Points) -> Points {
        let count = self.intercepts.len();
        let of = |row: &[f64]| {
            let x = self.standardised(row);
            let weighted = move |target: usize| {
                let weights = self.weights.iter().skip(target).step_by(count);
                self.intercepts[target] + x.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>()
            };
            (0..count).map(weighted).collect::<Vec<_>>()
        };
        Points::new(count, points.rows().flat_map(of).collect())
    }

    fn standardised(&self, row: &[f64]) -> Vec<f64> {
        row.iter()
            .zip(self.mean.iter().zip(&self.scale))
            .map(|(x, (mean, scale))| (x - mean) / scale)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_dimension_is_the_closed_form_by_hand() {
        // Deviation 1: w = sum(x y) / (n + lambda), with y around its mean.
        let points = Points::new(1, vec![4.0, 6.0, 4.0, 6.0]);
        let targets = Points::new(2, vec![1.0, 0.0, 3.0, 0.0, 0.0, 8.0, 4.0, 0.0]);
        let ridge = Ridge::fit(&points, &targets, 2.0).expect("fitted");
        let found = ridge.predict(&Points::new(1, vec![5.0, 7.0]));
        // Both means are 2; the sums of x y are -1 (-1) + 1 (1) + -1 (-2) + 1 (2) = 6, and -8 for the second
        // target.
        for (found, wanted) in
            found.rows().flatten().zip([2.0, 2.0, 2.0 + 2.0 * 6.0 / 6.0, 2.0 - 2.0 * 8.0 / 6.0])
        {
            assert!((found - wanted).abs() < 1e-12, "{found}, not {wanted}");
        }
    }

    #[test]
    fn linear_targets_are_found_and_a_constant_dimension_has_no_effect() {
        let rows = (0..20).map(f64::from).map(|n| [n, (n * 7.0) % 5.0, 0.1]);
        let points = Points::new(3, rows.clone().flatten().collect());
        let targets = Points::new(1, rows.map(|[a, b, _]| 3.0 * a - 2.0 * b + 5.0).collect());
        let ridge = Ridge::fit(&points, &targets, 1e-9).expect("fitted");
        let found = ridge.predict(&Points::new(3, vec![100.0, 1.0, 0.1]));
        assert!((found.row(0)[0] - 303.0).abs() < 1e-6, "{found:?}");
    }
}
