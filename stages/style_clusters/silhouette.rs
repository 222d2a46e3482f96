//! Silhouette: separation of clusters (Rousseeuw 1987).

use rayon::prelude::*;

use super::kmeans::Clustering;
use super::matrix::Matrix;

/// Returns the mean over all points of `(b - a) / max(a, b)`, in -1..1. a is the mean distance to the other
/// points of the own cluster, and b the least mean distance to another cluster. A point alone in its cluster
/// counts as 0.
pub(super) fn silhouette(points: &Matrix, clustering: &Clustering) -> f64 {
    let sizes = clustering.sizes();
    let of_point = |point: usize| {
        let mut sums = vec![0.0; sizes.len()];
        for (distance, label) in points.row(point).iter().zip(&clustering.labels) {
            sums[*label] += f64::from(*distance).sqrt();
        }
        let own = clustering.labels[point];
        if sizes[own] < 2 {
            return 0.0;
        }
        let a = sums[own] / (sizes[own] - 1) as f64;
        let others = (0..sizes.len()).filter(|cluster| *cluster != own && sizes[*cluster] > 0);
        let b = others.map(|cluster| sums[cluster] / sizes[cluster] as f64).fold(f64::INFINITY, f64::min);
        if b.is_finite() && a.max(b) > 0.0 { (b - a) / a.max(b) } else { 0.0 }
    };
    let each: Vec<f64> = (0..points.len()).into_par_iter().map(of_point).collect();
    each.iter().sum::<f64>() / points.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style_clusters::kmeans::cluster;

    #[test]
    fn two_groups_far_apart_score_as_computed_by_hand() {
        let points = Matrix::of_line(&[0.0, 1.0, 10.0]);
        let found = cluster(&points, 2, 4, 0);
        assert_eq!(found.labels, [0, 0, 1]);
        // The values are (10 - 1) / 10, (9 - 1) / 9, and 0 for the single point.
        assert!((silhouette(&points, &found) - (0.9 + 8.0 / 9.0) / 3.0).abs() < 1e-9);
        assert_eq!(silhouette(&points, &cluster(&points, 1, 1, 0)), 0.0);
    }
}
