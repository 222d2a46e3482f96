//! Measurements of one method, over all its repetitions.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use callsheet_worker::error::list;
use callsheet_worker::table::read_columns;
use callsheet_worker::{Job, user_error};
use serde_json::Value;

use super::bootstrap::Group;
use crate::lib::columns::{read_float64s, read_int32s, read_strings};
use crate::lib::metrics::METRICS;
use crate::lib::objective::Objective;

/// Training of a method that is not trained.
const UNTRAINED: &str = "untrained";

/// Names of inputs, the training of the models measured in each, and the input that contains their
/// objectives.
const TRAININGS: [(&str, &str, &str); 5] = [
    ("baselines", UNTRAINED, ""),
    ("jointly", "from scratch", "joint_objectives"),
    ("frozen", "encoder frozen", "frozen_objectives"),
    ("finetuned", "fine-tuned", "finetune_objectives"),
    ("other_style", "fine-tuned, another image's style", "finetune_objectives"),
];

/// One row of the comparison.
pub(crate) struct Method {
    /// Name of the objective or predictor; empty if there is only one.
    pub name: String,
    /// Description of its training.
    pub training: &'static str,
    /// Objective of its training, if its input is wired.
    pub objective: Option<Objective>,
    /// Measurements, one per repetition.
    pub tables: Vec<Table>,
}

/// Measurements of one repetition.
pub(crate) struct Table {
    /// Ids of the images.
    pub ids: Vec<String>,
    /// Side of the compared images in pixels.
    pub side: i32,
    /// Name of the distance, and source of its network.
    pub distance: [String; 2],
    /// Values of each metric, in the order of [`METRICS`].
    values: [Vec<f64>; METRICS.len()],
}

impl Method {
    /// Reads all methods whose inputs are wired, the baselines first.
    ///
    /// # Errors
    /// Returns an error if a table is not one of measured images, or contains NaN.
    pub(crate) fn all(job: &Job) -> Result<Vec<Self>> {
        let mut methods: BTreeMap<(usize, String), Self> = BTreeMap::new();
        for (order, (input, training, objectives)) in TRAININGS.into_iter().enumerate() {
            let Some(all) = job.request.inputs.get(input) else { continue };
            let objectives = self::objectives(job, objectives)?;
            for (at, path) in all.paths.iter().enumerate() {
                let name = all.values.get(at).map(name).unwrap_or_default();
                let objective = objectives.get(&name).cloned();
                let new = || Self { name: name.clone(), training, objective, tables: Vec::new() };
                let method = methods.entry((order, name.clone())).or_insert_with(new);
                let table = Table::read(path, &method.shown())?;
                method.tables.push(table);
            }
        }
        Ok(methods.into_values().collect())
    }

    /// Returns the positions of the methods with this training, and with this name if one is given.
    ///
    /// # Errors
    /// Returns an error if no such method was measured.
    pub(crate) fn find(methods: &[Self], name: Option<&str>, training: &str) -> Result<Vec<usize>> {
        let meant =
            |method: &Self| method.training == training && name.is_none_or(|name| name == method.name);
        let found: Vec<usize> = (0..methods.len()).filter(|at| meant(&methods[*at])).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let named =
            name.filter(|name| !name.is_empty()).map_or_else(String::new, |name| format!(" `{name}`"));
        let known = methods.iter().map(|method| match method.name.as_str() {
            "" => format!("training = \"{}\"", method.training),
            name => format!("`{name}` with training = \"{}\"", method.training),
        });
        let known: Vec<String> = known.collect();
        Err(user_error(
            format!("no method{named} with training = \"{training}\" was measured"),
            format!("name a measured method: {}", list(known.iter().map(String::as_str))),
        ))
    }

    /// Returns the name for messages.
    pub(crate) fn shown(&self) -> String {
        let parts = [self.name.as_str(), self.training];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    }

    /// Returns the number of images with infinite PSNR, over all repetitions.
    pub(crate) fn identical(&self) -> usize {
        self.tables.iter().map(|table| table.values[0].iter().filter(|psnr| psnr.is_infinite()).count()).sum()
    }

    /// Returns the finite values of a metric over all repetitions, grouped by the images' frames.
    pub(crate) fn groups(&self, metric: usize, frames: &BTreeMap<String, String>) -> Result<Vec<Group>> {
        let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
        for table in &self.tables {
            for (id, value) in table.ids.iter().zip(&table.values[metric]) {
                let frame = frames.get(id).with_context(|| format!("image {id} is not among the pairs"))?;
                if value.is_finite() {
                    let group = groups.entry(frame).or_default();
                    *group = (group.0 + value, group.1 + 1);
                }
            }
        }
        Ok(groups.into_values().collect())
    }

    /// Returns the finite means of a metric over repetitions, by image.
    pub(crate) fn means(&self, metric: usize) -> BTreeMap<&str, f64> {
        let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
        for table in &self.tables {
            for (id, value) in table.ids.iter().zip(&table.values[metric]) {
                *sums.entry(id).or_default() += value / self.tables.len() as f64;
            }
        }
        sums.retain(|_, mean| mean.is_finite());
        sums
    }

    /// Returns the standard deviation of a metric's mean between repetitions; NaN if there is only one.
    pub(crate) fn deviation(&self, metric: usize) -> f64 {
        let means: Vec<f64> = self.tables.iter().map(|table| finite_mean(&table.values[metric])).collect();
        deviation(&means)
    }
}

/// Standard deviation between values, with the divisor n - 1; NaN for a single value.
pub(crate) fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// Reads the objectives of an input, by the values over which they were fanned out.
fn objectives(job: &Job, input: &str) -> Result<BTreeMap<String, Objective>> {
    let mut objectives = BTreeMap::new();
    let Some(all) = job.request.inputs.get(input) else { return Ok(objectives) };
    for (path, values) in all.paths.iter().zip(&all.values) {
        let text = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let objective = serde_json::from_slice(&text);
        let objective =
            objective.with_context(|| format!("`{}` is not a valid objective", path.display()))?;
        objectives.insert(name(values), objective);
    }
    Ok(objectives)
}

fn finite_mean(values: &[f64]) -> f64 {
    let finite = || values.iter().filter(|value| value.is_finite());
    finite().sum::<f64>() / finite().count() as f64
}

/// Joins the values over which a stage was fanned out, apart from seeds, which are repetitions.
pub(crate) fn name(values: &BTreeMap<String, Value>) -> String {
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let names = values.iter().filter(|(name, _)| *name != "seed").map(|(_, value)| shown(value));
    names.collect::<Vec<_>>().join(", ")
}

impl Table {
    fn read(path: &Path, method: &str) -> Result<Self> {
        let rows = read_columns(path, &[])?;
        let ids = read_strings(&rows, "image_id")?;
        let mut values = METRICS.map(|_| Vec::new());
        for (values, metric) in values.iter_mut().zip(METRICS) {
            *values = read_float64s(&rows, metric)?;
            // Identical images have an infinite PSNR.
            let wrong = |value: &f64| !value.is_finite() && (metric != "psnr" || *value != f64::INFINITY);
            if let Some(at) = values.iter().position(wrong) {
                let (value, id, path) = (values[at], &ids[at], path.display());
                return Err(user_error(
                    format!("{metric} of {id} by the method ({method}) is {value} in `{path}`"),
                    "look at this image and at the model's output; `callsheet inspect` shows the table",
                ));
            }
        }
        let first = |name: &str| Ok::<_, anyhow::Error>(read_strings(&rows, name)?.into_iter().next());
        let Some((name, weights)) = first("distance_name")?.zip(first("distance_weights")?) else {
            return Err(user_error(
                format!("nothing was measured for the method ({method}): there is no validation image"),
                "set list_images.val_fraction, or split_pairs, so that there are validation images",
            ));
        };
        Ok(Self { side: read_int32s(&rows, "side")?[0], distance: [name, weights], ids, values })
    }
}
