//! How well a model remakes each validation image from its content and its own style.

use anyhow::Result;
use arrow::datatypes::DataType;
use callsheet::table::{FOOTER_PREFIX, row_count};
use serde::Deserialize;
use tch::Kind;

use crate::columns::{batch, float64s, schema, strings};
use crate::data::{centre, read_padded, values};
use crate::evaluate_images::{BATCH, Distance, psnr, ssim};
use crate::model::Model;
use crate::parts::Parts;
use crate::worker::Context;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    crop: i64,
}

/// Columns after the image's id.
pub const METRICS: [&str; 4] = ["psnr", "ssim", "l1", "feature_distance"];

/// Runs the stage.
///
/// # Errors
/// When the model is damaged, or an image unreadable.
pub fn run(context: &Context) -> Result<()> {
    let params: Params = context.params()?;
    let path = context.input("pairs")?;
    let distance = Distance::load(context)?;
    let model = Model::averaged(context.input("model")?)?;
    let mut columns = vec![("image_id", DataType::Utf8)];
    columns.extend(METRICS.map(|name| (name, DataType::Float64)));
    let mut parts = Parts::create(context, "reconstruction", schema(&columns))?;
    let note = format!("{}; {}", distance.name, distance.weights);
    parts.note(format!("{FOOTER_PREFIX}feature_distance"), note);
    let (mut done, total) = (0, row_count(path)? as usize);
    read_padded(path, &["a", "b"], BATCH, |ids, images| {
        let [a, b] = images else { unreachable!("two columns are read") };
        let (a, b) = (&centre(a, params.crop), &centre(b, params.crop));
        let remade = model.outputs(a, &model.codes(b, BATCH as i64)?, BATCH as i64);
        let apart = (remade.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs();
        let l1: Vec<f64> = values(&apart.mean_dim([1i64, 2, 3].as_slice(), false, Kind::Double))?;
        let measured = [psnr(&remade, b)?, ssim(&remade, b)?, l1, distance.of(&[&remade], b)?.concat()];
        let mut columns = vec![("image_id", strings(ids))];
        for (name, values) in METRICS.into_iter().zip(measured) {
            columns.push((name, float64s(values.into_iter().take(ids.len()))));
        }
        parts.write(&batch(columns)?)?;
        done += ids.len();
        context.progress(done, total, "images");
        Ok(())
    })?;
    parts.end()
}
