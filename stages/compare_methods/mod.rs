//! Comparison of methods that were measured on the same images.

pub(crate) mod bootstrap;
pub(crate) mod file;
mod method;
mod published;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use anyhow::Result;
use arrow::array::ArrayRef;
use callsheet_worker::table::read_columns;
use serde::Deserialize;

use crate::lib::columns::{Column, batch, float64s, int32s, read_strings, schema_of, strings};
use crate::lib::metrics::METRICS;
use crate::lib::objective::{Objective, Term};
use bootstrap::interval;
use callsheet_worker::{Job, user_error};
pub(crate) use method::{Method, deviation, name};
use published::Published;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    resamples: usize,
    seed: i64,
}

/// Columns of each metric: the mean, the ends of its interval, and the deviation between repetitions.
const FIGURES: [[&str; 4]; METRICS.len()] = [
    ["psnr", "psnr_low", "psnr_high", "psnr_deviation"],
    ["ssim", "ssim_low", "ssim_high", "ssim_deviation"],
    ["l1", "l1_low", "l1_high", "l1_deviation"],
    ["perceptual", "perceptual_low", "perceptual_high", "perceptual_deviation"],
    ["distance", "distance_low", "distance_high", "distance_deviation"],
];

/// Columns for the terms of generators in which objectives differ.
const TERMS: [(&str, Term); 11] = [
    ("term_perceptual", Term::Perceptual),
    ("term_l1", Term::L1),
    ("term_cycle", Term::Cycle),
    ("term_gan_reconstruction", Term::GanReconstruction),
    ("term_gan_random", Term::GanRandom),
    ("term_gan_swap", Term::GanSwap),
    ("term_gan_cycle", Term::GanCycle),
    ("term_random_code", Term::RandomCode),
    ("term_swap_code", Term::SwapCode),
    ("term_code_l2", Term::CodeL2),
    ("term_kl", Term::Kl),
];

/// Runs the stage.
///
/// # Errors
/// Returns an error if there is nothing to compare, or methods were measured on different images or with
/// different distances. Also returns an error if published figures belong to none of the methods.
pub(crate) fn run(job: &Job) -> Result<()> {
    let params: Params = job.params()?;
    let methods = Method::all(job)?;
    check(&methods)?;
    let frames = frames(job)?;

    let mut columns: Vec<Column> = vec![
        ("method", strings(methods.iter().map(|method| &method.name))),
        ("training", strings(methods.iter().map(|method| method.training))),
        ("images", int32s(methods.iter().map(|method| method.tables[0].ids.len() as i32))),
        ("repetitions", int32s(methods.iter().map(|method| method.tables.len() as i32))),
        ("identical", int32s(methods.iter().map(|method| method.identical() as i32))),
    ];
    for (metric, names) in FIGURES.into_iter().enumerate() {
        let mut figures = [const { Vec::new() }; 4];
        for method in &methods {
            let [mean, low, high] = interval(&method.groups(metric, &frames)?, params.resamples, params.seed);
            // If all images are reconstructed exactly, no PSNR is finite.
            let mean = if mean.is_nan() { f64::INFINITY } else { mean };
            let all = [mean, low, high, method.deviation(metric)];
            figures.iter_mut().zip(all).for_each(|(figures, figure)| figures.push(figure));
        }
        columns.extend(names.into_iter().zip(figures).map(|(name, figures)| (name, float64s(figures))));
    }
    let published = match job.optional("published") {
        Some(path) => Published::read(path, &methods)?,
        None => methods.iter().map(|_| None).collect(),
    };
    let figure = |of: fn(&Published) -> Option<f64>| {
        float64s(published.iter().map(|one| one.as_ref().and_then(of).unwrap_or(f64::NAN)))
    };
    columns.push(("psnr_published", figure(|one| one.psnr)));
    columns.push(("distance_published", figure(|one| Some(one.distance.as_ref()?.value))));
    let source = |one: &Option<Published>| one.as_ref().map(|one| one.source.clone()).unwrap_or_default();
    columns.push(("published_in", strings(published.iter().map(source))));
    columns.push(("side", int32s(methods.iter().map(|method| method.tables[0].side))));
    for (at, name) in ["distance_name", "distance_weights"].into_iter().enumerate() {
        columns.push((name, strings(methods.iter().map(|method| &method.tables[0].distance[at]))));
    }
    columns.push(("variational", switches(&methods, |objective| objective.variational)));
    for (name, term) in TERMS {
        columns.push((name, switches(&methods, |objective| objective.has(term))));
    }
    let mut table = job.table("comparison", schema_of(&columns))?;
    table.write(&batch(columns)?)?;
    Ok(table.finish()?)
}

/// Returns the frame of each image of the input `pairs`.
///
/// # Errors
/// Returns an error if the table cannot be read.
pub(crate) fn frames(job: &Job) -> Result<BTreeMap<String, String>> {
    let pairs = read_columns(job.input("pairs")?, &["image_id", "frame_id"])?;
    let ids = read_strings(&pairs, "image_id")?.into_iter();
    Ok(ids.zip(read_strings(&pairs, "frame_id")?).collect())
}

/// Returns `on` or `off` for each method; empty if its objective is not known.
fn switches(methods: &[Method], is_on: impl Fn(&Objective) -> bool) -> ArrayRef {
    let shown = |method: &Method| match method.objective.as_ref().map(&is_on) {
        Some(true) => "on",
        Some(false) => "off",
        None => "",
    };
    strings(methods.iter().map(shown))
}

/// Checks that all methods were measured on the same images, with the same crop and by the same distance.
///
/// # Errors
/// Returns an error that names two methods that differ, and the difference.
pub(crate) fn check(methods: &[Method]) -> Result<()> {
    let Some(first) = methods.first() else {
        return Err(user_error("there is no method to compare", "wire at least one of the stage's inputs"));
    };
    let wanted = &first.tables[0];
    for method in methods {
        let (one, other) = (first.shown(), method.shown());
        for table in &method.tables {
            if table.ids != wanted.ids {
                return Err(user_error(
                    format!("({one}) and ({other}) were measured on different images"),
                    "wire the same pairs to the stages that evaluate",
                ));
            }
            if table.side != wanted.side {
                return Err(user_error(
                    format!("({one}) was measured on {} pixels, ({other}) on {}", wanted.side, table.side),
                    "set the same crop in the stages that evaluate",
                ));
            }
            if table.distance != wanted.distance {
                let [a, b] = [wanted, table].map(|table| table.distance.join("; "));
                return Err(user_error(
                    format!("({one}) was measured by {a}, ({other}) by {b}"),
                    "use the same trunk, heads and distance_side in the stages that evaluate",
                ));
            }
        }
    }
    Ok(())
}
