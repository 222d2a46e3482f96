//! Exact k-means on a matrix of squared distances, for points of any dimension.
//!
//! The squared distance of point i to the mean of cluster c is `S_ic / n_c - W_c / (2 n_c^2)`. Here `S_ic` is
//! the sum of i's squared distances to the n_c points of c, and `W_c` the sum of `S_ic` over these points.
//! Lloyd's iterations therefore need no coordinates. The cost of an iteration grows with the number of points
//! that change their cluster, as does that of the single moves after the iterations.

mod seeds;
mod sums;

use rayon::prelude::*;

use super::matrix::Matrix;
use crate::lib::random::stream;
use seeds::seeds;
use sums::Sums;

/// Largest number of iterations; they end earlier when no label changes.
const MOST_ITERATIONS: usize = 300;

/// A clustering.
#[derive(Clone, Debug)]
pub(super) struct Clustering {
    /// Cluster of each point.
    pub labels: Vec<usize>,
    /// Squared distance of each point to its centre.
    pub distances: Vec<f64>,
    /// Sum of the squared distances.
    pub inertia: f64,
    clusters: usize,
}

impl Clustering {
    /// Returns the number of points in each cluster.
    pub(super) fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.clusters];
        self.labels.iter().for_each(|label| sizes[*label] += 1);
        sizes
    }

    /// Returns the rank of each point in its cluster, from 1 for the point nearest to the centre.
    pub(super) fn ranks(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.labels.len()).collect();
        order.sort_by(|a, b| self.distances[*a].total_cmp(&self.distances[*b]).then(a.cmp(b)));
        let (mut ranks, mut counts) = (vec![0; order.len()], vec![0; self.clusters]);
        for point in order {
            counts[self.labels[point]] += 1;
            ranks[point] = counts[self.labels[point]];
        }
        ranks
    }
}

/// Returns the best of `restarts` clusterings into `clusters` (at least 1, at most the number of points).
/// Clusters are numbered by their first point, so that equal partitions have equal labels.
pub(super) fn cluster(points: &Matrix, clusters: usize, restarts: u64, seed: i64) -> Clustering {
    let runs = (0..restarts).into_par_iter().map(|restart| lloyd(points, clusters, seed, restart));
    let runs: Vec<Clustering> = runs.collect();
    let best = runs.into_iter().min_by(|a, b| a.inertia.total_cmp(&b.inertia));
    renumbered(best.unwrap_or_else(|| lloyd(points, clusters, seed, 0)))
}

fn lloyd(points: &Matrix, clusters: usize, seed: i64, restart: u64) -> Clustering {
    let mut labels = seeds(points, clusters, &mut stream(seed, "k-means", restart));
    let mut sums = Sums::of(points, &labels, clusters);
    for _ in 0..MOST_ITERATIONS {
        let mut nearest: Vec<(usize, f64)> = (0..points.len()).map(|point| sums.nearest(point)).collect();
        fill(&sums, &mut nearest);
        let moved: Vec<usize> =
            (0..points.len()).filter(|point| nearest[*point].0 != labels[*point]).collect();
        if moved.is_empty() {
            break;
        }
        for point in moved {
            sums.remove(points, point, labels[point]);
            labels[point] = nearest[point].0;
            sums.add(points, point, labels[point]);
        }
    }
    settle(points, &mut labels, &mut sums);
    // The sums are computed again, because additions and removals have accumulated rounding errors.
    let sums = Sums::of(points, &labels, clusters);
    let distances: Vec<f64> =
        labels.iter().enumerate().map(|(point, label)| sums.distance(point, *label)).collect();
    let inertia = distances.iter().sum();
    Clustering { labels, distances, inertia, clusters }
}

/// Moves single points as long as that lowers the inertia (Hartigan 1975). Lloyd's iterations end earlier,
/// because they treat means as fixed.
fn settle(points: &Matrix, labels: &mut [usize], sums: &mut Sums) {
    for _ in 0..MOST_ITERATIONS {
        let mut moved = false;
        for (point, label) in labels.iter_mut().enumerate() {
            if let Some(better) = sums.better(point, *label) {
                sums.remove(points, point, *label);
                *label = better;
                sums.add(points, point, better);
                moved = true;
            }
        }
        if !moved {
            return;
        }
    }
}

/// Gives each cluster without points the point that is farthest from its own mean.
fn fill(sums: &Sums, nearest: &mut [(usize, f64)]) {
    let mut counts = vec![0usize; sums.counts.len()];
    nearest.iter().for_each(|(label, _)| counts[*label] += 1);
    for empty in (0..counts.len()).filter(|cluster| counts[*cluster] == 0).collect::<Vec<_>>() {
        let spare = (0..nearest.len()).filter(|point| counts[nearest[*point].0] > 1);
        let far = spare.max_by(|a, b| nearest[*a].1.total_cmp(&nearest[*b].1).then(b.cmp(a)));
        let Some(far) = far else { return };
        counts[nearest[far].0] -= 1;
        counts[empty] += 1;
        nearest[far] = (empty, 0.0);
    }
}

fn renumbered(mut clustering: Clustering) -> Clustering {
    let mut numbers: Vec<Option<usize>> = vec![None; clustering.clusters];
    let mut next = 0;
    for label in &mut clustering.labels {
        let number = numbers[*label].get_or_insert_with(|| {
            next += 1;
            next - 1
        });
        *label = *number;
    }
    clustering
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separate_groups_are_found_and_numbered_by_their_first_point() {
        let found = cluster(&Matrix::of_line(&[9.0, 0.1, 9.1, 0.0, 5.0, 8.9, 0.2]), 3, 4, 0);
        assert_eq!(found.labels, [0, 1, 0, 1, 2, 0, 1]);
        assert_eq!(found.sizes(), [3, 3, 1]);
        assert!((found.inertia - 0.04).abs() < 1e-5, "{}", found.inertia);
        assert_eq!(found.ranks(), [1, 1, 2, 2, 1, 3, 3]);
    }

    #[test]
    fn distances_are_to_the_mean_of_the_cluster() {
        let found = cluster(&Matrix::of_line(&[0.0, 1.0, 5.0]), 1, 1, 0);
        let wanted = [4.0, 1.0, 9.0];
        assert!(found.distances.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn no_cluster_is_empty_and_equal_points_do_no_harm() {
        let found = cluster(&Matrix::of_line(&[1.0; 6]), 3, 2, 0);
        assert_eq!(found.inertia, 0.0);
        assert!(found.sizes().iter().all(|size| *size > 0), "{:?}", found.sizes());
        let found = cluster(&Matrix::of_line(&[1.0, 1.0, 1.0, 2.0]), 4, 2, 0);
        assert_eq!(found.sizes(), [1, 1, 1, 1]);
    }

    #[test]
    fn the_same_seed_gives_the_same_clusters_on_any_number_of_threads() {
        let points: Vec<f32> = (0..50).map(|n| ((n * n * 31) % 97) as f32).collect();
        let points = Matrix::of_line(&points);
        let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let of = |threads| pool(threads).install(|| cluster(&points, 5, 6, 3).labels);
        assert_eq!(of(1), of(4));
    }
}
