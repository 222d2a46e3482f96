//! Rendering of the stand-in for a timelapse, encoded as a real video.

mod render;

use anyhow::{Result, ensure};
use arrow::datatypes::DataType;
use callsheet_worker::Job;
use serde::Deserialize;

use crate::lib::columns::{batch, float32s, int64s, schema, strings};
use crate::lib::video::film;
pub(crate) use render::fractal;
use render::{Factors, Mode, Renderer, sample};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    frames: usize,
    height: u32,
    rate: u32,
    scene_seed: u64,
    seed: u64,
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
    let draw = |frame: usize| renderer.frame(params.seed, frame as u64, &factors[frame].1);
    film(job, (width, params.height), params.rate, params.frames, draw)?;
    write_factors(job, &factors)
}

fn write_factors(job: &Job, factors: &[(&Mode, Factors)]) -> Result<()> {
    let float = DataType::Float32;
    let mut table = job.table(
        "factors",
        schema(&[
            ("frame_index", DataType::Int64),
            ("time_of_day", float.clone()),
            ("cloud", float.clone()),
            ("haze", float.clone()),
            ("season", float),
            ("mode", DataType::Utf8),
        ]),
    )?;
    table.write(&batch(vec![
        ("frame_index", int64s(0..factors.len() as i64)),
        ("time_of_day", float32s(factors.iter().map(|(_, f)| f.time_of_day))),
        ("cloud", float32s(factors.iter().map(|(_, f)| f.cloud))),
        ("haze", float32s(factors.iter().map(|(_, f)| f.haze))),
        ("season", float32s(factors.iter().map(|(_, f)| f.season))),
        ("mode", strings(factors.iter().map(|(mode, _)| mode.name))),
    ])?)?;
    Ok(table.finish()?)
}
