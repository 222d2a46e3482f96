//! What the metrics of the validation images come to.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;
use callsheet::table::read_columns;
use serde::Deserialize;
use serde_json::{Value, json};
use tch::Tensor;

use crate::columns::read_float64s;
use crate::data::{Pairs, centre};
use crate::evaluate_images::{BATCH, Distance, METHODS, psnr, ssim};
use crate::model::Model;
use crate::worker::Context;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    crop: i64,
}

/// Runs the stage.
///
/// # Errors
/// When the model is damaged, or there is no validation image.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let distance = Distance::load(context)?;
    let mut summary = BTreeMap::new();
    let rows = read_columns(context.input("reconstruction")?, &[])?;
    for (names, method) in METHODS {
        let [psnrs, ssims, distances] = names.map(|name| read_float64s(&rows, name));
        summary.insert(method.to_owned(), summarise(&psnrs?, &ssims?, &distances?));
    }
    // How much a style matters: the same with another image's.
    let mut val = Pairs::load(context.input("pairs")?, "val")?;
    (val.a, val.b) = (centre(&val.a, params.crop), centre(&val.b, params.crop));
    let model = Model::averaged(context.input("model")?)?;
    let codes = model.codes(&val.b, BATCH as i64)?;
    let other = codes.index_select(0, &Tensor::from_slice(&other_frames(&val.frame_ids)));
    let images = model.outputs(&val.a, &other, BATCH as i64);
    let psnrs = by_batch(psnr, &images, &val.b)?;
    let ssims = by_batch(ssim, &images, &val.b)?;
    let distances = distance.of(&[&images], &val.b)?.concat();
    summary.insert("fine-tuned, another image's style".to_owned(), summarise(&psnrs, &ssims, &distances));
    let metrics = json!({
        "images": val.len(),
        "split": "val",
        "rests_on": context.request.labels,
        "feature_distance": { "name": distance.name, "weights": distance.weights },
        "methods": summary,
    });
    Ok(fs::write(context.output("metrics")?, format!("{metrics:#}\n"))?)
}

/// From images and those wanted, a value each.
type Metric = fn(&Tensor, &Tensor) -> Result<Vec<f64>>;

/// A metric of many images, with no more than a batch of them in float64 at a time.
fn by_batch(metric: Metric, x: &Tensor, y: &Tensor) -> Result<Vec<f64>> {
    let batch = BATCH as i64;
    let parts = x.split(batch, 0).into_iter().zip(y.split(batch, 0));
    let parts: Vec<Vec<f64>> = parts.map(|(x, y)| metric(&x, &y)).collect::<Result<_>>()?;
    Ok(parts.concat())
}

/// For each image, one that is half the set away, and so of another frame wherever there are two.
fn other_frames(frame_ids: &[String]) -> Vec<i64> {
    let n = frame_ids.len();
    let other = |i: usize| (0..n).map(|k| (i + n / 2 + k) % n).find(|j| frame_ids[*j] != frame_ids[i]);
    (0..n).map(|i| other(i).unwrap_or(i) as i64).collect()
}

/// Means over images; identical images have no finite PSNR: they are counted and left out of its mean.
fn summarise(psnrs: &[f64], ssims: &[f64], distances: &[f64]) -> Value {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let finite: Vec<f64> = psnrs.iter().copied().filter(|v| v.is_finite()).collect();
    json!({
        "psnr": if finite.is_empty() { Value::Null } else { mean(&finite).into() },
        "identical": psnrs.len() - finite.len(),
        "ssim": mean(ssims),
        "feature_distance": mean(distances),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_style_is_of_another_frame() {
        let frames: Vec<String> = ["a", "a", "b", "b"].map(str::to_owned).into();
        assert_eq!(other_frames(&frames), [2, 3, 0, 1]);
        assert_eq!(other_frames(&["a".to_owned()]), [0]);
    }

    #[test]
    fn identical_images_are_counted_and_left_out() {
        let summary = summarise(&[20.0, f64::INFINITY, 30.0], &[1.0], &[0.0]);
        assert_eq!((summary["psnr"].as_f64(), summary["identical"].as_u64()), (Some(25.0), Some(1)));
    }
}
