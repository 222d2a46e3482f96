//! Clusters of style: k-means on Gram features.

mod kmeans;

use anyhow::Result;
use arrow::datatypes::DataType;
use serde::Deserialize;
use tch::{Kind, Tensor};

use crate::columns::{batch, float64s, int32s, schema, strings};
use crate::data::{Images, values};
use crate::style::load_kernel;
use crate::worker::{Context, refusal};
use kmeans::cluster;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    clusters: usize,
    restarts: u64,
    weighting: String,
    seed: i64,
}

/// Runs the stage.
///
/// # Errors
/// When there are fewer images than clusters.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let path = context.input("grams")?;
    let images = Images::read(context.input("pairs")?)?;
    let features = load_kernel(path, &images, "train", &params.weighting, |done, total| {
        context.progress(done, total, "taps")
    })?;
    let n = features.image_ids.len();
    if n < params.clusters {
        return Err(refusal(
            format!("{n} training images cannot make {} clusters", params.clusters),
            "set style_clusters.clusters lower",
        ));
    }
    let points = coordinates(&features.kernel);
    let width = points.size()[1] as usize;
    let flat: Vec<f64> = values(&points)?;
    let points: Vec<&[f64]> = flat.chunks_exact(width).collect();
    let best = cluster(&points, params.clusters, params.restarts, params.seed);
    context.metric("clusters/inertia", 0, best.inertia);
    let mut table = context.table(
        "clusters",
        schema(&[
            ("image_id", DataType::Utf8),
            ("cluster", DataType::Int32),
            ("size", DataType::Int32),
            ("distance", DataType::Float64),
        ]),
    )?;
    let sizes = best.sizes();
    table.write(&batch(vec![
        ("image_id", strings(&features.image_ids)),
        ("cluster", int32s(best.labels.iter().map(|c| *c as i32))),
        ("size", int32s(best.labels.iter().map(|c| sizes[*c] as i32))),
        ("distance", float64s(best.distances.iter().copied())),
    ])?)?;
    table.note("inertia", best.inertia.to_string());
    Ok(table.finish()?)
}

/// Coordinates with the same pairwise distances as the feature vectors: the centred kernel is
/// `V diag(w) V^T`, and the rows of `V sqrt(w)` are the points. Exact: N points span N - 1 dimensions.
fn coordinates(kernel: &Tensor) -> Tensor {
    let column = kernel.mean_dim(0, true, Kind::Double);
    let centred = kernel - &column - column.tr() + kernel.mean(Kind::Double);
    let (values, vectors) = centred.linalg_eigh("L");
    vectors * values.clamp_min(0.0).sqrt().unsqueeze(0)
}
