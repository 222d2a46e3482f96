//! Trivial predictors that need no learning. Measurements of a model mean something only in comparison with
//! them.

mod reinhard;

use std::fs;

use anyhow::{Context as _, Result, ensure};
use callsheet_worker::{Job, user_error};
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

/// Image that is used as the prediction of B.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Method {
    /// The content image A.
    Copy,
    /// Mean of the training images.
    Mean,
    /// The content image A with the colours of B.
    Reinhard,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if an image cannot be read, or the mean image has another size than B.
pub(crate) fn run(job: &Job) -> Result<()> {
    let Params { method, crop, distance_side } = job.params()?;
    let measures = Measures::load(job, Crop { crop, distance_side })?;
    match method {
        Method::Copy => measure(job, &measures, |a, _| Ok(a.shallow_clone())),
        Method::Reinhard => measure(job, &measures, |a, b| Ok(reinhard(a, b))),
        Method::Mean => {
            let Some(path) = job.optional("mean") else {
                return Err(user_error(
                    "method = \"mean\" needs the input `mean`",
                    "wire the input `mean` to average_images.mean",
                ));
            };
            let picture = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
            let mean = centre(&to_tensor(&decode(&picture, "mean", path)?).unsqueeze(0), crop);
            measure(job, &measures, |_, b| {
                ensure!(mean.size()[1..] == b.size()[1..], "the mean image has another size than B");
                Ok(mean.expand_as(b).contiguous())
            })
        }
    }
}
