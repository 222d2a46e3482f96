//! Rendering of a film of textures.

mod texture;

use anyhow::{Result, ensure};
use callsheet_worker::Job;
use serde::Deserialize;

use crate::lib::video::film;
use texture::Texture;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    frames: usize,
    height: u32,
    rate: u32,
    seed: i64,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if ffmpeg fails.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    ensure!(
        params.height.is_multiple_of(2),
        "height = {} is odd, but H.264 needs an even number",
        params.height
    );
    let size = ((params.height * 23 / 3).next_multiple_of(2), params.height);
    let draw = |frame: usize| Ok(Texture::sample(params.seed, frame as u64).draw(size));
    film(job, size, params.rate, params.frames, draw)
}
