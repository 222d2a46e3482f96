//! Parameters of the stage.

use serde::Deserialize;

use crate::lib::model::Weights;
use crate::lib::nn::compute::Precision;

/// Parameters as stage.toml declares them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    pub nf: i64,
    pub encoder_nf: i64,
    pub scales: usize,
    pub batch: usize,
    pub crop: i64,
    pub enlarge: String,
    pub perceptual_scale: f64,
    pub w_mse: f64,
    pub warmup_kimg: f64,
    pub generator_rate: f64,
    pub encoder_rate: f64,
    pub discriminator_rate: f64,
    pub ema_decay: f64,
    pub fixed_kimg: u64,
    pub total_kimg: u64,
    pub stop_kimg: f64,
    pub checkpoint_every: u64,
    pub encoder_weights: Weights,
    pub select_every: u64,
    pub select_images: usize,
    pub device: String,
    pub precision: Precision,
    pub deterministic: bool,
    pub seed: i64,
}
