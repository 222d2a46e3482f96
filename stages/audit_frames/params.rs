//! Parameters of the stage.

use serde::Deserialize;

/// Parameters as stage.toml declares them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    pub black_share: f64,
    pub clipped_high_share: f64,
    pub clipped_low_share: f64,
    pub window: usize,
    pub blurred_deviations: f64,
    pub outlying_deviations: f64,
    pub neighbours: usize,
    pub still_level: f64,
    pub hash_distance: u32,
    pub frozen_frames: usize,
}
