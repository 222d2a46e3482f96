//! Detection of frames whose pixels all equal those of an earlier frame.

use std::collections::HashMap;

use super::finding::Finding;
use super::frame::Frame;

/// Finds frames with the pixels of an earlier one. `frames` are in the order of videos and times.
pub(super) fn duplicates<'a>(frames: &[&'a Frame]) -> Vec<Finding<'a>> {
    let mut first: HashMap<&str, &Frame> = HashMap::with_capacity(frames.len());
    let found = frames.iter().filter_map(|frame| {
        let other = *first.entry(&frame.content_digest).or_insert(frame);
        let reason = || format!("every pixel is that of {}", other.frame_id);
        (!std::ptr::eq(other, *frame)).then(|| Finding {
            frame,
            kind: "duplicate",
            score: 0.0,
            threshold: 0.0,
            reason: reason(),
            other: Some(other),
        })
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit_frames::tests::{ids, timelapse};

    #[test]
    fn every_copy_is_reported_with_the_first_frame_in_any_video() {
        let mut frames = [timelapse("a.mp4", 9), timelapse("b.mp4", 9)].concat();
        for at in [7, 12] {
            frames[at].content_digest = frames[3].content_digest.clone();
        }
        let frames: Vec<&Frame> = frames.iter().collect();
        let found = duplicates(&frames);
        assert_eq!(ids(&found), ["a.mp4#000007", "b.mp4#000003"]);
        assert!(found.iter().all(|f| f.reason == "every pixel is that of a.mp4#000003"));
    }
}
