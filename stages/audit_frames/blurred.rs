//! Detection of frames that are less sharp than those around them.

use rayon::prelude::*;

use super::finding::Finding;
use super::frame::Frame;
use super::params::Params;
use super::robust::{Usual, around};

/// Finds frames whose log sharpness is far below the median of the frames around. `frames` are those of one
/// video in the order of time.
pub(super) fn blurred<'a>(frames: &[&'a Frame], params: &Params) -> Vec<Finding<'a>> {
    let logs: Vec<f64> = frames.iter().map(|frame| frame.sharpness.ln_1p()).collect();
    let found = frames.par_iter().enumerate().filter_map(|(at, frame)| {
        let around = around(at, frames.len(), params.window);
        let count = around.len();
        let usual = Usual::of(&logs[around]);
        let score = (usual.median - logs[at]) / usual.deviation;
        let reason = || {
            let median = usual.median.exp_m1();
            format!("sharpness {:.1}, the median of {count} frames around is {median:.1}", frame.sharpness)
        };
        let threshold = params.blurred_deviations;
        (score >= threshold).then(|| Finding {
            frame,
            kind: "blurred",
            score,
            threshold,
            reason: reason(),
            other: None,
        })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit_frames::tests::{declared, ids, timelapse};

    #[test]
    fn a_blurred_stretch_is_found_and_dusk_is_not() {
        let mut frames = timelapse("a.mp4", 600);
        // Sharpness is halved every 150 frames.
        for (at, frame) in frames.iter_mut().enumerate() {
            frame.sharpness *= 0.5f64.powf(at as f64 / 150.0);
        }
        let clean: Vec<&Frame> = frames.iter().collect();
        assert!(blurred(&clean, &declared()).is_empty());
        frames[100..120].iter_mut().for_each(|frame| frame.sharpness /= 8.0);
        let frames: Vec<&Frame> = frames.iter().collect();
        assert_eq!(ids(&blurred(&frames, &declared())), ids_of(&frames[100..120]));
    }

    #[test]
    fn in_a_steady_video_blurred_is_half_as_sharp() {
        let mut frames = timelapse("a.mp4", 9);
        frames.iter_mut().for_each(|frame| frame.sharpness = 99.0);
        (frames[2].sharpness, frames[5].sharpness) = (53.0, 45.0);
        let frames: Vec<&Frame> = frames.iter().collect();
        let found = blurred(&frames, &declared());
        assert_eq!(ids(&found), ids_of(&frames[5..6]));
        assert_eq!(found[0].reason, "sharpness 45.0, the median of 9 frames around is 99.0");
        assert!((found[0].score - (100.0f64 / 46.0).ln() / 0.2).abs() < 1e-9);
    }

    fn ids_of<'a>(frames: &[&'a Frame]) -> Vec<&'a str> {
        frames.iter().map(|frame| frame.frame_id.as_str()).collect()
    }
}
