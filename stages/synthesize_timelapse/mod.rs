//! Rendering of the stand-in for a timelapse, encoded as a real video.

mod render;

use anyhow::{Context as _, Result, ensure};
use callsheet_worker::Job;
use image::RgbImage;
use serde::Deserialize;

use crate::lib::columns::{float32s, int64s, strings, write_table};
use crate::lib::faults::Faults;
use crate::lib::video::film;
use render::{Factors, Mode, Renderer, sample};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    frames: usize,
    height: u32,
    rate: u32,
    scene_seed: u64,
    seed: u64,
    faults: usize,
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
    // 23/3 is 8280/1080, the aspect ratio of the paper's panoramas.
    let width = (params.height * 23 / 3).next_multiple_of(2);
    let factors: Vec<(&Mode, Factors)> = (0..params.frames as u64).map(|i| sample(params.seed, i)).collect();
    let renderer = Renderer::new(params.scene_seed, width, params.height);
    let faults = Faults::plant("", params.frames, params.faults, params.seed.cast_signed());
    let draw = |frame: usize| {
        let shown = faults.source(frame);
        let pixels = renderer.frame(params.seed, shown as u64, &factors[shown].1);
        let picture = RgbImage::from_raw(width, params.height, pixels)
            .context("the rendered picture has another size than the video")?;
        Ok(faults.apply(frame, picture).into_raw())
    };
    film(job, (width, params.height), params.rate, params.frames, draw)?;
    faults.write(job)?;
    let shown: Vec<&(&Mode, Factors)> =
        (0..params.frames).map(|frame| &factors[faults.source(frame)]).collect();
    write_factors(job, &shown)
}

fn write_factors(job: &Job, factors: &[&(&Mode, Factors)]) -> Result<()> {
    write_table(
        job,
        "factors",
        vec![
            ("frame_index", int64s(0..factors.len() as i64)),
            ("time_of_day", float32s(factors.iter().map(|(_, f)| f.time_of_day))),
            ("cloud", float32s(factors.iter().map(|(_, f)| f.cloud))),
            ("haze", float32s(factors.iter().map(|(_, f)| f.haze))),
            ("season", float32s(factors.iter().map(|(_, f)| f.season))),
            ("mode", strings(factors.iter().map(|(mode, _)| mode.name))),
        ],
    )
}
