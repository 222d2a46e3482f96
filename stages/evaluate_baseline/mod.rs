//! Predictors that anyone could make without learning: figures mean something only beside them.

mod reinhard;

use std::fs;

use anyhow::{Context as _, Result, ensure};
use callsheet_worker::{Job, refusal};
use serde::Deserialize;

use crate::lib::data::{centre, to_tensor};
use crate::lib::metrics::{Crop, Measures, measure};
use crate::lib::picture::decode;
use reinhard::reinhard;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    method: Method,
    crop: i64,
    distance_side: u32,
}

/// Image that is taken for B.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Method {
    /// A.
    Copy,
    /// The mean of the training images.
    Mean,
    /// A in the colours of B.
    Reinhard,
}

/// Runs the stage.
///
/// # Errors
/// When an image is unreadable, or the mean is of another size.
pub(crate) fn run(job: &Job) -> Result<()> {
    let Params { method, crop, distance_side } = job.params()?;
    let measures = Measures::load(job, Crop { crop, distance_side })?;
    match method {
        Method::Copy => measure(job, &measures, |a, _| Ok(a.shallow_clone())),
        Method::Reinhard => measure(job, &measures, |a, b| Ok(reinhard(a, b))),
        Method::Mean => {
            let Some(path) = job.optional("mean") else {
                return Err(refusal(
                    "method = \"mean\" needs the input `mean`",
                    "wire average_images.mean to it",
                ));
            };
            let picture = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let mean = centre(&to_tensor(&decode(&picture, "mean", path)?).unsqueeze(0), crop);
            measure(job, &measures, |_, b| {
                ensure!(mean.size()[1..] == b.size()[1..], "the mean image is of another size than B");
                Ok(mean.expand_as(b).contiguous())
            })
        }
    }
}
