//! Clusters of style: k-means on style distances.

mod crops;
mod kmeans;
mod matrix;
mod silhouette;
#[cfg(test)]
mod tests;

use anyhow::Result;
use arrow::datatypes::DataType;
use serde::Deserialize;

use crate::lib::columns::{batch, float64s, int32s, schema, strings, write_table};
use crate::lib::data::Images;
use callsheet_worker::{Job, user_error};
use crops::standardized;
use kmeans::{Clustering, cluster};
use matrix::Matrix;
use silhouette::silhouette;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    clusters: usize,
    standardize_crops: bool,
    restarts: u64,
    most_clusters: usize,
    seed: i64,
}

/// Runs the stage.
///
/// # Errors
/// Returns an error if there are fewer images than clusters, or if the images within every crop do not
/// differ.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let (image_ids, mut points) = Matrix::read(job.input("distances")?)?;
    if points.len() < params.clusters {
        return Err(user_error(
            format!("{} training images cannot form {} clusters", points.len(), params.clusters),
            "lower style_clusters.clusters",
        ));
    }
    if params.standardize_crops {
        points = within_crops(job, &image_ids, &points)?;
    }
    let mut sizes: Vec<usize> = (2..=params.most_clusters.min(points.len())).collect();
    if !sizes.contains(&params.clusters) {
        sizes.push(params.clusters);
    }
    let mut scores = Vec::with_capacity(sizes.len());
    for (done, k) in sizes.iter().enumerate() {
        let found = cluster(&points, *k, params.restarts, params.seed);
        let silhouette = silhouette(&points, &found);
        job.metric("clusters/inertia", *k as u64, found.inertia);
        job.metric("clusters/silhouette", *k as u64, silhouette);
        scores.push((*k, found.inertia, silhouette));
        if *k == params.clusters {
            write(job, &image_ids, &found)?;
        }
        job.progress(done + 1, sizes.len(), "numbers of clusters");
    }
    write_table(
        job,
        "scores",
        vec![
            ("clusters", int32s(scores.iter().map(|(k, ..)| *k as i32))),
            ("inertia", float64s(scores.iter().map(|(_, inertia, _)| *inertia))),
            ("silhouette", float64s(scores.iter().map(|(_, _, silhouette)| *silhouette))),
        ],
    )
}

/// Returns the points relative to the other points of their crop.
fn within_crops(job: &Job, image_ids: &[String], points: &Matrix) -> Result<Matrix> {
    let pairs = job.input("pairs")?;
    let images = Images::read(pairs)?;
    let crop = |id: &String| {
        let missing = || format!("image `{id}` has distances, but is not in `{}`", pairs.display());
        images
            .crop(id)
            .ok_or_else(|| user_error(missing(), "wire the pairs from which the distances were computed"))
    };
    let crops = image_ids.iter().map(crop).collect::<Result<Vec<i32>>>()?;
    let (points, alike) = standardized(points, &crops);
    if crops.iter().all(|crop| alike.contains(crop)) {
        return Err(user_error(
            format!("images of the same crop do not differ in any of {} crops", alike.len()),
            "set style_clusters.standardize_crops = false",
        ));
    }
    if !alike.is_empty() {
        job.warn(format!("images of the crops {alike:?} do not differ: they are given the mean style"));
    }
    Ok(points)
}

fn write(job: &Job, image_ids: &[String], found: &Clustering) -> Result<()> {
    let mut table = job.table(
        "clusters",
        schema(&[
            ("image_id", DataType::Utf8),
            ("cluster", DataType::Int32),
            ("size", DataType::Int32),
            ("distance", DataType::Float64),
            ("rank", DataType::Int32),
        ]),
    )?;
    let sizes = found.sizes();
    table.write(&batch(vec![
        ("image_id", strings(image_ids)),
        ("cluster", int32s(found.labels.iter().map(|c| *c as i32))),
        ("size", int32s(found.labels.iter().map(|c| sizes[*c] as i32))),
        ("distance", float64s(found.distances.iter().copied())),
        ("rank", int32s(found.ranks().into_iter().map(|rank| rank as i32))),
    ])?)?;
    table.note("inertia", found.inertia.to_string());
    Ok(table.finish()?)
}
