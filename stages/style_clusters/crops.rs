//! Styles relative to the crop in which they are seen.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::matrix::Matrix;

/// Share of the mean distance that remains between equal styles: rounding of the table is below it.
const ROUNDING: f64 = 1e-5;

/// Returns squared distances after the mean of each crop is subtracted from its points, and these are divided
/// by their root mean square. The content of a crop shifts and scales all its styles, but light does not.
/// Also returns the crops whose points do not differ, and are therefore all at the mean.
pub(super) fn standardized(points: &Matrix, crops: &[i32]) -> (Matrix, Vec<i32>) {
    let names: BTreeMap<i32, usize> = crops.iter().map(|crop| (*crop, 0)).collect();
    let names: BTreeMap<i32, usize> = names.into_keys().zip(0..).collect();
    let of: Vec<usize> = crops.iter().map(|crop| names[crop]).collect();
    let means = Means::new(points, &of, names.len());
    let alike = names.iter().filter(|(_, crop)| means.spreads[**crop] == 0.0).map(|(name, _)| *name);
    (means.distances(points, &of), alike.collect())
}

/// Mean squared distances, by crop.
///
/// Let `S_ij` be the squared distances, `m_ig` the mean of `S_ij` over the points j of crop g, and
/// `b_gh` the mean of `m_ih` over the points of g. Without the crops' means, the inner product of i in g and
/// j in h is `(m_ih + m_jg - S_ij - b_gh) / 2`. The mean square of g is `b_gg / 2`. Therefore no
/// coordinates are needed.
struct Means {
    of_points: Vec<Vec<f64>>,
    of_crops: Vec<Vec<f64>>,
    /// Root mean square of the points of each crop; 0 if they do not differ.
    spreads: Vec<f64>,
}

impl Means {
    fn new(points: &Matrix, of: &[usize], crops: usize) -> Self {
        let mut counts = vec![0.0; crops];
        of.iter().for_each(|crop| counts[*crop] += 1.0);
        let row = |point: usize| {
            let mut sums = vec![0.0; crops];
            of.iter().zip(points.row(point)).for_each(|(crop, value)| sums[*crop] += f64::from(*value));
            sums.iter().zip(&counts).map(|(sum, count)| sum / count).collect()
        };
        let of_points: Vec<Vec<f64>> = (0..points.len()).into_par_iter().map(row).collect();
        let mut of_crops = vec![vec![0.0; crops]; crops];
        for (crop, means) in of.iter().zip(&of_points) {
            let sums = of_crops[*crop].iter_mut().zip(means);
            sums.for_each(|(sum, mean)| *sum += mean / counts[*crop]);
        }
        let all: f64 = of_crops.iter().flatten().sum::<f64>() / (crops * crops) as f64;
        let spread = |crop: usize| {
            let square: f64 = of_crops[crop][crop] / 2.0;
            if square > ROUNDING * all { square.sqrt() } else { 0.0 }
        };
        Self { spreads: (0..crops).map(spread).collect(), of_points, of_crops }
    }

    fn distances(&self, points: &Matrix, of: &[usize]) -> Matrix {
        let product = |i: usize, j: usize, squared: f32| {
            let (g, h) = (of[i], of[j]);
            let spread = self.spreads[g] * self.spreads[h];
            let centred =
                self.of_points[i][h] + self.of_points[j][g] - f64::from(squared) - self.of_crops[g][h];
            if spread > 0.0 { centred / 2.0 / spread } else { 0.0 }
        };
        let squares: Vec<f64> = (0..points.len()).map(|point| product(point, point, 0.0)).collect();
        points.map(|i, j, squared| {
            let distance = squares[i] + squares[j] - 2.0 * product(i, j, squared);
            if i == j { 0.0 } else { distance.max(0.0) as f32 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &Matrix, wanted: &[&[f32]]) {
        for (row, wanted) in wanted.iter().enumerate() {
            let near = found.row(row).iter().zip(*wanted).all(|(a, b)| (a - b).abs() < 1e-4);
            assert!(near, "row {row}: {:?}, not {wanted:?}", found.row(row));
        }
    }

    #[test]
    fn a_crop_s_place_and_scale_do_not_matter() {
        // Two lights in two crops: the first crop has 0 and 2, the second 100 and 120.
        let (found, alike) = standardized(&Matrix::of_line(&[0.0, 100.0, 2.0, 120.0]), &[0, 7, 0, 7]);
        close(&found, &[&[0.0, 0.0, 4.0, 4.0], &[0.0, 0.0, 4.0, 4.0], &[4.0, 4.0, 0.0, 0.0]]);
        assert!(alike.is_empty());
    }

    #[test]
    fn with_one_crop_only_the_unit_changes() {
        // The mean is 3, and the mean square (4 + 4 + 16) / 3 = 8.
        let (found, _) = standardized(&Matrix::of_line(&[1.0, 1.0, 7.0]), &[2, 2, 2]);
        close(&found, &[&[0.0, 0.0, 36.0 / 8.0], &[0.0, 0.0, 36.0 / 8.0]]);
    }

    #[test]
    fn images_that_do_not_differ_within_their_crop_are_centred_and_reported() {
        let (found, alike) = standardized(&Matrix::of_line(&[0.0, 2.0, 50.0, 50.0, 90.0]), &[0, 0, 1, 1, 4]);
        close(&found, &[&[0.0, 4.0, 1.0, 1.0, 1.0], &[4.0, 0.0, 1.0, 1.0, 1.0], &[1.0, 1.0, 0.0, 0.0, 0.0]]);
        assert_eq!(alike, [1, 4]);
    }
}
