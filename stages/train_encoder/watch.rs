//! Ranking quality of the encoder at each checkpoint, on a fixed set of triplets. The loss of a step, in
//! contrast, is that of the triplets in its batch.

use anyhow::Result;
use callsheet_worker::Job;
use tch::{Kind, Tensor, no_grad};

use super::part::of_part;
use crate::lib::data::spread;
use crate::lib::nn::loss;

/// Largest number of triplets that are evaluated.
const WATCHED: usize = 256;
/// Number of images that go through the network together.
const BATCH: usize = 16;

/// Reports the mean triplet loss over triplets that are spread evenly over all, and the share of them whose
/// positive is nearer than the negative. Returns the loss. Like all triplets, they consist of training
/// images. `codes` computes the codes [N, 8] of the images at N positions.
///
/// # Errors
/// Returns an error if a value cannot be read from its tensor.
pub(super) fn look(
    job: &Job,
    step: u64,
    triplets: &[[i64; 3]],
    margin: f64,
    codes: impl Fn(&[i64]) -> Tensor,
) -> Result<f64> {
    let rows: Vec<i64> = spread(triplets.len(), WATCHED).into_iter().map(|row| row as i64).collect();
    let [anchor, positive, negative] = [0, 1, 2].map(|part| {
        let images = of_part(triplets, &rows, part);
        no_grad(|| Tensor::cat(&images.chunks(BATCH).map(&codes).collect::<Vec<_>>(), 0))
    });
    let apart = |other: &Tensor| (&anchor - other).square().sum_dim_intlist(1, false, Kind::Float);
    let ordered = apart(&positive).less_tensor(&apart(&negative)).to_kind(Kind::Double).mean(Kind::Double);
    let loss = f64::try_from(loss::triplet(&anchor, &positive, &negative, margin))?;
    job.metric("same/triplet", step, loss);
    job.metric("same/ordered", step, f64::try_from(ordered)?);
    Ok(loss)
}
