//! Objectives side by side: what the models that were trained for them come to.

use anyhow::Result;
use arrow::datatypes::DataType;
use callsheet::table::read_columns;

use crate::columns::{batch, float64s, int32s, read_float64s, schema, strings};
use crate::evaluate_reconstruction::METRICS;
use crate::worker::{Context, refusal};

/// Inputs, and how the encoder of the models in each was trained.
const TRAININGS: [(&str, &str); 3] =
    [("jointly", "from scratch"), ("frozen", "frozen"), ("finetuned", "fine-tuned")];

/// One model.
struct Row {
    objective: String,
    encoder: &'static str,
    images: i32,
    means: [f64; METRICS.len()],
}

/// Runs the stage.
///
/// # Errors
/// When a table is no reconstruction, or the models are not of objectives.
pub fn run(context: &Context) -> Result<()> {
    let mut rows = Vec::new();
    for (input, encoder) in TRAININGS {
        let Some(all) = context.request.inputs.get(input) else { continue };
        for (at, path) in all.paths.iter().enumerate() {
            let values = all.values.get(at).filter(|values| values.len() == 1);
            let Some(objective) = values.and_then(|values| values.get("objective")?.as_str()) else {
                return Err(refusal(
                    format!("the models of `{input}` are not fanned out over `objective` alone"),
                    "say foreach.objective = [..] of the stage that trains them, and of the one that evaluates",
                ));
            };
            let table = read_columns(path, &METRICS)?;
            let mut means = [0.0; METRICS.len()];
            for (mean, name) in means.iter_mut().zip(METRICS) {
                let values = read_float64s(&table, name)?;
                if values.iter().any(|value| value.is_nan()) {
                    return Err(refusal(
                        format!("{name} of the model for {objective} ({encoder}) is NaN for some image"),
                        "look at it: `callsheet inspect` of the stage that evaluates",
                    ));
                }
                *mean = finite_mean(&values);
            }
            let (objective, images) = (objective.to_owned(), table.num_rows() as i32);
            rows.push(Row { objective, encoder, images, means });
        }
    }
    if rows.is_empty() {
        return Err(refusal("there is no model to compare", "wire one of the stage's inputs"));
    }
    rows.sort_by(|a, b| (&a.objective, a.encoder).cmp(&(&b.objective, b.encoder)));
    write(context, &rows)
}

/// The mean, without what is infinite: identical images have no PSNR.
fn finite_mean(values: &[f64]) -> f64 {
    let finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if finite.is_empty() {
        return f64::INFINITY;
    }
    finite.iter().sum::<f64>() / finite.len() as f64
}

fn write(context: &Context, rows: &[Row]) -> Result<()> {
    let text = DataType::Utf8;
    let mut kinds = vec![("objective", text.clone()), ("encoder", text), ("images", DataType::Int32)];
    kinds.extend(METRICS.map(|name| (name, DataType::Float64)));
    let mut table = context.table("comparison", schema(&kinds))?;
    let mut all = vec![
        ("objective", strings(rows.iter().map(|row| &row.objective))),
        ("encoder", strings(rows.iter().map(|row| row.encoder))),
        ("images", int32s(rows.iter().map(|row| row.images))),
    ];
    for (at, name) in METRICS.into_iter().enumerate() {
        all.push((name, float64s(rows.iter().map(|row| row.means[at]))));
    }
    table.write(&batch(all)?)?;
    Ok(table.finish()?)
}
