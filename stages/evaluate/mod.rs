//! Reconstruction of validation images, beside trivial predictors.

mod baselines;
mod heads;
mod metrics;

use std::collections::BTreeMap;
use std::fs;

use anyhow::Result;
use arrow::datatypes::DataType;
use serde::Deserialize;
use serde_json::{Value, json};
use tch::Tensor;

use crate::columns::{batch, float64s, schema, strings};
use crate::data::Pairs;
use crate::nn::vgg::Vgg;
use crate::train_encoder::encode;
use crate::train_generator::Networks;
use crate::worker::Context;
pub use metrics::psnr;
use metrics::{feature_distances, ssim};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    batch: i64,
}

/// Runs the stage.
///
/// # Errors
/// When a model is damaged, or there is no validation image.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let path = context.input("pairs")?;
    let (train, val) = (Pairs::load(path, "train")?, Pairs::load(path, "val")?);
    let vgg = Vgg::load(context.input("vgg")?)?;
    let heads = context.optional("lpips_heads").map(|path| heads::read(path, &vgg.origin)).transpose()?;
    let distance_name = match heads {
        Some(_) => "LPIPS v0.1 (VGG-16)".to_owned(),
        None => format!("{} feature distance", vgg.origin.name),
    };

    let mut methods = baselines::predictions(&train, &val, params.batch);
    for (name, input) in [("frozen encoder", "frozen"), ("fine-tuned", "model")] {
        let nets = Networks::averaged(context.input(input)?)?;
        let codes = encode(&nets.e, &val.b, params.batch);
        methods.push((name.to_owned(), nets.outputs(&val.a, &codes, params.batch)));
        if input == "model" {
            let other = codes.index_select(0, &Tensor::from_slice(&other_frames(&val.frame_ids)));
            let other = nets.outputs(&val.a, &other, params.batch);
            methods.push((format!("{name}, another image's style"), other));
        }
    }

    let mut table = context.table(
        "reconstruction",
        schema(&[
            ("image_id", DataType::Utf8),
            ("method", DataType::Utf8),
            ("psnr", DataType::Float64),
            ("ssim", DataType::Float64),
            ("feature_distance", DataType::Float64),
        ]),
    )?;
    let candidates: Vec<&Tensor> = methods.iter().map(|(_, images)| images).collect();
    let (batch_size, total) = (params.batch, val.len());
    let distances = feature_distances(&vgg, heads.as_deref(), &candidates, &val.b, batch_size, |done| {
        context.progress(done, total, "images");
    })?;
    let mut summary = BTreeMap::new();
    for ((name, images), distances) in methods.iter().zip(distances) {
        let psnrs = by_batch(psnr, images, &val.b, batch_size)?;
        let ssims = by_batch(ssim, images, &val.b, batch_size)?;
        summary.insert(name.clone(), summarise(&psnrs, &ssims, &distances));
        table.write(&batch(vec![
            ("image_id", strings(&val.image_ids)),
            ("method", strings(val.image_ids.iter().map(|_| name.as_str()))),
            ("psnr", float64s(psnrs)),
            ("ssim", float64s(ssims)),
            ("feature_distance", float64s(distances)),
        ])?)?;
    }
    table.note("feature_distance", format!("{distance_name}; {}", vgg.origin.source));
    table.finish()?;
    let metrics = json!({
        "images": val.len(),
        "split": "val",
        "rests_on": context.request.labels,
        "feature_distance": { "name": distance_name, "weights": vgg.origin.source },
        "methods": summary,
    });
    Ok(fs::write(context.output("metrics")?, format!("{metrics:#}\n"))?)
}

/// From images and those wanted, a value each.
type Metric = fn(&Tensor, &Tensor) -> Result<Vec<f64>>;

/// A metric of many images, with no more than `batch` of them in float64 at a time.
fn by_batch(metric: Metric, x: &Tensor, y: &Tensor, batch: i64) -> Result<Vec<f64>> {
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
