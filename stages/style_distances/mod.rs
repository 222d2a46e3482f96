//! The nearest and the farthest images of every training image by style distance.

use anyhow::Result;
use arrow::datatypes::DataType;
use serde::Deserialize;

use crate::columns::{batch, float64s, int32s, schema, strings};
use crate::data::values;
use crate::style::load_kernel;
use crate::worker::{Context, refusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    weighting: String,
    near: usize,
    far: usize,
    other_crops_only: bool,
}

/// Runs the stage.
///
/// # Errors
/// When there are too few images for `near` and `far`.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let path = context.input("grams")?;
    let features =
        load_kernel(path, "train", &params.weighting, |done, total| context.progress(done, total, "taps"))?;
    let n = features.image_ids.len();
    let far = params.far.min(n.saturating_sub(1 + params.near));
    if far == 0 {
        return Err(refusal(
            format!(
                "{n} training images, but near = {} others are wanted of each, and far ones",
                params.near
            ),
            "use more images, or set style_distances.near lower",
        ));
    }
    if far < params.far {
        context.warn(format!("far = {} is more than {n} training images allow: it is {far}", params.far));
    }
    // Images that a video gives one crop of have no neighbour in another one.
    let one_crop = features.crops.iter().all(|crop| *crop == features.crops[0]);
    if one_crop && params.other_crops_only {
        context.warn("all images are of one crop: near ones are of the same".to_owned());
    }
    let other_crops_only = params.other_crops_only && !one_crop;
    let distances = features.distances();
    let mut table = context.table(
        "neighbours",
        schema(&[
            ("image_id", DataType::Utf8),
            ("side", DataType::Utf8),
            ("rank", DataType::Int32),
            ("neighbour_id", DataType::Utf8),
            ("distance", DataType::Float64),
        ]),
    )?;
    for image in 0..n {
        let row: Vec<f64> = values(&distances.get(image as i64))?;
        let mut others: Vec<usize> = (0..n).filter(|other| *other != image).collect();
        // Ties are broken by position, so that the order is defined.
        others.sort_by(|x, y| row[*x].total_cmp(&row[*y]).then(x.cmp(y)));
        let eligible = |o: &&usize| !other_crops_only || features.crops[**o] != features.crops[image];
        let near: Vec<usize> = others.iter().filter(eligible).take(params.near).copied().collect();
        if near.len() < params.near {
            return Err(refusal(
                format!(
                    "`{}` has {} images of other crops, near = {}",
                    features.image_ids[image],
                    near.len(),
                    params.near
                ),
                "set style_distances.near lower, or other_crops_only = false",
            ));
        }
        let far: Vec<usize> = others.iter().rev().take(far).copied().collect();
        for (side, list) in [("near", near), ("far", far)] {
            table.write(&batch(vec![
                ("image_id", strings(list.iter().map(|_| features.image_ids[image].as_str()))),
                ("side", strings(list.iter().map(|_| side))),
                ("rank", int32s(1..=list.len() as i32)),
                ("neighbour_id", strings(list.iter().map(|o| features.image_ids[*o].as_str()))),
                ("distance", float64s(list.iter().map(|o| row[*o]))),
            ])?)?;
        }
    }
    Ok(table.finish()?)
}
