//! Squared distances of single pairs, computed from their differences in float64.

use anyhow::Result;
use rayon::prelude::*;

use super::features::{Features, Panel, diagonal};
use super::tap_factor;

/// Number of columns that are compared at a time, so that those of all images stay in the cache.
const COLUMNS: usize = 512;

/// Computes the squared distances of `pairs` of images. `kept` is a panel that need not be read. Calls `progress` when a
/// panel has been read, and when it has been compared.
///
/// # Errors
/// Returns an error if the features cannot be read.
pub(crate) fn distances(
    features: &Features,
    weighting: &str,
    pairs: &[(u32, u32)],
    kept: Option<Panel>,
    progress: impl Fn(usize),
) -> Result<Vec<f64>> {
    let mut distances = vec![0f64; pairs.len()];
    let mut done = 0;
    // Number of pairs per task. Neighbours in the list share their first image.
    let share = pairs.len().div_ceil(rayon::current_num_threads() * 4).max(1);
    features.each_panel(kept, |panel| {
        progress(done + 1);
        let factor = tap_factor(weighting, panel.tap).powi(2);
        distances.par_chunks_mut(share).zip(pairs.par_chunks(share)).for_each(|(distances, pairs)| {
            add(panel, factor, pairs, distances);
        });
        done += 2;
        progress(done);
        Ok(())
    })?;
    Ok(distances)
}

/// Adds the contribution of a panel. An entry off the diagonal represents two entries of the matrix.
fn add(panel: &Panel, factor: f64, pairs: &[(u32, u32)], distances: &mut [f64]) {
    let width = panel.entries.len();
    let row = |image: u32| &panel.values[image as usize * width..(image as usize + 1) * width];
    for start in (0..width).step_by(COLUMNS) {
        let columns = start..(start + COLUMNS).min(width);
        for ((a, b), distance) in pairs.iter().zip(&mut *distances) {
            *distance += 2.0 * factor * difference(&row(*a)[columns.clone()], &row(*b)[columns.clone()]);
        }
    }
    let diagonal: Vec<usize> = diagonal(panel.tap).filter(|d| panel.entries.contains(d)).collect();
    for ((a, b), distance) in pairs.iter().zip(distances) {
        let (a, b) = (row(*a), row(*b));
        let twice = diagonal.iter().map(|position| position - panel.entries.start);
        *distance -= factor * twice.map(|at| difference(&a[at..=at], &b[at..=at])).sum::<f64>();
    }
}

/// Sum of squared differences.
fn difference(a: &[f32], b: &[f32]) -> f64 {
    // Eight separate sums allow the compiler to compute them in parallel.
    let mut sums = [0f64; 8];
    let (whole, rest) = (a.chunks_exact(8).zip(b.chunks_exact(8)), a.len() / 8 * 8);
    for (a, b) in whole {
        for lane in 0..8 {
            let apart = f64::from(a[lane]) - f64::from(b[lane]);
            sums[lane] += apart * apart;
        }
    }
    let rest = a[rest..].iter().zip(&b[rest..]).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}
