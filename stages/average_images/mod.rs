//! The mean of the training images.

use std::fs;

use anyhow::Result;
use callsheet_worker::Job;
use tch::{Kind, Tensor};

use crate::lib::data::{Pairs, to_picture};
use crate::lib::picture::encode_png;

/// Images whose sum is taken at once, in float64.
const BATCH: i64 = 64;

/// Runs the stage.
///
/// # Errors
/// When there is no training image, or one is unreadable.
pub(crate) fn run(job: &Job) -> Result<()> {
    let train = Pairs::load(job.input("pairs")?, "train")?;
    let sums = train.b.split(BATCH, 0).into_iter().map(|part| part.sum_dim_intlist(0, false, Kind::Double));
    let mean = (sums.sum::<Tensor>() / train.len() as f64).round().to_kind(Kind::Uint8);
    Ok(fs::write(job.output("mean")?, encode_png(&to_picture(&mean))?)?)
}
