//! Samples of images to which probes are fitted, and by which they are judged.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use callsheet_worker::refusal;

use super::scores::Frames;
use crate::lib::codes::Codes;

/// Rows of training images and of validation images.
pub(super) struct Sample {
    /// Fitted to.
    pub train: Vec<usize>,
    /// Judged by.
    pub val: Vec<usize>,
    /// Places of these in `val`, by their frames.
    pub frames: Frames,
}

impl Sample {
    /// Takes the splits of the images.
    ///
    /// # Errors
    /// When a split has no two frames.
    pub(super) fn of(codes: &Codes) -> Result<Self> {
        let rows =
            |split: &str| (0..codes.len()).filter(|row| codes.splits[*row] == split).collect::<Vec<_>>();
        let (train, val) = (rows("train"), rows("val"));
        for (split, rows) in [("train", &train), ("val", &val)] {
            let frames: BTreeSet<&str> = rows.iter().map(|row| codes.frame_ids[*row].as_str()).collect();
            if frames.len() < 2 {
                return Err(refusal(
                    format!(
                        "the split `{split}` has style codes of {} frames: a probe needs two",
                        frames.len()
                    ),
                    "set list_images.val_fraction, or take more frames, so that both splits have some",
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
