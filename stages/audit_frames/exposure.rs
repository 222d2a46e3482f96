//! Detection of frames that are black, or clipped in highlights or shadows.

use super::finding::Finding;
use super::frame::Frame;
use super::params::Params;

/// Finding for a frame that is black.
pub(super) fn black<'a>(frame: &'a Frame, params: &Params) -> Option<Finding<'a>> {
    let (score, threshold) = (frame.black_share, params.black_share);
    let reason = || format!("{:.1} % of the pixels are black", 100.0 * score);
    (score >= threshold).then(|| Finding {
        frame,
        kind: "black",
        score,
        threshold,
        reason: reason(),
        other: None,
    })
}

/// Finding for a frame with a large clipped part. If both ends are clipped, only highlights are reported.
pub(super) fn clipped<'a>(frame: &'a Frame, params: &Params) -> Option<Finding<'a>> {
    let ends = [
        (frame.clipped_high_share, params.clipped_high_share, "highlights"),
        (frame.clipped_low_share, params.clipped_low_share, "shadows"),
    ];
    let (score, threshold, end) = ends.into_iter().find(|(score, threshold, _)| score >= threshold)?;
    let reason = format!("{:.1} % of the pixels are lost in the {end}", 100.0 * score);
    Some(Finding { frame, kind: "clipped", score, threshold, reason, other: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit_frames::tests::{declared, timelapse};

    #[test]
    fn a_frame_is_black_from_the_declared_share_of_black_pixels() {
        let (params, mut frame) = (declared(), timelapse("a.mp4", 1).remove(0));
        frame.black_share = 0.98;
        let found = black(&frame, &params).expect("a finding");
        assert_eq!((found.score, found.threshold), (0.98, 0.98));
        assert_eq!(found.reason, "98.0 % of the pixels are black");
        frame.black_share = 0.97;
        assert!(black(&frame, &params).is_none());
    }

    #[test]
    fn highlights_are_clipped_earlier_than_shadows() {
        let (params, mut frame) = (declared(), timelapse("a.mp4", 1).remove(0));
        frame.clipped_low_share = 0.3;
        assert!(clipped(&frame, &params).is_none());
        frame.clipped_high_share = 0.3;
        let found = clipped(&frame, &params).expect("a finding");
        assert_eq!((found.score, found.threshold), (0.3, 0.25));
        assert_eq!(found.reason, "30.0 % of the pixels are lost in the highlights");
        (frame.clipped_high_share, frame.clipped_low_share) = (0.0, 0.6);
        assert!(clipped(&frame, &params).expect("a finding").reason.ends_with("shadows"));
    }
}
