//! Renders a film of textures.

mod texture;

use anyhow::{Result, ensure};
use rayon::prelude::*;
use serde::Deserialize;

use crate::video::{Encoder, Format};
use crate::worker::Context;
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
/// When ffmpeg fails.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    ensure!(params.height.is_multiple_of(2), "height = {}: H.264 needs an even number", params.height);
    let size = ((params.height * 23 / 3).next_multiple_of(2), params.height);
    let mut encoder = Encoder::create(context.output("video")?, Format::Mp4, size, params.rate)?;
    let at_once = rayon::current_num_threads();
    for start in (0..params.frames).step_by(at_once) {
        let end = (start + at_once).min(params.frames);
        let draw = |frame: usize| Texture::sample(params.seed, frame as u64).draw(size);
        let frames: Vec<Vec<u8>> = (start..end).into_par_iter().map(draw).collect();
        if frames.iter().try_for_each(|frame| encoder.frame(frame)).is_err() {
            break;
        }
        context.progress(end, params.frames, "frames");
    }
    // What went wrong is known to the encoder.
    encoder.finish()
}
