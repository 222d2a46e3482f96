//! t-SNE (van der Maaten and Hinton 2008), with forces approximated by a tree (Barnes-Hut; van der Maaten
//! 2014).

use std::sync::mpsc::channel;
use std::thread;

use anyhow::{Result, anyhow};
use bhtsne::{Neighbor, tSNE};
use rand::Rng;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;

use crate::lib::codes::Points;
use crate::lib::random::stream;

/// Iterations between two reports of progress.
const REPORTED: usize = 10;

/// Number of first iterations, in which neighbours attract each other more, so that groups form.
const EXAGGERATED: usize = 250;

/// Factor of the early exaggeration.
const EXAGGERATION: f64 = 12.0;

/// Momentum after the exaggerated iterations; during these, it is 0.5.
const MOMENTUM: f64 = 0.8;

/// Largest random shift of points after the exaggerated iterations, along each axis. Layouts are some tens of
/// units wide.
const JITTER: f64 = 1e-2;

/// Options of the layout.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    /// Perplexity: roughly the number of neighbours of a point, at most a third of the other points.
    pub perplexity: f64,
    /// Number of iterations; affinities are exaggerated in the first 250.
    pub iterations: usize,
    /// Ratio of a cell's size to its distance below which it counts as one point.
    pub theta: f64,
}

/// Returns the largest perplexity for this number of points, which is at least four.
pub(super) fn largest_perplexity(points: usize) -> f64 {
    (points.saturating_sub(1) as f64 / 3.0).max(1.0)
}

/// Returns a layout in which neighbours are neighbours in the space of `points`, and the remaining
/// Kullback-Leibler divergence. `start` has an initial place for each point. Exaggeration, momentum and
/// learning rate are those of scikit-learn, which keeps the gradient's factor 4 apart from the rate.
///
/// Exaggeration can draw a group that has no outside neighbours together into one cell of the tree. There are
/// no forces within a cell, so the group would stay a point. All points are therefore moved a little after
/// the exaggeration.
///
/// # Errors
/// Returns an error if a thread cannot be started, or the library panics.
pub(super) fn layout(
    points: &Points,
    start: &[[f64; 2]],
    settings: Settings,
    progress: impl FnMut(usize),
) -> Result<(Vec<[f64; 2]>, f64)> {
    let count = (3.0 * settings.perplexity) as usize;
    let neighbours = |point: usize| {
        let nearest = points.nearest(point, count, |other| other != point).into_iter();
        nearest.map(|(index, distance)| Neighbor { index, distance }).collect()
    };
    let neighbours: Vec<Vec<Neighbor<f64>>> = (0..points.len()).into_par_iter().map(neighbours).collect();
    // On several threads, the order of sums varies, so that results would not be bit-identical.
    let alone = ThreadPoolBuilder::new().num_threads(1).build()?;
    let rate = (points.len() as f64 / EXAGGERATION).max(200.0);
    let (said, heard) = channel();
    thread::scope(|scope| {
        let fit = scope.spawn(move || {
            let fit = |start: &[[f64; 2]], done: usize, iterations: usize| {
                let said = said.clone();
                let mut tsne = tSNE::<f64, [f64; 2]>::new(start);
                tsne.perplexity(settings.perplexity).learning_rate(rate).early_exaggeration(EXAGGERATION);
                tsne.epochs(iterations).initial_embedding(start.as_flattened());
                tsne.epoch_callback(move |epoch, _| {
                    let done = done + epoch + 1;
                    if done.is_multiple_of(REPORTED) {
                        // After an error, the receiver is gone.
                        let _ = said.send(done);
                    }
                });
                if done > 0 {
                    tsne.stop_lying_epoch(0).momentum(MOMENTUM);
                }
                tsne.barnes_hut_with_neighbors(settings.theta, &neighbours);
                let places: Vec<[f64; 2]> =
                    tsne.embedding().chunks_exact(2).map(|at| [at[0], at[1]]).collect();
                (places, tsne.kl_divergence().unwrap_or(f64::NAN))
            };
            alone.install(|| {
                let (mut places, _) = fit(start, 0, EXAGGERATED);
                let mut random = stream(0, "jitter", 0);
                places.as_flattened_mut().iter_mut().for_each(|x| *x += random.random_range(-JITTER..JITTER));
                fit(&places, EXAGGERATED, settings.iterations.saturating_sub(EXAGGERATED))
            })
        });
        heard.into_iter().for_each(progress);
        fit.join().map_err(|_| anyhow!("t-SNE of {} points failed", points.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings { perplexity: 10.0, iterations: 300, theta: 0.5 };

    /// Returns two clouds of 40 points far from each other, one of them around 0.
    fn clouds() -> (Points, Vec<[f64; 2]>) {
        let mut random = stream(0, "clouds", 0);
        let mut row =
            |n: i32| (0..5).map(|_| random.random::<f64>() + f64::from(n / 40) * 20.0).collect::<Vec<_>>();
        let points = Points::new(5, (0..80).flat_map(&mut row).collect());
        let start = points.rows().map(|row| [row[0] * 1e-4, row[1] * 1e-4]).collect();
        (points, start)
    }

    #[test]
    fn distant_clouds_stay_apart_and_a_run_is_reproducible() {
        let (points, start) = clouds();
        let mut last = 0;
        let (found, divergence) = layout(&points, &start, SETTINGS, |done| last = done).expect("a layout");
        assert!(last == 300 && divergence.is_finite());
        let flat = Points::new(2, found.iter().flatten().copied().collect());
        for point in 0..80 {
            let near = flat.nearest(point, 10, |other| other != point);
            assert!(near.iter().all(|(other, _)| other / 40 == point / 40), "{point}: {near:?}");
        }
        assert_eq!(layout(&points, &start, SETTINGS, |_| ()).expect("again"), (found, divergence));
    }

    #[test]
    fn groups_without_a_neighbour_in_common_are_not_drawn_together_into_points() {
        let (count, groups) = (1200, 8);
        let mut random = stream(0, "groups", 0);
        let mut row = |n: usize| {
            (0..8)
                .map(|axis| f64::from(u8::from(n % groups == axis)) * 40.0 + random.random::<f64>())
                .collect::<Vec<_>>()
        };
        let points = Points::new(8, (0..count).flat_map(&mut row).collect());
        let start: Vec<[f64; 2]> = points.rows().map(|row| [row[0] * 1e-6, row[1] * 1e-6]).collect();
        let settings = Settings { perplexity: 30.0, iterations: 600, ..SETTINGS };
        let (found, _) = layout(&points, &start, settings, |_| ()).expect("a layout");
        let wide = |from: usize, step: usize| {
            let all = || found.iter().skip(from).step_by(step).map(|[x, _]| *x);
            all().fold(f64::MIN, f64::max) - all().fold(f64::MAX, f64::min)
        };
        let (whole, each) = (wide(0, 1), (0..groups).map(|group| wide(group, groups)).collect::<Vec<f64>>());
        assert!(each.iter().all(|group| *group > whole / 40.0), "{each:?} of {whole}");
    }

    #[test]
    fn perplexity_is_at_most_a_third_of_the_others() {
        assert_eq!([4, 31, 91].map(largest_perplexity), [1.0, 10.0, 30.0]);
        let (points, start) = clouds();
        let few = points.choose(&[0, 1, 2, 79]);
        let settings = Settings { perplexity: largest_perplexity(4), ..SETTINGS };
        let (found, _) = layout(&few, &start[..4], settings, |_| ()).expect("a layout");
        assert!(found.as_flattened().iter().all(|value| value.is_finite()));
    }
}
