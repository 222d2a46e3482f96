//! Detection of frames that look unlike those around them.

use rayon::prelude::*;

use super::finding::Finding;
use super::frame::Frame;
use super::params::Params;
use super::robust::{Usual, around};

/// Change of frames in grey levels by passing light. Distances below it hardly differ on the log scale.
const LIGHT: f64 = 4.0;

/// Number of values that are squared in parallel.
const LANES: usize = 16;

/// Finds frames that are far from all but a few of the frames around: outliers by the distance of the k-th
/// nearest neighbour (Ramaswamy et al. 2000), on a log scale. `frames` are those of one video in the order of
/// time. In a video of at most `neighbours` frames, nothing is found.
pub(super) fn outlying<'a>(frames: &[&'a Frame], params: &Params) -> Vec<Finding<'a>> {
    let reach = params.window.max(params.neighbours + 1);
    if frames.len() <= params.neighbours {
        return Vec::new();
    }
    let distances: Vec<f64> = (0..frames.len())
        .into_par_iter()
        .map(|at| {
            let others = around(at, frames.len(), reach).filter(|other| *other != at);
            let distances = others.map(|other| distance(&frames[at].features, &frames[other].features));
            *distances.collect::<Vec<_>>().select_nth_unstable_by(params.neighbours - 1, f64::total_cmp).1
        })
        .collect();
    let logs: Vec<f64> = distances.iter().map(|distance| (LIGHT + distance).ln()).collect();
    let found = frames.par_iter().enumerate().filter_map(|(at, frame)| {
        let usual = Usual::of(&logs[around(at, frames.len(), reach)]);
        let score = (logs[at] - usual.median) / usual.deviation;
        let reason = || {
            let (distance, median) = (distances[at], usual.median.exp() - LIGHT);
            let nearest = params.neighbours;
            format!(
                "{distance:.1} grey levels from the {nearest} most similar frames around, median {median:.1}"
            )
        };
        let threshold = params.outlying_deviations;
        (score >= threshold).then(|| Finding {
            frame,
            kind: "outlying",
            score,
            threshold,
            reason: reason(),
            other: None,
        })
    });
    found.collect()
}

/// Root mean square difference between two vectors of equal length; 0 for empty ones.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let mut sums = [0f32; LANES];
    let ((a_lanes, a_rest), (b_lanes, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a_lanes.iter().zip(b_lanes) {
        sums.iter_mut().zip(a).zip(b).for_each(|((sum, x), y)| *sum += (x - y) * (x - y));
    }
    let rest = a_rest.iter().zip(b_rest).map(|(x, y)| (x - y) * (x - y));
    let sum: f64 = sums.into_iter().chain(rest).map(f64::from).sum();
    (sum / a.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit_frames::tests::{declared, ids, timelapse};

    #[test]
    fn a_distance_is_the_root_mean_square_difference() {
        assert_eq!(distance(&[1.0; 20], &[4.0; 20]), 3.0);
        assert_eq!(distance(&[0.0, 0.0], &[6.0, 8.0]), 50f64.sqrt());
        assert_eq!(distance(&[], &[]), 0.0);
    }

    #[test]
    fn as_many_odd_frames_in_a_row_as_neighbours_are_found() {
        let mut frames = timelapse("a.mp4", 300);
        // An object covers an eighth of the picture.
        frames[40..45].iter_mut().for_each(|frame| frame.features[..48].fill(250.0));
        let frames: Vec<&Frame> = frames.iter().collect();
        let found = outlying(&frames, &declared());
        let wanted: Vec<&str> = frames[40..45].iter().map(|frame| frame.frame_id.as_str()).collect();
        assert_eq!(ids(&found), wanted);
    }

    #[test]
    fn a_scene_that_changes_for_good_has_no_outlying_frame() {
        let mut frames = timelapse("a.mp4", 300);
        for frame in &mut frames[150..] {
            frame.features.iter_mut().for_each(|value| *value *= 0.3);
        }
        let frames: Vec<&Frame> = frames.iter().collect();
        assert!(outlying(&frames, &declared()).is_empty());
    }
}
