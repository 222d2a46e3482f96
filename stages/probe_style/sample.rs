//! Samples of images for fitting and evaluating probes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use callsheet_worker::user_error;

use super::scores::Frames;
use crate::lib::codes::Codes;

/// Rows of training images and of validation images.
pub(super) struct Sample {
    /// Images that probes are fitted to.
    pub train: Vec<usize>,
    /// Images that probes are evaluated on.
    pub val: Vec<usize>,
    /// Positions in `val`, grouped by frame.
    pub frames: Frames,
}

impl Sample {
    /// Divides the images by their splits.
    ///
    /// # Errors
    /// Returns an error if a split has fewer than two frames.
    pub(super) fn of(codes: &Codes) -> Result<Self> {
        let rows =
            |split: &str| (0..codes.len()).filter(|row| codes.splits[*row] == split).collect::<Vec<_>>();
        let (train, val) = (rows("train"), rows("val"));
        for (split, rows) in [("train", &train), ("val", &val)] {
            let frames: BTreeSet<&str> = rows.iter().map(|row| codes.frame_ids[*row].as_str()).collect();
            if frames.len() < 2 {
                return Err(user_error(
                    format!(
                        "the split `{split}` has style codes of {} frames: a probe needs at least two",
                        frames.len()
                    ),
                    "set list_images.val_fraction, or use more frames, so that both splits have at least two",
                ));
            }
        }
        let mut frames: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, row) in val.iter().enumerate() {
            frames.entry(&codes.frame_ids[*row]).or_default().push(place);
        }
        let frames = frames.into_values().collect();
        Ok(Self { train, val, frames })
    }
}
