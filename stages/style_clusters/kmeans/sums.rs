//! Sums of squared distances over clusters, which need no coordinates.

use super::Matrix;

/// Sums over the points of each cluster.
pub(super) struct Sums {
    pub counts: Vec<usize>,
    /// `S_ic`, by cluster and point.
    sums: Vec<Vec<f64>>,
    /// `W_c`, by cluster.
    within: Vec<f64>,
}

impl Sums {
    pub(super) fn of(points: &Matrix, labels: &[usize], clusters: usize) -> Self {
        let sums = vec![vec![0.0; points.len()]; clusters];
        let mut sums = Self { counts: vec![0; clusters], sums, within: vec![0.0; clusters] };
        labels.iter().enumerate().for_each(|(point, label)| sums.add(points, point, *label));
        sums
    }

    pub(super) fn add(&mut self, points: &Matrix, point: usize, cluster: usize) {
        self.counts[cluster] += 1;
        self.within[cluster] += 2.0 * self.sums[cluster][point];
        self.sums[cluster].iter_mut().zip(points.row(point)).for_each(|(sum, d)| *sum += f64::from(*d));
    }

    pub(super) fn remove(&mut self, points: &Matrix, point: usize, cluster: usize) {
        self.counts[cluster] -= 1;
        self.within[cluster] -= 2.0 * self.sums[cluster][point];
        self.sums[cluster].iter_mut().zip(points.row(point)).for_each(|(sum, d)| *sum -= f64::from(*d));
    }

    /// Squared distance of a point to the mean of a cluster that has points.
    pub(super) fn distance(&self, point: usize, cluster: usize) -> f64 {
        let count = self.counts[cluster] as f64;
        (self.sums[cluster][point] / count - self.within[cluster] / (2.0 * count * count)).max(0.0)
    }

    /// Returns the clusters that have points.
    pub(super) fn filled(&self) -> impl Iterator<Item = usize> {
        (0..self.counts.len()).filter(|cluster| self.counts[*cluster] > 0)
    }

    /// Returns the cluster whose mean is nearest to a point, and its squared distance.
    pub(super) fn nearest(&self, point: usize) -> (usize, f64) {
        let each = self.filled().map(|cluster| (cluster, self.distance(point, cluster)));
        each.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
    }

    /// Returns the cluster that a point should move to, if the move lowers the inertia. The means are assumed
    /// to change with the move.
    pub(super) fn better(&self, point: usize, own: usize) -> Option<usize> {
        let count = self.counts[own] as f64;
        if self.counts[own] < 2 {
            return None;
        }
        let leaving = self.distance(point, own) * count / (count - 1.0);
        let joining = |cluster: usize| {
            let count = self.counts[cluster] as f64;
            (cluster, self.distance(point, cluster) * count / (count + 1.0))
        };
        let best = self.filled().filter(|cluster| *cluster != own).map(joining);
        let (best, joining) = best.min_by(|a, b| a.1.total_cmp(&b.1))?;
        // The gain must exceed rounding errors, because otherwise a point might alternate between two
        // clusters for ever.
        (joining < leaving * (1.0 - 1e-9)).then_some(best)
    }
}
