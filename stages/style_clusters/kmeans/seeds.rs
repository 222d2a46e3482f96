//! Initial centres of k-means.

use rand::Rng;

use super::Matrix;

/// Chooses centres by k-means++ with the best of several candidates at each step (Arthur and Vassilvitskii
/// 2007). Returns the nearest centre of each point.
pub(super) fn seeds(points: &Matrix, clusters: usize, random: &mut impl Rng) -> Vec<usize> {
    let candidates = 2 + (clusters as f64).ln() as usize;
    let first = random.random_range(0..points.len());
    let mut nearest = points.row(first).to_vec();
    let mut labels = vec![0; points.len()];
    for centre in 1..clusters {
        let total: f64 = nearest.iter().copied().map(f64::from).sum();
        let mut draw = || {
            let mut left = random.random::<f64>() * total;
            let chosen = nearest.iter().position(|distance| {
                left -= f64::from(*distance);
                left < 0.0
            });
            // All points coincide with a centre, so any point can be chosen.
            chosen.unwrap_or_else(|| random.random_range(0..points.len()))
        };
        let drawn: Vec<usize> = (0..candidates).map(|_| draw()).collect();
        let left = |point: &usize| -> f64 {
            nearest.iter().zip(points.row(*point)).map(|(a, b)| f64::from(a.min(*b))).sum()
        };
        let best = drawn.into_iter().map(|point| (left(&point), point)).min_by(|a, b| a.0.total_cmp(&b.0));
        let Some((_, best)) = best else { break };
        for ((near, label), distance) in nearest.iter_mut().zip(&mut labels).zip(points.row(best)) {
            if distance < near {
                (*near, *label) = (*distance, centre);
            }
        }
    }
    labels
}
