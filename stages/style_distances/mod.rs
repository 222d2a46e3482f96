//! The nearest and the farthest images of every training image by style distance.

use anyhow::Result;
use arrow::datatypes::DataType;
use serde::Deserialize;

use crate::columns::{batch, float64s, int32s, schema, strings};
use crate::data::{Images, values};
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
    let images = Images::read(context.input("pairs")?)?;
    let features = load_kernel(path, &images, "train", &params.weighting, |done, total| {
        context.progress(done, total, "taps")
    })?;
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
        let eligible = |other: usize| !other_crops_only || features.crops[other] != features.crops[image];
        let (near, far) = neighbours(image, &row, eligible, params.near, far);
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
        if far.is_empty() {
            return Err(refusal(
                format!(
                    "no image is farther from `{}` than the {} near ones",
                    features.image_ids[image], params.near
                ),
                "use more images, or set style_distances.near lower",
            ));
        }
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

/// Positions of the nearest others that are eligible, and of the farthest of all that are farther
/// than those: nearest and farthest first.
fn neighbours(
    image: usize,
    row: &[f64],
    eligible: impl Fn(usize) -> bool,
    near: usize,
    far: usize,
) -> (Vec<usize>, Vec<usize>) {
    let mut others: Vec<usize> = (0..row.len()).filter(|other| *other != image).collect();
    // Ties are broken by position, so that the order is defined.
    others.sort_by(|x, y| row[*x].total_cmp(&row[*y]).then(x.cmp(y)));
    let near: Vec<usize> = others.iter().copied().filter(|o| eligible(*o)).take(near).collect();
    let reach = near.last().map_or(f64::INFINITY, |last| row[*last]);
    let far = others.iter().rev().copied().take_while(|other| row[*other] > reach).take(far).collect();
    (near, far)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_is_farther_than_all_that_is_near() {
        let row = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        assert_eq!(neighbours(0, &row, |_| true, 2, 2), (vec![1, 2], vec![5, 4]));
        assert_eq!(neighbours(0, &row, |_| true, 3, 9), (vec![1, 2, 3], vec![5, 4]));
        // Other crops lie at even positions: the second nearest of them is far from image 0.
        assert_eq!(neighbours(0, &row, |other| other % 2 == 0, 2, 9), (vec![2, 4], vec![5]));
        assert_eq!(neighbours(0, &[0.0, 1.0, 1.0], |_| true, 1, 1), (vec![1], vec![]));
    }
}
