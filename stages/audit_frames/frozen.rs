//! Detection of runs of frames in which nothing moves.

use super::finding::Finding;
use super::frame::Frame;
use super::params::Params;

/// Change of one pixel in grey levels if a picture is encoded again. The mean of a part's n pixels changes
/// less, by a factor of the root of n.
const CODING: f64 = 25.0;

/// Finds frames that stand still. Each is compared with the first frame of its run, so that slow changes add
/// up; the first frame is not reported. `frames` are those of one video in the order of time.
pub(super) fn frozen<'a>(frames: &[&'a Frame], params: &Params) -> Vec<Finding<'a>> {
    let mut findings = Vec::new();
    let mut at = 0;
    while at < frames.len() {
        let first = frames[at];
        let still = frames[at + 1..].iter().map_while(|frame| still(first, frame, params));
        let row: Vec<Finding> = still.collect();
        if row.len() + 1 < params.frozen_frames {
            at += 1;
        } else {
            at += row.len() + 1;
            findings.extend(row);
        }
    }
    findings
}

fn still<'a>(first: &'a Frame, frame: &'a Frame, params: &Params) -> Option<Finding<'a>> {
    let bits = (first.perceptual_hash ^ frame.perceptual_hash).count_ones();
    let score = change(&first.features, &frame.features);
    let parts = frame.features.len().max(1) as f64 / 3.0;
    let threshold = params.still_level.min(CODING / (frame.pixels / parts).sqrt());
    let reason = || {
        let first = &first.frame_id;
        format!("no part differs from {first} by more than {score:.2} grey levels, the hash by {bits} bits")
    };
    (bits <= params.hash_distance && score <= threshold).then(|| Finding {
        frame,
        kind: "frozen",
        score,
        threshold,
        reason: reason(),
        other: Some(first),
    })
}

/// Largest difference between two vectors of equal length; 0 for empty ones.
fn change(a: &[f32], b: &[f32]) -> f64 {
    f64::from(a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit_frames::tests::{declared, ids, timelapse};

    /// Replaces frames `from + 1..to` by frame `from`, encoded again.
    fn freeze(frames: &mut [Frame], from: usize, to: usize, change: f32) {
        for at in from + 1..to {
            frames[at].perceptual_hash = frames[from].perceptual_hash ^ 1;
            frames[at].features = frames[from].features.iter().map(|value| value + change).collect();
        }
    }

    #[test]
    fn frozen_frames_are_reported_with_the_first_which_is_not_reported() {
        let mut frames = timelapse("a.mp4", 50);
        freeze(&mut frames, 20, 30, 0.1);
        let frames: Vec<&Frame> = frames.iter().collect();
        let found = frozen(&frames, &declared());
        let wanted: Vec<&str> = frames[21..30].iter().map(|frame| frame.frame_id.as_str()).collect();
        assert_eq!(ids(&found), wanted);
        assert!(found.iter().all(|f| f.other.is_some_and(|other| other.frame_id == "a.mp4#000020")));
        let reason = "no part differs from a.mp4#000020 by more than 0.10 grey levels, the hash by 1 bits";
        assert_eq!(found[0].reason, reason);
    }

    #[test]
    fn four_equal_frames_are_too_few_to_be_frozen() {
        let mut frames = timelapse("a.mp4", 10);
        freeze(&mut frames, 4, 8, 0.1);
        let frames: Vec<&Frame> = frames.iter().collect();
        assert!(frozen(&frames, &declared()).is_empty());
    }

    #[test]
    fn small_frames_may_change_more_and_none_by_more_than_a_level() {
        for (side, change, count) in [(1000.0, 0.2, 4), (1000.0, 0.4, 0), (300.0, 0.9, 4), (9.0, 1.1, 0)] {
            let mut frames = timelapse("a.mp4", 10);
            freeze(&mut frames, 3, 8, change);
            frames.iter_mut().for_each(|frame| frame.pixels = side * side);
            let frames: Vec<&Frame> = frames.iter().collect();
            assert_eq!(frozen(&frames, &declared()).len(), count, "{side} {change}");
        }
    }

    #[test]
    fn changes_of_a_quiet_timelapse_add_up() {
        let mut frames = timelapse("a.mp4", 100);
        let first = frames[0].clone();
        for (at, frame) in frames.iter_mut().enumerate() {
            frame.perceptual_hash = first.perceptual_hash;
            // The fourth frame after the first exceeds 25 / sqrt(1920 * 1080 / 128) = 0.196.
            frame.features = first.features.iter().map(|value| value + 0.05 * at as f32).collect();
        }
        let frames: Vec<&Frame> = frames.iter().collect();
        assert!(frozen(&frames, &declared()).is_empty());
    }
}
