//! Mean of the training images.

use std::fs;

use anyhow::Result;
use callsheet_worker::Job;
use tch::{Kind, Tensor};

use crate::lib::data::{Pairs, to_picture};
use crate::lib::picture::encode_png;

/// Number of images that are summed at once, in float64.
const BATCH: i64 = 64;

/// Runs the stage.
///
/// # Errors
/// Returns an error if there is no training image, or an image cannot be read.
pub(crate) fn run(job: &Job) -> Result<()> {
    let train = Pairs::load(job.input("pairs")?, "train")?;
    let sums = train.b.split(BATCH, 0).into_iter().map(|part| part.sum_dim_intlist(0, false, Kind::Double));
    let mean = (sums.sum::<Tensor>() / train.len() as f64).round().to_kind(Kind::Uint8);
    Ok(fs::write(job.output("mean")?, encode_png(&to_picture(&mean))?)?)
}
