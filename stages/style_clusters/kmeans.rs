//! k-means: k-means++ seeding, Lloyd iterations, several restarts; deterministic by its seed.

use rand::Rng;
use rayon::prelude::*;

use crate::random::stream;

/// Iterations end when no label changes, or here.
const MOST_ITERATIONS: usize = 300;

/// A clustering.
#[derive(Clone, Debug)]
pub struct Clustering {
    /// Cluster of each point.
    pub labels: Vec<usize>,
    /// Squared distance of each point to its centre.
    pub distances: Vec<f64>,
    /// Their sum.
    pub inertia: f64,
    clusters: usize,
}

impl Clustering {
    /// Points in each cluster.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.clusters];
        self.labels.iter().for_each(|label| sizes[*label] += 1);
        sizes
    }
}

/// The best of `restarts` clusterings into `clusters` (at least 1, at most the number of points).
/// Clusters are numbered by their first point, so that equal partitions have equal labels.
pub fn cluster(points: &[&[f64]], clusters: usize, restarts: u64, seed: i64) -> Clustering {
    let runs = (0..restarts.max(1)).into_par_iter().map(|restart| lloyd(points, clusters, seed, restart));
    let runs: Vec<Clustering> = runs.collect();
    let best = runs.into_iter().min_by(|a, b| a.inertia.total_cmp(&b.inertia));
    renumbered(best.unwrap_or_else(|| lloyd(points, clusters, seed, 0)))
}

fn squared(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

fn seeds(points: &[&[f64]], clusters: usize, random: &mut impl Rng) -> Vec<Vec<f64>> {
    let mut centres = vec![points[random.random_range(0..points.len())].to_vec()];
    let mut nearest = vec![f64::INFINITY; points.len()];
    while centres.len() < clusters {
        let last = &centres[centres.len() - 1];
        for (distance, point) in nearest.iter_mut().zip(points) {
            *distance = distance.min(squared(point, last));
        }
        let mut left = random.random::<f64>() * nearest.iter().sum::<f64>();
        let chosen = nearest.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        // All points coincide with a centre: any will do.
        let chosen = chosen.unwrap_or_else(|| random.random_range(0..points.len()));
        centres.push(points[chosen].to_vec());
    }
    centres
}

fn lloyd(points: &[&[f64]], clusters: usize, seed: i64, restart: u64) -> Clustering {
    let mut centres = seeds(points, clusters, &mut stream(seed, "k-means", restart));
    let mut labels = vec![usize::MAX; points.len()];
    let mut distances = vec![0.0; points.len()];
    for _ in 0..MOST_ITERATIONS {
        let mut changed = false;
        for (n, point) in points.iter().enumerate() {
            let each = centres.iter().map(|centre| squared(point, centre)).enumerate();
            let (label, distance) = each.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0));
            changed |= labels[n] != label;
            (labels[n], distances[n]) = (label, distance);
        }
        if !changed {
            break;
        }
        move_centres(points, &mut centres, &labels, &distances);
    }
    let inertia = distances.iter().sum();
    Clustering { labels, distances, inertia, clusters }
}

/// Centres move to the mean of their points; one without points to the point farthest from its own.
fn move_centres(points: &[&[f64]], centres: &mut [Vec<f64>], labels: &[usize], distances: &[f64]) {
    let mut counts = vec![0usize; centres.len()];
    let mut sums = vec![vec![0.0; points[0].len()]; centres.len()];
    for (point, label) in points.iter().zip(labels) {
        counts[*label] += 1;
        sums[*label].iter_mut().zip(*point).for_each(|(sum, x)| *sum += x);
    }
    let mut far: Vec<usize> = (0..points.len()).collect();
    far.sort_by(|a, b| distances[*b].total_cmp(&distances[*a]).then(a.cmp(b)));
    let mut far = far.into_iter();
    for (centre, (sum, count)) in centres.iter_mut().zip(sums.into_iter().zip(counts)) {
        if count > 0 {
            *centre = sum.into_iter().map(|x| x / count as f64).collect();
        } else if let Some(point) = far.next() {
            *centre = points[point].to_vec();
        }
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
        let flat = [9.0, 0.1, 9.1, 0.0, 5.0, 8.9, 0.2];
        let points: Vec<&[f64]> = flat.chunks(1).collect();
        let found = cluster(&points, 3, 4, 0);
        assert_eq!(found.labels, [0, 1, 0, 1, 2, 0, 1]);
        assert_eq!(found.sizes(), [3, 3, 1]);
        assert!((found.inertia - 0.04).abs() < 1e-9);
    }

    #[test]
    fn equal_points_do_no_harm() {
        let flat = [1.0; 6];
        let points: Vec<&[f64]> = flat.chunks(1).collect();
        assert_eq!(cluster(&points, 3, 2, 0).inertia, 0.0);
    }
}
